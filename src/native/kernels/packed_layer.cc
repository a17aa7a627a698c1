#include "packed_layer.h"

#include <algorithm>
#include <cstring>

namespace lcq::kernels {

namespace {

size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

/// Writes the weights of one block as [steps][width][depth]; the buffer is zero already.
template <typename T>
void pack_block(const ConvLayer& layer, const PanelKernel& kernel, const Block& block, T* out) {
  const size_t depth = static_cast<size_t>(layer.geometry.depth());
  for (size_t i = 0; i < block.count; ++i) {
    const int8_t* row = layer.weights.data() + (block.first + i) * depth;
    for (size_t k = 0; k < depth; ++k) {
      const size_t step = k / kernel.depth;
      out[(step * block.width + i) * kernel.depth + k % kernel.depth] = row[k];
    }
  }
}

std::vector<Block> divide(const ConvGeometry& g, const PanelKernel& kernel, size_t steps) {
  std::vector<Block> blocks;
  size_t at = 0, weights = 0;
  for (int64_t group = 0; group < g.group; ++group) {
    const int64_t end = (group + 1) * g.group_outputs();
    for (int64_t m = group * g.group_outputs(); m < end; m += kernel.columns) {
      const size_t count = std::min<size_t>(kernel.columns, end - m);
      const size_t width = round_up(count, kernel.granule);
      blocks.push_back({m, count, width, at, weights});
      at += width;
      weights += steps * width * kernel.depth * kernel.weight_size;
    }
  }
  return blocks;
}

}  // namespace

PackedLayer pack(const ConvLayer& layer, const PanelKernel& kernel) {
  const ConvGeometry& g = layer.geometry;
  const size_t depth = static_cast<size_t>(g.depth());
  PackedLayer packed;
  packed.steps = round_up((depth + kernel.depth - 1) / kernel.depth, kernel.step_granule);
  packed.blocks = divide(g, kernel, packed.steps);
  packed.blocks_per_group = packed.blocks.size() / g.group;
  const Block& last = packed.blocks.back();
  packed.padded_outputs = last.at + last.width;
  const size_t bytes =
      last.weights + packed.steps * last.width * kernel.depth * kernel.weight_size;
  packed.weights = make_aligned_buffer(bytes);
  std::memset(packed.weights.get(), 0, bytes);
  for (const Block& block : packed.blocks) {
    std::byte* out = packed.weights.get() + block.weights;
    if (kernel.weight_size == sizeof(int8_t)) {
      pack_block(layer, kernel, block, reinterpret_cast<int8_t*>(out));
    } else {
      pack_block(layer, kernel, block, reinterpret_cast<int16_t*>(out));
    }
  }

  std::vector<int32_t> start(g.outputs);
  for (int64_t m = 0; m < g.outputs; ++m) {
    uint32_t sum = 0;  // unsigned: the intermediate sums wrap, the final ones fit
    for (size_t k = 0; k < depth; ++k) sum += static_cast<uint32_t>(layer.weights[m * depth + k]);
    start[m] = static_cast<int32_t>(0u - layer.input_zero_point * sum);
  }
  packed.start = pad_by_block(packed, start.data());
  return packed;
}

}  // namespace lcq::kernels

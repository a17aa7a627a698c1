#include "packed_weights.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace lcq::kernels {

namespace {

/// Products of one chunk: 768 x 32 weights of a byte are half of a 48 KB level-1 cache.
constexpr size_t kChunkDepth = 768;
/// Chunks begin at whole packed vectors: 16 steps of the narrowest block are 512 bytes when unpacked.
constexpr size_t kChunkGranule = 16;

size_t divide_up(size_t value, size_t by) { return (value + by - 1) / by; }
size_t round_up(size_t value, size_t multiple) { return divide_up(value, multiple) * multiple; }

size_t index_bits(WeightFormat format) { return format == WeightFormat::kIndex2 ? 2 : 4; }

/// Packed vectors of a block whose weights are `bytes` when unpacked.
size_t packed_vectors(size_t bytes, WeightFormat format) {
  return divide_up(bytes * index_bits(format), 8 * kPackedVector);
}

size_t step_bytes(const PanelKernel& kernel, size_t width) {
  return width * kernel.depth * kernel.weight_size;
}

size_t stored_bytes(const PackedWeights& packed, const PanelKernel& kernel, size_t width) {
  const size_t bytes = packed.steps * step_bytes(kernel, width);
  if (packed.format == WeightFormat::kWhole) return bytes;
  return packed_vectors(bytes, packed.format) * kPackedVector;
}

/// Chooses the format, and fills the table of levels; a table for 2 bits is the same four times over.
void choose_format(const ConvLayer& layer, const PanelKernel& kernel, PackedWeights& packed) {
  packed.format = WeightFormat::kWhole;
  packed.levels = {};
  if (kernel.weight_size != sizeof(int8_t)) return;
  std::set<int8_t> levels;
  for (const int8_t weight : layer.weights) {
    levels.insert(weight);
    if (levels.size() > packed.levels.size()) return;
  }
  packed.format = levels.size() <= 4 ? WeightFormat::kIndex2 : WeightFormat::kIndex4;
  const size_t period = size_t{1} << index_bits(packed.format);
  size_t index = 0;
  for (const int8_t level : levels) {
    for (size_t i = index; i < packed.levels.size(); i += period) packed.levels[i] = level;
    ++index;
  }
}

/// The weights of one block as [steps][width][depth]; `out` is zero already.
template <typename T>
void arrange(const ConvLayer& layer, const PanelKernel& kernel, const Block& block, T* out) {
  const size_t depth = static_cast<size_t>(layer.geometry.depth());
  for (size_t i = 0; i < block.count; ++i) {
    const int8_t* row = layer.weights.data() + (block.first + i) * depth;
    for (size_t k = 0; k < depth; ++k) {
      const size_t step = k / kernel.depth;
      out[(step * block.width + i) * kernel.depth + k % kernel.depth] = row[k];
    }
  }
}

/// Levels to indices, in the order that TileOps unpacks. Padding may become any level: panels are zero there, and
/// outputs beyond a block's count are not stored.
void pack_indices(const PackedWeights& packed, const std::vector<int8_t>& weights, std::byte* out) {
  const size_t bits = index_bits(packed.format);
  const size_t period = size_t{1} << bits, per_packed = 8 / bits;
  std::array<uint8_t, 256> index_of{};
  for (size_t i = 0; i < period; ++i) index_of[static_cast<uint8_t>(packed.levels[i])] = i;
  for (size_t i = 0; i < weights.size(); ++i) {
    const size_t vector = i / kPackedVector;
    const size_t at = vector / per_packed * kPackedVector + i % kPackedVector;
    const size_t index = index_of[static_cast<uint8_t>(weights[i])];
    out[at] |= static_cast<std::byte>(index << (vector % per_packed * bits));
  }
}

void allocate(const PanelKernel& kernel, const std::vector<Block>& blocks, PackedWeights& packed) {
  size_t bytes = 0;
  for (const Block& block : blocks) {
    packed.places.push_back(bytes);
    bytes += stored_bytes(packed, kernel, block.width);
  }
  packed.bytes = make_aligned_buffer(bytes);
  std::memset(packed.bytes.get(), 0, bytes);
}

}  // namespace

std::vector<int32_t> sums_of_zero_point(const ConvLayer& layer) {
  const size_t depth = static_cast<size_t>(layer.geometry.depth());
  std::vector<int32_t> start(layer.geometry.outputs);
  for (size_t m = 0; m < start.size(); ++m) {
    uint32_t sum = 0;  // unsigned: the intermediate sums wrap, the final ones fit
    for (size_t k = 0; k < depth; ++k) sum += static_cast<uint32_t>(layer.weights[m * depth + k]);
    start[m] = static_cast<int32_t>(0u - layer.input_zero_point * sum);
  }
  return start;
}

PackedWeights pack_weights(const ConvLayer& layer, const PanelKernel& kernel,
                           const std::vector<Block>& blocks) {
  PackedWeights packed;
  packed.steps = round_up(divide_up(layer.geometry.depth(), kernel.depth), kernel.step_granule);
  const size_t chunks = divide_up(packed.steps * kernel.depth, kChunkDepth);
  packed.chunk_steps = round_up(divide_up(packed.steps, chunks), kChunkGranule);
  choose_format(layer, kernel, packed);
  allocate(kernel, blocks, packed);
  for (size_t b = 0; b < blocks.size(); ++b) {
    std::byte* out = packed.bytes.get() + packed.places[b];
    if (packed.format != WeightFormat::kWhole) {
      std::vector<int8_t> weights(packed.steps * step_bytes(kernel, blocks[b].width));
      arrange(layer, kernel, blocks[b], weights.data());
      pack_indices(packed, weights, out);
    } else if (kernel.weight_size == sizeof(int8_t)) {
      arrange(layer, kernel, blocks[b], reinterpret_cast<int8_t*>(out));
    } else {
      arrange(layer, kernel, blocks[b], reinterpret_cast<int16_t*>(out));
    }
  }
  return packed;
}

size_t unpacked_bytes(const PackedWeights& packed, const PanelKernel& kernel, size_t steps) {
  if (packed.format == WeightFormat::kWhole) return 0;
  const size_t bytes = steps * step_bytes(kernel, kernel.columns);
  return packed_vectors(bytes, packed.format) * kPackedVector * 8 / index_bits(packed.format);
}

const void* unpack(const PackedWeights& packed, const PanelKernel& kernel,
                   const std::vector<Block>& blocks, size_t index, size_t step, size_t steps,
                   std::byte* buffer) {
  const size_t bytes = step_bytes(kernel, blocks[index].width);
  const std::byte* weights = packed.bytes.get() + packed.places[index];
  if (packed.format == WeightFormat::kWhole) return weights + step * bytes;
  weights += packed_vectors(step * bytes, packed.format) * kPackedVector;
  const auto unpack_vectors = packed.format == WeightFormat::kIndex2 ? kernel.tile_ops->unpack2
                                                                     : kernel.tile_ops->unpack4;
  unpack_vectors(reinterpret_cast<const uint8_t*>(weights),
                 packed_vectors(steps * bytes, packed.format), packed.levels.data(),
                 reinterpret_cast<uint8_t*>(buffer));
  return buffer;
}

}  // namespace lcq::kernels

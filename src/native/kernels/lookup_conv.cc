#include "lookup_conv.h"

#include <algorithm>
#include <cstring>

#include "aligned_buffer.h"
#include "packed_epilogue.h"
#include "packed_weights.h"
#include "panel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kBits = 2, kLevels = 1 << kBits;
/// Pixels whose indices are made together: a block of entries is read once for all of them.
constexpr size_t kStripPixels = 64;

size_t divide_up(size_t value, size_t by) { return (value + by - 1) / by; }

int32_t greatest_level(const ConvLayer& layer) {
  return *std::max_element(layer.input_levels.begin(),
                           layer.input_levels.begin() + layer.input_level_count);
}

/// The most entries that can be added in 8 bits; 0 if not even one can be held.
size_t depth_of(const LookupKernel& kernel, const ConvLayer& layer) {
  for (const size_t depth : kLookupDepths) {
    if (depth * kernel.inputs * greatest_level(layer) <= UINT8_MAX) return depth;
  }
  return 0;
}

/// tables[index][entry], both made of 2-bit codes; the code of a weight w is w + 1. Aligned: no table is in two cache
/// lines.
AlignedBuffer make_tables(const LookupKernel& kernel, const ConvLayer& layer) {
  const size_t size = size_t{1} << (kBits * kernel.inputs);
  AlignedBuffer tables = make_aligned_buffer(size * size);
  for (size_t index = 0; index < size; ++index) {
    for (size_t entry = 0; entry < size; ++entry) {
      int32_t sum = 0;
      for (size_t i = 0; i < kernel.inputs; ++i) {
        const int32_t level = layer.input_levels[index >> (kBits * i) & (kLevels - 1)];
        const int32_t weight = static_cast<int32_t>(entry >> (kBits * i) & (kLevels - 1)) - 1;
        sum += level * weight + (weight < 0 ? greatest_level(layer) : 0);
      }
      tables[index * size + entry] = static_cast<std::byte>(sum);
    }
  }
  return tables;
}

/// The layer with its codes in the place of its levels: panels of it hold codes.
ConvLayer with_codes(const ConvLayer& layer) {
  ConvLayer codes{layer.geometry, {}, kLevels, 0, {}, {}};
  for (size_t code = 0; code < kLevels; ++code) codes.input_levels[code] = code;
  return codes;
}

/// An index of a panel row is made of inputs that are `count_` apart, so that neighbouring indices come from
/// neighbouring inputs.
class LookupConv final : public Conv {
 public:
  LookupConv(const ConvLayer& layer, const LookupKernel& kernel)
      : kernel_(kernel),
        outputs_(layer.geometry.outputs),
        depth_(depth_of(kernel, layer)),
        count_(divide_up(layer.geometry.depth(), kernel.inputs * depth_) * depth_),
        blocks_(divide_channels(outputs_, 1, kernel.columns, kernel.columns)),
        tables_(make_tables(kernel, layer)),
        entries_(pack_entries(layer)),
        start_(make_start(layer)),
        panel_(with_codes(layer), *kernel.tile_ops, count_ * kernel.inputs),
        epilogue_(layer, blocks_, *kernel.tile_ops) {}

  const char* name() const override { return kernel_.name; }

  size_t scratch_bytes(const ConvCall&) const override {
    return acc_bytes() + panel_.stride() + kStripPixels * count_;
  }

  size_t tasks(const ConvCall& call, size_t wanted) const override {
    return std::min(wanted, strips(call) * shares(call, wanted));
  }

  void run(const ConvCall& call, size_t task, size_t tasks, std::byte* scratch) const override {
    int32_t* acc = reinterpret_cast<int32_t*>(scratch);
    uint8_t* codes = reinterpret_cast<uint8_t*>(scratch + acc_bytes());
    uint8_t* indices = codes + panel_.stride();
    // With fewer strips than tasks the output channels are shared out too.
    const size_t share_count = shares(call, tasks), units = strips(call) * share_count;
    for (size_t unit = units * task / tasks; unit < units * (task + 1) / tasks; ++unit) {
      const int64_t at = unit % strips(call) * kStripPixels;
      const size_t share = unit / strips(call);
      const size_t count = std::min<int64_t>(kStripPixels, call.pixels - at);
      for (size_t i = 0; i < count; ++i) {
        panel_.fill(call, at + i, 1, 0, codes);
        make_indices(codes, indices + i * count_);
      }
      for (size_t b = blocks_.size() * share / share_count;
           b < blocks_.size() * (share + 1) / share_count; ++b) {
        run_block(call, b, indices, at, count, acc);
      }
    }
  }

 private:
  size_t acc_bytes() const { return kernel_.rows * kernel_.columns * sizeof(int32_t); }

  static size_t strips(const ConvCall& call) { return divide_up(call.pixels, kStripPixels); }

  size_t shares(const ConvCall& call, size_t wanted) const {
    return std::min(divide_up(wanted, strips(call)), blocks_.size());
  }

  /// Word by word: codes are so small that no bit leaves its byte.
  void make_indices(const uint8_t* codes, uint8_t* indices) const {
    size_t k = 0;
    for (; k + sizeof(uint64_t) <= count_; k += sizeof(uint64_t)) {
      uint64_t index = 0;
      for (size_t i = 0; i < kernel_.inputs; ++i) {
        uint64_t word;
        std::memcpy(&word, codes + i * count_ + k, sizeof word);
        index |= word << (kBits * i);
      }
      std::memcpy(indices + k, &index, sizeof index);
    }
    for (; k < count_; ++k) {
      indices[k] = 0;
      for (size_t i = 0; i < kernel_.inputs; ++i) indices[k] |= codes[i * count_ + k] << (kBits * i);
    }
  }

  void run_block(const ConvCall& call, size_t b, const uint8_t* indices, int64_t at, size_t count,
                 int32_t* acc) const {
    const Block& block = blocks_[b];
    const auto* entries =
        reinterpret_cast<const uint8_t*>(entries_.get()) + b * count_ * kernel_.columns;
    for (size_t tile = 0; tile < count; tile += kernel_.rows) {
      const size_t rows = std::min(kernel_.rows, count - tile);
      kernel_.multiply(indices + tile * count_, count_, entries,
                       reinterpret_cast<const uint8_t*>(tables_.get()), count_, depth_,
                       rows, start_.data() + block.at, acc);
      epilogue_.finish(call, block, at + tile, {acc, kernel_.columns, rows, block.count});
    }
  }

  /// For each block [count][columns]; what is beyond the inputs or the outputs has no weight.
  AlignedBuffer pack_entries(const ConvLayer& layer) const {
    const size_t columns = kernel_.columns, depth = layer.geometry.depth();
    AlignedBuffer buffer = make_aligned_buffer(blocks_.size() * count_ * columns);
    auto* out = reinterpret_cast<uint8_t*>(buffer.get());
    for (const Block& block : blocks_) {
      for (size_t k = 0; k < count_; ++k, out += columns) {
        for (size_t lane = 0; lane < columns; ++lane) {
          const size_t m = lane % 2 * (columns / 2) + lane / 2;
          uint8_t entry = 0;
          for (size_t i = 0; i < kernel_.inputs; ++i) {
            const size_t input = i * count_ + k;
            const bool exists = m < block.count && input < depth;
            const int8_t weight = exists ? layer.weights[(block.first + m) * depth + input] : 0;
            entry |= (weight + 1) << (kBits * i);
          }
          out[lane] = entry;
        }
      }
    }
    return buffer;
  }

  /// What the entries are raised by is subtracted here, as the zero point is.
  std::vector<int32_t> make_start(const ConvLayer& layer) const {
    std::vector<int32_t> start = sums_of_zero_point(layer);
    const size_t depth = layer.geometry.depth();
    for (size_t m = 0; m < start.size(); ++m) {
      const int8_t* row = layer.weights.data() + m * depth;
      start[m] -= greatest_level(layer) * static_cast<int32_t>(std::count(row, row + depth, -1));
    }
    return pad_by_block(blocks_, start.data());
  }

  const LookupKernel& kernel_;
  const int64_t outputs_;
  const size_t depth_;
  const size_t count_;  // indices of a panel row
  const std::vector<Block> blocks_;
  const AlignedBuffer tables_;
  const AlignedBuffer entries_;
  const std::vector<int32_t> start_;
  const Panel panel_;
  const PackedEpilogue epilogue_;
};

}  // namespace

bool takes(const LookupKernel& kernel, const ConvLayer& layer) {
  const ConvGeometry& g = layer.geometry;
  // Fewer outputs would leave most of a look-up unused.
  if (g.group != 1 || 2 * g.outputs < static_cast<int64_t>(kernel.columns)) return false;
  // Outside the image is code 0.
  if (layer.input_level_count > kLevels || layer.input_levels[0] != layer.input_zero_point) {
    return false;
  }
  const bool ternary = std::all_of(layer.weights.begin(), layer.weights.end(),
                                   [](int8_t weight) { return weight >= -1 && weight <= 1; });
  return ternary && depth_of(kernel, layer) > 0;
}

std::unique_ptr<Conv> make_lookup_conv(const ConvLayer& layer, const LookupKernel& kernel) {
  return std::make_unique<LookupConv>(layer, kernel);
}

}  // namespace lcq::kernels

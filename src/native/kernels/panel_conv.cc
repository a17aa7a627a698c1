#include "panel_conv.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "packed_layer.h"

namespace lcq::kernels {

namespace {

/// Panels of about this many bytes are made before the weights are read and unpacked, so that this is done once for
/// several tiles: a part of the level-2 cache. More pixels do not help.
constexpr size_t kStripBytes = 320 * 1024;
constexpr size_t kMaxStripPixels = 128;
/// Weights that are no more when unpacked stay in the level-2 cache next to the panels.
constexpr size_t kResidentBytes = 320 * 1024;

struct Pixel {
  int64_t n, oh, ow;
};

/// StreamEpilogue for TileOps: thresholds as numbers that s must exceed, those that always or never hold taken out.
struct PackedStream {
  std::vector<float> scale, bias;
  int16_t output_min;
  std::vector<int16_t> below;
  uint8_t base = 0;
  int64_t residual_stride, residual_offset;
};

struct PackedCodes {
  size_t count;
  std::vector<int32_t> thresholds;  // [S][padded outputs]
};

struct PackedReal {
  std::vector<float> scale, bias;
};

using PackedEpilogue = std::variant<PackedCodes, PackedStream, PackedReal>;

bool is_identity(const ConvLayer& layer) {
  for (size_t code = 0; code < layer.input_level_count; ++code) {
    if (layer.input_levels[code] != code) return false;
  }
  return true;
}

bool reads_pixels_in_order(const ConvGeometry& g) {
  return g.kernel_height == 1 && g.kernel_width == 1 && g.group == 1 && g.stride_height == 1 &&
         g.stride_width == 1 && g.top + g.left + g.bottom + g.right == 0;
}

PackedEpilogue pack_epilogue(const CodesEpilogue& e, const PackedLayer& packed) {
  PackedCodes result{e.count, std::vector<int32_t>(e.count * packed.padded_outputs)};
  for (const Block& block : packed.blocks) {
    for (size_t i = 0; i < block.count; ++i) {
      for (size_t t = 0; t < e.count; ++t) {
        result.thresholds[t * packed.padded_outputs + block.at + i] =
            e.thresholds[(block.first + i) * e.count + t];
      }
    }
  }
  return result;
}

PackedEpilogue pack_epilogue(const StreamEpilogue& e, const PackedLayer& packed) {
  PackedStream result{pad_by_block(packed, e.scale.data()), pad_by_block(packed, e.bias.data()),
                      e.output_min, {}, 0, e.residual_stride, e.residual_offset};
  for (const int32_t threshold : e.thresholds) {
    if (threshold <= INT16_MIN) {
      ++result.base;
    } else if (threshold <= INT16_MAX) {
      result.below.push_back(static_cast<int16_t>(threshold - 1));
    }
  }
  return result;
}

PackedEpilogue pack_epilogue(const RealEpilogue& e, const PackedLayer& packed) {
  return PackedReal{pad_by_block(packed, e.scale.data()), pad_by_block(packed, e.bias.data())};
}

/// Each output pixel's inputs are gathered into a row of levels (the panel), in the order of the weights; the kernel
/// multiplies a tile of rows with a block of output channels; the epilogue follows at once, while the sums are in the
/// level-1 cache. Levels stay unsigned: the zero point is subtracted by `start`, and padding is the zero point.
class PanelConv final : public Conv {
 public:
  PanelConv(const ConvLayer& layer, const PanelKernel& kernel)
      : kernel_(kernel),
        ops_(*kernel.tile_ops),
        geometry_(layer.geometry),
        levels_(layer.input_levels),
        level_count_(layer.input_level_count),
        identity_(is_identity(layer)),
        zero_point_(layer.input_zero_point),
        packed_(pack(layer, kernel)),
        stride_(packed_.steps * kernel.depth),
        pointwise_(reads_pixels_in_order(layer.geometry) &&
                   stride_ == static_cast<size_t>(layer.geometry.depth())),
        strip_(std::clamp(kStripBytes / stride_ / kernel.rows * kernel.rows, kernel.rows,
                          kMaxStripPixels / kernel.rows * kernel.rows)),
        resident_(layer.geometry.group == 1 && packed_.steps <= packed_.chunk_steps &&
                  layer.weights.size() * kernel.weight_size <= kResidentBytes),
        epilogue_(std::visit([&](const auto& e) { return pack_epilogue(e, packed_); },
                             layer.epilogue)) {}

  const char* name() const override { return kernel_.name; }

  size_t scratch_bytes() const override {
    const size_t unpacked = unpacked_bytes(packed_, kernel_);
    return acc_bytes() + strip_ * stride_ +
           (resident_ ? unpacked * packed_.blocks.size() : unpacked);
  }

  size_t tasks(int64_t pixels, size_t wanted) const override {
    return std::min(wanted, strips(pixels) * shares(pixels, wanted));
  }

  void run(const ConvCall& call, size_t task, size_t tasks, std::byte* scratch) const override {
    Work work{call,
              reinterpret_cast<int32_t*>(scratch),
              reinterpret_cast<uint8_t*>(scratch + acc_bytes()),
              scratch + acc_bytes() + strip_ * stride_,
              0,
              0};
    // With fewer strips than tasks the output channels are shared out too.
    const size_t share_units = strips(call.pixels);
    const size_t share_count = shares(call.pixels, tasks), units = share_units * share_count;
    const size_t begin = units * task / tasks, end = units * (task + 1) / tasks;
    if (kernel_.begin != nullptr) kernel_.begin();
    for (size_t unit = begin; unit < end; ++unit) {
      const size_t share = unit / share_units, blocks = packed_.blocks_per_group;
      work.first = blocks * share / share_count;
      work.last = blocks * (share + 1) / share_count;
      if (resident_ && (unit == begin || unit % share_units == 0)) unpack_all(work);
      run_strip(work, unit % share_units * strip_);
    }
    if (kernel_.end != nullptr) kernel_.end();
  }

 private:
  /// One task: its memory, and the blocks [first, last) of each group that it computes.
  struct Work {
    const ConvCall& call;
    int32_t* acc;
    uint8_t* panel;
    std::byte* unpacked;
    size_t first, last;
  };

  /// Sums of a strip by a block.
  size_t acc_bytes() const { return strip_ * kernel_.columns * sizeof(int32_t); }

  size_t strips(int64_t pixels) const { return (pixels + strip_ - 1) / strip_; }

  size_t shares(int64_t pixels, size_t wanted) const {
    return std::min((wanted + strips(pixels) - 1) / strips(pixels), packed_.blocks_per_group);
  }

  void unpack_all(const Work& work) const {
    for (size_t b = work.first; b < work.last; ++b) unpack_resident(work, b);
  }

  /// A block's weights, all of them, at its own place in the working memory.
  const void* unpack_resident(const Work& work, size_t b) const {
    return unpack(packed_, kernel_, packed_.blocks[b], 0, packed_.steps, resident_place(work, b));
  }

  std::byte* resident_place(const Work& work, size_t b) const {
    return work.unpacked + b * unpacked_bytes(packed_, kernel_);
  }

  const void* resident_weights(const Work& work, size_t b) const {
    if (packed_.format != WeightFormat::kWhole) return resident_place(work, b);
    return packed_.weights.get() + packed_.blocks[b].weights;
  }

  /// The pixels from `at` on.
  void run_strip(const Work& work, int64_t at) const {
    const ConvCall& call = work.call;
    const size_t count = std::min<int64_t>(strip_, call.pixels - at);
    Pixel pixels[kMaxStripPixels];
    for (size_t i = 0; i < count; ++i) pixels[i] = locate(call, at + i);
    for (int64_t group = 0; group < geometry_.group; ++group) {
      fill_panel(call, pixels, at, count, group, work.panel);
      if (resident_) {
        run_by_tiles(work, pixels, at, count);
      } else {
        run_by_blocks(work, group * packed_.blocks_per_group, pixels, at, count);
      }
    }
  }

  /// All blocks of a tile before the next tile: a pixel's outputs are written, and its residuals read, in one go.
  void run_by_tiles(const Work& work, const Pixel* pixels, int64_t at, size_t count) const {
    for (size_t tile = 0; tile < count; tile += kernel_.rows) {
      const size_t rows = std::min(kernel_.rows, count - tile);
      for (size_t b = work.first; b < work.last; ++b) {
        const Block& block = packed_.blocks[b];
        kernel_.multiply(work.panel + tile * stride_, stride_, resident_weights(work, b),
                         packed_.steps, rows, block.width, packed_.start.data() + block.at, 0,
                         work.acc);
        finish_tile(work.call, block, pixels + tile, at + tile, rows, work.acc);
      }
    }
  }

  /// All tiles of a block before the next block, chunk by chunk: a chunk's weights stay in the level-1 cache.
  void run_by_blocks(const Work& work, size_t group_block, const Pixel* pixels, int64_t at,
                     size_t count) const {
    for (size_t b = work.first; b < work.last; ++b) {
      const Block& block = packed_.blocks[group_block + b];
      for (size_t step = 0; step < packed_.steps; step += packed_.chunk_steps) {
        multiply_chunk(work, block, step, count);
      }
      for (size_t tile = 0; tile < count; tile += kernel_.rows) {
        finish_tile(work.call, block, pixels + tile, at + tile,
                    std::min(kernel_.rows, count - tile), work.acc + tile * kernel_.columns);
      }
    }
  }

  void multiply_chunk(const Work& work, const Block& block, size_t step, size_t count) const {
    const size_t steps = std::min(packed_.chunk_steps, packed_.steps - step);
    const void* weights = unpack(packed_, kernel_, block, step, steps, work.unpacked);
    const uint8_t* chunk = work.panel + step * kernel_.depth;
    for (size_t tile = 0; tile < count; tile += kernel_.rows) {
      int32_t* acc = work.acc + tile * kernel_.columns;
      const bool first = step == 0;
      kernel_.multiply(chunk + tile * stride_, stride_, weights, steps,
                       std::min(kernel_.rows, count - tile), block.width,
                       first ? packed_.start.data() + block.at : acc, first ? 0 : kernel_.columns,
                       acc);
    }
  }

  void finish_tile(const ConvCall& call, const Block& block, const Pixel* pixels, int64_t at,
                   size_t rows, const int32_t* acc) const {
    const Sums sums{acc, kernel_.columns, rows, block.count};
    const int64_t out = at * geometry_.outputs + block.first;
    std::visit([&](const auto& e) { finish(e, call, block, pixels, sums, out); }, epilogue_);
  }

  static Pixel locate(const ConvCall& call, int64_t index) {
    const int64_t row = index / call.output_width;
    return {row / call.output_height, row % call.output_height, index % call.output_width};
  }

  /// A kernel row of an image of 3 channels is some 20 bytes: too few for a call of memcpy.
  static void copy(const uint8_t* codes, size_t count, uint8_t* out) {
    constexpr size_t kVector = 16;
    if (count < kVector || count > 2 * kVector) return void(std::memcpy(out, codes, count));
    std::memcpy(out, codes, kVector);
    std::memcpy(out + count - kVector, codes + count - kVector, kVector);
  }

  void map(const uint8_t* codes, size_t count, uint8_t* out) const {
    if (identity_) return copy(codes, count, out);
    if (level_count_ <= 16) return ops_.map16(codes, count, levels_.data(), out);
    for (size_t i = 0; i < count; ++i) out[i] = levels_[codes[i]];
  }

  void fill_panel(const ConvCall& call, const Pixel* pixels, int64_t at, size_t count,
                  int64_t group, uint8_t* panel) const {
    if (pointwise_) return map(call.input + at * stride_, count * stride_, panel);
    for (size_t i = 0; i < count; ++i) gather(call, pixels[i], group, panel + i * stride_);
  }

  void gather(const ConvCall& call, const Pixel& pixel, int64_t group, uint8_t* out) const {
    const ConvGeometry& g = geometry_;
    const uint8_t* const row_end = out + stride_;
    const int64_t left = pixel.ow * g.stride_width - g.left;
    for (int64_t kh = 0; kh < g.kernel_height; ++kh) {
      const int64_t h = pixel.oh * g.stride_height + kh * g.dilation_height - g.top;
      const size_t bytes = g.kernel_width * g.group_channels;
      if (h < 0 || h >= call.height) {
        std::memset(out, zero_point_, bytes);
      } else {
        const uint8_t* image_row =
            call.input + (pixel.n * call.height + h) * call.width * g.channels();
        gather_row(image_row, call.width, left, group, out);
      }
      out += bytes;
    }
    std::memset(out, 0, row_end - out);
  }

  /// One kernel row: KW taps from column `left` on, which may lie outside the image.
  void gather_row(const uint8_t* row, int64_t width, int64_t left, int64_t group,
                  uint8_t* out) const {
    const ConvGeometry& g = geometry_;
    const size_t channels = g.group_channels;
    if (g.group == 1 && g.dilation_width == 1) {  // neighbouring taps are neighbours in memory
      const int64_t first = std::clamp<int64_t>(-left, 0, g.kernel_width);
      const int64_t last = std::clamp<int64_t>(width - left, first, g.kernel_width);
      std::memset(out, zero_point_, first * channels);
      map(row + (left + first) * channels, (last - first) * channels, out + first * channels);
      std::memset(out + last * channels, zero_point_, (g.kernel_width - last) * channels);
      return;
    }
    for (int64_t kw = 0; kw < g.kernel_width; ++kw, out += channels) {
      const int64_t w = left + kw * g.dilation_width;
      if (w < 0 || w >= width) {
        std::memset(out, zero_point_, channels);
      } else {
        map(row + w * g.channels() + group * channels, channels, out);
      }
    }
  }

  void finish(const PackedCodes& e, const ConvCall& call, const Block& block, const Pixel*,
              const Sums& sums, int64_t out) const {
    ops_.count_codes(sums, e.thresholds.data() + block.at, packed_.padded_outputs, e.count,
                     call.codes + out, geometry_.outputs);
  }

  void finish(const PackedStream& e, const ConvCall& call, const Block& block, const Pixel* pixels,
              const Sums& sums, int64_t out) const {
    const StreamConstants constants{e.scale.data() + block.at, e.bias.data() + block.at,
                                    e.output_min, e.base, e.below.data(), e.below.size()};
    static constexpr int16_t kNone[kMaxColumns] = {};
    int16_t copies[kMaxRows * kMaxColumns];
    const int16_t* residuals = kNone;
    size_t pitch = 0;
    if (call.residual != nullptr && e.residual_stride == 1 && covers(e, call, block)) {
      residuals = residual_of(e, call, pixels[0]) + (block.first - e.residual_offset);
      pitch = call.residual_channels;
    } else if (call.residual != nullptr) {
      residuals = copies;
      pitch = block.width;
      for (size_t r = 0; r < sums.rows; ++r) {
        copy_residual(e, call, block, pixels[r], copies + r * pitch);
      }
    }
    ops_.finish_stream(sums, constants, residuals, pitch, call.stream + out, call.codes + out,
                       geometry_.outputs);
  }

  void finish(const PackedReal& e, const ConvCall& call, const Block& block, const Pixel*,
              const Sums& sums, int64_t out) const {
    ops_.finish_real(sums, e.scale.data() + block.at, e.bias.data() + block.at, call.real + out,
                     geometry_.outputs);
  }

  static const int16_t* residual_of(const PackedStream& e, const ConvCall& call, const Pixel& p) {
    const int64_t h = p.oh * e.residual_stride, w = p.ow * e.residual_stride;
    return call.residual +
           ((p.n * call.residual_height + h) * call.residual_width + w) * call.residual_channels;
  }

  /// All channels of the block, padding included, have a residual.
  static bool covers(const PackedStream& e, const ConvCall& call, const Block& block) {
    const int64_t from = block.first - e.residual_offset;
    return from >= 0 && from + static_cast<int64_t>(block.width) <= call.residual_channels;
  }

  /// A pixel's residuals for the block, zeros for those that do not exist.
  static void copy_residual(const PackedStream& e, const ConvCall& call, const Block& block,
                            const Pixel& pixel, int16_t* copy) {
    std::fill_n(copy, block.width, int16_t{0});
    const int64_t from = block.first - e.residual_offset;
    const int64_t first = std::max<int64_t>(from, 0);
    const int64_t last =
        std::min<int64_t>(from + static_cast<int64_t>(block.width), call.residual_channels);
    const int16_t* row = residual_of(e, call, pixel);
    if (first < last) std::copy(row + first, row + last, copy + (first - from));
  }

  const PanelKernel& kernel_;
  const TileOps& ops_;
  const ConvGeometry geometry_;
  const std::array<uint8_t, 256> levels_;
  const size_t level_count_;
  const bool identity_;  // a code is its level
  const uint8_t zero_point_;
  const PackedLayer packed_;
  const size_t stride_;  // bytes of a panel row
  const bool pointwise_;  // panel rows are the pixels themselves
  const size_t strip_;   // pixels that are gathered at a time
  const bool resident_;  // a task unpacks all weights once
  const PackedEpilogue epilogue_;
};

}  // namespace

bool takes(const PanelKernel& kernel, const ConvLayer& layer) {
  const ConvGeometry& g = layer.geometry;
  // Most of a block would be padding: the depthwise case.
  if (g.group > 1 && g.group_outputs() < 8) return false;
  if (kernel.max_product == 0) return true;
  int32_t level = layer.input_zero_point, weight = 0;
  for (const uint8_t l : layer.input_levels) level = std::max<int32_t>(level, l);
  for (const int8_t w : layer.weights) weight = std::max(weight, std::abs(int32_t{w}));
  return level * weight <= kernel.max_product;
}

std::unique_ptr<Conv> make_panel_conv(const ConvLayer& layer, const PanelKernel& kernel) {
  return std::make_unique<PanelConv>(layer, kernel);
}

}  // namespace lcq::kernels

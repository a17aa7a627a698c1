#include "depthwise_conv.h"

#include "aligned_buffer.h"
#include "image_strip.h"
#include "input_levels.h"
#include "packed_epilogue.h"
#include "packed_weights.h"

namespace lcq::kernels {

namespace {

/// Output rows whose input rows are mapped to levels together; the rows that two strips share are mapped twice.
constexpr int64_t kStripRows = 8;
/// But not so many that the levels leave the level-2 cache.
constexpr int64_t kStripBytes = 256 * 1024;

size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

template <typename T>
AlignedBuffer pack_taps(const ConvLayer& layer, const DepthwiseKernel& kernel,
                        const std::vector<Block>& blocks, size_t steps) {
  const size_t taps = static_cast<size_t>(layer.geometry.depth());
  const size_t count = blocks.size() * steps * kernel.columns * kernel.depth;
  AlignedBuffer buffer = make_aligned_buffer(count * sizeof(T));
  T* out = reinterpret_cast<T*>(buffer.get());
  std::fill_n(out, count, T{0});
  for (const Block& block : blocks) {
    for (size_t i = 0; i < block.count; ++i) {
      for (size_t k = 0; k < taps; ++k) {
        out[(k / kernel.depth * kernel.columns + i) * kernel.depth + k % kernel.depth] =
            layer.weights[(block.first + i) * taps + k];
      }
    }
    out += steps * kernel.columns * kernel.depth;
  }
  return buffer;
}

class DepthwiseConv final : public Conv {
 public:
  DepthwiseConv(const ConvLayer& layer, const DepthwiseKernel& kernel)
      : kernel_(kernel),
        geometry_(layer.geometry),
        levels_(layer, *kernel.tile_ops),
        blocks_(divide_channels(layer.geometry.outputs, 1, kernel.columns, kernel.columns)),
        steps_((layer.geometry.depth() + kernel.depth - 1) / kernel.depth),
        weights_(kernel.weight_size == sizeof(int8_t)
                     ? pack_taps<int8_t>(layer, kernel, blocks_, steps_)
                     : pack_taps<int16_t>(layer, kernel, blocks_, steps_)),
        start_(pad_by_block(blocks_, sums_of_zero_point(layer).data())),
        strip_(layer.geometry, padded_outputs(blocks_)),
        epilogue_(layer, blocks_, *kernel.tile_ops) {}

  const char* name() const override { return kernel_.name; }

  size_t scratch_bytes(const ConvCall& call) const override {
    return acc_bytes() + offset_bytes() + strip_.bytes(call, strip_rows(call));
  }

  size_t tasks(const ConvCall& call, size_t wanted) const override {
    return std::min<size_t>(wanted, ImageStrip::images(call) * strips(call));
  }

  void run(const ConvCall& call, size_t task, size_t tasks, std::byte* scratch) const override {
    int32_t* acc = reinterpret_cast<int32_t*>(scratch);
    size_t* offsets = reinterpret_cast<size_t*>(scratch + acc_bytes());
    uint8_t* image = reinterpret_cast<uint8_t*>(scratch + acc_bytes() + offset_bytes());
    place_taps(call, offsets);
    const size_t units = ImageStrip::images(call) * strips(call);
    const int64_t strip = strip_rows(call);
    for (size_t unit = units * task / tasks; unit < units * (task + 1) / tasks; ++unit) {
      const int64_t n = unit / strips(call), first = unit % strips(call) * strip;
      const int64_t last = std::min(first + strip, call.output_height);
      fill(call, n, first, last, image);
      for (int64_t oh = first; oh < last; ++oh) {
        run_row(call, (n * call.output_height + oh) * call.output_width,
                image + strip_.pixel_offset(call, oh - first, 0), offsets, acc);
      }
    }
  }

 private:
  int64_t strip_rows(const ConvCall& call) const {
    const int64_t fitting = kStripBytes / strip_.row_bytes(call) / geometry_.stride_height;
    return std::clamp<int64_t>(fitting, 1, kStripRows);
  }

  int64_t strips(const ConvCall& call) const {
    return (call.output_height + strip_rows(call) - 1) / strip_rows(call);
  }

  size_t acc_bytes() const { return kernel_.rows * kernel_.columns * sizeof(int32_t); }

  size_t offset_bytes() const { return round_up(steps_ * kernel_.depth * sizeof(size_t), 64); }

  /// Offsets of the taps from the first one; taps beyond the last have no weight and may be anywhere.
  void place_taps(const ConvCall& call, size_t* offsets) const {
    std::fill_n(offsets, steps_ * kernel_.depth, size_t{0});
    for (int64_t kh = 0; kh < geometry_.kernel_height; ++kh) {
      for (int64_t kw = 0; kw < geometry_.kernel_width; ++kw) {
        *offsets++ = strip_.tap_offset(call, kh, kw);
      }
    }
  }

  /// Levels of the input of the output rows [first, last).
  void fill(const ConvCall& call, int64_t n, int64_t first, int64_t last, uint8_t* image) const {
    const size_t channels = geometry_.channels(), pixel_bytes = strip_.pixel_bytes();
    const auto map = [&](const uint8_t* codes, size_t pixels, uint8_t* out) {
      if (pixel_bytes == channels) {
        levels_.map(codes, pixels * channels, out);
      } else {
        for (size_t p = 0; p < pixels; ++p) {
          levels_.map(codes + p * channels, channels, out + p * pixel_bytes);
        }
      }
      if (kernel_.arrange != nullptr) kernel_.arrange(out, pixels * pixel_bytes);
    };
    // Outside all levels of a block are the same, in whatever order.
    strip_.fill(call, n, first, last, image, map,
                [&](uint8_t* out, size_t bytes) { levels_.fill_outside(out, bytes); });
  }

  void run_row(const ConvCall& call, int64_t at, const uint8_t* row, const size_t* offsets,
               int32_t* acc) const {
    const size_t pitch = geometry_.stride_width * strip_.pixel_bytes();
    const size_t width = static_cast<size_t>(call.output_width);
    for (size_t tile = 0; tile < width; tile += kernel_.rows) {
      const size_t rows = std::min(kernel_.rows, width - tile);
      const std::byte* weights = weights_.get();
      for (const Block& block : blocks_) {
        kernel_.accumulate(row + tile * pitch + block.at, pitch, offsets, steps_, rows, weights,
                           start_.data() + block.at, acc);
        epilogue_.finish(call, block, at + tile, {acc, kernel_.columns, rows, block.count});
        weights += steps_ * kernel_.columns * kernel_.depth * kernel_.weight_size;
      }
    }
  }

  const DepthwiseKernel& kernel_;
  const ConvGeometry geometry_;
  const InputLevels levels_;
  const std::vector<Block> blocks_;
  const size_t steps_;
  const AlignedBuffer weights_;
  const std::vector<int32_t> start_;  // the zero point times the weights, subtracted
  const ImageStrip strip_;            // of levels, a pixel padded to whole blocks
  const PackedEpilogue epilogue_;
};

}  // namespace

bool is_depthwise(const ConvLayer& layer) {
  const ConvGeometry& g = layer.geometry;
  return g.group == g.outputs && g.group_channels == 1;
}

std::unique_ptr<Conv> make_depthwise_conv(const ConvLayer& layer, const DepthwiseKernel& kernel) {
  return std::make_unique<DepthwiseConv>(layer, kernel);
}

}  // namespace lcq::kernels

#include "panel.h"

#include <algorithm>
#include <cstring>

namespace lcq::kernels {

namespace {

bool reads_pixels_in_order(const ConvGeometry& g) {
  return g.kernel_height == 1 && g.kernel_width == 1 && g.group == 1 && g.stride_height == 1 &&
         g.stride_width == 1 && g.top + g.left + g.bottom + g.right == 0;
}

}  // namespace

Panel::Panel(const ConvLayer& layer, const TileOps& ops, size_t stride)
    : geometry_(layer.geometry),
      levels_(layer, ops),
      stride_(stride),
      pointwise_(reads_pixels_in_order(layer.geometry)) {}

void Panel::fill(const ConvCall& call, int64_t at, size_t count, int64_t group,
                 uint8_t* out) const {
  if (pointwise_) return map_pixels(call.input + at * geometry_.channels(), count, out);
  const int64_t row = at / call.output_width;
  int64_t n = row / call.output_height, oh = row % call.output_height;
  int64_t ow = at % call.output_width;
  for (size_t i = 0; i < count; ++i, out += stride_) {
    gather(call, n, oh, ow, group, out);
    if (++ow < call.output_width) continue;
    ow = 0;
    if (++oh < call.output_height) continue;
    oh = 0, ++n;
  }
}

void Panel::map_pixels(const uint8_t* codes, size_t count, uint8_t* out) const {
  const size_t channels = geometry_.channels();
  if (stride_ == channels) return levels_.map(codes, count * channels, out);
  for (size_t i = 0; i < count; ++i, codes += channels, out += stride_) {
    levels_.map(codes, channels, out);
    std::memset(out + channels, 0, stride_ - channels);
  }
}

void Panel::gather(const ConvCall& call, int64_t n, int64_t oh, int64_t ow, int64_t group,
                   uint8_t* out) const {
  const ConvGeometry& g = geometry_;
  const uint8_t* const row_end = out + stride_;
  const int64_t left = ow * g.stride_width - g.left;
  const size_t bytes = g.kernel_width * g.group_channels;
  for (int64_t kh = 0; kh < g.kernel_height; ++kh, out += bytes) {
    const int64_t h = oh * g.stride_height + kh * g.dilation_height - g.top;
    if (h < 0 || h >= call.height) {
      levels_.fill_outside(out, bytes);
    } else {
      const uint8_t* image_row = call.input + (n * call.height + h) * call.width * g.channels();
      gather_row(image_row, call.width, left, group, out);
    }
  }
  if (out != row_end) std::memset(out, 0, row_end - out);
}

/// One kernel row: KW taps from column `left` on, which may lie outside the image.
void Panel::gather_row(const uint8_t* row, int64_t width, int64_t left, int64_t group,
                       uint8_t* out) const {
  const ConvGeometry& g = geometry_;
  const size_t channels = g.group_channels;
  if (g.group == 1 && g.dilation_width == 1) {  // neighbouring taps are neighbours in memory
    if (left >= 0 && left + g.kernel_width <= width) {
      return levels_.map(row + left * channels, g.kernel_width * channels, out);
    }
    const int64_t first = std::clamp<int64_t>(-left, 0, g.kernel_width);
    const int64_t last = std::clamp<int64_t>(width - left, first, g.kernel_width);
    levels_.fill_outside(out, first * channels);
    levels_.map(row + (left + first) * channels, (last - first) * channels, out + first * channels);
    levels_.fill_outside(out + last * channels, (g.kernel_width - last) * channels);
    return;
  }
  for (int64_t kw = 0; kw < g.kernel_width; ++kw, out += channels) {
    const int64_t w = left + kw * g.dilation_width;
    if (w < 0 || w >= width) {
      levels_.fill_outside(out, channels);
    } else {
      levels_.map(row + w * g.channels() + group * channels, channels, out);
    }
  }
}

}  // namespace lcq::kernels

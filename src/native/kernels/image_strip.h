// The part of an input that a strip of output rows reads, made ready for a kernel.
//
// Its rows are prepared together, padding and all; after that each tap is at the same offset from every pixel, and no
// input is prepared once for each of its taps.
#pragma once

#include <algorithm>

#include "conv.h"

namespace lcq::kernels {

class ImageStrip {
 public:
  /// `pixel_bytes`: what a prepared pixel takes.
  ImageStrip(const ConvGeometry& geometry, size_t pixel_bytes)
      : geometry_(geometry), pixel_bytes_(pixel_bytes) {}

  size_t pixel_bytes() const { return pixel_bytes_; }

  static int64_t images(const ConvCall& call) {
    return call.pixels / (call.output_height * call.output_width);
  }

  /// Input rows of so many output rows.
  int64_t input_rows(int64_t output_rows) const {
    return (output_rows - 1) * geometry_.stride_height +
           (geometry_.kernel_height - 1) * geometry_.dilation_height + 1;
  }

  size_t row_bytes(const ConvCall& call) const { return columns(call) * pixel_bytes_; }

  size_t bytes(const ConvCall& call, int64_t output_rows) const {
    return input_rows(output_rows) * row_bytes(call);
  }

  /// From a pixel's first tap to another.
  size_t tap_offset(const ConvCall& call, int64_t kh, int64_t kw) const {
    return kh * geometry_.dilation_height * row_bytes(call) +
           kw * geometry_.dilation_width * pixel_bytes_;
  }

  /// Where the first tap of an output pixel is: row `oh` of the strip, column `ow`.
  size_t pixel_offset(const ConvCall& call, int64_t oh, int64_t ow) const {
    return oh * geometry_.stride_height * row_bytes(call) +
           ow * geometry_.stride_width * pixel_bytes_;
  }

  /// Prepares the input of the output rows [first, last) of image `n`: prepare(codes, pixels, out) for pixels of the
  /// input, outside(out, bytes) for those around it.
  template <typename Prepare, typename Outside>
  void fill(const ConvCall& call, int64_t n, int64_t first, int64_t last, uint8_t* out,
            const Prepare& prepare, const Outside& outside) const {
    const int64_t top = first * geometry_.stride_height - geometry_.top;
    const int64_t rows = input_rows(last - first);
    // Columns of the strip that are within the image.
    const int64_t end = std::min(call.width + geometry_.left, columns(call));
    const int64_t begin = std::min(geometry_.left, end);
    for (int64_t row = 0; row < rows; ++row, out += row_bytes(call)) {
      const int64_t h = top + row;
      if (h < 0 || h >= call.height) {
        outside(out, row_bytes(call));
        continue;
      }
      outside(out, begin * pixel_bytes_);
      const int64_t first_pixel = (n * call.height + h) * call.width;
      prepare(call.input + first_pixel * geometry_.channels(), end - begin,
              out + begin * pixel_bytes_);
      outside(out + end * pixel_bytes_, (columns(call) - end) * pixel_bytes_);
    }
  }

 private:
  /// Pixels of an input row that any output reads.
  int64_t columns(const ConvCall& call) const {
    return (call.output_width - 1) * geometry_.stride_width +
           (geometry_.kernel_width - 1) * geometry_.dilation_width + 1;
  }

  const ConvGeometry geometry_;
  const size_t pixel_bytes_;
};

}  // namespace lcq::kernels

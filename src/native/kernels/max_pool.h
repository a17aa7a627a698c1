// LcqMaxPool and LcqMaxPoolStream.
#pragma once

#include <cstdint>

namespace lcq::kernels {

/// Geometry in the names of the specification: each pad is less than the kernel.
struct MaxPoolGeometry {
  int64_t kernel_height, kernel_width;
  int64_t stride_height, stride_width;
  int64_t top, left, bottom, right;

  int64_t output_height(int64_t height) const {
    return (height + top + bottom - kernel_height) / stride_height + 1;
  }
  int64_t output_width(int64_t width) const {
    return (width + left + right - kernel_width) / stride_width + 1;
  }
};

template <typename T>
struct MaxPoolCall {
  const T* input;  // [N, height, width, channels]
  int64_t height, width, channels;
  T* output;  // [N, OH, OW, channels]
};

/// Computes the output rows [begin, end), counted over N and OH. T is uint8_t or int16_t.
template <typename T>
void max_pool_scalar(const MaxPoolGeometry& geometry, const MaxPoolCall<T>& call, int64_t begin,
                     int64_t end);

}  // namespace lcq::kernels

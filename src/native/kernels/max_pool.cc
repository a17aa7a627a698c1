#include "max_pool.h"

#include <algorithm>

namespace lcq::kernels {

namespace {

/// Compilers turn this loop into vector maxima, even those of SSE2, which every x86-64 processor has.
template <typename T>
void raise(const T* values, int64_t count, T* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = std::max(out[i], values[i]);
}

template <typename T>
void pool_pixel(const MaxPoolGeometry& g, const MaxPoolCall<T>& call, int64_t n, int64_t top,
                int64_t left, T* out) {
  const int64_t first_row = std::max<int64_t>(top, 0), first_column = std::max<int64_t>(left, 0);
  const int64_t last_row = std::min(top + g.kernel_height, call.height);
  const int64_t last_column = std::min(left + g.kernel_width, call.width);
  const auto at = [&](int64_t h, int64_t w) {
    return call.input + ((n * call.height + h) * call.width + w) * call.channels;
  };
  std::copy_n(at(first_row, first_column), call.channels, out);
  for (int64_t h = first_row; h < last_row; ++h) {
    for (int64_t w = first_column; w < last_column; ++w) raise(at(h, w), call.channels, out);
  }
}

}  // namespace

template <typename T>
void max_pool_scalar(const MaxPoolGeometry& g, const MaxPoolCall<T>& call, int64_t begin,
                     int64_t end) {
  const int64_t rows = g.output_height(call.height), columns = g.output_width(call.width);
  for (int64_t row = begin; row < end; ++row) {
    T* out = call.output + row * columns * call.channels;
    for (int64_t ow = 0; ow < columns; ++ow, out += call.channels) {
      pool_pixel(g, call, row / rows, row % rows * g.stride_height - g.top,
                 ow * g.stride_width - g.left, out);
    }
  }
}

template void max_pool_scalar(const MaxPoolGeometry&, const MaxPoolCall<uint8_t>&, int64_t, int64_t);
template void max_pool_scalar(const MaxPoolGeometry&, const MaxPoolCall<int16_t>&, int64_t, int64_t);

}  // namespace lcq::kernels

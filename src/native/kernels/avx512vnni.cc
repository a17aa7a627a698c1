// AVX-512 VNNI: vpdpbusd adds four u8 x s8 products to each of 16 outputs, without saturation.
#include <immintrin.h>

#include "panel_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kRows = 8, kColumns = 32, kLanes = 16, kDepth = 4;
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns && kLanes * kDepth == sizeof(__m512i));

inline int32_t load4(const uint8_t* bytes) {
  int32_t word;
  __builtin_memcpy(&word, bytes, sizeof word);
  return word;
}

/// Loops are unrolled before registers are given out, or GCC keeps the sums in memory.
template <size_t Rows, size_t Vectors>
void tile(const uint8_t* panel, size_t stride, const int8_t* weights, size_t steps,
          const int32_t* start, size_t start_pitch, int32_t* acc) {
  __m512i sum[Rows][Vectors];
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (size_t v = 0; v < Vectors; ++v) {
      sum[r][v] = _mm512_loadu_si512(start + r * start_pitch + v * kLanes);
    }
  }
  for (size_t step = 0; step < steps; ++step, weights += Vectors * 64, panel += kDepth) {
    __m512i weight[Vectors];
#pragma GCC unroll 8
    for (size_t v = 0; v < Vectors; ++v) weight[v] = _mm512_loadu_si512(weights + v * 64);
#pragma GCC unroll 8
    for (size_t r = 0; r < Rows; ++r) {
      const __m512i input = _mm512_set1_epi32(load4(panel + r * stride));
#pragma GCC unroll 8
      for (size_t v = 0; v < Vectors; ++v) {
        sum[r][v] = _mm512_dpbusd_epi32(sum[r][v], input, weight[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (size_t v = 0; v < Vectors; ++v) {
      _mm512_storeu_si512(acc + r * kColumns + v * kLanes, sum[r][v]);
    }
  }
}

using Tile = void (*)(const uint8_t*, size_t, const int8_t*, size_t, const int32_t*, size_t,
                      int32_t*);
constexpr Tile kTiles[kRows][kColumns / kLanes] = {
    {tile<1, 1>, tile<1, 2>}, {tile<2, 1>, tile<2, 2>}, {tile<3, 1>, tile<3, 2>},
    {tile<4, 1>, tile<4, 2>}, {tile<5, 1>, tile<5, 2>}, {tile<6, 1>, tile<6, 2>},
    {tile<7, 1>, tile<7, 2>}, {tile<8, 1>, tile<8, 2>},
};

void multiply(const uint8_t* panel, size_t stride, const void* weights, size_t steps, size_t rows,
              size_t width, const int32_t* start, size_t start_pitch, int32_t* acc) {
  kTiles[rows - 1][width / kLanes - 1](panel, stride, static_cast<const int8_t*>(weights), steps,
                                       start, start_pitch, acc);
}

}  // namespace

const PanelKernel conv_u8s8_8x32_avx512vnni = {
    "conv_u8s8_8x32_avx512vnni", kRows, kColumns, kLanes, kDepth, 1, sizeof(int8_t), 0,
    multiply, &tile_ops_avx512};

}  // namespace lcq::kernels

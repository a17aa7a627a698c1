// A tile of a few pixels by 16 outputs in registers of 256 bits. Included by files of one instruction set: all here is
// theirs alone, compiled with their flags.
#pragma once

#include <immintrin.h>

#include <utility>

#include "panel_kernel.h"

namespace lcq::kernels {

namespace {

namespace tile256 {

constexpr size_t kColumns = 16, kLanes = 8;
static_assert(kColumns <= kMaxColumns);

inline __m256i load(const void* at) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}

/// Four levels, the same for all outputs.
inline __m256i broadcast4(const uint8_t* input) {
  int32_t word;
  __builtin_memcpy(&word, input, sizeof word);
  return _mm256_set1_epi32(word);
}

/// Loops are unrolled before registers are given out, or GCC keeps the sums in memory.
template <typename Step, size_t Rows, size_t Vectors>
void tile(const uint8_t* panel, size_t stride, const uint8_t* weights, size_t steps,
          const int32_t* start, size_t start_pitch, int32_t* acc) {
  __m256i sum[Rows][Vectors];
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (size_t v = 0; v < Vectors; ++v) sum[r][v] = load(start + r * start_pitch + v * kLanes);
  }
  for (size_t step = 0; step < steps; ++step, weights += Vectors * 32, panel += Step::kDepth) {
    __m256i weight[Vectors];
#pragma GCC unroll 8
    for (size_t v = 0; v < Vectors; ++v) weight[v] = load(weights + v * 32);
#pragma GCC unroll 8
    for (size_t r = 0; r < Rows; ++r) {
      const __m256i input = Step::broadcast(panel + r * stride);
#pragma GCC unroll 8
      for (size_t v = 0; v < Vectors; ++v) {
        sum[r][v] = Step::multiply_add(sum[r][v], input, weight[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (size_t v = 0; v < Vectors; ++v) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(acc + r * kColumns + v * kLanes), sum[r][v]);
    }
  }
}

using Tile = void (*)(const uint8_t*, size_t, const uint8_t*, size_t, const int32_t*, size_t,
                      int32_t*);
template <typename Step, typename Indices = std::make_index_sequence<Step::kRows>>
struct Tiles;

/// Tiles of 1 to Step::kRows pixels.
template <typename Step, size_t... Row>
struct Tiles<Step, std::index_sequence<Row...>> {
  static constexpr Tile kTiles[][kColumns / kLanes] = {
      {tile<Step, Row + 1, 1>, tile<Step, Row + 1, 2>}...};
};

/// A step multiplies Step::kDepth levels of a pixel, the same for all outputs, with weights of eight outputs.
template <typename Step>
void multiply(const uint8_t* panel, size_t stride, const void* weights, size_t steps, size_t rows,
              size_t width, const int32_t* start, size_t start_pitch, int32_t* acc) {
  static_assert(Step::kRows <= kMaxRows);
  Tiles<Step>::kTiles[rows - 1][width / kLanes - 1](
      panel, stride, static_cast<const uint8_t*>(weights), steps, start, start_pitch, acc);
}

}  // namespace tile256

}  // namespace

}  // namespace lcq::kernels

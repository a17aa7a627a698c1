// A tile of 8 pixels by 8 outputs, four products of each a step. Included by files of one instruction set: all here is
// theirs alone, compiled with their flags.
#pragma once

#include <arm_neon.h>

#include "panel_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kRows = 8, kColumns = 8, kLanes = 4, kVectors = kColumns / kLanes, kDepth = 4;
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns);

/// Loops are unrolled before registers are given out, or GCC keeps the sums in memory.
template <typename Dot, size_t Rows>
void tile(const uint8_t* panel, size_t stride, const int8_t* weights, size_t steps,
          const int32_t* start, size_t start_pitch, int32_t* acc) {
  int32x4_t sum[Rows][kVectors];
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (size_t v = 0; v < kVectors; ++v) sum[r][v] = vld1q_s32(start + r * start_pitch + v * kLanes);
  }
  for (size_t step = 0; step < steps; ++step, weights += kColumns * kDepth, panel += kDepth) {
    int8x16_t weight[kVectors];
#pragma GCC unroll 2
    for (size_t v = 0; v < kVectors; ++v) weight[v] = vld1q_s8(weights + v * kLanes * kDepth);
#pragma GCC unroll 8
    for (size_t r = 0; r < Rows; ++r) {
      uint32_t word;
      __builtin_memcpy(&word, panel + r * stride, sizeof word);
      const uint8x16_t input = vreinterpretq_u8_u32(vdupq_n_u32(word));
#pragma GCC unroll 2
      for (size_t v = 0; v < kVectors; ++v) sum[r][v] = Dot::add(sum[r][v], input, weight[v]);
    }
  }
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (size_t v = 0; v < kVectors; ++v) vst1q_s32(acc + r * kColumns + v * kLanes, sum[r][v]);
  }
}

template <typename Dot>
void multiply(const uint8_t* panel, size_t stride, const void* weights, size_t steps, size_t rows,
              size_t, const int32_t* start, size_t start_pitch, int32_t* acc) {
  constexpr decltype(&tile<Dot, 1>) kTiles[kRows] = {tile<Dot, 1>, tile<Dot, 2>, tile<Dot, 3>,
                                                     tile<Dot, 4>, tile<Dot, 5>, tile<Dot, 6>,
                                                     tile<Dot, 7>, tile<Dot, 8>};
  kTiles[rows - 1](panel, stride, static_cast<const int8_t*>(weights), steps, start, start_pitch,
                   acc);
}

}  // namespace

}  // namespace lcq::kernels

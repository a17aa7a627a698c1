// What a SIMD kernel gives to depthwise_conv.cc. Included by files of one instruction set, as panel_kernel.h is.
#pragma once

#include "panel_kernel.h"

namespace lcq::kernels {

/// Depthwise sums of a few neighbouring pixels by a block of channels.
struct DepthwiseKernel {
  const char* name;
  size_t rows;         // pixels in a tile
  size_t columns;      // channels in a block, and the row length of `acc`
  size_t depth;        // taps that one step adds
  size_t weight_size;  // bytes of a weight: 1 (s8) or 2 (s16)
  const TileOps* tile_ops;

  /// Reorders each `columns` levels of `count` in place, as `accumulate` reads them; null where that is in order.
  void (*arrange)(uint8_t* levels, size_t count);

  /// acc[r][m] = start[m] + sum over k < steps * depth of levels[r * pitch + offsets[k] + m] * weight(k, m). Weights:
  /// [steps][columns][depth].
  void (*accumulate)(const uint8_t* levels, size_t pitch, const size_t* offsets, size_t steps,
                     size_t rows, const void* weights, const int32_t* start, int32_t* acc);
};

extern const DepthwiseKernel depthwise_u8s8_8x64_avx512vnni;
extern const DepthwiseKernel depthwise_u8s16_8x16_avx2;
extern const DepthwiseKernel depthwise_u8s16_8x16_neon;

}  // namespace lcq::kernels

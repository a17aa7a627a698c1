// What a SIMD kernel gives to panel_conv.cc, which does the rest of the convolution.
//
// Files compiled for one instruction set include this header, the intrinsics and nothing else: an inline function of
// the standard library compiled with their flags could be the copy that the linker keeps for the whole add-on.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace lcq::kernels {

/// Work on one row: the outputs of one pixel in one block of channels. Arrays that are only read hold a whole block
/// (`width`, a multiple of the granule); the outputs hold `count` <= width elements.
struct RowOps {
  /// out[i] = levels[codes[i]] for codes below 16.
  void (*map16)(const uint8_t* codes, size_t count, const uint8_t* levels, uint8_t* out);

  /// codes[m] = #{ t : acc[m] >= thresholds[t * stride + m] }
  void (*count_codes)(const int32_t* acc, size_t count, const int32_t* thresholds, size_t stride,
                      size_t threshold_count, uint8_t* codes);

  /// s = max(sat16(rne(clamp(fl(fl(acc * scale) + bias))) + residual), output_min) and
  /// codes = base + #{ t : s > below[t] }
  void (*finish_stream)(const int32_t* acc, size_t count, const float* scale, const float* bias,
                        const int16_t* residual, int16_t output_min, const int16_t* below,
                        size_t below_count, uint8_t base, int16_t* stream, uint8_t* codes);

  /// real = fl(fl(acc * scale) + bias)
  void (*finish_real)(const int32_t* acc, size_t count, const float* scale, const float* bias,
                      float* real);
};

/// A matrix multiplication of a few pixels with a block of output channels.
struct PanelKernel {
  const char* name;
  size_t rows;         // pixels in a tile
  size_t columns;      // output channels in a block, and the row length of `acc`
  size_t granule;      // the last block of a group may be narrower: any multiple of this
  size_t depth;        // products that one step adds to each output
  size_t weight_size;  // bytes of a packed weight: 1 (s8) or 2 (s16)
  /// Largest level * weight for which no intermediate sum can saturate; 0 if none can.
  int32_t max_product;

  /// acc[r][m] = start[m] + sum over k < steps * depth of panel[r * stride + k] * weight(k, m), modulo 2^32, for
  /// r < rows and m < width. Packed weights: [steps][width][depth].
  void (*multiply)(const uint8_t* panel, size_t stride, const void* weights, size_t steps,
                   size_t rows, size_t width, const int32_t* start, int32_t* acc);
  const RowOps* row_ops;
};

inline constexpr size_t kMaxRows = 16;
inline constexpr size_t kMaxColumns = 64;

extern const PanelKernel conv_u8s8_4x16_avx2;
extern const PanelKernel conv_u8s16_4x16_avx2;
extern const PanelKernel conv_u8s8_8x32_avx512vnni;

}  // namespace lcq::kernels

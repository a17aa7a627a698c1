// What a SIMD kernel gives to panel_conv.cc, which does the rest of the convolution.
//
// Files compiled for one instruction set include this header, the intrinsics and nothing else: an inline function of
// the standard library compiled with their flags could be the copy that the linker keeps for the whole add-on.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace lcq::kernels {

/// Sums of a tile: [rows][stride], of which `count` outputs of a row count. A row is a pixel. Constants and residuals
/// are readable up to the block's whole width.
struct Sums {
  const int32_t* acc;
  size_t stride;
  size_t rows;
  size_t count;
};

/// Fewer than this many thresholds make codes of 8 bits; they are searched in groups.
inline constexpr size_t kMaxThresholds = 256, kThresholdGroup = 32;

/// Thresholds and scales of a block of the stream epilogue.
struct StreamConstants {
  const float* scale;
  const float* bias;
  int16_t output_min;
  uint8_t base;  // thresholds that every value reaches
  /// The others, less one, ascending: a value reaches those that it exceeds. None exceeds what follows them up to
  /// kMaxThresholds. After these come the last thresholds of the groups, and again what none exceeds: two groups more.
  const int16_t* below;
  size_t below_count;
  /// Where many thresholds are 2^shift apart: the code is a shift. Else -1.
  int shift;
};

/// A threshold above this is never reached, one of INT16_MIN always.
inline constexpr int16_t kMaxNarrow = INT16_MAX - 1;
inline constexpr size_t kReadableBeyond = 32;

/// Weights of 2 or 4 bits are kept as indices into a table of levels and unpacked a block at a time. A packed vector of
/// 64 bytes makes 8 / bits vectors: bits b*j .. b*j+b-1 of its byte i are the index of byte i of the vector j.
inline constexpr size_t kPackedVector = 64;

/// Everything but the multiplication, a tile at a time. Rows of `codes`, `stream` and `real` are `pitch` elements
/// apart.
struct TileOps {
  /// out[i] = levels[codes[i]] for codes below 16.
  void (*map16)(const uint8_t* codes, size_t count, const uint8_t* levels, uint8_t* out);

  /// Unpacks whole packed vectors into `out`. `table` has 16 entries, for 2 bits the same four times over.
  void (*unpack2)(const uint8_t* packed, size_t vectors, const int8_t* table, uint8_t* out);
  void (*unpack4)(const uint8_t* packed, size_t vectors, const int8_t* table, uint8_t* out);

  /// codes[m] = #{ t : acc[m] >= thresholds[t * threshold_stride + m] }
  void (*count_codes)(const Sums& sums, const int32_t* thresholds, size_t threshold_stride,
                      size_t threshold_count, uint8_t* codes, size_t pitch);

  /// The same for thresholds that 16 bits hold when seen from `centers`:
  /// codes[m] = #{ t : min(sat16(acc[m] - centers[m]), kMaxNarrow) >= thresholds[t * threshold_stride + m] }
  /// for 3, 7 or 15 thresholds. Up to kReadableBeyond more than `count` may be read of centers and thresholds.
  void (*count_narrow_codes)(const Sums& sums, const int32_t* centers, const int16_t* thresholds,
                             size_t threshold_stride, size_t threshold_count, uint8_t* codes,
                             size_t pitch);

  /// stream = s = max(sat16(rne(clamp(fl(fl(acc * scale) + bias))) + residual), output_min) and
  /// codes = base + #{ t : s > below[t] }; rows of residuals are residual_pitch apart.
  void (*finish_stream)(const Sums& sums, const StreamConstants& constants,
                        const int16_t* residual, size_t residual_pitch, int16_t* stream,
                        uint8_t* codes, size_t pitch);

  /// real = fl(fl(acc * scale) + bias)
  void (*finish_real)(const Sums& sums, const float* scale, const float* bias, float* real,
                      size_t pitch);
};

/// A matrix multiplication of a few pixels with a block of output channels.
struct PanelKernel {
  const char* name;
  size_t rows;         // pixels in a tile
  size_t columns;      // output channels in a block, and the row length of `acc`
  size_t granule;      // the last block of a group may be narrower: any multiple of this
  size_t depth;        // products that one step adds to each output
  size_t step_granule;  // steps are padded to a multiple of this
  size_t weight_size;   // bytes of a packed weight: 1 (s8) or 2 (s16)
  /// Largest level * weight for which no intermediate sum can saturate; 0 if none can.
  int32_t max_product;

  /// acc[r][m] = start[r * start_pitch + m] + sum over k < steps * depth of panel[r * stride + k] * weight(k, m),
  /// modulo 2^32, for r < rows and m < width. Packed weights: [steps][width][depth]. All rows of the tile may be read,
  /// and written to `acc`, which may be `start`.
  void (*multiply)(const uint8_t* panel, size_t stride, const void* weights, size_t steps,
                   size_t rows, size_t width, const int32_t* start, size_t start_pitch,
                   int32_t* acc);
  const TileOps* tile_ops;
  /// Called by a thread before and after its multiplications; null where there is nothing to set up.
  void (*begin)() = nullptr;
  void (*end)() = nullptr;
  uint8_t max_level = UINT8_MAX;
};

inline constexpr size_t kMaxRows = 32;
inline constexpr size_t kMaxColumns = 64;

extern const PanelKernel conv_u8s8_4x16_avx2;
extern const PanelKernel conv_u8s16_4x16_avx2;
extern const PanelKernel conv_u8s8_6x16_avxvnni;
extern const PanelKernel conv_u8s8_8x32_avx512vnni;
extern const PanelKernel conv_u8s8_32x32_amx;

extern const PanelKernel conv_u8s16_4x16_neon;
extern const PanelKernel conv_u7s8_8x8_neondot;
extern const PanelKernel conv_u8s8_8x8_neoni8mm;

extern const TileOps tile_ops_avx2;
extern const TileOps tile_ops_avx512;
extern const TileOps tile_ops_neon;

}  // namespace lcq::kernels

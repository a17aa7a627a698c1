// NEON, which every 64-bit Arm processor has: what follows the multiplication, and a multiplication that is exact for all
// levels and weights.
#include <arm_neon.h>

#include "panel_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kRows = 4, kColumns = 16, kLanes = 4, kVectors = kColumns / kLanes;
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns);

/// Sixteen weights by the level of each pixel. Loops are unrolled before registers are given out, or GCC keeps the sums
/// in memory.
template <size_t Rows>
void tile(const uint8_t* panel, size_t stride, const int16_t* weights, size_t steps, size_t width,
          const int32_t* start, size_t start_pitch, int32_t* acc) {
  int32x4_t sum[Rows][kVectors];
#pragma GCC unroll 4
  for (size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) sum[r][v] = vld1q_s32(start + r * start_pitch + v * kLanes);
  }
  for (size_t step = 0; step < steps; ++step, weights += width) {
    int16x4_t weight[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) weight[v] = vld1_s16(weights + v * kLanes);
#pragma GCC unroll 4
    for (size_t r = 0; r < Rows; ++r) {
      const int16_t level = panel[r * stride + step];
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) sum[r][v] = vmlal_n_s16(sum[r][v], weight[v], level);
    }
  }
#pragma GCC unroll 4
  for (size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) vst1q_s32(acc + r * kColumns + v * kLanes, sum[r][v]);
  }
}

void multiply(const uint8_t* panel, size_t stride, const void* weights, size_t steps, size_t rows,
              size_t width, const int32_t* start, size_t start_pitch, int32_t* acc) {
  constexpr decltype(&tile<1>) kTiles[kRows] = {tile<1>, tile<2>, tile<3>, tile<4>};
  kTiles[rows - 1](panel, stride, static_cast<const int16_t*>(weights), steps, width, start,
                   start_pitch, acc);
}

void map16(const uint8_t* codes, size_t count, const uint8_t* levels, uint8_t* out) {
  const uint8x16_t table = vld1q_u8(levels);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) vst1q_u8(out + i, vqtbl1q_u8(table, vld1q_u8(codes + i)));
  for (; i < count; ++i) out[i] = levels[codes[i]];
}

template <int Bits>
void unpack(const uint8_t* packed, size_t vectors, const int8_t* table, uint8_t* out) {
  const uint8x16_t levels = vreinterpretq_u8_s8(vld1q_s8(table));
  // Four bits index the table: of 2-bit indices the neighbour too, for which the table repeats itself.
  const uint8x16_t index = vdupq_n_u8(0x0f);
  for (size_t v = 0; v < vectors; ++v, packed += kPackedVector) {
    for (int shift = 0; shift < 8; shift += Bits) {
      for (size_t part = 0; part < kPackedVector; part += sizeof(uint8x16_t), out += 16) {
        const uint8x16_t word = vshlq_u8(vld1q_u8(packed + part), vdupq_n_s8(-shift));
        vst1q_u8(out, vqtbl1q_u8(levels, vandq_u8(word, index)));
      }
    }
  }
}

/// Stores the first `count` of some elements.
template <size_t Elements, typename T, typename Vector>
inline void store_first(T* out, Vector value, size_t count) {
  __builtin_memcpy(out, &value, (count < Elements ? count : Elements) * sizeof(T));
}

/// Eight 32-bit codes as bytes.
inline uint8x8_t to_bytes(uint32x4_t low, uint32x4_t high) {
  return vmovn_u16(vcombine_u16(vmovn_u32(low), vmovn_u32(high)));
}

void count_codes(const Sums& sums, const int32_t* thresholds, size_t threshold_stride,
                 size_t threshold_count, uint8_t* codes, size_t pitch) {
  for (size_t r = 0; r < sums.rows; ++r) {
    for (size_t m = 0; m < sums.count; m += 2 * kLanes) {
      const int32_t* acc = sums.acc + r * sums.stride + m;
      uint32x4_t code[2] = {vdupq_n_u32(0), vdupq_n_u32(0)};
      for (size_t t = 0; t < threshold_count; ++t) {  // a comparison that holds is -1
        const int32_t* threshold = thresholds + t * threshold_stride + m;
        for (size_t v = 0; v < 2; ++v) {
          const int32x4_t value = vld1q_s32(acc + v * kLanes);
          code[v] = vsubq_u32(code[v], vcgeq_s32(value, vld1q_s32(threshold + v * kLanes)));
        }
      }
      store_first<8>(codes + r * pitch + m, to_bytes(code[0], code[1]), sums.count - m);
    }
  }
}

void count_narrow_codes(const Sums& sums, const int32_t* centers, const int16_t* thresholds,
                        size_t threshold_stride, size_t threshold_count, uint8_t* codes,
                        size_t pitch) {
  for (size_t r = 0; r < sums.rows; ++r) {
    for (size_t m = 0; m < sums.count; m += 2 * kLanes) {
      const int32_t* acc = sums.acc + r * sums.stride + m;
      const int32x4_t low = vsubq_s32(vld1q_s32(acc), vld1q_s32(centers + m));
      const int32x4_t high =
          vsubq_s32(vld1q_s32(acc + kLanes), vld1q_s32(centers + m + kLanes));
      const int16x8_t value = vminq_s16(vcombine_s16(vqmovn_s32(low), vqmovn_s32(high)),
                                        vdupq_n_s16(kMaxNarrow));
      uint16x8_t code = vdupq_n_u16(0);
      for (size_t t = 0; t < threshold_count; ++t) {  // a comparison that holds is -1
        code = vsubq_u16(code,
                         vcgeq_s16(value, vld1q_s16(thresholds + t * threshold_stride + m)));
      }
      store_first<8>(codes + r * pitch + m, vmovn_u16(code), sums.count - m);
    }
  }
}

/// fl(fl(fl(acc) * scale) + bias): two roundings, so not an fma.
inline float32x4_t scaled(const int32_t* acc, const float* scale, const float* bias) {
  const float32x4_t product = vmulq_f32(vcvtq_f32_s32(vld1q_s32(acc)), vld1q_f32(scale));
  return vaddq_f32(product, vld1q_f32(bias));
}

/// sat16(rne(clamp(y))) of four outputs: the conversion saturates, and so does the narrowing.
inline int16x4_t rounded(const int32_t* acc, const float* scale, const float* bias) {
  return vqmovn_s32(vcvtnq_s32_f32(scaled(acc, scale, bias)));
}

/// Codes of 8 values that exceed some of a few thresholds.
inline void store_codes(const StreamConstants& c, int16x8_t s, uint8_t* codes, size_t count) {
  uint16x8_t code = vdupq_n_u16(c.base);
  for (size_t t = 0; t < c.below_count; ++t) {  // a comparison that holds is -1
    code = vsubq_u16(code, vcgtq_s16(s, vdupq_n_s16(c.below[t])));
  }
  store_first<8>(codes, vmovn_u16(code), count);
}

/// The same of thresholds that are 2^shift apart.
inline void store_shifted_codes(const StreamConstants& c, int16x8_t s, uint8_t* codes,
                                size_t count) {
  const int16_t last = c.below[c.below_count - 1];
  const int16x8_t least = vdupq_n_s16(c.below[0]);
  const int16x8_t most = vdupq_n_s16(last < INT16_MAX ? last + 1 : INT16_MAX);
  const int16x8_t start = vdupq_n_s16(static_cast<int16_t>(c.below[0] - (1 << c.shift) + 1));
  const int16x8_t within = vminq_s16(vmaxq_s16(s, least), most);
  const uint16x8_t counted = vshlq_u16(vreinterpretq_u16_s16(vsubq_s16(within, start)),
                                       vdupq_n_s16(static_cast<int16_t>(-c.shift)));
  store_first<8>(codes, vmovn_u16(vaddq_u16(counted, vdupq_n_u16(c.base))), count);
}

/// The same of many thresholds, by bisection: several values are on their way at once.
inline void bisect_codes(const StreamConstants& c, const int16_t* values, uint8_t* codes,
                         size_t count) {
  for (size_t i = 0; i < count; ++i) {
    size_t code = 0;
#pragma GCC unroll 8
    for (size_t half = kMaxThresholds / 2; half > 0; half /= 2) {
      code += half * size_t{values[i] > c.below[code + half - 1]};  // no branch to mispredict
    }
    codes[i] = static_cast<uint8_t>(code + c.base);
  }
}

void finish_stream(const Sums& sums, const StreamConstants& c, const int16_t* residual,
                   size_t residual_pitch, int16_t* stream, uint8_t* codes, size_t pitch) {
  constexpr size_t kFew = 15;
  for (size_t r = 0; r < sums.rows; ++r, residual += residual_pitch) {
    for (size_t m = 0; m < sums.count; m += 2 * kLanes) {
      const int32_t* acc = sums.acc + r * sums.stride + m;
      const int16x8_t p =
          vcombine_s16(rounded(acc, c.scale + m, c.bias + m),
                       rounded(acc + kLanes, c.scale + m + kLanes, c.bias + m + kLanes));
      const int16x8_t s =
          vmaxq_s16(vqaddq_s16(p, vld1q_s16(residual + m)), vdupq_n_s16(c.output_min));
      store_first<8>(stream + r * pitch + m, s, sums.count - m);
      if (c.shift >= 0) {
        store_shifted_codes(c, s, codes + r * pitch + m, sums.count - m);
      } else if (c.below_count <= kFew) {
        store_codes(c, s, codes + r * pitch + m, sums.count - m);
      }
    }
    if (c.shift < 0 && c.below_count > kFew) {
      bisect_codes(c, stream + r * pitch, codes + r * pitch, sums.count);
    }
  }
}

void finish_real(const Sums& sums, const float* scale, const float* bias, float* real,
                 size_t pitch) {
  for (size_t r = 0; r < sums.rows; ++r) {
    for (size_t m = 0; m < sums.count; m += kLanes) {
      const float32x4_t y = scaled(sums.acc + r * sums.stride + m, scale + m, bias + m);
      store_first<kLanes>(real + r * pitch + m, y, sums.count - m);
    }
  }
}

}  // namespace

const TileOps tile_ops_neon = {map16,       unpack<2>,          unpack<4>,
                               count_codes, count_narrow_codes, finish_stream,
                               finish_real};

const PanelKernel conv_u8s16_4x16_neon = {
    "conv_u8s16_4x16_neon", kRows, kColumns, kColumns, 1, 1, sizeof(int16_t), 0, multiply,
    &tile_ops_neon};

}  // namespace lcq::kernels

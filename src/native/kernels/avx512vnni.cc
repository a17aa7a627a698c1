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

inline __mmask16 first(size_t count) {
  return count >= kLanes ? __mmask16(0xffff) : __mmask16((1u << count) - 1);
}

template <size_t Rows, size_t Vectors>
void tile(const uint8_t* panel, size_t stride, const int8_t* weights, size_t steps,
          const int32_t* start, int32_t* acc) {
  __m512i sum[Rows][Vectors];
  for (size_t r = 0; r < Rows; ++r) {
    for (size_t v = 0; v < Vectors; ++v) sum[r][v] = _mm512_loadu_si512(start + v * kLanes);
  }
  for (size_t step = 0; step < steps; ++step, weights += Vectors * 64, panel += kDepth) {
    __m512i weight[Vectors];
    for (size_t v = 0; v < Vectors; ++v) weight[v] = _mm512_loadu_si512(weights + v * 64);
    for (size_t r = 0; r < Rows; ++r) {
      const __m512i input = _mm512_set1_epi32(load4(panel + r * stride));
      for (size_t v = 0; v < Vectors; ++v) {
        sum[r][v] = _mm512_dpbusd_epi32(sum[r][v], input, weight[v]);
      }
    }
  }
  for (size_t r = 0; r < Rows; ++r) {
    for (size_t v = 0; v < Vectors; ++v) {
      _mm512_storeu_si512(acc + r * kColumns + v * kLanes, sum[r][v]);
    }
  }
}

using Tile = void (*)(const uint8_t*, size_t, const int8_t*, size_t, const int32_t*, int32_t*);
constexpr Tile kTiles[kRows][kColumns / kLanes] = {
    {tile<1, 1>, tile<1, 2>}, {tile<2, 1>, tile<2, 2>}, {tile<3, 1>, tile<3, 2>},
    {tile<4, 1>, tile<4, 2>}, {tile<5, 1>, tile<5, 2>}, {tile<6, 1>, tile<6, 2>},
    {tile<7, 1>, tile<7, 2>}, {tile<8, 1>, tile<8, 2>},
};

void multiply(const uint8_t* panel, size_t stride, const void* weights, size_t steps, size_t rows,
              size_t width, const int32_t* start, int32_t* acc) {
  kTiles[rows - 1][width / kLanes - 1](panel, stride, static_cast<const int8_t*>(weights), steps,
                                       start, acc);
}

void map16(const uint8_t* codes, size_t count, const uint8_t* levels, uint8_t* out) {
  const __m512i table =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(levels)));
  for (size_t i = 0; i < count; i += 64) {
    const size_t left = count - i;
    const __mmask64 mask = left >= 64 ? ~__mmask64(0) : (__mmask64(1) << left) - 1;
    const __m512i code = _mm512_maskz_loadu_epi8(mask, codes + i);
    _mm512_mask_storeu_epi8(out + i, mask, _mm512_shuffle_epi8(table, code));
  }
}

void count_codes(const int32_t* acc, size_t count, const int32_t* thresholds, size_t stride,
                 size_t threshold_count, uint8_t* codes) {
  const __m512i one = _mm512_set1_epi32(1);
  for (size_t m = 0; m < count; m += kLanes) {
    const __m512i value = _mm512_loadu_si512(acc + m);
    __m512i code = _mm512_setzero_si512();
    for (size_t t = 0; t < threshold_count; ++t) {
      const __m512i threshold = _mm512_loadu_si512(thresholds + t * stride + m);
      code = _mm512_mask_add_epi32(code, _mm512_cmpge_epi32_mask(value, threshold), code, one);
    }
    _mm_mask_storeu_epi8(codes + m, first(count - m), _mm512_cvtepi32_epi8(code));
  }
}

/// fl(fl(fl(acc) * scale) + bias): two roundings, so not an fma.
inline __m512 scaled(const int32_t* acc, const float* scale, const float* bias) {
  const __m512 product =
      _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(acc)), _mm512_loadu_ps(scale));
  return _mm512_add_ps(product, _mm512_loadu_ps(bias));
}

void finish_stream(const int32_t* acc, size_t count, const float* scale, const float* bias,
                   const int16_t* residual, int16_t output_min, const int16_t* below,
                   size_t below_count, uint8_t base, int16_t* stream, uint8_t* codes) {
  const __m512 low = _mm512_set1_ps(-32768.0f), high = _mm512_set1_ps(32767.0f);
  const __m256i minimum = _mm256_set1_epi16(output_min), one = _mm256_set1_epi16(1);
  for (size_t m = 0; m < count; m += kLanes) {
    const __m512 y = scaled(acc + m, scale + m, bias + m);
    const __m512i p = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(y, low), high));
    const __m256i r = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(residual + m));
    const __m256i s = _mm256_max_epi16(_mm256_adds_epi16(_mm512_cvtepi32_epi16(p), r), minimum);
    __m256i code = _mm256_set1_epi16(base);
    for (size_t t = 0; t < below_count; ++t) {
      const __mmask16 reached = _mm256_cmpgt_epi16_mask(s, _mm256_set1_epi16(below[t]));
      code = _mm256_mask_add_epi16(code, reached, code, one);
    }
    const __mmask16 mask = first(count - m);
    _mm256_mask_storeu_epi16(stream + m, mask, s);
    _mm_mask_storeu_epi8(codes + m, mask, _mm256_cvtepi16_epi8(code));
  }
}

void finish_real(const int32_t* acc, size_t count, const float* scale, const float* bias,
                 float* real) {
  for (size_t m = 0; m < count; m += kLanes) {
    _mm512_mask_storeu_ps(real + m, first(count - m), scaled(acc + m, scale + m, bias + m));
  }
}

constexpr RowOps kRowOps = {map16, count_codes, finish_stream, finish_real};

}  // namespace

const PanelKernel conv_u8s8_8x32_avx512vnni = {
    "conv_u8s8_8x32_avx512vnni", kRows, kColumns, kLanes, kDepth, sizeof(int8_t), 0, multiply,
    &kRowOps};

}  // namespace lcq::kernels

// Depthwise convolution by vpdpbusd: the levels of four taps are interleaved, so that each output has its four products
// side by side.
#include <immintrin.h>

#include "depthwise_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kRows = 8, kColumns = 64, kDepth = 4, kLanes = 16, kVectors = kColumns / kLanes;
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns);

/// Interleaving works within 128 bits: four channels of each go to one of four results. Transposing the 4 x 4 words of
/// four channels beforehand makes each result 16 neighbouring channels.
void arrange(uint8_t* levels, size_t count) {
  const __m512i transpose =
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (size_t i = 0; i < count; i += kColumns) {
    const __m512i ordered = _mm512_loadu_si512(levels + i);
    _mm512_storeu_si512(levels + i, _mm512_permutexvar_epi32(transpose, ordered));
  }
}

void accumulate(const uint8_t* levels, size_t pitch, const size_t* offsets, size_t steps,
                size_t rows, const void* packed, const int32_t* start, int32_t* acc) {
  for (size_t r = 0; r < rows; ++r, levels += pitch, acc += kColumns) {
    const auto* weights = static_cast<const int8_t*>(packed);
    __m512i sum[kVectors];
#pragma GCC unroll 8
    for (size_t v = 0; v < kVectors; ++v) sum[v] = _mm512_loadu_si512(start + v * kLanes);
    for (size_t k = 0; k < steps * kDepth; k += kDepth, weights += kVectors * 64) {
      const __m512i a = _mm512_loadu_si512(levels + offsets[k]);
      const __m512i b = _mm512_loadu_si512(levels + offsets[k + 1]);
      const __m512i c = _mm512_loadu_si512(levels + offsets[k + 2]);
      const __m512i d = _mm512_loadu_si512(levels + offsets[k + 3]);
      const __m512i ab0 = _mm512_unpacklo_epi8(a, b), ab1 = _mm512_unpackhi_epi8(a, b);
      const __m512i cd0 = _mm512_unpacklo_epi8(c, d), cd1 = _mm512_unpackhi_epi8(c, d);
      const __m512i taps[kVectors] = {
          _mm512_unpacklo_epi16(ab0, cd0), _mm512_unpackhi_epi16(ab0, cd0),
          _mm512_unpacklo_epi16(ab1, cd1), _mm512_unpackhi_epi16(ab1, cd1)};
#pragma GCC unroll 8
      for (size_t v = 0; v < kVectors; ++v) {
        sum[v] = _mm512_dpbusd_epi32(sum[v], taps[v], _mm512_loadu_si512(weights + v * 64));
      }
    }
#pragma GCC unroll 8
    for (size_t v = 0; v < kVectors; ++v) _mm512_storeu_si512(acc + v * kLanes, sum[v]);
  }
}

}  // namespace

const DepthwiseKernel depthwise_u8s8_8x64_avx512vnni = {
    "depthwise_u8s8_8x64_avx512vnni", kRows, kColumns, kDepth, sizeof(int8_t),
    &tile_ops_avx512, arrange, accumulate};

}  // namespace lcq::kernels

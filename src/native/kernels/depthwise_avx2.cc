// Depthwise convolution by vpmaddwd: the levels of two taps are interleaved and widened, exactly.
#include <immintrin.h>

#include "depthwise_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kRows = 8, kColumns = 16, kDepth = 2, kLanes = 8;
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns);

inline __m128i load_half(const uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

inline __m256i load(const void* at) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}

void accumulate(const uint8_t* levels, size_t pitch, const size_t* offsets, size_t steps,
                size_t rows, const void* packed, const int32_t* start, int32_t* acc) {
  for (size_t r = 0; r < rows; ++r, levels += pitch, acc += kColumns) {
    const auto* weights = static_cast<const int16_t*>(packed);
    __m256i sum0 = load(start), sum1 = load(start + kLanes);
    for (size_t k = 0; k < steps * kDepth; k += kDepth, weights += kColumns * kDepth) {
      const __m128i a = load_half(levels + offsets[k]), b = load_half(levels + offsets[k + 1]);
      const __m256i taps0 = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
      const __m256i taps1 = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
      sum0 = _mm256_add_epi32(sum0, _mm256_madd_epi16(taps0, load(weights)));
      sum1 = _mm256_add_epi32(sum1, _mm256_madd_epi16(taps1, load(weights + kLanes * kDepth)));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(acc), sum0);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(acc + kLanes), sum1);
  }
}

}  // namespace

const DepthwiseKernel depthwise_u8s16_8x16_avx2 = {
    "depthwise_u8s16_8x16_avx2", kRows, kColumns, kDepth, sizeof(int16_t),
    &tile_ops_avx2, nullptr, accumulate};

}  // namespace lcq::kernels

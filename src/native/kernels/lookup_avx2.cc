// vpshufb looks up 32 outputs x 2 inputs: 64 products an instruction.
#include <immintrin.h>

#include "lookup_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kRows = 4, kColumns = 32, kInputs = 2, kTableBytes = 16;
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns && kColumns == sizeof(__m256i));

inline __m256i load(const void* at) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}

inline __m256i look_up(const uint8_t* tables, uint8_t index, __m256i entry) {
  const auto* table = reinterpret_cast<const __m128i*>(tables + index * kTableBytes);
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(table)), entry);
}

/// Adds 16 words to 16 sums.
inline void add_words(__m256i words, int32_t* acc) {
  const __m256i low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(words));
  const __m256i high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(words, 1));
  auto* out = reinterpret_cast<__m256i*>(acc);
  _mm256_storeu_si256(out, _mm256_add_epi32(load(out), low));
  _mm256_storeu_si256(out + 1, _mm256_add_epi32(load(out + 1), high));
}

/// At most kMaxWideSums * Depth entries. Loops are unrolled before registers are given out, or GCC keeps the sums in
/// memory. Bytes are widened in pairs: the sums of whole words hold the even bytes and 256
/// times the odd ones, which are summed on their own too.
template <size_t Rows, size_t Depth>
void add_entries(const uint8_t* indices, size_t stride, const uint8_t* entries,
                 const uint8_t* tables, size_t count, int32_t* acc) {
  __m256i words[Rows], odd[Rows];
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r) words[r] = odd[r] = _mm256_setzero_si256();
  for (size_t k = 0; k < count; k += Depth) {
    __m256i entry[Depth];
#pragma GCC unroll 8
    for (size_t d = 0; d < Depth; ++d) entry[d] = load(entries + (k + d) * kColumns);
#pragma GCC unroll 8
    for (size_t r = 0; r < Rows; ++r) {
      const uint8_t* index = indices + r * stride + k;
      __m256i sum = look_up(tables, index[0], entry[0]);
#pragma GCC unroll 8
      for (size_t d = 1; d < Depth; ++d) {
        sum = _mm256_add_epi8(sum, look_up(tables, index[d], entry[d]));
      }
      words[r] = _mm256_add_epi16(words[r], sum);
      odd[r] = _mm256_add_epi16(odd[r], _mm256_srli_epi16(sum, 8));
    }
  }
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r, acc += kColumns) {
    add_words(_mm256_sub_epi16(words[r], _mm256_slli_epi16(odd[r], 8)), acc);
    add_words(odd[r], acc + kColumns / 2);
  }
}

template <size_t Rows, size_t Depth>
void tile(const uint8_t* indices, size_t stride, const uint8_t* entries, const uint8_t* tables,
          size_t count, const int32_t* start, int32_t* acc) {
  for (size_t r = 0; r < Rows; ++r) {
    __builtin_memcpy(acc + r * kColumns, start, kColumns * sizeof(int32_t));
  }
  constexpr size_t kMost = kMaxWideSums * Depth;
  for (size_t k = 0; k < count; k += kMost) {
    const size_t rest = count - k;
    add_entries<Rows, Depth>(indices + k, stride, entries + k * kColumns, tables,
                             rest < kMost ? rest : kMost, acc);
  }
}

template <size_t Depth>
void multiply_at(const uint8_t* indices, size_t stride, const uint8_t* entries,
                 const uint8_t* tables, size_t count, size_t rows, const int32_t* start,
                 int32_t* acc) {
  if (rows == kRows) return tile<kRows, Depth>(indices, stride, entries, tables, count, start, acc);
  for (size_t r = 0; r < rows; ++r) {
    tile<1, Depth>(indices + r * stride, stride, entries, tables, count, start, acc + r * kColumns);
  }
}

void multiply(const uint8_t* indices, size_t stride, const uint8_t* entries, const uint8_t* tables,
              size_t count, size_t depth, size_t rows, const int32_t* start, int32_t* acc) {
  const auto chosen = depth == 4 ? multiply_at<4> : depth == 2 ? multiply_at<2> : multiply_at<1>;
  chosen(indices, stride, entries, tables, count, rows, start, acc);
}

}  // namespace

const LookupKernel lookup_u2s2_4x32_avx2 = {
    "lookup_u2s2_4x32_avx2", kRows, kColumns, kInputs, &tile_ops_avx2, multiply};

}  // namespace lcq::kernels

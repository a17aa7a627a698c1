// vpermb looks up 64 outputs x 3 inputs: 192 products an instruction.
#include <immintrin.h>

#include "lookup_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kRows = 8, kColumns = 64, kInputs = 3, kTableBytes = 64;
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns && kColumns == sizeof(__m512i));

/// Adds 32 words to 32 sums.
inline void add_words(__m512i words, int32_t* acc) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(words));
  const __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(words, 1));
  _mm512_storeu_si512(acc, _mm512_add_epi32(_mm512_loadu_si512(acc), low));
  _mm512_storeu_si512(acc + 16, _mm512_add_epi32(_mm512_loadu_si512(acc + 16), high));
}

/// At most kMaxWideSums * Depth entries. Loops are unrolled before registers are given out, or GCC keeps the sums in
/// memory. Bytes are widened in pairs: the sums of whole words hold the even bytes and 256
/// times the odd ones, which are summed on their own too.
template <size_t Rows, size_t Depth>
void add_entries(const uint8_t* indices, size_t stride, const uint8_t* entries,
                 const uint8_t* tables, size_t count, int32_t* acc) {
  __m512i words[Rows], odd[Rows];
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r) words[r] = odd[r] = _mm512_setzero_si512();
  for (size_t k = 0; k < count; k += Depth) {
    __m512i entry[Depth];
#pragma GCC unroll 8
    for (size_t d = 0; d < Depth; ++d) entry[d] = _mm512_loadu_si512(entries + (k + d) * kColumns);
#pragma GCC unroll 8
    for (size_t r = 0; r < Rows; ++r) {
      const uint8_t* index = indices + r * stride + k;
      __m512i sum = _mm512_permutexvar_epi8(entry[0],
                                            _mm512_loadu_si512(tables + index[0] * kTableBytes));
#pragma GCC unroll 8
      for (size_t d = 1; d < Depth; ++d) {
        const __m512i table = _mm512_loadu_si512(tables + index[d] * kTableBytes);
        sum = _mm512_add_epi8(sum, _mm512_permutexvar_epi8(entry[d], table));
      }
      words[r] = _mm512_add_epi16(words[r], sum);
      odd[r] = _mm512_add_epi16(odd[r], _mm512_srli_epi16(sum, 8));
    }
  }
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r, acc += kColumns) {
    add_words(_mm512_sub_epi16(words[r], _mm512_slli_epi16(odd[r], 8)), acc);
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

const LookupKernel lookup_u2s2_8x64_avx512vbmi = {
    "lookup_u2s2_8x64_avx512vbmi", kRows, kColumns, kInputs, &tile_ops_avx512, multiply};

}  // namespace lcq::kernels

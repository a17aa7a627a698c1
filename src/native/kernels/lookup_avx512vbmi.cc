// vpermb looks up 64 outputs x 3 inputs: 192 products an instruction.
#include <immintrin.h>

#include "lookup_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kRows = 8, kColumns = 64, kInputs = 3, kTableBytes = 64, kTableShift = 6;
/// Indices are read a word at a time: a load of a byte for each look-up would take the place of the load of its table.
constexpr size_t kWord = sizeof(uint64_t);
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns && kColumns == sizeof(__m512i));
static_assert(kTableBytes == 1 << kTableShift);

inline __mmask64 first64(size_t count) {
  return count >= 64 ? ~__mmask64(0) : (__mmask64(1) << count) - 1;
}

void index(const uint8_t* codes, size_t pixels, size_t channels, size_t count, uint8_t* indices) {
  const __m512i low = _mm512_set1_epi8(3);
  for (size_t p = 0; p < pixels; ++p, codes += channels, indices += count) {
    for (size_t k = 0; k < count; k += 64) {
      __m512i word = _mm512_setzero_si512();
#pragma GCC unroll 4
      for (size_t i = kInputs; i-- > 0;) {
        const size_t at = i * count + k;
        const size_t rest = at < channels ? channels - at : 0;
        const __mmask64 mask = first64(rest < count - k ? rest : count - k);
        const __m512i code = _mm512_and_si512(_mm512_maskz_loadu_epi8(mask, codes + at), low);
        word = _mm512_or_si512(_mm512_slli_epi16(word, 2), code);
      }
      _mm512_mask_storeu_epi8(indices + k, first64(count - k), word);
    }
  }
}

/// Sums of a pixel: bytes are widened in pairs. Those of whole words hold the even bytes and 256 times the odd ones,
/// which are summed on their own too.
struct WideSums {
  __m512i words, odd;

  inline void add(__m512i bytes) {
    words = _mm512_add_epi16(words, bytes);
    odd = _mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8));
  }
};

/// acc = base + 32 words.
inline void add_words(__m512i words, const int32_t* base, int32_t* acc) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(words));
  const __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(words, 1));
  _mm512_storeu_si512(acc, _mm512_add_epi32(_mm512_loadu_si512(base), low));
  _mm512_storeu_si512(acc + 16, _mm512_add_epi32(_mm512_loadu_si512(base + 16), high));
}

/// Adds Count entries for each pixel, Depth at a time. Loops are unrolled before registers are given out, or GCC keeps
/// the sums in memory.
template <size_t Rows, size_t Count, size_t Depth>
[[gnu::always_inline]] inline void add_entries(const uint8_t* const* rows, size_t k,
                                               const uint8_t* entries, const uint8_t* tables,
                                               WideSums* sums) {
  __m512i entry[Count];
#pragma GCC unroll 8
  for (size_t d = 0; d < Count; ++d) entry[d] = _mm512_loadu_si512(entries + d * kColumns);
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r) {
    uint64_t word = 0;
    __builtin_memcpy(&word, rows[r] + k, Count);
#pragma GCC unroll 8
    for (size_t first = 0; first < Count; first += Depth) {
      __m512i sum;
#pragma GCC unroll 8
      for (size_t d = first; d < first + Depth; ++d) {
        // The index times the size of a table: a rotation and a mask.
        const size_t turn = (8 * d + 64 - kTableShift) % 64;
        const uint64_t turned = turn == 0 ? word : word >> turn | word << (64 - turn);
        const uint64_t offset = turned & 63 << kTableShift;
        const __m512i found =
            _mm512_permutexvar_epi8(entry[d], _mm512_load_si512(tables + offset));
        sum = d == first ? found : _mm512_add_epi8(sum, found);
      }
      sums[r].add(sum);
    }
  }
}

template <size_t Rows, size_t Depth>
void multiply_tile(const LookupTile& tile) {
  const uint8_t* rows[Rows];
  WideSums sums[Rows];
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r) {
    rows[r] = tile.indices + tile.pixels[r];
    sums[r] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  }
  const uint8_t* entries = tile.entries;
  const int32_t* base = tile.start;
  size_t pitch = 0, wide = 0;
  for (const LookupRun* run = tile.runs; run < tile.runs + tile.run_count; ++run) {
    size_t k = run->offset;
    const size_t end = k + run->count, words_end = k + run->count / kWord * kWord;
    for (; k < words_end; k += kWord, entries += kWord * kColumns) {
      add_entries<Rows, kWord, Depth>(rows, k, entries, tile.tables, sums);
    }
    for (; k < end; k += Depth, entries += Depth * kColumns) {
      add_entries<Rows, Depth, Depth>(rows, k, entries, tile.tables, sums);
    }
    wide += run->count / Depth;
    const bool last = run + 1 == tile.runs + tile.run_count;
    if (!last && wide + run[1].count / Depth <= kMaxWideSums) continue;
    wide = 0;
#pragma GCC unroll 8
    for (size_t r = 0; r < Rows; ++r) {
      int32_t* acc = tile.acc + r * kColumns;
      const __m512i even = _mm512_sub_epi16(sums[r].words, _mm512_slli_epi16(sums[r].odd, 8));
      add_words(even, base + r * pitch, acc);
      add_words(sums[r].odd, base + r * pitch + kColumns / 2, acc + kColumns / 2);
      sums[r] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    }
    base = tile.acc, pitch = kColumns;
  }
}

template <size_t Depth>
constexpr void (*kTiles[kRows])(const LookupTile&) = {
    multiply_tile<1, Depth>, multiply_tile<2, Depth>, multiply_tile<3, Depth>,
    multiply_tile<4, Depth>, multiply_tile<5, Depth>, multiply_tile<6, Depth>,
    multiply_tile<7, Depth>, multiply_tile<8, Depth>,
};

void multiply(const LookupTile& tile, size_t depth) {
  const auto* tiles = depth == 4 ? kTiles<4> : depth == 2 ? kTiles<2> : kTiles<1>;
  tiles[tile.rows - 1](tile);
}

}  // namespace

const LookupKernel lookup_u2s2_8x64_avx512vbmi = {
    "lookup_u2s2_8x64_avx512vbmi", kRows, kColumns, kInputs, &tile_ops_avx512, index, multiply};

}  // namespace lcq::kernels

// vpshufb looks up 32 outputs x 2 inputs: 64 products an instruction.
#include <immintrin.h>

#include "lookup_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kRows = 4, kColumns = 32, kInputs = 2, kTableBytes = 16, kTableShift = 4;
/// Indices are read a word at a time, to have fewer loads.
constexpr size_t kWord = sizeof(uint64_t);
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns && kColumns == sizeof(__m256i));
static_assert(kTableBytes == 1 << kTableShift);

inline __m256i load(const void* at) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}

void index(const uint8_t* codes, size_t pixels, size_t channels, size_t count, uint8_t* indices) {
  for (size_t p = 0; p < pixels; ++p, codes += channels, indices += count) {
    const size_t high = channels > count ? channels - count : 0;  // inputs in the upper bits
    const size_t low = channels < count ? channels : count;
    size_t k = 0;
    for (; k < high; ++k) indices[k] = (codes[k] & 3) | (codes[count + k] & 3) << 2;
    for (; k < low; ++k) indices[k] = codes[k] & 3;
    for (; k < count; ++k) indices[k] = 0;
  }
}

/// Sums of a pixel: bytes are widened in pairs. Those of whole words hold the even bytes and 256 times the odd ones,
/// which are summed on their own too.
struct WideSums {
  __m256i words, odd;

  inline void add(__m256i bytes) {
    words = _mm256_add_epi16(words, bytes);
    odd = _mm256_add_epi16(odd, _mm256_srli_epi16(bytes, 8));
  }
};

/// acc = base + 16 words.
inline void add_words(__m256i words, const int32_t* base, int32_t* acc) {
  const __m256i low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(words));
  const __m256i high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(words, 1));
  auto* out = reinterpret_cast<__m256i*>(acc);
  _mm256_storeu_si256(out, _mm256_add_epi32(load(base), low));
  _mm256_storeu_si256(out + 1, _mm256_add_epi32(load(base + 8), high));
}

/// Adds Count entries for each pixel, Depth at a time. Loops are unrolled before registers are given out, or GCC keeps
/// the sums in memory.
template <size_t Rows, size_t Count, size_t Depth>
[[gnu::always_inline]] inline void add_entries(const uint8_t* const* rows, size_t k,
                                               const uint8_t* entries, const uint8_t* tables,
                                               WideSums* sums) {
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; ++r) {
    uint64_t word = 0;
    __builtin_memcpy(&word, rows[r] + k, Count);
#pragma GCC unroll 8
    for (size_t first = 0; first < Count; first += Depth) {
      __m256i sum;
#pragma GCC unroll 8
      for (size_t d = first; d < first + Depth; ++d) {
        // The index times the size of a table.
        const uint64_t shifted = d == 0 ? word << kTableShift : word >> (8 * d - kTableShift);
        const auto* table =
            reinterpret_cast<const __m128i*>(tables + (shifted & 15 << kTableShift));
        const __m256i found = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128(table)),
                                                  load(entries + d * kColumns));
        sum = d == first ? found : _mm256_add_epi8(sum, found);
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
    sums[r] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
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
      const __m256i even = _mm256_sub_epi16(sums[r].words, _mm256_slli_epi16(sums[r].odd, 8));
      add_words(even, base + r * pitch, acc);
      add_words(sums[r].odd, base + r * pitch + kColumns / 2, acc + kColumns / 2);
      sums[r] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    }
    base = tile.acc, pitch = kColumns;
  }
}

template <size_t Depth>
constexpr void (*kTiles[kRows])(const LookupTile&) = {
    multiply_tile<1, Depth>, multiply_tile<2, Depth>, multiply_tile<3, Depth>,
    multiply_tile<4, Depth>};

void multiply(const LookupTile& tile, size_t depth) {
  const auto* tiles = depth == 4 ? kTiles<4> : depth == 2 ? kTiles<2> : kTiles<1>;
  tiles[tile.rows - 1](tile);
}

}  // namespace

const LookupKernel lookup_u2s2_4x32_avx2 = {
    "lookup_u2s2_4x32_avx2", kRows, kColumns, kInputs, &tile_ops_avx2, index, multiply};

}  // namespace lcq::kernels

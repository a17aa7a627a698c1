// tbl looks up 16 outputs x 2 inputs: 32 products an instruction.
#include <arm_neon.h>

#include "lookup_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kRows = 4, kColumns = 32, kInputs = 2, kVectors = kColumns / 16, kTableBytes = 16;
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns);

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

/// Sums of 16 outputs of a pixel.
struct WideSums {
  uint16x8_t low, high;

  inline void add(uint8x16_t bytes) {
    low = vaddw_u8(low, vget_low_u8(bytes));
    high = vaddw_high_u8(high, bytes);
  }
};

/// acc = base + 8 words.
inline void add_words(uint16x8_t words, const int32_t* base, int32_t* acc) {
  const int32x4_t low = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words)));
  const int32x4_t high = vreinterpretq_s32_u32(vmovl_high_u16(words));
  vst1q_s32(acc, vaddq_s32(vld1q_s32(base), low));
  vst1q_s32(acc + 4, vaddq_s32(vld1q_s32(base + 4), high));
}

/// Adds Depth entries for each pixel. Loops are unrolled before registers are given out, or GCC keeps the sums in memory.
template <size_t Rows, size_t Depth>
[[gnu::always_inline]] inline void add_entries(const uint8_t* const* rows, size_t k,
                                               const uint8_t* entries, const uint8_t* tables,
                                               WideSums (*sums)[kVectors]) {
#pragma GCC unroll 2
  for (size_t v = 0; v < kVectors; ++v) {
    uint8x16_t entry[Depth];
#pragma GCC unroll 4
    for (size_t d = 0; d < Depth; ++d) entry[d] = vld1q_u8(entries + d * kColumns + v * 16);
#pragma GCC unroll 4
    for (size_t r = 0; r < Rows; ++r) {
      uint8x16_t sum;
#pragma GCC unroll 4
      for (size_t d = 0; d < Depth; ++d) {
        const uint8x16_t table = vld1q_u8(tables + rows[r][k + d] * kTableBytes);
        const uint8x16_t found = vqtbl1q_u8(table, entry[d]);
        sum = d == 0 ? found : vaddq_u8(sum, found);
      }
      sums[r][v].add(sum);
    }
  }
}

template <size_t Rows, size_t Depth>
void multiply_tile(const LookupTile& tile) {
  const WideSums zero = {vdupq_n_u16(0), vdupq_n_u16(0)};
  const uint8_t* rows[Rows];
  WideSums sums[Rows][kVectors];
#pragma GCC unroll 4
  for (size_t r = 0; r < Rows; ++r) {
    rows[r] = tile.indices + tile.pixels[r];
    sums[r][0] = sums[r][1] = zero;
  }
  const uint8_t* entries = tile.entries;
  const int32_t* base = tile.start;
  size_t pitch = 0, wide = 0;
  for (const LookupRun* run = tile.runs; run < tile.runs + tile.run_count; ++run) {
    const size_t end = run->offset + run->count;
    for (size_t k = run->offset; k < end; k += Depth, entries += Depth * kColumns) {
      add_entries<Rows, Depth>(rows, k, entries, tile.tables, sums);
    }
    wide += run->count / Depth;
    const bool last = run + 1 == tile.runs + tile.run_count;
    if (!last && wide + run[1].count / Depth <= kMaxWideSums) continue;
    wide = 0;
#pragma GCC unroll 4
    for (size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
      for (size_t v = 0; v < kVectors; ++v) {
        // Of neighbouring entries the second is of the upper half of the outputs.
        const uint16x8x2_t halves = vuzpq_u16(sums[r][v].low, sums[r][v].high);
        for (size_t half = 0; half < 2; ++half) {
          const size_t at = half * (kColumns / 2) + v * 8;
          add_words(halves.val[half], base + r * pitch + at, tile.acc + r * kColumns + at);
        }
        sums[r][v] = zero;
      }
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

const LookupKernel lookup_u2s2_4x32_neon = {
    "lookup_u2s2_4x32_neon", kRows, kColumns, kInputs, &tile_ops_neon, index, multiply};

}  // namespace lcq::kernels

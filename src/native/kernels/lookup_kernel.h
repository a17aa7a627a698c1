// What a SIMD kernel gives to lookup_conv.cc. Included by files of one instruction set, as panel_kernel.h is.
//
// Two-bit codes of a few inputs make an index, which selects one of a few constant tables; ternary weights of the same
// inputs make an entry of the table: the sum of all their products, looked up at once for a vector of outputs. An entry
// is raised by the greatest level for each negative weight, so that it is never negative; the sums begin lower by as
// much.
#pragma once

#include "panel_kernel.h"

namespace lcq::kernels {

/// Neighbouring indices that every pixel reads: the taps of a kernel row.
struct LookupRun {
  size_t offset;  // from the pixel's first index
  size_t count;
};

/// A tile: a few pixels by a block of output channels.
struct LookupTile {
  const uint8_t* indices;
  const uint32_t* pixels;  // the offset of each pixel's first index
  size_t rows;             // pixels
  const LookupRun* runs;
  size_t run_count;
  const uint8_t* entries;  // for each index of all runs [columns], in the order 0, columns / 2, 1, columns / 2 + 1, ...
  const uint8_t* tables;
  const int32_t* start;  // [columns]
  int32_t* acc;          // [rows][columns]
};

struct LookupKernel {
  const char* name;
  size_t rows;     // the most pixels of a tile
  size_t columns;  // output channels in a block
  size_t inputs;   // that an index and an entry are made of: an index has 4^inputs values, a table as many bytes
  const TileOps* tile_ops;

  /// indices[p][k] = sum over i < inputs of code(p, i * count + k) << 2 * i, for pixels of `channels` codes; the codes
  /// beyond are 0. Of a code only the lower two bits count: no index is beyond the tables.
  void (*index)(const uint8_t* codes, size_t pixels, size_t channels, size_t count,
                uint8_t* indices);

  /// acc[r][m] = start[m] + sum over all runs of table(index(r, k))[entry(k, m)], modulo 2^32.
  /// `depth` entries are added in 8 bits before they are widened: none of these sums may exceed 255. The count of every
  /// run is a multiple of it, and at most kMaxWideSums times it.
  void (*multiply)(const LookupTile& tile, size_t depth);
};

/// Sums of at most 255 that 16 bits hold.
inline constexpr size_t kMaxWideSums = 256;
/// The depths that kernels are compiled for.
inline constexpr size_t kLookupDepths[] = {4, 2, 1};

extern const LookupKernel lookup_u2s2_8x64_avx512vbmi;
extern const LookupKernel lookup_u2s2_4x32_avx2;
extern const LookupKernel lookup_u2s2_4x32_neon;

}  // namespace lcq::kernels

// What a SIMD kernel gives to lookup_conv.cc. Included by files of one instruction set, as panel_kernel.h is.
//
// Two-bit codes of a few inputs make an index, which selects one of a few constant tables; ternary weights of the same
// inputs make an entry of the table: the sum of all their products, looked up at once for a vector of outputs. An entry
// is raised by the greatest level for each negative weight, so that it is never negative; the sums begin lower by as
// much.
#pragma once

#include "panel_kernel.h"

namespace lcq::kernels {

struct LookupKernel {
  const char* name;
  size_t rows;           // pixels in a tile
  size_t columns;        // output channels in a block, and the row length of `acc`
  size_t inputs;         // that an index and an entry are made of: an index has 4^inputs values, a table as many bytes
  const TileOps* tile_ops;

  /// acc[r][m] = start[m] + sum over k < count of table(indices[r * stride + k])[entry(k, m)], modulo 2^32, for
  /// r < rows.
  /// `depth` entries are added in 8 bits before they are widened: none of these sums may exceed 255, and `count` is a
  /// multiple of it. Entries: [count][columns], the outputs 0, columns / 2, 1, columns / 2 + 1 and so on.
  void (*multiply)(const uint8_t* indices, size_t stride, const uint8_t* entries,
                   const uint8_t* tables, size_t count, size_t depth, size_t rows,
                   const int32_t* start, int32_t* acc);
};

/// Sums of at most 255 that 16 bits hold.
inline constexpr size_t kMaxWideSums = 257;
/// The depths that kernels are compiled for.
inline constexpr size_t kLookupDepths[] = {4, 2, 1};

extern const LookupKernel lookup_u2s2_8x64_avx512vbmi;
extern const LookupKernel lookup_u2s2_4x32_avx2;

}  // namespace lcq::kernels

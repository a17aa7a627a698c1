// Thresholds of sums in 16 bits, where they are near enough to one another: twice as many are compared at once.
#pragma once

#include "blocks.h"
#include "conv.h"

namespace lcq::kernels {

/// For TileOps::count_narrow_codes. A sum is seen from its output's center and saturates, which is exact: between the
/// ends of 16 bits lie all thresholds that some sums reach and others do not.
struct NarrowThresholds {
  std::vector<int32_t> centers;     // [stride]
  std::vector<int16_t> thresholds;  // [S][stride]
  std::vector<bool> fits;           // [stride]: whether those of the block that begins here are in 16 bits

  NarrowThresholds(const ConvLayer& layer, const CodesEpilogue& epilogue,
                   const std::vector<Block>& blocks, size_t stride);

  bool all_fit(const std::vector<Block>& blocks) const;
};

}  // namespace lcq::kernels

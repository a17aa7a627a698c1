// What follows the sums of a convolution, for kernels that compute tiles.
#pragma once

#include "blocks.h"
#include "conv.h"
#include "narrow_thresholds.h"
#include "panel_kernel.h"

namespace lcq::kernels {

/// StreamEpilogue for TileOps: thresholds as StreamConstants tells, those that always or never hold taken out.
struct PackedStream {
  std::vector<float> scale, bias;
  int16_t output_min;
  int64_t residual_stride, residual_offset;
  std::vector<int16_t> below = {};
  size_t below_count = 0;
  int shift = -1;
  uint8_t base = 0;
};

struct PackedCodes {
  size_t count;
  size_t stride;                    // the padded outputs, and what may be read beyond
  std::vector<int32_t> thresholds;  // [S][stride]; none if all are narrow
  NarrowThresholds narrow;
};

struct PackedReal {
  std::vector<float> scale, bias;
};

class PackedEpilogue {
 public:
  PackedEpilogue(const ConvLayer& layer, const std::vector<Block>& blocks, const TileOps& ops);

  /// Asks for the memory that finish() will touch; to be called a tile ahead. A block's part of each pixel is too short
  /// for the processor to foresee.
  void prefetch(const ConvCall& call, const Block& block, int64_t at, size_t rows) const;

  /// Writes the outputs of a block for the pixels from `at` on, counted over N, OH and OW.
  void finish(const ConvCall& call, const Block& block, int64_t at, const Sums& sums) const;

 private:
  void finish(const PackedCodes& e, const ConvCall& call, const Block& block, int64_t at,
              const Sums& sums) const;
  void finish(const PackedStream& e, const ConvCall& call, const Block& block, int64_t at,
              const Sums& sums) const;
  void finish(const PackedReal& e, const ConvCall& call, const Block& block, int64_t at,
              const Sums& sums) const;

  const TileOps& ops_;
  const int64_t outputs_;
  const std::variant<PackedCodes, PackedStream, PackedReal> epilogue_;
};

}  // namespace lcq::kernels

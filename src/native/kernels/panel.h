// Panels: the input levels of output pixels, a row each, in the order of the weights.
#pragma once

#include "input_levels.h"

namespace lcq::kernels {

class Panel {
 public:
  /// `stride` is the length of a row, at least the layer's depth; what is beyond that is zero.
  Panel(const ConvLayer& layer, const TileOps& ops, size_t stride);

  size_t stride() const { return stride_; }

  /// Fills the rows of one group for `count` output pixels from `at` on, counted over N, OH and OW.
  void fill(const ConvCall& call, int64_t at, size_t count, int64_t group, uint8_t* out) const;

 private:
  void map_pixels(const uint8_t* codes, size_t count, uint8_t* out) const;
  /// The row of one output pixel.
  void gather(const ConvCall& call, int64_t n, int64_t oh, int64_t ow, int64_t group,
              uint8_t* out) const;
  void gather_row(const uint8_t* row, int64_t width, int64_t left, int64_t group,
                  uint8_t* out) const;

  const ConvGeometry geometry_;
  const InputLevels levels_;
  const size_t stride_;
  const bool pointwise_;  // rows are the pixels themselves
};

}  // namespace lcq::kernels

// The packed weights of docs/op-spec.md.
#pragma once

#include <cstdint>
#include <vector>

#include "../ort/custom_op.h"

namespace lcq::ops {

struct Weights {
  std::vector<int8_t> levels;  // in the order of weight_shape
  int32_t greatest;            // the greatest magnitude in weight_levels
};

/// Unpacks the `count` codes of input 1 (`W`) by input 2 (`weight_levels`) and the attribute weight_bits.
Weights read_weights(const ort::NodeInfo& node, int64_t count);

}  // namespace lcq::ops

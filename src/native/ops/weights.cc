#include "weights.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace lcq::ops {

namespace {

int64_t read_weight_bits(const ort::NodeInfo& node) {
  const int64_t bits = node.integer("weight_bits");
  if (bits != 2 && bits != 3 && bits != 4 && bits != 8) {
    node.refuse("attribute 'weight_bits' is " + std::to_string(bits) + ", must be 2, 3, 4 or 8");
  }
  return bits;
}

std::vector<int8_t> read_weight_levels(const ort::NodeInfo& node, int64_t bits) {
  const size_t zero = (size_t{1} << (bits - 1)) - 1;  // s: the code of a zero weight
  std::vector<int8_t> levels = node.constant<int8_t>(2, "weight_levels", 1);
  if (levels.size() != 2 * zero + 1) {
    node.refuse("input 'weight_levels' has " + std::to_string(levels.size()) + " entries, " +
                std::to_string(bits) + "-bit weights need " + std::to_string(2 * zero + 1));
  }
  if (levels[zero] != 0) node.refuse("input 'weight_levels' must be 0 in the middle");
  return levels;
}

}  // namespace

Weights read_weights(const ort::NodeInfo& node, int64_t count) {
  const int64_t bits = read_weight_bits(node);
  const std::vector<int8_t> levels = read_weight_levels(node, bits);
  const std::vector<uint8_t> stream = node.constant<uint8_t>(1, "W", 1);
  const size_t bytes = static_cast<size_t>((count * bits + 7) / 8);
  if (stream.size() != bytes) {
    node.refuse("input 'W' has " + std::to_string(stream.size()) + " bytes, weight_shape needs " +
                std::to_string(bytes));
  }
  Weights weights{std::vector<int8_t>(count), 0};
  for (const int8_t level : levels) {
    weights.greatest = std::max(weights.greatest, std::abs(int32_t{level}));
  }
  uint32_t pending = 0;  // bits of the stream that are not used yet
  int64_t pending_bits = 0;
  size_t next = 0;
  for (int8_t& weight : weights.levels) {
    if (pending_bits < bits) {
      pending |= uint32_t{stream[next++]} << pending_bits;
      pending_bits += 8;
    }
    const uint32_t code = pending & ((1u << bits) - 1);
    if (code >= levels.size()) {
      node.refuse("input 'W' has the code " + std::to_string(code) + ", there are " +
                  std::to_string(levels.size()) + " weight_levels");
    }
    weight = levels[code];
    pending >>= bits;
    pending_bits -= bits;
  }
  if (pending != 0) node.refuse("input 'W' has bits set after the last code");
  return weights;
}

}  // namespace lcq::ops

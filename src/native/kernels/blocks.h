// Output channels are computed in blocks, and their constants laid out by them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lcq::kernels {

/// A few output channels of one group that are computed together.
struct Block {
  int64_t first;  // output channel
  size_t count;   // output channels
  size_t width;   // count rounded up to a granule: kernels may read whole blocks of constants
  size_t at;      // where its constants begin: the sum of the widths before it
};

/// Blocks of at most `columns` channels, in order; none has channels of two groups.
inline std::vector<Block> divide_channels(int64_t outputs, int64_t group, size_t columns,
                                          size_t granule) {
  std::vector<Block> blocks;
  size_t at = 0;
  for (int64_t end = outputs / group; end <= outputs; end += outputs / group) {
    for (int64_t m = end - outputs / group; m < end; m += columns) {
      const size_t count = std::min<size_t>(columns, end - m);
      const size_t width = (count + granule - 1) / granule * granule;
      blocks.push_back({m, count, width, at});
      at += width;
    }
  }
  return blocks;
}

/// The sum of all widths.
inline size_t padded_outputs(const std::vector<Block>& blocks) {
  return blocks.back().at + blocks.back().width;
}

/// `values` [M] laid out by the blocks, zeros between.
template <typename T>
std::vector<T> pad_by_block(const std::vector<Block>& blocks, const T* values) {
  std::vector<T> padded(padded_outputs(blocks));
  for (const Block& block : blocks) {
    for (size_t i = 0; i < block.count; ++i) padded[block.at + i] = values[block.first + i];
  }
  return padded;
}

}  // namespace lcq::kernels

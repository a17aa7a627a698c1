// A layer's constants in the order in which a panel kernel reads them.
#pragma once

#include "aligned_buffer.h"
#include "conv.h"
#include "panel_kernel.h"

namespace lcq::kernels {

/// A few output channels of one group that are computed together.
struct Block {
  int64_t first;   // output channel
  size_t count;    // output channels
  size_t width;    // count rounded up to the kernel's granule
  size_t at;       // where its constants begin: the sum of the widths before it
  size_t weights;  // byte offset of its weights
};

/// How many bits a weight takes in memory: as few as the layer's different levels allow.
enum class WeightFormat { kIndex2, kIndex4, kWhole };

/// Constants are padded to the block widths with zeros, so that kernels may read whole blocks.
struct PackedLayer {
  std::vector<Block> blocks;  // by group
  size_t blocks_per_group;
  size_t padded_outputs;  // the sum of all widths
  size_t steps;           // depth rounded up, in the kernel's steps
  size_t chunk_steps;     // steps that are unpacked and multiplied at a time
  WeightFormat format;
  AlignedBuffer weights;          // for each block [steps][width][depth], in the format
  std::array<int8_t, 16> levels;  // of the indices
  std::vector<int32_t> start;     // -input_zero_point * (sum of the output's weights), modulo 2^32
};

PackedLayer pack(const ConvLayer& layer, const PanelKernel& kernel);

/// Bytes that unpacking needs.
size_t unpacked_bytes(const PackedLayer& packed, const PanelKernel& kernel);

/// The weights of `steps` steps of a block from `step` on, a multiple of chunk_steps, as the kernel reads them: in place,
/// or unpacked into `buffer`.
const void* unpack(const PackedLayer& packed, const PanelKernel& kernel, const Block& block,
                   size_t step, size_t steps, std::byte* buffer);

/// `values` [M] laid out by the blocks.
template <typename T>
std::vector<T> pad_by_block(const PackedLayer& packed, const T* values) {
  std::vector<T> padded(packed.padded_outputs);
  for (const Block& block : packed.blocks) {
    for (size_t i = 0; i < block.count; ++i) padded[block.at + i] = values[block.first + i];
  }
  return padded;
}

}  // namespace lcq::kernels

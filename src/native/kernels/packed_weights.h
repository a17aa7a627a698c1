// A layer's weights in the order in which a panel kernel reads them, in as few bits as their levels allow.
#pragma once

#include <array>

#include "aligned_buffer.h"
#include "blocks.h"
#include "conv.h"
#include "panel_kernel.h"

namespace lcq::kernels {

/// How many bits a weight takes in memory: as few as the layer's different levels allow.
enum class WeightFormat { kIndex2, kIndex4, kWhole };

struct PackedWeights {
  size_t steps;        // depth rounded up, in the kernel's steps
  size_t chunk_steps;  // steps that are unpacked and multiplied at a time
  WeightFormat format;
  std::array<int8_t, 16> levels;  // of the indices
  std::vector<size_t> places;     // the byte offset of each block's weights
  AlignedBuffer bytes;            // for each block [steps][width][depth], in the format
};

PackedWeights pack_weights(const ConvLayer& layer, const PanelKernel& kernel,
                           const std::vector<Block>& blocks);

/// -input_zero_point * (sum of the output's weights), modulo 2^32, for each output.
std::vector<int32_t> sums_of_zero_point(const ConvLayer& layer);

/// Bytes that unpacking all steps of a block, or a chunk of them, needs.
size_t unpacked_bytes(const PackedWeights& packed, const PanelKernel& kernel, size_t steps);

/// The weights of `steps` steps of block `index` from `step` on, a multiple of chunk_steps, as the kernel reads them:
/// in place, or unpacked into `buffer`.
const void* unpack(const PackedWeights& packed, const PanelKernel& kernel,
                   const std::vector<Block>& blocks, size_t index, size_t step, size_t steps,
                   std::byte* buffer);

}  // namespace lcq::kernels

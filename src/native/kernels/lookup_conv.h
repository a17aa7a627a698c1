// Convolution of 2-bit codes with ternary weights by look-up, shared by all SIMD kernels.
#pragma once

#include <memory>

#include "conv.h"
#include "lookup_kernel.h"

namespace lcq::kernels {

/// True if the layer has ternary weights, at most four input levels that `kernel` can add, and enough outputs for it.
bool takes(const LookupKernel& kernel, const ConvLayer& layer);

/// Repacks the layer's constants for `kernel`, which must take it.
std::unique_ptr<Conv> make_lookup_conv(const ConvLayer& layer, const LookupKernel& kernel);

}  // namespace lcq::kernels

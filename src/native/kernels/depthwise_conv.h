// Depthwise convolution, one filter a channel, shared by all SIMD kernels.
#pragma once

#include <memory>

#include "conv.h"
#include "depthwise_kernel.h"

namespace lcq::kernels {

bool is_depthwise(const ConvLayer& layer);

/// Repacks the layer's constants for `kernel`; the layer must be depthwise.
std::unique_ptr<Conv> make_depthwise_conv(const ConvLayer& layer, const DepthwiseKernel& kernel);

}  // namespace lcq::kernels

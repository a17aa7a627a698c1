// Convolution by panels, shared by all SIMD kernels.
#pragma once

#include <memory>

#include "conv.h"
#include "panel_kernel.h"

namespace lcq::kernels {

/// True if `kernel` computes the layer exactly, and no slower than the scalar reference.
bool takes(const PanelKernel& kernel, const ConvLayer& layer);

/// Repacks the layer's constants for `kernel`, which must take it.
std::unique_ptr<Conv> make_panel_conv(const ConvLayer& layer, const PanelKernel& kernel);

}  // namespace lcq::kernels

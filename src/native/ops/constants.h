// Reads and validates what is constant in a node: nothing after this checks it again.
#pragma once

#include "../kernels/conv.h"
#include "../kernels/max_pool.h"
#include "../ort/custom_op.h"

namespace lcq::ops {

/// weight_shape, strides, pads, dilations and group of an LcqConv op.
kernels::ConvGeometry read_conv_geometry(const ort::NodeInfo& node);

/// kernel_shape, strides and pads of an LcqMaxPool op.
kernels::MaxPoolGeometry read_max_pool_geometry(const ort::NodeInfo& node);

/// weight_shape of an LcqGemm, as the geometry of a 1x1 convolution.
kernels::ConvGeometry read_gemm_geometry(const ort::NodeInfo& node);

/// The packed weights, both level tables (inputs 1 to 3) and the bound that keeps the sums within int32.
kernels::ConvLayer read_layer(const ort::NodeInfo& node, const kernels::ConvGeometry& geometry,
                              int64_t input_zero_point, kernels::Epilogue epilogue);

/// input_zero_point, in [0, 255].
int64_t read_input_zero_point(const ort::NodeInfo& node);

kernels::CodesEpilogue read_codes_epilogue(const ort::NodeInfo& node, int64_t outputs);

/// `thresholds_index` is the position of stream_thresholds; with_residual adds the attributes of LcqConvAdd.
kernels::StreamEpilogue read_stream_epilogue(const ort::NodeInfo& node, int64_t outputs,
                                             size_t thresholds_index, bool with_residual);

kernels::RealEpilogue read_real_epilogue(const ort::NodeInfo& node, int64_t outputs);

}  // namespace lcq::ops

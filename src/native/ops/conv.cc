// LcqConv, LcqConvStream and LcqConvAdd: one convolution, three epilogues.
#include <optional>

#include "constants.h"
#include "conv_runner.h"
#include "domain.h"

namespace lcq::ops {

namespace {

using ort::ElementType;

/// LcqConvAdd may write its stream over the residual: a kernel reads a tile's residuals before it writes them.
constexpr int32_t kResidualInput = 6;

struct Residual {
  int64_t stride, offset;
};

class ConvOp final : public ort::OpKernel {
 public:
  ConvOp(const ort::NodeInfo& node, const kernels::ConvLayer& layer,
         std::optional<Residual> residual, OpSettings& settings)
      : geometry_(layer.geometry),
        stream_(std::holds_alternative<kernels::StreamEpilogue>(layer.epilogue)),
        residual_(residual),
        runner_(node, layer, settings) {}

  void compute(const ort::RunContext& context) const override {
    kernels::ConvCall call{};
    const ort::Shape shape = set_input(context, call);
    if (residual_) set_residual(context, shape, call);
    if (stream_) call.stream = context.output<int16_t>(0, shape);
    call.codes = context.output<uint8_t>(stream_ ? 1 : 0, shape);
    call.pixels = shape[0] * shape[1] * shape[2];
    runner_.run(context, call, context.input(0).count());
  }

 private:
  /// Returns the shape of the outputs.
  ort::Shape set_input(const ort::RunContext& context, kernels::ConvCall& call) const {
    const ort::TensorView x = context.input(0);
    if (x.shape.size() != 4 || x.shape[3] != geometry_.channels() || x.count() == 0) {
      runner_.refuse("input 'X' has the shape " + ort::to_string(x.shape) + ", must be [N,H,W," +
                     std::to_string(geometry_.channels()) + "]");
    }
    call.input = static_cast<const uint8_t*>(x.data);
    call.height = x.shape[1], call.width = x.shape[2];
    call.output_height = geometry_.output_height(call.height);
    call.output_width = geometry_.output_width(call.width);
    if (call.output_height == 0 || call.output_width == 0) {
      runner_.refuse("input 'X' of shape " + ort::to_string(x.shape) + " is smaller than the kernel");
    }
    return {x.shape[0], call.output_height, call.output_width, geometry_.outputs};
  }

  void set_residual(const ort::RunContext& context, const ort::Shape& output,
                    kernels::ConvCall& call) const {
    const ort::TensorView r = context.input(kResidualInput);
    const auto reduced = [&](int64_t size) { return (size - 1) / residual_->stride + 1; };
    if (r.shape.size() != 4 || r.count() == 0 || r.shape[0] != output[0] ||
        reduced(r.shape[1]) != output[1] || reduced(r.shape[2]) != output[2] ||
        r.shape[3] + residual_->offset > output[3]) {
      runner_.refuse("input 'R' has the shape " + ort::to_string(r.shape) +
                     ", which does not fit the output " + ort::to_string(output));
    }
    call.residual = static_cast<const int16_t*>(r.data);
    call.residual_height = r.shape[1], call.residual_width = r.shape[2];
    call.residual_channels = r.shape[3];
  }

  const kernels::ConvGeometry geometry_;
  const bool stream_;
  const std::optional<Residual> residual_;
  const ConvRunner runner_;
};

/// X, W, weight_levels and input_levels, then what the epilogue needs.
std::vector<ElementType> conv_inputs_and(std::initializer_list<ElementType> more) {
  std::vector<ElementType> inputs = {ElementType::kUint8, ElementType::kUint8, ElementType::kInt8,
                                     ElementType::kUint8};
  inputs.insert(inputs.end(), more);
  return inputs;
}

}  // namespace

ort::OpDefinition lcq_conv(OpSettings& settings) {
  return {"LcqConv", conv_inputs_and({ElementType::kInt32}), {ElementType::kUint8},
          [&settings](const ort::NodeInfo& node) {
            const kernels::ConvGeometry geometry = read_conv_geometry(node);
            const kernels::ConvLayer layer =
                read_layer(node, geometry, read_input_zero_point(node),
                           read_codes_epilogue(node, geometry.outputs));
            return std::make_unique<ConvOp>(node, layer, std::nullopt, settings);
          }};
}

ort::OpDefinition lcq_conv_stream(OpSettings& settings) {
  return {"LcqConvStream",
          conv_inputs_and({ElementType::kFloat32, ElementType::kFloat32, ElementType::kInt32}),
          {ElementType::kInt16, ElementType::kUint8},
          [&settings](const ort::NodeInfo& node) {
            const kernels::ConvGeometry geometry = read_conv_geometry(node);
            const kernels::ConvLayer layer =
                read_layer(node, geometry, read_input_zero_point(node),
                           read_stream_epilogue(node, geometry.outputs, 6, false));
            return std::make_unique<ConvOp>(node, layer, std::nullopt, settings);
          }};
}

ort::OpDefinition lcq_conv_add(OpSettings& settings) {
  return {"LcqConvAdd",
          conv_inputs_and({ElementType::kFloat32, ElementType::kFloat32, ElementType::kInt16,
                           ElementType::kInt32}),
          {ElementType::kInt16, ElementType::kUint8},
          [&settings](const ort::NodeInfo& node) {
            const kernels::ConvGeometry geometry = read_conv_geometry(node);
            const kernels::StreamEpilogue epilogue =
                read_stream_epilogue(node, geometry.outputs, 7, true);
            const Residual residual{epilogue.residual_stride, epilogue.residual_offset};
            const kernels::ConvLayer layer =
                read_layer(node, geometry, read_input_zero_point(node), epilogue);
            return std::make_unique<ConvOp>(node, layer, residual, settings);
          },
          ort::in_place<kResidualInput, 0>()};
}

}  // namespace lcq::ops

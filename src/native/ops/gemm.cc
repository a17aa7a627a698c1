// LcqGemm: the 1x1 convolution of N images of one pixel.
#include "constants.h"
#include "conv_runner.h"
#include "domain.h"

namespace lcq::ops {

namespace {

using ort::ElementType;

class GemmOp final : public ort::OpKernel {
 public:
  GemmOp(const ort::NodeInfo& node, const kernels::ConvLayer& layer, OpSettings& settings)
      : geometry_(layer.geometry), runner_(node, layer, settings) {}

  void compute(const ort::RunContext& context) const override {
    const ort::TensorView x = context.input(0);
    if (x.shape.size() != 2 || x.shape[1] != geometry_.channels() || x.count() == 0) {
      runner_.refuse("input 'X' has the shape " + ort::to_string(x.shape) + ", must be [N," +
                     std::to_string(geometry_.channels()) + "]");
    }
    kernels::ConvCall call{};
    call.input = static_cast<const uint8_t*>(x.data);
    call.height = call.width = call.output_height = call.output_width = 1;
    call.real = context.output<float>(0, {x.shape[0], geometry_.outputs});
    call.pixels = x.shape[0];
    runner_.run(context, call, x.count());
  }

 private:
  const kernels::ConvGeometry geometry_;
  const ConvRunner runner_;
};

}  // namespace

ort::OpDefinition lcq_gemm(OpSettings& settings) {
  return {"LcqGemm",
          {ElementType::kUint8, ElementType::kUint8, ElementType::kInt8, ElementType::kUint8,
           ElementType::kFloat32, ElementType::kFloat32},
          {ElementType::kFloat32},
          [&settings](const ort::NodeInfo& node) {
            const kernels::ConvGeometry geometry = read_gemm_geometry(node);
            const kernels::ConvLayer layer =
                read_layer(node, geometry, 0, read_real_epilogue(node, geometry.outputs));
            return std::make_unique<GemmOp>(node, layer, settings);
          }};
}

}  // namespace lcq::ops

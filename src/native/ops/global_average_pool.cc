// LcqGlobalAveragePool.
#include <cmath>

#include "../kernels/scalar.h"
#include "domain.h"

namespace lcq::ops {

namespace {

/// The most pixels whose int16 sum is sure to fit 32 bits.
constexpr int64_t kMaxPixels = 65535;

class GlobalAveragePoolOp final : public ort::OpKernel {
 public:
  GlobalAveragePoolOp(const ort::NodeInfo& node, float scale)
      : label_(node.op() + " node '" + node.node() + "'"), scale_(scale) {}

  void compute(const ort::RunContext& context) const override {
    const ort::TensorView s = context.input(0);
    if (s.shape.size() != 4 || s.count() == 0 || s.shape[1] > kMaxPixels ||
        s.shape[2] > kMaxPixels || s.shape[1] * s.shape[2] > kMaxPixels) {
      throw ort::Error(ort::kInvalidArgument,
                       label_ + ": input 'S' has the shape " + ort::to_string(s.shape) +
                           ", must be [N,H,W,C] with at most 65535 pixels");
    }
    const int64_t pixels = s.shape[1] * s.shape[2], channels = s.shape[3];
    const auto* stream = static_cast<const int16_t*>(s.data);
    auto* codes = context.output<uint8_t>(0, {s.shape[0], channels});
    for (int64_t n = 0; n < s.shape[0]; ++n) {
      kernels::global_average_pool_s16_scalar(stream + n * pixels * channels, pixels, channels,
                                              scale_, codes + n * channels);
    }
  }

 private:
  const std::string label_;
  const float scale_;
};

}  // namespace

ort::OpDefinition lcq_global_average_pool(OpSettings& settings) {
  return {"LcqGlobalAveragePool",
          {ort::ElementType::kInt16},
          {ort::ElementType::kUint8},
          [&settings](const ort::NodeInfo& node) {
            const float scale = node.real("scale");
            if (!std::isfinite(scale) || scale <= 0) {
              node.refuse("attribute 'scale' must be finite and greater than 0");
            }
            settings.uses.push_back({node.node(), node.op(), "global_average_pool_s16_scalar"});
            return std::make_unique<GlobalAveragePoolOp>(node, scale);
          }};
}

}  // namespace lcq::ops

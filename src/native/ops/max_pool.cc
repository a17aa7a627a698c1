// LcqMaxPool and LcqMaxPoolStream.
#include "../kernels/max_pool.h"

#include <algorithm>

#include "constants.h"
#include "domain.h"

namespace lcq::ops {

namespace {

template <typename T>
class MaxPoolOp final : public ort::OpKernel {
 public:
  MaxPoolOp(const ort::NodeInfo& node, const OpSettings& settings)
      : label_(node.op() + " node '" + node.node() + "'"),
        pieces_(settings.pieces),
        geometry_(read_max_pool_geometry(node)) {}

  void compute(const ort::RunContext& context) const override {
    const ort::TensorView x = context.input(0);
    const bool fits = x.shape.size() == 4 && x.count() != 0 &&
                      x.shape[1] + geometry_.top + geometry_.bottom >= geometry_.kernel_height &&
                      x.shape[2] + geometry_.left + geometry_.right >= geometry_.kernel_width;
    if (!fits) {
      throw ort::Error(ort::kInvalidArgument,
                       label_ + ": its input has the shape " + ort::to_string(x.shape) +
                           ", must be [N,H,W,C] and no smaller than the kernel");
    }
    const int64_t height = geometry_.output_height(x.shape[1]);
    const int64_t width = geometry_.output_width(x.shape[2]);
    const kernels::MaxPoolCall<T> call{
        static_cast<const T*>(x.data), x.shape[1], x.shape[2], x.shape[3],
        context.output<T>(0, {x.shape[0], height, width, x.shape[3]})};
    const int64_t rows = x.shape[0] * height;
    const int64_t pieces = std::min<int64_t>(pieces_, rows);
    context.parallel_for(pieces, [&](size_t piece) {
      const int64_t at = static_cast<int64_t>(piece);
      kernels::max_pool_scalar(geometry_, call, at * rows / pieces, (at + 1) * rows / pieces);
    });
  }

 private:
  const std::string label_;
  const size_t pieces_;
  const kernels::MaxPoolGeometry geometry_;
};

template <typename T>
ort::OpDefinition define(const char* name, const char* kernel, OpSettings& settings) {
  const ort::ElementType type = ort::kElementTypeOf<T>;
  return {name, {type}, {type}, [&settings, kernel](const ort::NodeInfo& node) {
            settings.uses.push_back({node.node(), node.op(), kernel});
            return std::make_unique<MaxPoolOp<T>>(node, settings);
          }};
}

}  // namespace

ort::OpDefinition lcq_max_pool(OpSettings& settings) {
  return define<uint8_t>("LcqMaxPool", "max_pool_u8_scalar", settings);
}

ort::OpDefinition lcq_max_pool_stream(OpSettings& settings) {
  return define<int16_t>("LcqMaxPoolStream", "max_pool_s16_scalar", settings);
}

}  // namespace lcq::ops

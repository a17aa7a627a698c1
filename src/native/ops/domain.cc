#include "domain.h"

namespace lcq::ops {

std::unique_ptr<ort::CustomOpDomain> make_lcq_domain(OpSettings& settings) {
  return std::make_unique<ort::CustomOpDomain>(
      "lcq", std::vector<ort::OpDefinition>{lcq_conv(settings), lcq_conv_stream(settings),
                                            lcq_conv_add(settings), lcq_gemm(settings),
                                            lcq_global_average_pool(settings), lcq_max_pool(settings),
                                            lcq_max_pool_stream(settings)});
}

}  // namespace lcq::ops

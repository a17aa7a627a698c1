// The operator set of docs/op-spec.md for one session.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../kernels/dispatch.h"
#include "../ort/custom_op.h"

namespace lcq::ops {

/// Which kernel a node was given.
struct KernelUse {
  std::string node;
  std::string op;
  std::string kernel;
};

/// What the ops of one session know of it.
struct OpSettings {
  kernels::Isa isa;
  /// Pieces that a run is cut into: enough to balance the session's threads, one where there is one thread.
  size_t pieces;
  std::vector<KernelUse> uses;
};

/// The domain `lcq`. `settings` must outlive it.
std::unique_ptr<ort::CustomOpDomain> make_lcq_domain(OpSettings& settings);

ort::OpDefinition lcq_conv(OpSettings& settings);
ort::OpDefinition lcq_conv_stream(OpSettings& settings);
ort::OpDefinition lcq_conv_add(OpSettings& settings);
ort::OpDefinition lcq_gemm(OpSettings& settings);
ort::OpDefinition lcq_global_average_pool(OpSettings& settings);
ort::OpDefinition lcq_max_pool(OpSettings& settings);
ort::OpDefinition lcq_max_pool_stream(OpSettings& settings);

}  // namespace lcq::ops

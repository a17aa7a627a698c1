// The operator set of docs/op-spec.md for one session.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../kernels/dispatch.h"
#include "../ort/custom_op.h"

namespace lcq::ops {

/// What a node with weights was made of.
struct LayerFacts {
  /// Names of the values X and W.
  std::string input, weights;
  int64_t weight_bits;
  /// [M, KH, KW, C/group]; of an LcqGemm [M, 1, 1, K].
  std::array<int64_t, 4> weight_shape;
  std::vector<uint8_t> input_levels;
  std::vector<int8_t> weight_levels;
};

/// Which kernel a node was given.
struct KernelUse {
  std::string node;
  std::string op;
  std::string kernel;
  std::optional<LayerFacts> layer = std::nullopt;
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

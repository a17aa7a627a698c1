// Runs a convolution on the tensors of a call: shapes, codes, threads.
#pragma once

#include <string>

#include "../kernels/conv.h"
#include "domain.h"

namespace lcq::ops {

class ConvRunner {
 public:
  /// Chooses the kernel, and records the choice in `settings`.
  ConvRunner(const ort::NodeInfo& node, const kernels::ConvLayer& layer, OpSettings& settings);

  /// Refuses codes that the layer has no level for. `count` is the size of the input.
  void check_codes(const uint8_t* codes, size_t count) const;

  /// Computes the call on the session's threads.
  void run(const ort::RunContext& context, const kernels::ConvCall& call) const;

  [[noreturn]] void refuse(const std::string& what) const;

 private:
  std::string label_;
  size_t level_count_;
  size_t pieces_;
  std::unique_ptr<kernels::Conv> conv_;
};

}  // namespace lcq::ops

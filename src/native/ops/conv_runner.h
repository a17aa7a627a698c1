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

  /// Computes the call on the session's threads, and refuses an input, of `inputs` codes, that has a code without a
  /// level.
  void run(const ort::RunContext& context, const kernels::ConvCall& call, size_t inputs) const;

  [[noreturn]] void refuse(const std::string& what) const;

 private:
  void check_code(uint8_t largest) const;

  std::string label_;
  size_t level_count_;
  size_t pieces_;
  std::unique_ptr<kernels::Conv> conv_;
};

}  // namespace lcq::ops

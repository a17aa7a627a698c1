#include "conv_runner.h"

#include <algorithm>

#include "../kernels/aligned_buffer.h"

namespace lcq::ops {

namespace {

LayerFacts layer_facts(const ort::NodeInfo& node, const kernels::ConvLayer& layer) {
  const kernels::ConvGeometry& g = layer.geometry;
  const auto first = layer.input_levels.begin();
  return {node.input_name(0),
          node.input_name(1),
          node.integer("weight_bits"),
          {g.outputs, g.kernel_height, g.kernel_width, g.group_channels},
          {first, first + layer.input_level_count},
          node.constant<int8_t>(2, "weight_levels", 1)};
}

/// Four quarters side by side, because a chain of maxima waits for itself. Compilers turn the loop into vector maxima,
/// even those of SSE2, which every x86-64 processor has.
uint8_t largest_code(const uint8_t* codes, size_t count) {
  const size_t quarter = count / 4;
  uint8_t a = 0, b = 0, c = 0, d = 0;
  for (size_t i = 0; i < quarter; ++i) {
    a = std::max(a, codes[i]);
    b = std::max(b, codes[quarter + i]);
    c = std::max(c, codes[2 * quarter + i]);
    d = std::max(d, codes[3 * quarter + i]);
  }
  for (size_t i = 4 * quarter; i < count; ++i) a = std::max(a, codes[i]);
  return std::max({a, b, c, d});
}

}  // namespace

ConvRunner::ConvRunner(const ort::NodeInfo& node, const kernels::ConvLayer& layer,
                       OpSettings& settings)
    : label_(node.op() + " node '" + node.node() + "'"),
      level_count_(layer.input_level_count),
      pieces_(settings.pieces),
      conv_(kernels::make_conv(layer, settings.isa)) {
  settings.uses.push_back({node.node(), node.op(), conv_->name(), layer_facts(node, layer)});
}

void ConvRunner::refuse(const std::string& what) const {
  throw ort::Error(ort::kInvalidArgument, label_ + ": " + what);
}

void ConvRunner::run(const ort::RunContext& context, const kernels::ConvCall& call,
                     size_t inputs) const {
  const size_t tasks = conv_->tasks(call, pieces_);
  const size_t scratch = (conv_->scratch_bytes(call) + 63) / 64 * 64;
  const kernels::AlignedBuffer memory = kernels::make_aligned_buffer(scratch * tasks);
  std::vector<uint8_t> largest(tasks);
  context.parallel_for(tasks, [&](size_t task) {
    const size_t first = inputs * task / tasks, last = inputs * (task + 1) / tasks;
    if (level_count_ < 256) largest[task] = largest_code(call.input + first, last - first);
    conv_->run(call, task, tasks, memory.get() + task * scratch);
  });
  // Not before: a kernel stays within its memory whatever the codes are.
  check_code(*std::max_element(largest.begin(), largest.end()));
}

void ConvRunner::check_code(uint8_t largest) const {
  if (largest < level_count_) return;
  refuse("input 'X' has the code " + std::to_string(largest) + ", there are " +
         std::to_string(level_count_) + " input_levels");
}

}  // namespace lcq::ops

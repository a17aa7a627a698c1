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

void ConvRunner::check_codes(const uint8_t* codes, size_t count) const {
  if (level_count_ == 256) return;
  uint8_t largest = 0;
  for (size_t i = 0; i < count; ++i) largest = std::max(largest, codes[i]);
  if (largest >= level_count_) {
    refuse("input 'X' has the code " + std::to_string(largest) + ", there are " +
           std::to_string(level_count_) + " input_levels");
  }
}

void ConvRunner::run(const ort::RunContext& context, const kernels::ConvCall& call) const {
  const size_t tasks = conv_->tasks(call, pieces_);
  const size_t scratch = (conv_->scratch_bytes(call) + 63) / 64 * 64;
  const kernels::AlignedBuffer memory = kernels::make_aligned_buffer(scratch * tasks);
  context.parallel_for(tasks, [&](size_t task) {
    conv_->run(call, task, tasks, memory.get() + task * scratch);
  });
}

}  // namespace lcq::ops

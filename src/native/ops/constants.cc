#include "constants.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "weights.h"

namespace lcq::ops {

namespace {

/// No image is larger; keeps every product of sizes far from overflow.
constexpr int64_t kMaxSize = 1 << 20;
/// The most weights that a node may have.
constexpr int64_t kMaxWeights = int64_t{1} << 31;

int64_t within(const ort::NodeInfo& node, const char* attribute, int64_t value, int64_t low,
               int64_t high) {
  if (value < low || value > high) {
    node.refuse(std::string("attribute '") + attribute + "' has the value " +
                std::to_string(value) + ", must be in [" + std::to_string(low) + ", " +
                std::to_string(high) + "]");
  }
  return value;
}

std::vector<int64_t> read_sizes(const ort::NodeInfo& node, const char* attribute, size_t count,
                                int64_t low) {
  std::vector<int64_t> values = node.integers(attribute, count);
  for (const int64_t value : values) within(node, attribute, value, low, kMaxSize);
  return values;
}

int64_t weight_count(const ort::NodeInfo& node, const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    count *= size;  // at most 2^31 * 2^20
    if (count > kMaxWeights) node.refuse("attribute 'weight_shape' is too large");
  }
  return count;
}

std::vector<float> read_reals(const ort::NodeInfo& node, size_t index, const char* name,
                              int64_t outputs) {
  std::vector<float> values = node.constant<float>(index, name, 1);
  if (values.size() != static_cast<size_t>(outputs)) {
    node.refuse(std::string("input '") + name + "' has " + std::to_string(values.size()) +
                " entries, there are " + std::to_string(outputs) + " outputs");
  }
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
    node.refuse(std::string("input '") + name + "' must be finite");
  }
  return values;
}

/// A row of thresholds makes a u8 code by counting.
void check_thresholds(const ort::NodeInfo& node, const char* name, const int32_t* row,
                      size_t count) {
  if (count > 255) node.refuse(std::string("input '") + name + "' has more than 255 thresholds");
  if (!std::is_sorted(row, row + count)) {
    node.refuse(std::string("input '") + name + "' must be ascending");
  }
}

std::vector<uint8_t> read_input_levels(const ort::NodeInfo& node) {
  std::vector<uint8_t> levels = node.constant<uint8_t>(3, "input_levels", 1);
  if (levels.empty() || levels.size() > 256) {
    node.refuse("input 'input_levels' must have 1 to 256 entries");
  }
  if (!std::is_sorted(levels.begin(), levels.end())) {
    node.refuse("input 'input_levels' must not decrease");
  }
  return levels;
}

void check_sum_bound(const ort::NodeInfo& node, const kernels::ConvLayer& layer,
                     int64_t greatest_weight) {
  int64_t input = 0;
  for (size_t i = 0; i < layer.input_level_count; ++i) {
    input = std::max<int64_t>(input, std::abs(layer.input_levels[i] - layer.input_zero_point));
  }
  const int64_t bound = layer.geometry.depth() * input * greatest_weight;
  if (bound > std::numeric_limits<int32_t>::max()) {
    node.refuse("its sums may reach " + std::to_string(bound) + ", beyond 32 bits");
  }
}

}  // namespace

kernels::ConvGeometry read_conv_geometry(const ort::NodeInfo& node) {
  const std::vector<int64_t> shape = read_sizes(node, "weight_shape", 4, 1);
  const std::vector<int64_t> strides = read_sizes(node, "strides", 2, 1);
  const std::vector<int64_t> pads = read_sizes(node, "pads", 4, 0);
  const std::vector<int64_t> dilations = read_sizes(node, "dilations", 2, 1);
  const int64_t group = within(node, "group", node.integer("group"), 1, shape[0]);
  if (shape[0] % group != 0) {
    node.refuse("attribute 'group' is " + std::to_string(group) + ", does not divide the " +
                std::to_string(shape[0]) + " outputs");
  }
  weight_count(node, shape);
  kernels::ConvGeometry g{shape[0], shape[1], shape[2], shape[3]};
  g.group = group;
  g.stride_height = strides[0], g.stride_width = strides[1];
  g.top = pads[0], g.left = pads[1], g.bottom = pads[2], g.right = pads[3];
  g.dilation_height = dilations[0], g.dilation_width = dilations[1];
  return g;
}

kernels::MaxPoolGeometry read_max_pool_geometry(const ort::NodeInfo& node) {
  const std::vector<int64_t> kernel = read_sizes(node, "kernel_shape", 2, 1);
  const std::vector<int64_t> strides = read_sizes(node, "strides", 2, 1);
  const std::vector<int64_t> pads = read_sizes(node, "pads", 4, 0);
  for (size_t side = 0; side < pads.size(); ++side) {
    within(node, "pads", pads[side], 0, kernel[side % 2] - 1);
  }
  return {kernel[0], kernel[1], strides[0], strides[1], pads[0], pads[1], pads[2], pads[3]};
}

kernels::ConvGeometry read_gemm_geometry(const ort::NodeInfo& node) {
  const std::vector<int64_t> shape = read_sizes(node, "weight_shape", 2, 1);
  weight_count(node, shape);
  return kernels::ConvGeometry{shape[0], 1, 1, shape[1]};
}

int64_t read_input_zero_point(const ort::NodeInfo& node) {
  return within(node, "input_zero_point", node.integer("input_zero_point"), 0, 255);
}

kernels::ConvLayer read_layer(const ort::NodeInfo& node, const kernels::ConvGeometry& geometry,
                              int64_t input_zero_point, kernels::Epilogue epilogue) {
  const std::vector<uint8_t> levels = read_input_levels(node);
  Weights weights = read_weights(node, geometry.outputs * geometry.depth());
  kernels::ConvLayer layer{geometry,
                           {},
                           levels.size(),
                           static_cast<uint8_t>(input_zero_point),
                           std::move(weights.levels),
                           std::move(epilogue)};
  std::copy(levels.begin(), levels.end(), layer.input_levels.begin());
  check_sum_bound(node, layer, weights.greatest);
  return layer;
}

kernels::CodesEpilogue read_codes_epilogue(const ort::NodeInfo& node, int64_t outputs) {
  ort::Shape shape;
  std::vector<int32_t> thresholds = node.constant<int32_t>(4, "thresholds", 2, &shape);
  if (shape[0] != outputs) {
    node.refuse("input 'thresholds' has " + std::to_string(shape[0]) + " rows, there are " +
                std::to_string(outputs) + " outputs");
  }
  const size_t count = static_cast<size_t>(shape[1]);
  for (int64_t m = 0; m < outputs; ++m) {
    check_thresholds(node, "thresholds", thresholds.data() + m * count, count);
  }
  return {count, std::move(thresholds)};
}

kernels::StreamEpilogue read_stream_epilogue(const ort::NodeInfo& node, int64_t outputs,
                                             size_t thresholds_index, bool with_residual) {
  const int64_t output_min = node.integer("output_min");
  if (output_min != 0 && output_min != -32768) {
    node.refuse("attribute 'output_min' is " + std::to_string(output_min) +
                ", must be 0 or -32768");
  }
  kernels::StreamEpilogue epilogue{read_reals(node, 4, "scale", outputs),
                                   read_reals(node, 5, "bias", outputs),
                                   static_cast<int16_t>(output_min),
                                   node.constant<int32_t>(thresholds_index, "stream_thresholds", 1)};
  check_thresholds(node, "stream_thresholds", epilogue.thresholds.data(),
                   epilogue.thresholds.size());
  if (with_residual) {
    epilogue.residual_stride =
        within(node, "residual_stride", node.integer("residual_stride"), 1, kMaxSize);
    epilogue.residual_offset =
        within(node, "residual_offset", node.integer("residual_offset"), 0, kMaxSize);
  }
  return epilogue;
}

kernels::RealEpilogue read_real_epilogue(const ort::NodeInfo& node, int64_t outputs) {
  return {read_reals(node, 4, "scale", outputs),
          read_reals(node, 5, "bias", outputs)};
}

}  // namespace lcq::ops

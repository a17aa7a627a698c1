// The integer convolution of docs/op-spec.md: its constants, one call of it, and what every implementation offers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

namespace lcq::kernels {

/// Geometry, in the names of the specification. LcqGemm is the case of a 1x1 image and a 1x1 kernel.
struct ConvGeometry {
  int64_t outputs;         // M
  int64_t kernel_height;   // KH
  int64_t kernel_width;    // KW
  int64_t group_channels;  // C / group
  int64_t group = 1;
  int64_t stride_height = 1, stride_width = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;
  int64_t dilation_height = 1, dilation_width = 1;

  int64_t channels() const { return group_channels * group; }
  int64_t group_outputs() const { return outputs / group; }
  /// Products that make one output.
  int64_t depth() const { return kernel_height * kernel_width * group_channels; }
  int64_t output_height(int64_t height) const {
    return extent(height + top + bottom, kernel_height, stride_height, dilation_height);
  }
  int64_t output_width(int64_t width) const {
    return extent(width + left + right, kernel_width, stride_width, dilation_width);
  }

 private:
  static int64_t extent(int64_t padded, int64_t kernel, int64_t stride, int64_t dilation) {
    const int64_t span = dilation * (kernel - 1) + 1;
    return padded < span ? 0 : (padded - span) / stride + 1;
  }
};

/// Y = #{ t : acc >= thresholds[m][t] }
struct CodesEpilogue {
  size_t count;                     // S
  std::vector<int32_t> thresholds;  // [M][S], ascending in S
};

/// The fixed-point stream and its codes; `residual_*` are used where a call carries a residual.
struct StreamEpilogue {
  std::vector<float> scale;         // [M]
  std::vector<float> bias;          // [M]
  int16_t output_min;               // 0 or -32768
  std::vector<int32_t> thresholds;  // [S], ascending
  int64_t residual_stride = 1;
  int64_t residual_offset = 0;
};

/// Y = fl(fl(fl(acc) * scale[m]) + bias[m])
struct RealEpilogue {
  std::vector<float> scale;  // [M]
  std::vector<float> bias;   // [M]
};

using Epilogue = std::variant<CodesEpilogue, StreamEpilogue, RealEpilogue>;

/// All constants of one convolution, validated.
struct ConvLayer {
  ConvGeometry geometry;
  std::array<uint8_t, 256> input_levels;  // beyond input_level_count: 0, never read
  size_t input_level_count;
  uint8_t input_zero_point;
  std::vector<int8_t> weights;  // levels, [M, KH, KW, C/group]
  Epilogue epilogue;
};

/// The tensors of one call. Only the outputs of the layer's epilogue are set.
struct ConvCall {
  const uint8_t* input;  // [N, height, width, C]
  int64_t pixels;        // N * OH * OW
  int64_t height, width;
  int64_t output_height, output_width;
  const int16_t* residual = nullptr;  // [N, residual_height, residual_width, residual_channels]
  int64_t residual_height = 0, residual_width = 0, residual_channels = 0;
  uint8_t* codes = nullptr;   // [N, OH, OW, M]
  int16_t* stream = nullptr;  // [N, OH, OW, M]
  float* real = nullptr;      // [N, OH, OW, M]
};

/// A convolution made ready to run: its weights are in the layout that its kernel reads.
class Conv {
 public:
  virtual ~Conv() = default;
  /// Names the types, the tile (pixels x output channels) and the instruction set.
  virtual const char* name() const = 0;
  /// Bytes of working memory, aligned to 64, that each task of a call needs.
  virtual size_t scratch_bytes(const ConvCall& call) const = 0;
  /// Into how many tasks to divide a call, where `wanted` would keep all threads busy.
  virtual size_t tasks(const ConvCall& call, size_t wanted) const = 0;
  /// Computes task `task` of `tasks`; together they compute all outputs. Does not throw.
  virtual void run(const ConvCall& call, size_t task, size_t tasks, std::byte* scratch) const = 0;
};

}  // namespace lcq::kernels

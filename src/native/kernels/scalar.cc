#include "scalar.h"

#include <algorithm>
#include <cmath>

namespace lcq::kernels {

namespace {

constexpr float kStreamMin = -32768.0f, kStreamMax = 32767.0f;

/// rne(v) for a v that fits; the rounding mode of every thread is to nearest even, the C++ default.
int32_t rne(float v) { return static_cast<int32_t>(std::nearbyint(v)); }

int16_t sat16(int32_t v) { return static_cast<int16_t>(std::clamp(v, -32768, 32767)); }

uint8_t count_reached(int32_t value, const int32_t* thresholds, size_t count) {
  uint8_t code = 0;
  for (size_t t = 0; t < count; ++t) code += value >= thresholds[t];
  return code;
}

/// fl(fl(fl(acc) * scale) + bias); this file is compiled without contraction into fused multiply-adds.
float scaled(int32_t acc, float scale, float bias) {
  const float product = static_cast<float>(acc) * scale;
  return product + bias;
}

/// An output pixel by its coordinates.
struct Pixel {
  int64_t n, oh, ow;
};

class ScalarConv final : public Conv {
 public:
  explicit ScalarConv(const ConvLayer& layer) : layer_(layer) {}

  const char* name() const override { return "conv_u8s8_1x1_scalar"; }
  size_t scratch_bytes(const ConvCall&) const override { return 0; }

  size_t tasks(const ConvCall& call, size_t wanted) const override {
    return std::min<int64_t>(wanted, call.pixels);
  }

  void run(const ConvCall& call, size_t task, size_t tasks, std::byte*) const override {
    const int64_t outputs = layer_.geometry.outputs;
    const int64_t end = call.pixels * (task + 1) / tasks;
    for (int64_t index = call.pixels * task / tasks; index < end; ++index) {
      const int64_t row = index / call.output_width;
      const Pixel pixel{row / call.output_height, row % call.output_height,
                        index % call.output_width};
      for (int64_t m = 0; m < outputs; ++m) {
        std::visit([&](const auto& epilogue) {
          finish(epilogue, call, pixel, m, accumulate(call, pixel, m), index * outputs + m);
        }, layer_.epilogue);
      }
    }
  }

 private:
  int32_t accumulate(const ConvCall& call, const Pixel& pixel, int64_t m) const {
    const ConvGeometry& g = layer_.geometry;
    const int64_t first_channel = m / g.group_outputs() * g.group_channels;
    const int8_t* weight = layer_.weights.data() + m * g.depth();
    int32_t acc = 0;
    for (int64_t kh = 0; kh < g.kernel_height; ++kh) {
      const int64_t h = pixel.oh * g.stride_height + kh * g.dilation_height - g.top;
      for (int64_t kw = 0; kw < g.kernel_width; ++kw) {
        const int64_t w = pixel.ow * g.stride_width + kw * g.dilation_width - g.left;
        const bool inside = h >= 0 && h < call.height && w >= 0 && w < call.width;
        for (int64_t c = 0; c < g.group_channels; ++c, ++weight) {
          if (!inside) continue;
          const int64_t at = ((pixel.n * call.height + h) * call.width + w) * g.channels();
          const uint8_t code = call.input[at + first_channel + c];
          acc += (layer_.input_levels[code] - layer_.input_zero_point) * *weight;
        }
      }
    }
    return acc;
  }

  static int16_t residual(const StreamEpilogue& e, const ConvCall& call, const Pixel& p, int64_t m) {
    const int64_t c = m - e.residual_offset;
    if (call.residual == nullptr || c < 0 || c >= call.residual_channels) return 0;
    const int64_t h = p.oh * e.residual_stride, w = p.ow * e.residual_stride;
    const int64_t at = (p.n * call.residual_height + h) * call.residual_width + w;
    return call.residual[at * call.residual_channels + c];
  }

  static void finish(const CodesEpilogue& e, const ConvCall& call, const Pixel&, int64_t m,
                     int32_t acc, int64_t at) {
    call.codes[at] = count_reached(acc, e.thresholds.data() + m * e.count, e.count);
  }

  static void finish(const StreamEpilogue& e, const ConvCall& call, const Pixel& pixel, int64_t m,
                     int32_t acc, int64_t at) {
    const int32_t p = rne(std::clamp(scaled(acc, e.scale[m], e.bias[m]), kStreamMin, kStreamMax));
    const int16_t s = std::max(sat16(p + residual(e, call, pixel, m)), e.output_min);
    call.stream[at] = s;
    call.codes[at] = count_reached(s, e.thresholds.data(), e.thresholds.size());
  }

  static void finish(const RealEpilogue& e, const ConvCall& call, const Pixel&, int64_t m,
                     int32_t acc, int64_t at) {
    call.real[at] = scaled(acc, e.scale[m], e.bias[m]);
  }

  const ConvLayer layer_;
};

}  // namespace

std::unique_ptr<Conv> make_scalar_conv(const ConvLayer& layer) {
  return std::make_unique<ScalarConv>(layer);
}

void global_average_pool_s16_scalar(const int16_t* stream, int64_t pixels, int64_t channels,
                                    float scale, uint8_t* codes) {
  // A few channels at a time for all pixels: compilers turn the inner loop into vector sums.
  constexpr int64_t kTogether = 32;
  for (int64_t first = 0; first < channels; first += kTogether) {
    const int64_t count = std::min(kTogether, channels - first);
    int32_t sums[kTogether] = {};
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const int16_t* values = stream + pixel * channels + first;
      for (int64_t c = 0; c < count; ++c) sums[c] += values[c];
    }
    for (int64_t c = 0; c < count; ++c) {
      const float mean = static_cast<float>(sums[c]) * scale;
      codes[first + c] = static_cast<uint8_t>(rne(std::clamp(mean, 0.0f, 255.0f)));
    }
  }
}

}  // namespace lcq::kernels

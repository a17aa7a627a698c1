// Depthwise convolution by widening multiply-adds, exactly.
#include <arm_neon.h>

#include "depthwise_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kRows = 8, kColumns = 16, kLanes = 4, kVectors = kColumns / kLanes;
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns);

void accumulate(const uint8_t* levels, size_t pitch, const size_t* offsets, size_t steps,
                size_t rows, const void* packed, const int32_t* start, int32_t* acc) {
  for (size_t r = 0; r < rows; ++r, levels += pitch, acc += kColumns) {
    const auto* weights = static_cast<const int16_t*>(packed);
    int32x4_t sum[kVectors];
    for (size_t v = 0; v < kVectors; ++v) sum[v] = vld1q_s32(start + v * kLanes);
    for (size_t k = 0; k < steps; ++k, weights += kColumns) {
      const uint8x16_t tap = vld1q_u8(levels + offsets[k]);
      const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(tap)));
      const int16x8_t high = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(tap)));
      const int16x8_t weight0 = vld1q_s16(weights), weight1 = vld1q_s16(weights + 2 * kLanes);
      sum[0] = vmlal_s16(sum[0], vget_low_s16(low), vget_low_s16(weight0));
      sum[1] = vmlal_high_s16(sum[1], low, weight0);
      sum[2] = vmlal_s16(sum[2], vget_low_s16(high), vget_low_s16(weight1));
      sum[3] = vmlal_high_s16(sum[3], high, weight1);
    }
    for (size_t v = 0; v < kVectors; ++v) vst1q_s32(acc + v * kLanes, sum[v]);
  }
}

}  // namespace

const DepthwiseKernel depthwise_u8s16_8x16_neon = {
    "depthwise_u8s16_8x16_neon", kRows, kColumns, 1, sizeof(int16_t),
    &tile_ops_neon, nullptr, accumulate};

}  // namespace lcq::kernels

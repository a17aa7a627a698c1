// NEON with FEAT_I8MM: usdot multiplies all levels with weights.
#include "dot_tile_neon.h"

namespace lcq::kernels {

namespace {

struct MixedDot {
  static int32x4_t add(int32x4_t sum, uint8x16_t input, int8x16_t weight) {
    return vusdotq_s32(sum, input, weight);
  }
};

}  // namespace

const PanelKernel conv_u8s8_8x8_neoni8mm = {
    "conv_u8s8_8x8_neoni8mm", kRows, kColumns, kColumns, kDepth, 1, sizeof(int8_t), 0,
    multiply<MixedDot>, &tile_ops_neon};

}  // namespace lcq::kernels

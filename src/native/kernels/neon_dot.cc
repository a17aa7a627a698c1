// NEON with FEAT_DotProd: sdot multiplies signed bytes, so it serves levels up to 127, which those of 2 to 4 bits are.
#include "dot_tile_neon.h"

namespace lcq::kernels {

namespace {

struct SignedDot {
  static int32x4_t add(int32x4_t sum, uint8x16_t input, int8x16_t weight) {
    return vdotq_s32(sum, vreinterpretq_s8_u8(input), weight);
  }
};

}  // namespace

const PanelKernel conv_u7s8_8x8_neondot = {
    "conv_u7s8_8x8_neondot", kRows, kColumns, kColumns, kDepth, 1, sizeof(int8_t), 0,
    multiply<SignedDot>, &tile_ops_neon, nullptr, nullptr, INT8_MAX};

}  // namespace lcq::kernels

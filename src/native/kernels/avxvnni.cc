// AVX-VNNI: vpdpbusd on 256 bits, for processors without AVX-512.
#include "tile_256.h"

namespace lcq::kernels {

namespace {

using namespace tile256;

/// One step of four products, without saturation.
struct Dot {
  static constexpr size_t kRows = 6, kDepth = 4, kWeightSize = sizeof(int8_t);
  static __m256i broadcast(const uint8_t* input) { return broadcast4(input); }
  static __m256i multiply_add(__m256i sum, __m256i input, __m256i weight) {
    return _mm256_dpbusd_avx_epi32(sum, input, weight);
  }
};
static_assert(kLanes * Dot::kDepth * Dot::kWeightSize == sizeof(__m256i));

}  // namespace

const PanelKernel conv_u8s8_6x16_avxvnni = {
    "conv_u8s8_6x16_avxvnni", Dot::kRows, kColumns, kLanes, Dot::kDepth, 1, Dot::kWeightSize,
    0, multiply<Dot>, &tile_ops_avx2};

}  // namespace lcq::kernels

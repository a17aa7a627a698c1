// From input codes to levels.
#pragma once

#include <cstring>

#include "conv.h"
#include "panel_kernel.h"

namespace lcq::kernels {

/// The table of a layer. Levels stay unsigned: the zero point stands for a pixel outside the image.
class InputLevels {
 public:
  InputLevels(const ConvLayer& layer, const TileOps& ops)
      : ops_(ops),
        levels_(layer.input_levels),
        small_(layer.input_level_count <= 16),
        identity_(is_identity(layer)),
        zero_point_(layer.input_zero_point) {}

  void map(const uint8_t* codes, size_t count, uint8_t* out) const {
    if (identity_) return copy(codes, count, out);
    if (small_) return ops_.map16(codes, count, levels_.data(), out);
    for (size_t i = 0; i < count; ++i) out[i] = levels_[codes[i]];
  }

  void fill_outside(uint8_t* out, size_t count) const { std::memset(out, zero_point_, count); }

 private:
  static bool is_identity(const ConvLayer& layer) {
    for (size_t code = 0; code < layer.input_level_count; ++code) {
      if (layer.input_levels[code] != code) return false;
    }
    return true;
  }

  /// A kernel row of an image of 3 channels is some 20 bytes: too few for a call of memcpy.
  static void copy(const uint8_t* codes, size_t count, uint8_t* out) {
    constexpr size_t kVector = 16;
    if (count < kVector || count > 2 * kVector) return void(std::memcpy(out, codes, count));
    std::memcpy(out, codes, kVector);
    std::memcpy(out + count - kVector, codes + count - kVector, kVector);
  }

  const TileOps& ops_;
  const std::array<uint8_t, 256> levels_;
  const bool small_;
  const bool identity_;  // a code is its level
  const uint8_t zero_point_;
};

}  // namespace lcq::kernels

// The reference in C++: each function is a line of docs/op-spec.md.
#pragma once

#include <memory>

#include "conv.h"

namespace lcq::kernels {

std::unique_ptr<Conv> make_scalar_conv(const ConvLayer& layer);

/// Y[n][c] = rne(clamp(fl(fl(sum over pixels of S[n][pixel][c]) * scale), 0, 255)) for one image.
void global_average_pool_s16_scalar(const int16_t* stream, int64_t pixels, int64_t channels,
                                    float scale, uint8_t* codes);

}  // namespace lcq::kernels

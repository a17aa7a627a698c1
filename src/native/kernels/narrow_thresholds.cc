#include "narrow_thresholds.h"

#include <algorithm>
#include <cstdlib>

#include "panel_kernel.h"

namespace lcq::kernels {

namespace {

/// The least threshold of those that are not always reached.
constexpr int32_t kLeast = INT16_MIN + 1;

/// No sum is greater, nor less than its negative.
int64_t bound_of(const ConvLayer& layer) {
  int64_t level = 0, weight = 0;
  for (size_t i = 0; i < layer.input_level_count; ++i) {
    level = std::max<int64_t>(level, std::abs(layer.input_levels[i] - layer.input_zero_point));
  }
  for (const int8_t w : layer.weights) weight = std::max<int64_t>(weight, std::abs(int{w}));
  return layer.geometry.depth() * level * weight;
}

/// One output's `count` thresholds, `stride` apart; false if they do not fit.
bool narrow(const int32_t* thresholds, size_t count, int64_t bound, int32_t& center, int16_t* out,
            size_t stride) {
  const int32_t* const end = thresholds + count;
  const int32_t* first = std::upper_bound(thresholds, end, -bound);  // those before are always reached
  const int32_t* last = std::upper_bound(first, end, bound);         // those from here on never
  center = first < last ? *first - kLeast : 0;
  if (first < last && int64_t{last[-1]} - center > kMaxNarrow) return false;
  for (const int32_t* t = thresholds; t < end; ++t, out += stride) {
    *out = static_cast<int16_t>(t < first ? INT16_MIN : t < last ? *t - center : INT16_MAX);
  }
  return true;
}

}  // namespace

NarrowThresholds::NarrowThresholds(const ConvLayer& layer, const CodesEpilogue& epilogue,
                                   const std::vector<Block>& blocks, size_t stride)
    : centers(stride), thresholds(epilogue.count * stride), fits(stride) {
  const bool handled = epilogue.count == 3 || epilogue.count == 7 || epilogue.count == 15;
  const int64_t bound = bound_of(layer);
  // Else a sum less its center might be beyond 32 bits.
  if (!handled || bound > INT32_MAX / 2) return;
  for (const Block& block : blocks) {
    bool all = true;
    for (size_t i = 0; i < block.count && all; ++i) {
      all = narrow(epilogue.thresholds.data() + (block.first + i) * epilogue.count, epilogue.count,
                   bound, centers[block.at + i], thresholds.data() + block.at + i, stride);
    }
    fits[block.at] = all;
  }
}

bool NarrowThresholds::all_fit(const std::vector<Block>& blocks) const {
  return std::all_of(blocks.begin(), blocks.end(),
                     [&](const Block& block) { return fits[block.at]; });
}

}  // namespace lcq::kernels

#include "packed_epilogue.h"

#include <algorithm>

namespace lcq::kernels {

namespace {

using Packed = std::variant<PackedCodes, PackedStream, PackedReal>;

Packed pack(const CodesEpilogue& e, const ConvLayer& layer, const std::vector<Block>& blocks) {
  const size_t stride = padded_outputs(blocks) + kReadableBeyond;
  PackedCodes result{e.count, stride, {}, NarrowThresholds(layer, e, blocks, stride)};
  if (result.narrow.all_fit(blocks)) return result;
  result.thresholds.resize(e.count * stride);
  for (const Block& block : blocks) {
    for (size_t i = 0; i < block.count; ++i) {
      for (size_t t = 0; t < e.count; ++t) {
        result.thresholds[t * stride + block.at + i] = e.thresholds[(block.first + i) * e.count + t];
      }
    }
  }
  return result;
}

/// The distance of many thresholds as a power of two; -1 if it is none, or not the same for all.
int shift_of(const std::vector<int16_t>& below) {
  constexpr size_t kFew = 15;
  if (below.size() <= kFew) return -1;
  const int distance = below[1] - below[0];
  for (size_t t = 1; t < below.size(); ++t) {
    if (below[t] - below[t - 1] != distance) return -1;
  }
  for (int shift = 0; shift < 16; ++shift) {
    if (distance == 1 << shift) return below.size() << shift <= UINT16_MAX ? shift : -1;
  }
  return -1;
}

/// Pads them, and adds the last one of each group.
void group_thresholds(std::vector<int16_t>& below) {
  below.resize(kMaxThresholds, INT16_MAX);
  for (size_t last = kThresholdGroup - 1; last < kMaxThresholds; last += kThresholdGroup) {
    below.push_back(below[last]);
  }
  below.resize(kMaxThresholds + 2 * kThresholdGroup, INT16_MAX);
}

Packed pack(const StreamEpilogue& e, const ConvLayer&, const std::vector<Block>& blocks) {
  PackedStream result{pad_by_block(blocks, e.scale.data()), pad_by_block(blocks, e.bias.data()),
                      e.output_min, e.residual_stride, e.residual_offset};
  for (const int32_t threshold : e.thresholds) {
    if (threshold <= INT16_MIN) {
      ++result.base;
    } else if (threshold <= INT16_MAX) {
      result.below.push_back(static_cast<int16_t>(threshold - 1));
    }
  }
  result.below_count = result.below.size();
  result.shift = shift_of(result.below);
  group_thresholds(result.below);
  return result;
}

Packed pack(const RealEpilogue& e, const ConvLayer&, const std::vector<Block>& blocks) {
  return PackedReal{pad_by_block(blocks, e.scale.data()), pad_by_block(blocks, e.bias.data())};
}

/// The residuals of output pixel `index`, from channel 0 on.
const int16_t* residual_row(const PackedStream& e, const ConvCall& call, int64_t index) {
  const int64_t row = index / call.output_width;
  const int64_t n = row / call.output_height;
  const int64_t h = row % call.output_height * e.residual_stride;
  const int64_t w = index % call.output_width * e.residual_stride;
  return call.residual +
         ((n * call.residual_height + h) * call.residual_width + w) * call.residual_channels;
}

/// Where the residuals of a block begin for the pixels from `at` on, a pixel's channels apart; null where they cannot
/// be read in place.
const int16_t* residuals_in_place(const PackedStream& e, const ConvCall& call, const Block& block,
                                  int64_t at) {
  const int64_t first = block.first - e.residual_offset;
  const bool in_place = call.residual != nullptr && e.residual_stride == 1 && first >= 0 &&
                        first + static_cast<int64_t>(block.width) <= call.residual_channels;
  return in_place ? call.residual + at * call.residual_channels + first : nullptr;
}

/// The residuals of a tile by a block where they cannot be read in place: zeros for those that do not exist.
void copy_residuals(const PackedStream& e, const ConvCall& call, const Block& block, int64_t at,
                    size_t rows, int16_t* copies) {
  const int64_t from = block.first - e.residual_offset;
  const int64_t first = std::max<int64_t>(from, 0);
  const int64_t last =
      std::min<int64_t>(from + static_cast<int64_t>(block.width), call.residual_channels);
  std::fill_n(copies, rows * block.width, int16_t{0});
  if (first >= last) return;
  for (size_t r = 0; r < rows; ++r, copies += block.width) {
    const int16_t* row = residual_row(e, call, at + r);
    std::copy(row + first, row + last, copies + (first - from));
  }
}

/// Asks for `rows` rows of `count` values, `pitch` values apart; nothing where `first` is null. Always inline: GCC drops
/// the call of a function that only prefetches.
template <typename T>
[[gnu::always_inline]] inline void prefetch_rows(const T* first, size_t pitch, size_t count, size_t rows) {
  constexpr size_t kLine = 64 / sizeof(T);
  if (first == nullptr) return;
  for (size_t r = 0; r < rows; ++r, first += pitch) {
    for (size_t i = 0; i < count; i += kLine) __builtin_prefetch(first + i);
  }
}

}  // namespace

PackedEpilogue::PackedEpilogue(const ConvLayer& layer, const std::vector<Block>& blocks,
                               const TileOps& ops)
    : ops_(ops),
      outputs_(layer.geometry.outputs),
      epilogue_(
          std::visit([&](const auto& e) { return pack(e, layer, blocks); }, layer.epilogue)) {}

void PackedEpilogue::prefetch(const ConvCall& call, const Block& block, int64_t at,
                              size_t rows) const {
  const auto* stream = std::get_if<PackedStream>(&epilogue_);
  if (stream == nullptr) return;
  const int64_t out = at * outputs_ + block.first;
  prefetch_rows(residuals_in_place(*stream, call, block, at), call.residual_channels, block.count,
                rows);
  prefetch_rows(call.stream + out, outputs_, block.count, rows);
  prefetch_rows(call.codes + out, outputs_, block.count, rows);
}

void PackedEpilogue::finish(const ConvCall& call, const Block& block, int64_t at,
                            const Sums& sums) const {
  std::visit([&](const auto& e) { finish(e, call, block, at, sums); }, epilogue_);
}

void PackedEpilogue::finish(const PackedCodes& e, const ConvCall& call, const Block& block,
                            int64_t at, const Sums& sums) const {
  uint8_t* codes = call.codes + at * outputs_ + block.first;
  if (e.narrow.fits[block.at]) {
    ops_.count_narrow_codes(sums, e.narrow.centers.data() + block.at,
                            e.narrow.thresholds.data() + block.at, e.stride, e.count, codes,
                            outputs_);
  } else {
    ops_.count_codes(sums, e.thresholds.data() + block.at, e.stride, e.count, codes, outputs_);
  }
}

void PackedEpilogue::finish(const PackedStream& e, const ConvCall& call, const Block& block,
                            int64_t at, const Sums& sums) const {
  static constexpr int16_t kNone[kMaxColumns] = {};
  int16_t copies[kMaxRows * kMaxColumns];
  const int16_t* residuals = residuals_in_place(e, call, block, at);
  size_t pitch = call.residual_channels;
  if (call.residual == nullptr) {
    residuals = kNone;
    pitch = 0;
  } else if (residuals == nullptr) {
    copy_residuals(e, call, block, at, sums.rows, copies);
    residuals = copies;
    pitch = block.width;
  }
  const StreamConstants constants{e.scale.data() + block.at, e.bias.data() + block.at,
                                  e.output_min, e.base, e.below.data(), e.below_count, e.shift};
  const int64_t out = at * outputs_ + block.first;
  ops_.finish_stream(sums, constants, residuals, pitch, call.stream + out, call.codes + out,
                     outputs_);
}

void PackedEpilogue::finish(const PackedReal& e, const ConvCall& call, const Block& block,
                            int64_t at, const Sums& sums) const {
  ops_.finish_real(sums, e.scale.data() + block.at, e.bias.data() + block.at,
                   call.real + at * outputs_ + block.first, outputs_);
}

}  // namespace lcq::kernels

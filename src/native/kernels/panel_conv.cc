#include "panel_conv.h"

#include <algorithm>
#include <cstdlib>

#include "packed_epilogue.h"
#include "packed_weights.h"
#include "panel.h"

namespace lcq::kernels {

namespace {

/// Panels of about this many bytes are made before the weights are read and unpacked, so that this is done once for
/// several tiles: a part of the level-2 cache. More pixels do not help.
constexpr size_t kStripBytes = 320 * 1024;
constexpr size_t kMaxStripPixels = 128;
/// Weights that are no more when unpacked stay in the level-2 cache next to the panels.
constexpr size_t kResidentBytes = 320 * 1024;

/// Each output pixel's inputs are gathered into a row of levels (the panel), in the order of the weights; the kernel
/// multiplies a tile of rows with a block of output channels; the epilogue follows at once, while the sums are in the
/// level-1 cache. Levels stay unsigned: the zero point is subtracted by `start`, and padding is the zero point.
class PanelConv final : public Conv {
 public:
  PanelConv(const ConvLayer& layer, const PanelKernel& kernel)
      : kernel_(kernel),
        group_(layer.geometry.group),
        blocks_(divide_channels(layer.geometry.outputs, group_, kernel.columns, kernel.granule)),
        blocks_per_group_(blocks_.size() / group_),
        weights_(pack_weights(layer, kernel, blocks_)),
        start_(pad_by_block(blocks_, sums_of_zero_point(layer).data())),
        panel_(layer, *kernel.tile_ops, weights_.steps * kernel.depth),
        strip_(std::clamp(kStripBytes / panel_.stride() / kernel.rows * kernel.rows, kernel.rows,
                          kMaxStripPixels / kernel.rows * kernel.rows)),
        resident_(group_ == 1 && weights_.steps <= weights_.chunk_steps &&
                  layer.weights.size() * kernel.weight_size <= kResidentBytes),
        epilogue_(layer, blocks_, *kernel.tile_ops) {}

  const char* name() const override { return kernel_.name; }

  size_t scratch_bytes(const ConvCall&) const override {
    const size_t unpacked = resident_ ? resident_bytes() * blocks_.size()
                                      : unpacked_bytes(weights_, kernel_, weights_.chunk_steps);
    return acc_bytes() + strip_ * panel_.stride() + unpacked;
  }

  size_t tasks(const ConvCall& call, size_t wanted) const override {
    return std::min(wanted, strips(call.pixels) * shares(call.pixels, wanted));
  }

  void run(const ConvCall& call, size_t task, size_t tasks, std::byte* scratch) const override {
    Work work{call,
              reinterpret_cast<int32_t*>(scratch),
              reinterpret_cast<uint8_t*>(scratch + acc_bytes()),
              scratch + acc_bytes() + strip_ * panel_.stride(),
              0,
              0};
    // With fewer strips than tasks the output channels are shared out too.
    const size_t share_units = strips(call.pixels);
    const size_t share_count = shares(call.pixels, tasks), units = share_units * share_count;
    const size_t begin = units * task / tasks, end = units * (task + 1) / tasks;
    if (kernel_.begin != nullptr) kernel_.begin();
    for (size_t unit = begin; unit < end; ++unit) {
      const size_t share = unit / share_units, blocks = blocks_per_group_;
      work.first = blocks * share / share_count;
      work.last = blocks * (share + 1) / share_count;
      if (resident_ && (unit == begin || unit % share_units == 0)) unpack_all(work);
      run_strip(work, unit % share_units * strip_);
    }
    if (kernel_.end != nullptr) kernel_.end();
  }

 private:
  /// One task: its memory, and the blocks [first, last) of each group that it computes.
  struct Work {
    const ConvCall& call;
    int32_t* acc;
    uint8_t* panel;
    std::byte* unpacked;
    size_t first, last;
  };

  /// Sums of a strip by a block.
  size_t acc_bytes() const { return strip_ * kernel_.columns * sizeof(int32_t); }

  size_t strips(int64_t pixels) const { return (pixels + strip_ - 1) / strip_; }

  size_t shares(int64_t pixels, size_t wanted) const {
    return std::min((wanted + strips(pixels) - 1) / strips(pixels), blocks_per_group_);
  }

  /// Unpacked bytes of a whole block, the place of each where all are resident.
  size_t resident_bytes() const { return unpacked_bytes(weights_, kernel_, weights_.steps); }

  void unpack_all(const Work& work) const {
    for (size_t b = work.first; b < work.last; ++b) {
      unpack(weights_, kernel_, blocks_, b, 0, weights_.steps,
             work.unpacked + b * resident_bytes());
    }
  }

  const void* resident_weights(const Work& work, size_t b) const {
    if (weights_.format != WeightFormat::kWhole) return work.unpacked + b * resident_bytes();
    return weights_.bytes.get() + weights_.places[b];
  }

  /// The pixels from `at` on.
  void run_strip(const Work& work, int64_t at) const {
    const size_t count = std::min<int64_t>(strip_, work.call.pixels - at);
    for (int64_t group = 0; group < group_; ++group) {
      panel_.fill(work.call, at, count, group, work.panel);
      if (resident_) {
        run_by_tiles(work, at, count);
      } else {
        run_by_blocks(work, group * blocks_per_group_, at, count);
      }
    }
  }

  /// All blocks of a tile before the next tile: a pixel's outputs are written, and its residuals read, in one go.
  void run_by_tiles(const Work& work, int64_t at, size_t count) const {
    const auto rows_at = [&](size_t tile) { return std::min(kernel_.rows, count - tile); };
    for (size_t tile = 0; tile < count; tile += kernel_.rows) {
      const size_t rows = rows_at(tile), next = tile + rows;
      for (size_t b = work.first; b < work.last; ++b) {
        const Block& block = blocks_[b];
        epilogue_.prefetch(work.call, block, at + next, rows_at(next));
        kernel_.multiply(work.panel + tile * panel_.stride(), panel_.stride(),
                         resident_weights(work, b), weights_.steps, rows, block.width,
                         start_.data() + block.at, 0, work.acc);
        epilogue_.finish(work.call, block, at + tile,
                         {work.acc, kernel_.columns, rows, block.count});
      }
    }
  }

  /// All tiles of a block before the next block, chunk by chunk: a chunk's weights stay in the level-1 cache.
  void run_by_blocks(const Work& work, size_t group_block, int64_t at, size_t count) const {
    for (size_t b = group_block + work.first; b < group_block + work.last; ++b) {
      epilogue_.prefetch(work.call, blocks_[b], at, count);
      for (size_t step = 0; step < weights_.steps; step += weights_.chunk_steps) {
        multiply_chunk(work, b, step, count);
      }
      for (size_t tile = 0; tile < count; tile += kernel_.rows) {
        epilogue_.finish(work.call, blocks_[b], at + tile,
                         {work.acc + tile * kernel_.columns, kernel_.columns,
                          std::min(kernel_.rows, count - tile), blocks_[b].count});
      }
    }
  }

  void multiply_chunk(const Work& work, size_t b, size_t step, size_t count) const {
    const size_t steps = std::min(weights_.chunk_steps, weights_.steps - step);
    const void* weights = unpack(weights_, kernel_, blocks_, b, step, steps, work.unpacked);
    const uint8_t* chunk = work.panel + step * kernel_.depth;
    const bool first = step == 0;
    for (size_t tile = 0; tile < count; tile += kernel_.rows) {
      int32_t* acc = work.acc + tile * kernel_.columns;
      kernel_.multiply(chunk + tile * panel_.stride(), panel_.stride(), weights, steps,
                       std::min(kernel_.rows, count - tile), blocks_[b].width,
                       first ? start_.data() + blocks_[b].at : acc, first ? 0 : kernel_.columns,
                       acc);
    }
  }

  const PanelKernel& kernel_;
  const int64_t group_;
  const std::vector<Block> blocks_;  // by group
  const size_t blocks_per_group_;
  const PackedWeights weights_;
  const std::vector<int32_t> start_;  // the sums begin here: the zero point times the weights, subtracted
  const Panel panel_;
  const size_t strip_;   // pixels that are gathered at a time
  const bool resident_;  // a task unpacks all weights once
  const PackedEpilogue epilogue_;
};

}  // namespace

bool takes(const PanelKernel& kernel, const ConvLayer& layer) {
  const ConvGeometry& g = layer.geometry;
  // Most of a block would be padding: the depthwise case.
  if (g.group > 1 && g.group_outputs() < 8) return false;
  int32_t level = layer.input_zero_point, weight = 0;
  for (const uint8_t l : layer.input_levels) level = std::max<int32_t>(level, l);
  if (level > kernel.max_level) return false;
  if (kernel.max_product == 0) return true;
  for (const int8_t w : layer.weights) weight = std::max(weight, std::abs(int32_t{w}));
  return level * weight <= kernel.max_product;
}

std::unique_ptr<Conv> make_panel_conv(const ConvLayer& layer, const PanelKernel& kernel) {
  return std::make_unique<PanelConv>(layer, kernel);
}

}  // namespace lcq::kernels

#include "lookup_conv.h"

#include <algorithm>
#include <cstring>

#include "aligned_buffer.h"
#include "image_strip.h"
#include "packed_epilogue.h"
#include "packed_weights.h"

namespace lcq::kernels {

namespace {

constexpr size_t kBits = 2, kLevels = 1 << kBits;
/// Output pixels whose indices are made together: a block of entries is read once for all of them. About: a strip is
/// whole rows.
constexpr int64_t kStripPixels = 256;
/// Neighbouring strips prepare the rows that both read, and shares of the outputs prepare all: there are fewer of both
/// than could be tasks.
constexpr size_t kTasksPerStrip = 2, kTasksPerShare = 4;

size_t divide_up(size_t value, size_t by) { return (value + by - 1) / by; }
size_t round_up(size_t value, size_t multiple) { return divide_up(value, multiple) * multiple; }

int32_t greatest_level(const ConvLayer& layer) {
  return *std::max_element(layer.input_levels.begin(),
                           layer.input_levels.begin() + layer.input_level_count);
}

/// The most entries that can be added in 8 bits; 0 if not even one can be held.
size_t depth_of(const LookupKernel& kernel, const ConvLayer& layer) {
  for (const size_t depth : kLookupDepths) {
    if (depth * kernel.inputs * greatest_level(layer) <= UINT8_MAX) return depth;
  }
  return 0;
}

/// tables[index][entry], both made of 2-bit codes; the code of a weight w is w + 1. Aligned: no table is in two cache
/// lines.
AlignedBuffer make_tables(const LookupKernel& kernel, const ConvLayer& layer) {
  const size_t size = size_t{1} << (kBits * kernel.inputs);
  AlignedBuffer tables = make_aligned_buffer(size * size);
  for (size_t index = 0; index < size; ++index) {
    for (size_t entry = 0; entry < size; ++entry) {
      int32_t sum = 0;
      for (size_t i = 0; i < kernel.inputs; ++i) {
        const int32_t level = layer.input_levels[index >> (kBits * i) & (kLevels - 1)];
        const int32_t weight = static_cast<int32_t>(entry >> (kBits * i) & (kLevels - 1)) - 1;
        sum += level * weight + (weight < 0 ? greatest_level(layer) : 0);
      }
      tables[index * size + entry] = static_cast<std::byte>(sum);
    }
  }
  return tables;
}

/// A run that is known before the size of the image is: `count` indices from index `first` of tap (kh, kw) on, and of
/// the taps after it in its row.
struct Run {
  int64_t kh, kw;
  size_t first, count;
};

/// All indices of a pixel, in the order of the entries.
std::vector<Run> make_runs(const ConvGeometry& g, size_t pixel_indices, size_t depth) {
  // Taps that are neighbours in the image are in the strip too.
  const int64_t together = g.dilation_width == 1 ? g.kernel_width : 1;
  const size_t total = together * pixel_indices, most = kMaxWideSums * depth;
  std::vector<Run> runs;
  for (int64_t kh = 0; kh < g.kernel_height; ++kh) {
    for (int64_t kw = 0; kw < g.kernel_width; kw += together) {
      for (size_t first = 0; first < total; first += most) {
        runs.push_back({kh, kw, first, std::min(most, total - first)});
      }
    }
  }
  return runs;
}

/// An index is made of inputs of one pixel that are `pixel_indices_` apart, so that neighbouring indices come from
/// neighbouring inputs.
class LookupConv final : public Conv {
 public:
  LookupConv(const ConvLayer& layer, const LookupKernel& kernel)
      : kernel_(kernel),
        geometry_(layer.geometry),
        depth_(depth_of(kernel, layer)),
        pixel_indices_(divide_up(geometry_.channels(), kernel.inputs * depth_) * depth_),
        runs_(make_runs(geometry_, pixel_indices_, depth_)),
        blocks_(divide_channels(geometry_.outputs, 1, kernel.columns, kernel.columns)),
        tables_(make_tables(kernel, layer)),
        entries_(pack_entries(layer)),
        start_(make_start(layer)),
        strip_(geometry_, pixel_indices_),
        epilogue_(layer, blocks_, *kernel.tile_ops) {}

  const char* name() const override { return kernel_.name; }

  size_t scratch_bytes(const ConvCall& call) const override {
    return acc_bytes() + runs_bytes() + pixels_bytes(call) + strip_.bytes(call, most_rows(call));
  }

  size_t tasks(const ConvCall& call, size_t wanted) const override {
    return std::min(wanted, strips(call, wanted) * shares(call, wanted));
  }

  void run(const ConvCall& call, size_t task, size_t tasks, std::byte* scratch) const override {
    Work work{call,
              reinterpret_cast<int32_t*>(scratch),
              reinterpret_cast<LookupRun*>(scratch + acc_bytes()),
              reinterpret_cast<uint32_t*>(scratch + acc_bytes() + runs_bytes()),
              reinterpret_cast<uint8_t*>(scratch + acc_bytes() + runs_bytes() + pixels_bytes(call))};
    place(work);
    // With fewer strips than tasks the output channels are shared out too.
    const size_t strip_count = image_strips(call, tasks), total = strips(call, tasks);
    const size_t share_count = shares(call, tasks), units = total * share_count;
    for (size_t unit = units * task / tasks; unit < units * (task + 1) / tasks; ++unit) {
      const size_t share = unit / total;
      run_strip(work, unit % total, strip_count, blocks_.size() * share / share_count,
                blocks_.size() * (share + 1) / share_count);
    }
  }

 private:
  /// One task's memory.
  struct Work {
    const ConvCall& call;
    int32_t* acc;
    LookupRun* runs;
    uint32_t* pixels;  // of the pixels of a strip
    uint8_t* indices;
  };

  size_t acc_bytes() const { return kernel_.rows * kernel_.columns * sizeof(int32_t); }

  size_t runs_bytes() const { return round_up(runs_.size() * sizeof(LookupRun), 64); }

  size_t pixels_bytes(const ConvCall& call) const {
    return round_up(most_rows(call) * call.output_width * sizeof(uint32_t), 64);
  }

  /// The most output rows of a strip.
  static int64_t most_rows(const ConvCall& call) {
    return std::clamp<int64_t>(kStripPixels / call.output_width, 1, call.output_height);
  }

  /// Strips of an image: more than its size asks for where tasks would go without.
  static size_t image_strips(const ConvCall& call, size_t tasks) {
    const size_t least = divide_up(call.output_height, most_rows(call));
    const size_t wanted = divide_up(divide_up(tasks, kTasksPerStrip), ImageStrip::images(call));
    return std::min<size_t>(std::max(least, wanted), call.output_height);
  }

  static size_t strips(const ConvCall& call, size_t tasks) {
    return ImageStrip::images(call) * image_strips(call, tasks);
  }

  /// Parts that the output channels are divided into. Each makes the indices anew.
  size_t shares(const ConvCall& call, size_t tasks) const {
    const size_t wanted = divide_up(tasks, kTasksPerShare);
    return std::min(divide_up(wanted, strips(call, tasks)), blocks_.size());
  }

  /// Offsets of the runs and of the pixels: the same in every strip.
  void place(const Work& work) const {
    for (size_t i = 0; i < runs_.size(); ++i) {
      const Run& run = runs_[i];
      work.runs[i] = {strip_.tap_offset(work.call, run.kh, run.kw) + run.first, run.count};
    }
    uint32_t* pixel = work.pixels;
    for (int64_t oh = 0; oh < most_rows(work.call); ++oh) {
      for (int64_t ow = 0; ow < work.call.output_width; ++ow) {
        *pixel++ = static_cast<uint32_t>(strip_.pixel_offset(work.call, oh, ow));
      }
    }
  }

  /// The blocks [begin, end) of one of the strips, of which there are `strip_count` in an image.
  void run_strip(const Work& work, size_t strip, size_t strip_count, size_t begin,
                 size_t end) const {
    const ConvCall& call = work.call;
    const size_t n = strip / strip_count, index = strip % strip_count;
    const int64_t first = call.output_height * index / strip_count;
    const int64_t last = call.output_height * (index + 1) / strip_count;
    // Outside the image is code 0, of which all indices are 0.
    strip_.fill(
        call, n, first, last, work.indices,
        [&](const uint8_t* codes, size_t pixels, uint8_t* out) {
          kernel_.index(codes, pixels, geometry_.channels(), pixel_indices_, out);
        },
        [](uint8_t* out, size_t bytes) { std::memset(out, 0, bytes); });
    const int64_t at = (n * call.output_height + first) * call.output_width;
    const size_t count = (last - first) * call.output_width;
    for (size_t b = begin; b < end; ++b) run_block(work, b, at, count);
  }

  /// A block for all pixels of a strip, `count` from `at` on, in tiles about as large as one another.
  void run_block(const Work& work, size_t b, int64_t at, size_t count) const {
    const Block& block = blocks_[b];
    const size_t tiles = divide_up(count, kernel_.rows);
    const auto first_of = [&](size_t tile) { return count * tile / tiles; };
    for (size_t tile = 0; tile < tiles; ++tile) {
      const size_t first = first_of(tile), end = first_of(tile + 1);
      epilogue_.prefetch(work.call, block, at + end, first_of(std::min(tile + 2, tiles)) - end);
      kernel_.multiply({work.indices, work.pixels + first, end - first, work.runs, runs_.size(),
                        entries(b), reinterpret_cast<const uint8_t*>(tables_.get()),
                        start_.data() + block.at, work.acc},
                       depth_);
      epilogue_.finish(work.call, block, at + first,
                       {work.acc, kernel_.columns, end - first, block.count});
    }
  }

  /// Indices of a pixel of the output.
  size_t index_count() const {
    return geometry_.kernel_height * geometry_.kernel_width * pixel_indices_;
  }

  const uint8_t* entries(size_t b) const {
    return reinterpret_cast<const uint8_t*>(entries_.get()) + b * index_count() * kernel_.columns;
  }

  /// For each block and each index [columns]; what is beyond the inputs or the outputs has no weight.
  AlignedBuffer pack_entries(const ConvLayer& layer) const {
    const size_t columns = kernel_.columns, channels = geometry_.channels();
    AlignedBuffer buffer = make_aligned_buffer(blocks_.size() * index_count() * columns);
    auto* out = reinterpret_cast<uint8_t*>(buffer.get());
    for (const Block& block : blocks_) {
      for (size_t k = 0; k < index_count(); ++k, out += columns) {
        const size_t tap = k / pixel_indices_;
        for (size_t lane = 0; lane < columns; ++lane) {
          const size_t m = lane % 2 * (columns / 2) + lane / 2;
          uint8_t entry = 0;
          for (size_t i = 0; i < kernel_.inputs; ++i) {
            const size_t channel = i * pixel_indices_ + k % pixel_indices_;
            const bool exists = m < block.count && channel < channels;
            const size_t at = (block.first + m) * geometry_.depth() + tap * channels + channel;
            entry |= ((exists ? layer.weights[at] : 0) + 1) << (kBits * i);
          }
          out[lane] = entry;
        }
      }
    }
    return buffer;
  }

  /// What the entries are raised by is subtracted here, as the zero point is.
  std::vector<int32_t> make_start(const ConvLayer& layer) const {
    std::vector<int32_t> start = sums_of_zero_point(layer);
    const size_t depth = geometry_.depth();
    for (size_t m = 0; m < start.size(); ++m) {
      const int8_t* row = layer.weights.data() + m * depth;
      start[m] -= greatest_level(layer) * static_cast<int32_t>(std::count(row, row + depth, -1));
    }
    return pad_by_block(blocks_, start.data());
  }

  const LookupKernel& kernel_;
  const ConvGeometry geometry_;
  const size_t depth_;
  const size_t pixel_indices_;  // indices of a pixel of the input
  const std::vector<Run> runs_;
  const std::vector<Block> blocks_;
  const AlignedBuffer tables_;
  const AlignedBuffer entries_;
  const std::vector<int32_t> start_;
  const ImageStrip strip_;
  const PackedEpilogue epilogue_;
};

}  // namespace

bool takes(const LookupKernel& kernel, const ConvLayer& layer) {
  const ConvGeometry& g = layer.geometry;
  // Fewer outputs would leave most of a look-up unused.
  if (g.group != 1 || 2 * g.outputs < static_cast<int64_t>(kernel.columns)) return false;
  // Outside the image is code 0.
  if (layer.input_level_count > kLevels || layer.input_levels[0] != layer.input_zero_point) {
    return false;
  }
  const bool ternary = std::all_of(layer.weights.begin(), layer.weights.end(),
                                   [](int8_t weight) { return weight >= -1 && weight <= 1; });
  return ternary && depth_of(kernel, layer) > 0;
}

std::unique_ptr<Conv> make_lookup_conv(const ConvLayer& layer, const LookupKernel& kernel) {
  return std::make_unique<LookupConv>(layer, kernel);
}

}  // namespace lcq::kernels

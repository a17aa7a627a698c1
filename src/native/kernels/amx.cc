// AMX: one instruction multiplies 16 pixels x 64 levels with 64 weights x 16 outputs, exactly: 16384 products in the
// time of 16 cycles, eight times what AVX-512 VNNI does.
#include <immintrin.h>

#include "panel_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kTileRows = 16, kTileColumns = 16, kDepth = 4, kTileSteps = 16;
constexpr size_t kRows = 2 * kTileRows, kColumns = 2 * kTileColumns;
static_assert(kRows <= kMaxRows && kColumns <= kMaxColumns);

/// The operand of LDTILECFG, palette 1: eight tiles of at most 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

/// In static memory: compilers are told that the intrinsic reads no more than a pointer, and may drop other stores.
constexpr TileConfig kTileConfig;

void begin() { _tile_loadconfig(&kTileConfig); }

void end() { _tile_release(); }

// Tiles 0 to 3 are sums, 4 and 5 pixels, 6 and 7 weights. Their numbers are part of the instructions.

/// 32 pixels x 32 outputs.
void multiply_32x32(const uint8_t* panel, size_t stride, const int8_t* weights, size_t steps,
                    const int32_t* start, size_t start_pitch, int32_t* acc) {
  constexpr size_t kPitch = kColumns * kDepth;
  const int32_t* lower = start + kTileRows * start_pitch;
  const size_t start_bytes = start_pitch * sizeof(int32_t);
  _tile_loadd(0, start, start_bytes);
  _tile_loadd(1, start + kTileColumns, start_bytes);
  _tile_loadd(2, lower, start_bytes);
  _tile_loadd(3, lower + kTileColumns, start_bytes);
  for (size_t step = 0; step < steps; step += kTileSteps) {
    _tile_loadd(6, weights, kPitch);
    _tile_loadd(4, panel, stride);
    _tile_dpbusd(0, 4, 6);
    _tile_loadd(7, weights + kTileColumns * kDepth, kPitch);
    _tile_dpbusd(1, 4, 7);
    _tile_loadd(5, panel + kTileRows * stride, stride);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
    panel += kTileSteps * kDepth;
    weights += kTileSteps * kPitch;
  }
  constexpr size_t kSumPitch = kColumns * sizeof(int32_t);
  _tile_stored(0, acc, kSumPitch);
  _tile_stored(1, acc + kTileColumns, kSumPitch);
  _tile_stored(2, acc + kTileRows * kColumns, kSumPitch);
  _tile_stored(3, acc + kTileRows * kColumns + kTileColumns, kSumPitch);
}

/// 16 pixels x 16 outputs of a block that is `width` wide.
void multiply_16x16(const uint8_t* panel, size_t stride, const int8_t* weights, size_t steps,
                    size_t width, const int32_t* start, size_t start_pitch, int32_t* acc) {
  const size_t pitch = width * kDepth;
  _tile_loadd(0, start, start_pitch * sizeof(int32_t));
  for (size_t step = 0; step < steps; step += kTileSteps) {
    _tile_loadd(4, panel, stride);
    _tile_loadd(6, weights, pitch);
    _tile_dpbusd(0, 4, 6);
    panel += kTileSteps * kDepth;
    weights += kTileSteps * pitch;
  }
  _tile_stored(0, acc, kColumns * sizeof(int32_t));
}

void multiply(const uint8_t* panel, size_t stride, const void* packed, size_t steps, size_t rows,
              size_t width, const int32_t* start, size_t start_pitch, int32_t* acc) {
  const auto* weights = static_cast<const int8_t*>(packed);
  if (rows > kTileRows && width == kColumns) {
    return multiply_32x32(panel, stride, weights, steps, start, start_pitch, acc);
  }
  for (size_t r = 0; r < rows; r += kTileRows) {
    for (size_t m = 0; m < width; m += kTileColumns) {
      multiply_16x16(panel + r * stride, stride, weights + m * kDepth, steps, width,
                     start + r * start_pitch + m, start_pitch, acc + r * kColumns + m);
    }
  }
}

}  // namespace

const PanelKernel conv_u8s8_32x32_amx = {
    "conv_u8s8_32x32_amx", kRows,    kColumns, kTileColumns, kDepth, kTileSteps, sizeof(int8_t), 0,
    multiply,              &tile_ops_avx512, begin,    end};

}  // namespace lcq::kernels

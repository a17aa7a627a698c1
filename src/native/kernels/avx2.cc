// AVX2. Two multiplications: vpmaddubsw adds two u8 x s8 products in 16 bits with saturation, so it serves levels and
// weights that cannot reach it; vpmaddwd on 16-bit weights is exact for all.
#include <immintrin.h>

#include "tile_256.h"

namespace lcq::kernels {

namespace {

using namespace tile256;

inline __m128i load_half(const void* at) {
  return _mm_loadu_si128(static_cast<const __m128i*>(at));
}

/// One step of four products by 16-bit sums of two that must not saturate.
struct PairSums {
  static constexpr size_t kRows = 4, kDepth = 4, kWeightSize = sizeof(int8_t);
  static __m256i broadcast(const uint8_t* input) { return broadcast4(input); }
  static __m256i multiply_add(__m256i sum, __m256i input, __m256i weight) {
    const __m256i pairs = _mm256_maddubs_epi16(input, weight);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};

/// One step of two exact products.
struct Exact {
  static constexpr size_t kRows = 4, kDepth = 2, kWeightSize = sizeof(int16_t);
  static __m256i broadcast(const uint8_t* input) {
    int16_t word;
    __builtin_memcpy(&word, input, sizeof word);
    return _mm256_cvtepu8_epi16(_mm_set1_epi16(word));
  }
  static __m256i multiply_add(__m256i sum, __m256i input, __m256i weight) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(input, weight));
  }
};
static_assert(kLanes * PairSums::kDepth * PairSums::kWeightSize == sizeof(__m256i));
static_assert(kLanes * Exact::kDepth * Exact::kWeightSize == sizeof(__m256i));

void map16(const uint8_t* codes, size_t count, const uint8_t* levels, uint8_t* out) {
  const __m128i table = load_half(levels);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m128i level = _mm_shuffle_epi8(table, load_half(codes + i));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), level);
  }
  for (; i < count; ++i) out[i] = levels[codes[i]];
}

template <int Bits>
void unpack(const uint8_t* packed, size_t vectors, const int8_t* table, uint8_t* out) {
  const __m256i levels = _mm256_broadcastsi128_si256(load_half(table));
  // Four bits index the table: of 2-bit indices the neighbour too, for which the table repeats itself.
  const __m256i index = _mm256_set1_epi8(0x0f);
  for (size_t v = 0; v < vectors; ++v, packed += kPackedVector) {
    for (int shift = 0; shift < 8; shift += Bits) {
      for (size_t half = 0; half < kPackedVector; half += sizeof(__m256i), out += sizeof(__m256i)) {
        const __m256i word = _mm256_srli_epi16(load(packed + half), shift);
        const __m256i level = _mm256_shuffle_epi8(levels, _mm256_and_si256(word, index));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), level);
      }
    }
  }
}

/// Stores the first `count` of some elements.
template <size_t Elements = kLanes, typename T, typename Vector>
inline void store_first(T* out, Vector value, size_t count) {
  if (count >= Elements) {
    __builtin_memcpy(out, &value, Elements * sizeof(T));
  } else {
    __builtin_memcpy(out, &value, count * sizeof(T));
  }
}

/// Packing works within 128 bits: of the results of two vectors, a half of each is in either.
inline __m256i in_order(__m256i packed) { return _mm256_permute4x64_epi64(packed, 0b11011000); }

/// Eight 32-bit numbers that fit, as 16-bit ones.
inline __m128i narrow(__m256i value) {
  return _mm_packs_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
}

void count_codes(const Sums& sums, const int32_t* thresholds, size_t threshold_stride,
                 size_t threshold_count, uint8_t* codes, size_t pitch) {
  const __m256i all = _mm256_set1_epi32(static_cast<int32_t>(threshold_count));
  for (size_t r = 0; r < sums.rows; ++r) {
    for (size_t m = 0; m < sums.count; m += kLanes) {
      const __m256i value = load(sums.acc + r * sums.stride + m);
      __m256i code = all;
      for (size_t t = 0; t < threshold_count; ++t) {  // a comparison that holds is -1
        const __m256i threshold = load(thresholds + t * threshold_stride + m);
        code = _mm256_add_epi32(code, _mm256_cmpgt_epi32(threshold, value));
      }
      const __m128i narrowed = narrow(code);
      store_first(codes + r * pitch + m, _mm_packus_epi16(narrowed, narrowed), sums.count - m);
    }
  }
}

void count_narrow_codes(const Sums& sums, const int32_t* centers, const int16_t* thresholds,
                        size_t threshold_stride, size_t threshold_count, uint8_t* codes,
                        size_t pitch) {
  const __m256i all = _mm256_set1_epi16(static_cast<int16_t>(threshold_count));
  for (size_t r = 0; r < sums.rows; ++r) {
    for (size_t m = 0; m < sums.count; m += kColumns) {
      const int32_t* acc = sums.acc + r * sums.stride + m;
      const __m256i low = _mm256_sub_epi32(load(acc), load(centers + m));
      const __m256i high =
          _mm256_sub_epi32(load(acc + kLanes), load(centers + m + kLanes));
      const __m256i value = _mm256_min_epi16(in_order(_mm256_packs_epi32(low, high)),
                                             _mm256_set1_epi16(kMaxNarrow));
      __m256i code = all;
      for (size_t t = 0; t < threshold_count; ++t) {  // a comparison that holds is -1
        const __m256i threshold = load(thresholds + t * threshold_stride + m);
        code = _mm256_add_epi16(code, _mm256_cmpgt_epi16(threshold, value));
      }
      const __m128i bytes = _mm256_castsi256_si128(in_order(_mm256_packus_epi16(code, code)));
      store_first<kColumns>(codes + r * pitch + m, bytes, sums.count - m);
    }
  }
}

/// fl(fl(fl(acc) * scale) + bias): two roundings, so not an fma.
inline __m256 scaled(const int32_t* acc, const float* scale, const float* bias) {
  const __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(load(acc)), _mm256_loadu_ps(scale));
  return _mm256_add_ps(product, _mm256_loadu_ps(bias));
}

/// Codes of 8 values that exceed some of a few thresholds.
inline void store_codes(const StreamConstants& c, __m128i s, uint8_t* codes, size_t count) {
  __m128i code = _mm_set1_epi16(c.base);
  for (size_t t = 0; t < c.below_count; ++t) {  // a comparison that holds is -1
    code = _mm_sub_epi16(code, _mm_cmpgt_epi16(s, _mm_set1_epi16(c.below[t])));
  }
  store_first(codes, _mm_packus_epi16(code, code), count);
}

/// The same of thresholds that are 2^shift apart.
inline void store_shifted_codes(const StreamConstants& c, __m128i s, uint8_t* codes, size_t count) {
  const int16_t last = c.below[c.below_count - 1];
  const __m128i least = _mm_set1_epi16(c.below[0]);
  const __m128i most = _mm_set1_epi16(last < INT16_MAX ? last + 1 : INT16_MAX);
  const __m128i start = _mm_set1_epi16(static_cast<short>(c.below[0] - (1 << c.shift) + 1));
  const __m128i within = _mm_min_epi16(_mm_max_epi16(s, least), most);
  const __m128i counted = _mm_srl_epi16(_mm_sub_epi16(within, start), _mm_cvtsi32_si128(c.shift));
  const __m128i code = _mm_add_epi16(counted, _mm_set1_epi16(c.base));
  store_first(codes, _mm_packus_epi16(code, code), count);
}

/// The same of many thresholds, by bisection: several values are on their way at once.
inline void bisect_codes(const StreamConstants& c, const int16_t* values, uint8_t* codes,
                         size_t count) {
  for (size_t i = 0; i < count; ++i) {
    size_t code = 0;
#pragma GCC unroll 8
    for (size_t half = kMaxThresholds / 2; half > 0; half /= 2) {
      code += half * size_t{values[i] > c.below[code + half - 1]};  // no branch to mispredict
    }
    codes[i] = static_cast<uint8_t>(code + c.base);
  }
}

void finish_stream(const Sums& sums, const StreamConstants& c, const int16_t* residual,
                   size_t residual_pitch, int16_t* stream, uint8_t* codes, size_t pitch) {
  constexpr size_t kFew = 15;
  const __m256 high = _mm256_set1_ps(32767.0f);
  const __m128i minimum = _mm_set1_epi16(c.output_min);
  for (size_t r = 0; r < sums.rows; ++r, residual += residual_pitch) {
    for (size_t m = 0; m < sums.count; m += kLanes) {
      const __m256 y = scaled(sums.acc + r * sums.stride + m, c.scale + m, c.bias + m);
      // Below -2^31 a conversion gives -2^31, which narrow() saturates as it should.
      const __m128i p = narrow(_mm256_cvtps_epi32(_mm256_min_ps(y, high)));
      const __m128i s = _mm_max_epi16(_mm_adds_epi16(p, load_half(residual + m)), minimum);
      store_first(stream + r * pitch + m, s, sums.count - m);
      if (c.shift >= 0) {
        store_shifted_codes(c, s, codes + r * pitch + m, sums.count - m);
      } else if (c.below_count <= kFew) {
        store_codes(c, s, codes + r * pitch + m, sums.count - m);
      }
    }
    if (c.shift < 0 && c.below_count > kFew) {
      bisect_codes(c, stream + r * pitch, codes + r * pitch, sums.count);
    }
  }
}

void finish_real(const Sums& sums, const float* scale, const float* bias, float* real,
                 size_t pitch) {
  for (size_t r = 0; r < sums.rows; ++r) {
    for (size_t m = 0; m < sums.count; m += kLanes) {
      const __m256 y = scaled(sums.acc + r * sums.stride + m, scale + m, bias + m);
      store_first(real + r * pitch + m, y, sums.count - m);
    }
  }
}

}  // namespace

const TileOps tile_ops_avx2 = {map16,       unpack<2>,          unpack<4>,
                               count_codes, count_narrow_codes, finish_stream,
                               finish_real};

const PanelKernel conv_u8s8_4x16_avx2 = {
    "conv_u8s8_4x16_avx2", PairSums::kRows, kColumns, kLanes, PairSums::kDepth, 1, PairSums::kWeightSize,
    INT16_MAX / 2, multiply<PairSums>, &tile_ops_avx2};

const PanelKernel conv_u8s16_4x16_avx2 = {
    "conv_u8s16_4x16_avx2", Exact::kRows, kColumns, kLanes, Exact::kDepth, 1, Exact::kWeightSize,
    0, multiply<Exact>, &tile_ops_avx2};

}  // namespace lcq::kernels

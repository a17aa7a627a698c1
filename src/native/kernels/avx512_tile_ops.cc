// What follows the multiplication, for all kernels of processors with AVX-512.
#include <immintrin.h>

#include "panel_kernel.h"

namespace lcq::kernels {

namespace {

constexpr size_t kLanes = 16, kWordLanes = 32;

inline __mmask16 first16(size_t count) {
  return count >= kLanes ? __mmask16(0xffff) : __mmask16((1u << count) - 1);
}

inline __mmask32 first32(size_t count) {
  return count >= kWordLanes ? ~__mmask32(0) : (__mmask32(1) << count) - 1;
}

/// Store the first `count` of a vector's elements. AMD's processors take many times as long for a store with a mask.
inline void store_first(uint8_t* out, __m128i value, size_t count) {
  if (count >= kLanes) return _mm_storeu_si128(reinterpret_cast<__m128i*>(out), value);
  _mm_mask_storeu_epi8(out, first16(count), value);
}

inline void store_first(uint8_t* out, __m256i value, size_t count) {
  if (count >= kWordLanes) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), value);
  _mm256_mask_storeu_epi8(out, first32(count), value);
}

inline void store_first(int16_t* out, __m512i value, size_t count) {
  if (count >= kWordLanes) return _mm512_storeu_si512(out, value);
  _mm512_mask_storeu_epi16(out, first32(count), value);
}

void map16(const uint8_t* codes, size_t count, const uint8_t* levels, uint8_t* out) {
  const __m512i table =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(levels)));
  size_t i = 0;
  for (; i + 64 <= count; i += 64) {
    _mm512_storeu_si512(out + i, _mm512_shuffle_epi8(table, _mm512_loadu_si512(codes + i)));
  }
  if (i == count) return;
  const __mmask64 mask = (__mmask64(1) << (count - i)) - 1;
  const __m512i code = _mm512_maskz_loadu_epi8(mask, codes + i);
  _mm512_mask_storeu_epi8(out + i, mask, _mm512_shuffle_epi8(table, code));
}

template <int Bits>
void unpack(const uint8_t* packed, size_t vectors, const int8_t* table, uint8_t* out) {
  const __m512i levels =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  // Four bits index the table: of 2-bit indices the neighbour too, for which the table repeats itself.
  const __m512i index = _mm512_set1_epi8(0x0f);
  for (size_t v = 0; v < vectors; ++v, packed += kPackedVector) {
    const __m512i word = _mm512_loadu_si512(packed);
#pragma GCC unroll 4
    for (int shift = 0; shift < 8; shift += Bits, out += kPackedVector) {
      const __m512i shifted = _mm512_and_si512(_mm512_srli_epi16(word, shift), index);
      _mm512_storeu_si512(out, _mm512_shuffle_epi8(levels, shifted));
    }
  }
}

/// Lanes of 32 bits.
struct Doublewords {
  using Mask = __mmask16;
  static Mask reached(__m512i value, __m512i threshold) {
    return _mm512_cmpge_epi32_mask(value, threshold);
  }
  static __m512i choose(Mask upper, __m512i low, __m512i high) {
    return _mm512_mask_blend_epi32(upper, low, high);
  }
  static __m512i add(__m512i code, Mask where, int amount) {
    return _mm512_mask_add_epi32(code, where, code, _mm512_set1_epi32(amount));
  }
};

/// Lanes of 16 bits.
struct Words {
  using Mask = __mmask32;
  static Mask reached(__m512i value, __m512i threshold) {
    return _mm512_cmpge_epi16_mask(value, threshold);
  }
  static __m512i choose(Mask upper, __m512i low, __m512i high) {
    return _mm512_mask_blend_epi16(upper, low, high);
  }
  static __m512i add(__m512i code, Mask where, int amount) {
    return _mm512_mask_add_epi16(code, where, code, _mm512_set1_epi16(static_cast<short>(amount)));
  }
};

/// Counts 2^Bits - 1 ascending thresholds of each lane by bisection: after each comparison the half that is left is
/// moved down. The thresholds stay in registers.
template <typename Lanes, int Bits>
inline __m512i bisect(__m512i value, const __m512i* thresholds, __m512i code) {
  constexpr int kHalf = (1 << Bits) / 2;
  const auto upper = Lanes::reached(value, thresholds[kHalf - 1]);
  code = Lanes::add(code, upper, kHalf);
  if constexpr (Bits > 1) {
    __m512i rest[kHalf - 1];
#pragma GCC unroll 8
    for (int t = 0; t < kHalf - 1; ++t) {
      rest[t] = Lanes::choose(upper, thresholds[t], thresholds[kHalf + t]);
    }
    return bisect<Lanes, Bits - 1>(value, rest, code);
  } else {
    return code;
  }
}

template <int Bits>
void bisect_codes(const Sums& sums, const int32_t* thresholds, size_t threshold_stride,
                  uint8_t* codes, size_t pitch) {
  constexpr int kCount = (1 << Bits) - 1;
  for (size_t m = 0; m < sums.count; m += kLanes) {
    __m512i threshold[kCount];
#pragma GCC unroll 16
    for (int t = 0; t < kCount; ++t) {
      threshold[t] = _mm512_loadu_si512(thresholds + t * threshold_stride + m);
    }
    for (size_t r = 0; r < sums.rows; ++r) {
      const __m512i value = _mm512_loadu_si512(sums.acc + r * sums.stride + m);
      const __m512i code =
          bisect<Doublewords, Bits>(value, threshold, _mm512_setzero_si512());
      store_first(codes + r * pitch + m, _mm512_cvtepi32_epi8(code), sums.count - m);
    }
  }
}

void count_codes(const Sums& sums, const int32_t* thresholds, size_t threshold_stride,
                 size_t threshold_count, uint8_t* codes, size_t pitch) {
  switch (threshold_count) {
    case 3: return bisect_codes<2>(sums, thresholds, threshold_stride, codes, pitch);
    case 7: return bisect_codes<3>(sums, thresholds, threshold_stride, codes, pitch);
    case 15: return bisect_codes<4>(sums, thresholds, threshold_stride, codes, pitch);
  }
  for (size_t r = 0; r < sums.rows; ++r) {
    for (size_t m = 0; m < sums.count; m += kLanes) {
      const __m512i value = _mm512_loadu_si512(sums.acc + r * sums.stride + m);
      __m512i code = _mm512_setzero_si512();
      for (size_t t = 0; t < threshold_count; ++t) {
        const __m512i threshold = _mm512_loadu_si512(thresholds + t * threshold_stride + m);
        code = Doublewords::add(code, Doublewords::reached(value, threshold), 1);
      }
      store_first(codes + r * pitch + m, _mm512_cvtepi32_epi8(code), sums.count - m);
    }
  }
}

template <int Bits>
void bisect_narrow_codes(const Sums& sums, const int32_t* centers, const int16_t* thresholds,
                         size_t threshold_stride, uint8_t* codes, size_t pitch) {
  constexpr int kCount = (1 << Bits) - 1;
  // Two vectors of sums make one of words, four of the first and four of the second in turns.
  const __m512i interleave = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i restore = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
  for (size_t m = 0; m < sums.count; m += kWordLanes) {
    __m512i threshold[kCount];
#pragma GCC unroll 16
    for (int t = 0; t < kCount; ++t) {
      const __m512i ordered = _mm512_loadu_si512(thresholds + t * threshold_stride + m);
      threshold[t] = _mm512_permutexvar_epi64(interleave, ordered);
    }
    const __m512i center0 = _mm512_loadu_si512(centers + m);
    const __m512i center1 = _mm512_loadu_si512(centers + m + kLanes);
    // There may be no second vector; what it would hold is not stored.
    const size_t second = sums.count - m > kLanes ? kLanes : 0;
    for (size_t r = 0; r < sums.rows; ++r) {
      const int32_t* acc = sums.acc + r * sums.stride + m;
      const __m512i s0 = _mm512_sub_epi32(_mm512_loadu_si512(acc), center0);
      const __m512i s1 = _mm512_sub_epi32(_mm512_loadu_si512(acc + second), center1);
      const __m512i value =
          _mm512_min_epi16(_mm512_packs_epi32(s0, s1), _mm512_set1_epi16(kMaxNarrow));
      const __m512i code = bisect<Words, Bits>(value, threshold, _mm512_setzero_si512());
      store_first(codes + r * pitch + m,
                  _mm256_permutevar8x32_epi32(_mm512_cvtepi16_epi8(code), restore),
                  sums.count - m);
    }
  }
}

void count_narrow_codes(const Sums& sums, const int32_t* centers, const int16_t* thresholds,
                        size_t threshold_stride, size_t threshold_count, uint8_t* codes,
                        size_t pitch) {
  const auto count = threshold_count == 3   ? bisect_narrow_codes<2>
                     : threshold_count == 7 ? bisect_narrow_codes<3>
                                            : bisect_narrow_codes<4>;
  count(sums, centers, thresholds, threshold_stride, codes, pitch);
}

/// fl(fl(fl(acc) * scale) + bias): two roundings, so not an fma.
inline __m512 scaled(const int32_t* acc, __m512 scale, __m512 bias) {
  return _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(acc)), scale), bias);
}

/// sat16(rne(clamp(y))) of 16 outputs. Below -2^31 a conversion gives -2^31, which saturates as it should.
inline __m256i rounded(const int32_t* acc, __m512 scale, __m512 bias) {
  const __m512 y = _mm512_min_ps(scaled(acc, scale, bias), _mm512_set1_ps(32767.0f));
  return _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(y));
}

/// Counts fewer than 2^Bits ascending thresholds that are the same in all lanes. The code so far selects the next one.
template <int Bits>
class Search {
 public:
  explicit Search(const int16_t* below) {
    for (int b = 0; b < Bits; ++b) next_[b] = _mm512_loadu_si512(below + (1 << b) - 1);
  }

  inline __m512i operator()(__m512i value) const {
    __m512i code = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int b = Bits - 1; b >= 0; --b) {
      const __m512i threshold = _mm512_permutexvar_epi16(code, next_[b]);
      const __mmask32 reached = _mm512_cmpgt_epi16_mask(value, threshold);
      code = _mm512_mask_add_epi16(code, reached, code, _mm512_set1_epi16(1 << b));
    }
    return code;
  }

 private:
  __m512i next_[Bits];
};

/// The same for fewer than 256: three steps find the group, five the place in it.
class WideSearch {
 public:
  explicit WideSearch(const int16_t* below) : group_(below + kMaxThresholds) {
    for (int g = 0; g < kGroups; ++g) table_[g] = _mm512_loadu_si512(below + kWordLanes * g);
  }

  inline __m512i operator()(__m512i value) const {
    const __m512i group = group_(value);
    const __mmask32 odd = _mm512_test_epi16_mask(group, _mm512_set1_epi16(2));
    const __mmask32 upper = _mm512_test_epi16_mask(group, _mm512_set1_epi16(4));
    __m512i code = _mm512_slli_epi16(group, 5);
#pragma GCC unroll 8
    for (int half = kWordLanes / 2; half > 0; half /= 2) {
      const __m512i at = _mm512_add_epi16(code, _mm512_set1_epi16(static_cast<short>(half - 1)));
      const __m512i low = _mm512_mask_blend_epi16(odd, two_groups(at, 0), two_groups(at, 2));
      const __m512i high = _mm512_mask_blend_epi16(odd, two_groups(at, 4), two_groups(at, 6));
      const __m512i threshold = _mm512_mask_blend_epi16(upper, low, high);
      const __mmask32 reached = _mm512_cmpgt_epi16_mask(value, threshold);
      code = _mm512_mask_add_epi16(code, reached, code,
                                   _mm512_set1_epi16(static_cast<short>(half)));
    }
    return code;
  }

 private:
  static constexpr int kGroups = kMaxThresholds / kThresholdGroup;
  static_assert(kGroups == 8 && kThresholdGroup == kWordLanes);

  /// Entries of two tables, by the lower six bits.
  inline __m512i two_groups(__m512i at, int first) const {
    return _mm512_permutex2var_epi16(table_[first], at, table_[first + 1]);
  }

  Search<3> group_;
  __m512i table_[kGroups];
};

/// Counts thresholds that are 2^shift apart.
class ShiftedCount {
 public:
  explicit ShiftedCount(const StreamConstants& c)
      : least_(_mm512_set1_epi16(c.below[0])),
        most_(_mm512_set1_epi16(one_above(c.below[c.below_count - 1]))),
        start_(_mm512_set1_epi16(static_cast<short>(c.below[0] - (1 << c.shift) + 1))),
        shift_(_mm_cvtsi32_si128(c.shift)) {}

  inline __m512i operator()(__m512i value) const {
    const __m512i within = _mm512_min_epi16(_mm512_max_epi16(value, least_), most_);
    return _mm512_srl_epi16(_mm512_sub_epi16(within, start_), shift_);
  }

 private:
  static short one_above(int16_t last) { return last < INT16_MAX ? last + 1 : INT16_MAX; }

  __m512i least_, most_, start_;
  __m128i shift_;
};

template <typename Count>
void stream_rows(const Count& count, const Sums& sums, const StreamConstants& c,
                 const int16_t* residual, size_t residual_pitch, int16_t* stream, uint8_t* codes,
                 size_t pitch) {
  const __m512i minimum = _mm512_set1_epi16(c.output_min), base = _mm512_set1_epi16(c.base);
  for (size_t m = 0; m < sums.count; m += kWordLanes) {
    // A block is a multiple of 16 wide: there may be nothing to read beyond.
    const bool whole = sums.count - m > kLanes;
    const __mmask16 second = whole ? 0xffff : 0;
    const __mmask32 readable = whole ? ~__mmask32(0) : 0xffff;
    const __m512 scale0 = _mm512_loadu_ps(c.scale + m), bias0 = _mm512_loadu_ps(c.bias + m);
    const __m512 scale1 = _mm512_maskz_loadu_ps(second, c.scale + m + kLanes);
    const __m512 bias1 = _mm512_maskz_loadu_ps(second, c.bias + m + kLanes);
    for (size_t r = 0; r < sums.rows; ++r) {
      const int32_t* acc = sums.acc + r * sums.stride + m;
      const __m256i p0 = rounded(acc, scale0, bias0);
      const __m256i p1 = whole ? rounded(acc + kLanes, scale1, bias1) : p0;
      const __m512i p = _mm512_inserti64x4(_mm512_castsi256_si512(p0), p1, 1);
      const __m512i added = _mm512_maskz_loadu_epi16(readable, residual + r * residual_pitch + m);
      const __m512i s = _mm512_max_epi16(_mm512_adds_epi16(p, added), minimum);
      store_first(stream + r * pitch + m, s, sums.count - m);
      const __m512i code = _mm512_add_epi16(count(s), base);
      store_first(codes + r * pitch + m, _mm512_cvtepi16_epi8(code), sums.count - m);
    }
  }
}

void finish_stream(const Sums& sums, const StreamConstants& c, const int16_t* residual,
                   size_t residual_pitch, int16_t* stream, uint8_t* codes, size_t pitch) {
  const auto rows = [&](const auto& count) {
    stream_rows(count, sums, c, residual, residual_pitch, stream, codes, pitch);
  };
  if (c.below_count < 4) return rows(Search<2>(c.below));
  if (c.below_count < 8) return rows(Search<3>(c.below));
  if (c.below_count < 16) return rows(Search<4>(c.below));
  if (c.shift >= 0) return rows(ShiftedCount(c));
  rows(WideSearch(c.below));
}

void finish_real(const Sums& sums, const float* scale, const float* bias, float* real,
                 size_t pitch) {
  for (size_t r = 0; r < sums.rows; ++r) {
    for (size_t m = 0; m < sums.count; m += kLanes) {
      const __m512 y = scaled(sums.acc + r * sums.stride + m, _mm512_loadu_ps(scale + m),
                              _mm512_loadu_ps(bias + m));
      _mm512_mask_storeu_ps(real + r * pitch + m, first16(sums.count - m), y);
    }
  }
}

}  // namespace

const TileOps tile_ops_avx512 = {map16,       unpack<2>,          unpack<4>,
                                 count_codes, count_narrow_codes, finish_stream,
                                 finish_real};

}  // namespace lcq::kernels

// Memory on a cache-line boundary.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace lcq::kernels {

inline constexpr std::align_val_t kCacheLine{64};

struct AlignedDelete {
  void operator()(std::byte* bytes) const { ::operator delete[](bytes, kCacheLine); }
};

using AlignedBuffer = std::unique_ptr<std::byte[], AlignedDelete>;

inline AlignedBuffer make_aligned_buffer(size_t bytes) {
  return AlignedBuffer(new (kCacheLine) std::byte[bytes]);
}

}  // namespace lcq::kernels

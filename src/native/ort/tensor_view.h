// Tensors that ONNX Runtime owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "abi.h"
#include "element_type.h"

namespace lcq::ort {

using Shape = std::vector<int64_t>;

/// A tensor that ONNX Runtime owns. `data` need not be aligned for its type.
struct TensorView {
  ElementType type;
  Shape shape;
  const void* data;

  /// Product of `shape`.
  size_t count() const;
};

TensorView view(const Value* value);

/// For messages: [1,32,32,3].
std::string to_string(const Shape& shape);

}  // namespace lcq::ort

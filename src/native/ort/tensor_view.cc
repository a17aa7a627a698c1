#include "tensor_view.h"

#include "error.h"
#include "handles.h"

namespace lcq::ort {

size_t TensorView::count() const {
  size_t product = 1;
  for (const int64_t size : shape) product *= static_cast<size_t>(size);
  return product;
}

TensorView view(const Value* value) {
  TensorInfo* raw = nullptr;
  check(GetTensorTypeAndShape(value, &raw));
  const TensorInfoPtr info(raw);
  int32_t type = 0;
  size_t rank = 0;
  void* data = nullptr;
  check(GetTensorElementType(info.get(), &type));
  check(GetDimensionsCount(info.get(), &rank));
  Shape shape(rank);
  check(GetDimensions(info.get(), shape.data(), rank));
  check(GetTensorMutableData(const_cast<Value*>(value), &data));
  return {static_cast<ElementType>(type), std::move(shape), data};
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (const int64_t size : shape) {
    if (text.size() > 1) text += ',';
    text += std::to_string(size);
  }
  return text + "]";
}

}  // namespace lcq::ort

// A node's attributes and constants, as its kernel is created.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "tensor_view.h"

namespace lcq::ort {

/// What a node says of itself while its kernel is created. Every error names the op, the node and the culprit.
class NodeInfo {
 public:
  NodeInfo(const char* op, const KernelInfo* info);

  const std::string& op() const { return op_; }
  const std::string& node() const { return node_; }

  /// The name of the value that input `index` reads.
  std::string input_name(size_t index) const;

  int64_t integer(const char* attribute) const;
  float real(const char* attribute) const;
  /// An attribute of exactly `count` integers.
  std::vector<int64_t> integers(const char* attribute, size_t count) const;

  /// A copy of input `index`, which must be a constant initializer of element type T and of `rank` axes.
  template <typename T>
  std::vector<T> constant(size_t index, const char* name, size_t rank, Shape* shape = nullptr) const {
    const TensorView tensor = constant_view(index, name, kElementTypeOf<T>, rank);
    std::vector<T> values(tensor.count());
    if (!values.empty()) std::memcpy(values.data(), tensor.data, values.size() * sizeof(T));
    if (shape != nullptr) *shape = tensor.shape;
    return values;
  }

  [[noreturn]] void refuse(const std::string& what) const;

 private:
  TensorView constant_view(size_t index, const char* name, ElementType type, size_t rank) const;

  std::string op_;
  std::string node_;
  const KernelInfo* info_;
};

}  // namespace lcq::ort

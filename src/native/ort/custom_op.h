// Custom ops as plain C++: a definition with its types, a kernel with one compute(), exceptions for errors.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "abi.h"
#include "element_type.h"
#include "error.h"
#include "handles.h"

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

/// What a node says of itself while its kernel is created. Every error names the op, the node and the culprit.
class NodeInfo {
 public:
  NodeInfo(const char* op, const KernelInfo* info);

  const std::string& op() const { return op_; }
  const std::string& node() const { return node_; }

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

/// What a kernel sees of one run.
class RunContext {
 public:
  explicit RunContext(KernelContext* context) : context_(context) {}

  TensorView input(size_t index) const;

  template <typename T>
  T* output(size_t index, const Shape& shape) const {
    return static_cast<T*>(output_data(index, shape));
  }

  /// Calls task(i) for each i below `count` on the session's intra-op threads; returns when all are done.
  void parallel_for(size_t count, const std::function<void(size_t)>& task) const;

 private:
  void* output_data(size_t index, const Shape& shape) const;

  KernelContext* context_;
};

class OpKernel {
 public:
  virtual ~OpKernel() = default;
  /// May be called by several threads at once.
  virtual void compute(const RunContext& context) const = 0;
};

struct OpDefinition {
  const char* name;
  std::vector<ElementType> inputs;
  std::vector<ElementType> outputs;
  std::function<std::unique_ptr<OpKernel>(const NodeInfo&)> create;
};

/// A domain of custom ops. Must outlive the sessions that it is added to.
class CustomOpDomain {
 public:
  CustomOpDomain(const char* name, std::vector<OpDefinition> definitions);
  ~CustomOpDomain();

  OpDomain* get() const { return domain_.get(); }

  /// Why the creation of a kernel failed: ONNX Runtime wraps the message in its own.
  const std::optional<Error>& refusal() const { return refusal_; }

 private:
  struct Op;

  std::vector<std::unique_ptr<Op>> ops_;
  std::optional<Error> refusal_;
  OpDomainPtr domain_;
};

}  // namespace lcq::ort

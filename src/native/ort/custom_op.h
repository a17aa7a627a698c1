// Custom ops as plain C++: a definition with its types, a kernel with one compute(), exceptions for errors.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "abi.h"
#include "error.h"
#include "handles.h"
#include "node_info.h"
#include "tensor_view.h"

namespace lcq::ort {

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

/// An output that may be written over an input of the same size which nothing else reads.
struct InPlace {
  size_t (*pairs)(int32_t** inputs, int32_t** outputs) = nullptr;
  void (*release)(int32_t* inputs, int32_t* outputs) = nullptr;
};

template <int32_t Input, int32_t Output>
InPlace in_place() {
  return {[](int32_t** inputs, int32_t** outputs) {
            *inputs = new int32_t(Input);
            *outputs = new int32_t(Output);
            return size_t{1};
          },
          [](int32_t* inputs, int32_t* outputs) {
            delete inputs;
            delete outputs;
          }};
}

struct OpDefinition {
  const char* name;
  std::vector<ElementType> inputs;
  std::vector<ElementType> outputs;
  std::function<std::unique_ptr<OpKernel>(const NodeInfo&)> create;
  InPlace in_place = {};
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

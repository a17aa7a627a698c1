// A model loaded by ONNX Runtime.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "custom_op.h"
#include "handles.h"

namespace lcq::ort {

/// A model's input or output; -1 is an axis free at run time.
struct TensorSpec {
  std::string name;
  ElementType type;
  Shape shape;
};

struct ModelSource {
  /// Used when there are no bytes.
  std::string path;
  const void* bytes = nullptr;
  size_t byte_count = 0;
};

struct ModelOptions {
  /// Threads that one run may use, the caller's included; 0 leaves the choice to ONNX Runtime.
  int32_t threads = 1;
  std::vector<std::pair<std::string, std::string>> config;
  /// Where the trace of all runs is written as the model is released, a suffix added; empty for no trace.
  std::string profile;
};

/// A tensor of the caller's, read in place.
struct Feed {
  ElementType type;
  Shape shape;
  void* data;
  size_t bytes;
};

class Model {
 public:
  /// Loads the model with the ops of `domain`, which the model then owns.
  Model(const ModelSource& source, const ModelOptions& options,
        std::unique_ptr<CustomOpDomain> domain);

  const std::vector<TensorSpec>& inputs() const { return inputs_; }
  const std::vector<TensorSpec>& outputs() const { return outputs_; }

  /// A text that the file carries beside the graph; empty if it does not.
  std::string metadata(const char* key) const;

  /// Runs once. `feeds` are in the order of inputs(), the results in the order of `wanted` (indices of outputs()).
  /// May be called by several threads at once.
  std::vector<ValuePtr> run(const std::vector<Feed>& feeds,
                            const std::vector<size_t>& wanted) const;

 private:
  // In this order: the session is released before the domain of its ops.
  std::unique_ptr<CustomOpDomain> domain_;
  SessionPtr session_;
  std::vector<TensorSpec> inputs_;
  std::vector<TensorSpec> outputs_;
};

}  // namespace lcq::ort

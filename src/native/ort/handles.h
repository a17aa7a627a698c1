// Owning pointers to ONNX Runtime objects.
#pragma once

#include <memory>

#include "abi.h"

namespace lcq::ort {

template <const auto& Release>
struct Releaser {
  template <typename T>
  void operator()(T* object) const {
    Release(object);
  }
};

using SessionPtr = std::unique_ptr<Session, Releaser<ReleaseSession>>;
using SessionOptionsPtr = std::unique_ptr<SessionOptions, Releaser<ReleaseSessionOptions>>;
using ValuePtr = std::unique_ptr<Value, Releaser<ReleaseValue>>;
using TypeInfoPtr = std::unique_ptr<TypeInfo, Releaser<ReleaseTypeInfo>>;
using TensorInfoPtr = std::unique_ptr<TensorInfo, Releaser<ReleaseTensorInfo>>;
using ModelMetadataPtr = std::unique_ptr<ModelMetadata, Releaser<ReleaseModelMetadata>>;
using OpDomainPtr = std::unique_ptr<OpDomain, Releaser<ReleaseCustomOpDomain>>;

}  // namespace lcq::ort

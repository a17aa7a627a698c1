// ONNX Runtime reports by status objects; inside the add-on a failure is an exception.
#pragma once

#include <stdexcept>
#include <string>

#include "abi.h"

namespace lcq::ort {

struct Error : std::runtime_error {
  Error(StatusCode status_code, const std::string& message)
      : std::runtime_error(message), code(status_code) {}
  StatusCode code;
};

/// Throws what `status` says, and releases it. A null status is success.
inline void check(Status* status) {
  if (status == nullptr) return;
  Error error(static_cast<StatusCode>(GetErrorCode(status)), GetErrorMessage(status));
  ReleaseStatus(status);
  throw error;
}

}  // namespace lcq::ort

// The one ONNX Runtime library of the process.
#pragma once

#include <string>

#include "abi.h"

namespace lcq::ort {

struct Library {
  std::string path;
  std::string version;
  const Env* env;
  const MemoryInfo* cpu_memory;
  Allocator* allocator;
};

/// Opens the library at `path` (absolute) and checks that it is what abi.h describes: the version, the API table, and
/// that every slot in use is code of that library. Later calls, from any thread, return the same library.
/// It is never closed: threads of the pool may still be inside it while the process exits.
const Library& load_library(const std::string& path);

/// The library that load_library() has opened. Throws if it was not called.
const Library& library();

}  // namespace lcq::ort

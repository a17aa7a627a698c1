#include "library.h"

#include <dlfcn.h>

#include <cstdio>
#include <mutex>

#include "error.h"

namespace lcq::ort {

ApiTable detail::table = nullptr;

namespace {

std::mutex mutex;
const Library* loaded = nullptr;

Error refused(const std::string& path, const std::string& why) {
  return Error(kFail, "cannot use the ONNX Runtime library " + path + ": " + why);
}

ApiTable checked_table(const std::string& path, const ApiBase* (*get_base)(), const char* version) {
  unsigned major = 0, minor = 0;
  if (version == nullptr || std::sscanf(version, "%u.%u", &major, &minor) != 2 || major != 1 ||
      minor < kApiVersion) {
    throw refused(path, "it is version " + std::string(version ? version : "unknown") + ", 1." +
                            std::to_string(kApiVersion) + " or a later 1.x is needed");
  }
  const ApiTable table = get_base()->GetApi(kApiVersion);
  if (table == nullptr) {
    throw refused(path, "it does not offer API " + std::to_string(kApiVersion));
  }
  Dl_info image{};
  dladdr(reinterpret_cast<const void*>(get_base), &image);
  for (const size_t slot : kSlots) {
    Dl_info owner{};
    if (table[slot] == nullptr || dladdr(table[slot], &owner) == 0 ||
        owner.dli_fbase != image.dli_fbase) {
      throw refused(path, "entry " + std::to_string(slot) + " of its API table is not a function of it");
    }
  }
  return table;
}

const Library* open(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw refused(path, dlerror());
  const auto get_base = reinterpret_cast<const ApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
  if (get_base == nullptr) throw refused(path, "it has no OrtGetApiBase");
  const char* version = get_base()->GetVersionString();
  detail::table = checked_table(path, get_base, version);

  constexpr int32_t kLogErrors = 3, kDeviceAllocator = 0, kDefaultMemory = 0;
  Env* env = nullptr;
  MemoryInfo* memory = nullptr;
  Allocator* allocator = nullptr;
  check(CreateEnv(kLogErrors, "lcq", &env));
  check(CreateCpuMemoryInfo(kDeviceAllocator, kDefaultMemory, &memory));
  check(GetAllocatorWithDefaultOptions(&allocator));
  return new Library{path, version, env, memory, allocator};
}

}  // namespace

const Library& load_library(const std::string& path) {
  const std::lock_guard lock(mutex);
  if (loaded == nullptr) loaded = open(path);
  if (loaded->path != path) {
    throw refused(path, "the process already uses " + loaded->path);
  }
  return *loaded;
}

const Library& library() {
  const std::lock_guard lock(mutex);
  if (loaded == nullptr) throw Error(kFail, "the ONNX Runtime library is not loaded yet");
  return *loaded;
}

}  // namespace lcq::ort

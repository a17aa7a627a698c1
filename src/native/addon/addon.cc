// The module lcq.node: load(), kernels() and createSession().
#include <napi.h>

#include <mutex>

#include "../kernels/dispatch.h"
#include "../ort/library.h"
#include "self_test.h"
#include "session_object.h"

namespace lcq {

namespace {

/// One for each JavaScript environment: the main thread and every worker.
class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports)
      : session_(Napi::Persistent(SessionObject::define(env))) {
    DefineAddon(exports, {InstanceMethod<&Addon::load>("load"),
                          InstanceMethod<&Addon::kernels>("kernels"),
                          InstanceMethod<&Addon::create_session>("createSession")});
  }

 private:
  /// load(path: string): string. Opens the ONNX Runtime library; returns its version.
  Napi::Value load(const Napi::CallbackInfo& info) {
    try {
      const std::string path = info[0].As<Napi::String>();
      const ort::Library& library = ort::load_library(path);
      static std::once_flag once;
      std::call_once(once, self_test);
      return Napi::String::New(info.Env(), library.version);
    } catch (const ort::Error& error) {
      throw Napi::Error::New(info.Env(), error.what());
    }
  }

  /// kernels(): { name, available, kernels: string[] }[], the preferred last.
  Napi::Value kernels(const Napi::CallbackInfo& info) {
    Napi::Array result = Napi::Array::New(info.Env());
    for (const kernels::IsaInfo& isa : kernels::isas()) {
      Napi::Array names = Napi::Array::New(info.Env());
      for (const char* name : isa.kernels) names.Set(names.Length(), name);
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("name", isa.name);
      entry.Set("available", isa.available);
      entry.Set("kernels", names);
      result.Set(result.Length(), entry);
    }
    return result;
  }

  Napi::Value create_session(const Napi::CallbackInfo& info) {
    return SessionObject::create(info, session_);
  }

  Napi::FunctionReference session_;
};

}  // namespace

NODE_API_ADDON(Addon)

}  // namespace lcq

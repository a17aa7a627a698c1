// The class `Session` that JavaScript sees.
#pragma once

#include <napi.h>

#include <memory>

#include "loaded_model.h"

namespace lcq {

class SessionObject : public Napi::ObjectWrap<SessionObject> {
 public:
  static Napi::Function define(Napi::Env env);

  /// create(source: string | Uint8Array, options: { threads, kernels, config }): Promise<Session>
  static Napi::Value create(const Napi::CallbackInfo& info, Napi::FunctionReference& constructor);

  explicit SessionObject(const Napi::CallbackInfo& info);

 private:
  /// run(feeds: { type, dims, data }[], wanted: number[]): Promise<{ type, dims, data }[]>
  Napi::Value run(const Napi::CallbackInfo& info);
  /// dispose(): Promise<void>; runs in flight keep the model until they end.
  Napi::Value dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<LoadedModel> model_;
};

}  // namespace lcq

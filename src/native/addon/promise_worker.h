// Work on the libuv pool whose outcome settles a promise.
#pragma once

#include <napi.h>

#include "../ort/error.h"

namespace lcq {

class PromiseWorker : public Napi::AsyncWorker {
 public:
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  explicit PromiseWorker(Napi::Env env)
      : AsyncWorker(env, "lcq"), deferred_(Napi::Promise::Deferred::New(env)) {}

  /// On a thread of the pool: touches nothing of JavaScript.
  virtual void work() = 0;
  /// On the JavaScript thread.
  virtual Napi::Value result(Napi::Env env) = 0;

 private:
  void Execute() final {
    try {
      work();
    } catch (const ort::Error& error) {
      status_ = error.code;
      SetError(error.what());
    } catch (const std::exception& error) {
      SetError(error.what());
    }
  }

  void OnOK() final {
    try {
      deferred_.Resolve(result(Env()));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    } catch (const std::exception& error) {
      deferred_.Reject(Napi::Error::New(Env(), error.what()).Value());
    }
  }

  /// The error's `status` is ONNX Runtime's code, 0 where the error is not its.
  void OnError(const Napi::Error& error) final {
    error.Value().Set("status", Napi::Number::New(Env(), status_));
    deferred_.Reject(error.Value());
  }

  Napi::Promise::Deferred deferred_;
  int32_t status_ = 0;
};

}  // namespace lcq

#include "session_object.h"

#include "promise_worker.h"
#include "tensors.h"

namespace lcq {

namespace {

class CreateWorker final : public PromiseWorker {
 public:
  CreateWorker(const Napi::CallbackInfo& info, Napi::FunctionReference& constructor)
      : PromiseWorker(info.Env()), constructor_(constructor) {
    const Napi::Object options = info[1].As<Napi::Object>();
    options_.threads = options.Get("threads").As<Napi::Number>().Int32Value();
    options_.profile = options.Get("profile").As<Napi::String>();
    kernels_ = options.Get("kernels").As<Napi::String>();
    if (kernels_.empty()) kernels_ = kernels::forced_isa_name();
    const Napi::Object config = options.Get("config").As<Napi::Object>();
    for (const auto& [key, value] : config) {
      options_.config.emplace_back(key.As<Napi::String>().Utf8Value(),
                                   static_cast<Napi::Value>(value).As<Napi::String>().Utf8Value());
    }
    if (info[0].IsString()) {
      source_.path = info[0].As<Napi::String>();
    } else {
      const auto bytes = info[0].As<Napi::Uint8Array>();
      source_.bytes = bytes.Data();
      source_.byte_count = bytes.ByteLength();
      pinned_ = Napi::Persistent(bytes.As<Napi::Object>());
    }
  }

 private:
  void work() override {
    model_ = std::make_shared<LoadedModel>(load_model(source_, options_, kernels_));
  }

  Napi::Value result(Napi::Env env) override {
    return constructor_.New({Napi::External<std::shared_ptr<LoadedModel>>::New(env, &model_)});
  }

  Napi::FunctionReference& constructor_;
  ort::ModelSource source_;
  ort::ModelOptions options_;
  std::string kernels_;
  Napi::ObjectReference pinned_;
  std::shared_ptr<LoadedModel> model_;
};

class RunWorker final : public PromiseWorker {
 public:
  RunWorker(const Napi::CallbackInfo& info, std::shared_ptr<LoadedModel> model)
      : PromiseWorker(info.Env()), model_(std::move(model)) {
    const Napi::Array feeds = info[0].As<Napi::Array>(), wanted = info[1].As<Napi::Array>();
    if (feeds.Length() != model_->model->inputs().size()) {
      throw Napi::RangeError::New(info.Env(), "there must be a feed for each input");
    }
    for (uint32_t i = 0; i < feeds.Length(); ++i) {
      const Napi::Value feed = feeds[i];
      feeds_.push_back(read_feed(feed));
      pinned_.push_back(Napi::Persistent(feed.As<Napi::Object>().Get("data").As<Napi::Object>()));
    }
    for (uint32_t i = 0; i < wanted.Length(); ++i) {
      const Napi::Value index = wanted[i];
      wanted_.push_back(index.As<Napi::Number>().Uint32Value());
      if (wanted_.back() >= model_->model->outputs().size()) {
        throw Napi::RangeError::New(info.Env(), "there is no such output");
      }
    }
  }

 private:
  void work() override {
    // Taken out of the worker: if the session was disposed, its memory is freed here and not on the JavaScript thread.
    const std::shared_ptr<LoadedModel> model = std::move(model_);
    results_ = model->model->run(feeds_, wanted_);
  }

  Napi::Value result(Napi::Env env) override {
    Napi::Array results = Napi::Array::New(env, results_.size());
    for (uint32_t i = 0; i < results_.size(); ++i) {
      results.Set(i, make_result(env, results_[i].get()));
    }
    return results;
  }

  std::shared_ptr<LoadedModel> model_;
  std::vector<ort::Feed> feeds_;
  std::vector<size_t> wanted_;
  std::vector<Napi::ObjectReference> pinned_;
  std::vector<ort::ValuePtr> results_;
};

class DisposeWorker final : public PromiseWorker {
 public:
  DisposeWorker(Napi::Env env, std::shared_ptr<LoadedModel> model)
      : PromiseWorker(env), model_(std::move(model)) {}

 private:
  void work() override { model_.reset(); }
  Napi::Value result(Napi::Env env) override { return env.Undefined(); }

  std::shared_ptr<LoadedModel> model_;
};

template <typename Worker, typename... Arguments>
Napi::Value start(Arguments&&... arguments) {
  auto worker = std::make_unique<Worker>(std::forward<Arguments>(arguments)...);
  const Napi::Promise promise = worker->promise();
  worker.release()->Queue();  // it deletes itself when it is done
  return promise;
}

Napi::Array make_specs(Napi::Env env, const std::vector<ort::TensorSpec>& specs) {
  Napi::Array result = Napi::Array::New(env, specs.size());
  for (uint32_t i = 0; i < specs.size(); ++i) result.Set(i, make_spec(env, specs[i]));
  return result;
}

template <typename Values>
Napi::Array make_numbers(Napi::Env env, const Values& values) {
  Napi::Array result = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) {
    result.Set(i, Napi::Number::New(env, static_cast<double>(values[i])));
  }
  return result;
}

Napi::Object make_layer(Napi::Env env, const ops::LayerFacts& facts) {
  Napi::Object layer = Napi::Object::New(env);
  layer.Set("input", facts.input);
  layer.Set("weights", facts.weights);
  layer.Set("weightBits", Napi::Number::New(env, static_cast<double>(facts.weight_bits)));
  layer.Set("weightShape", make_numbers(env, facts.weight_shape));
  layer.Set("inputLevels", make_numbers(env, facts.input_levels));
  layer.Set("weightLevels", make_numbers(env, facts.weight_levels));
  return layer;
}

Napi::Array make_uses(Napi::Env env, const std::vector<ops::KernelUse>& uses) {
  Napi::Array result = Napi::Array::New(env, uses.size());
  for (uint32_t i = 0; i < uses.size(); ++i) {
    Napi::Object use = Napi::Object::New(env);
    use.Set("node", uses[i].node);
    use.Set("op", uses[i].op);
    use.Set("kernel", uses[i].kernel);
    if (uses[i].layer) use.Set("layer", make_layer(env, *uses[i].layer));
    result.Set(i, use);
  }
  return result;
}

}  // namespace

Napi::Function SessionObject::define(Napi::Env env) {
  return DefineClass(env, "Session",
                     {InstanceMethod<&SessionObject::run>("run"),
                      InstanceMethod<&SessionObject::dispose>("dispose")});
}

Napi::Value SessionObject::create(const Napi::CallbackInfo& info,
                                  Napi::FunctionReference& constructor) {
  return start<CreateWorker>(info, constructor);
}

SessionObject::SessionObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (info.Length() != 1 || !info[0].IsExternal()) {
    throw Napi::TypeError::New(info.Env(), "sessions are made by createSession");
  }
  model_ = *info[0].As<Napi::External<std::shared_ptr<LoadedModel>>>().Data();
  Napi::Object self = info.This().As<Napi::Object>();
  self.Set("inputs", make_specs(info.Env(), model_->model->inputs()));
  self.Set("outputs", make_specs(info.Env(), model_->model->outputs()));
  self.Set("kernels", make_uses(info.Env(), model_->settings->uses));
  self.Set("quantizers", model_->model->metadata("lcq.quantizers"));
}

Napi::Value SessionObject::run(const Napi::CallbackInfo& info) {
  if (model_ == nullptr) throw Napi::Error::New(info.Env(), "the session is disposed");
  return start<RunWorker>(info, model_);
}

Napi::Value SessionObject::dispose(const Napi::CallbackInfo& info) {
  return start<DisposeWorker>(info.Env(), std::move(model_));
}

}  // namespace lcq

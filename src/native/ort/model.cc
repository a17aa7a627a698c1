#include "model.h"

#include "error.h"
#include "library.h"

namespace lcq::ort {

namespace {

/// Whatever fails is reported by its status: it need not be on the standard error too.
constexpr int32_t kLogFatalOnly = 4;

SessionOptionsPtr make_options(const ModelOptions& options, OpDomain* domain) {
  SessionOptions* raw = nullptr;
  check(CreateSessionOptions(&raw));
  SessionOptionsPtr session_options(raw);
  check(SetSessionLogSeverityLevel(raw, kLogFatalOnly));
  check(SetIntraOpNumThreads(raw, options.threads));
  for (const auto& [key, value] : options.config) {
    check(AddSessionConfigEntry(raw, key.c_str(), value.c_str()));
  }
  if (!options.profile.empty()) check(EnableProfiling(raw, options.profile.c_str()));
  check(AddCustomOpDomain(raw, domain));
  return session_options;
}

SessionPtr open(const ModelSource& source, const SessionOptions* options) {
  Session* session = nullptr;
  const Env* env = library().env;
  check(source.byte_count == 0
            ? CreateSession(env, source.path.c_str(), options, &session)
            : CreateSessionFromArray(env, source.bytes, source.byte_count, options, &session));
  return SessionPtr(session);
}

template <const auto& GetName, const auto& GetType>
TensorSpec read_spec(const Session* session, size_t index) {
  char* name = nullptr;
  check(GetName(session, index, library().allocator, &name));
  TensorSpec spec{name, {}, {}};
  check(AllocatorFree(library().allocator, name));

  TypeInfo* raw = nullptr;
  check(GetType(session, index, &raw));
  const TypeInfoPtr type(raw);
  const TensorInfo* tensor = nullptr;  // a part of `type`
  check(CastTypeInfoToTensorInfo(type.get(), &tensor));
  if (tensor == nullptr) throw Error(kNotImplemented, "'" + spec.name + "' is not a tensor");
  int32_t element_type = 0;
  size_t rank = 0;
  check(GetTensorElementType(tensor, &element_type));
  check(GetDimensionsCount(tensor, &rank));
  spec.type = static_cast<ElementType>(element_type);
  spec.shape.resize(rank);
  check(GetDimensions(tensor, spec.shape.data(), rank));
  return spec;
}

template <const auto& GetCount, const auto& GetName, const auto& GetType>
std::vector<TensorSpec> read_specs(const Session* session) {
  size_t count = 0;
  check(GetCount(session, &count));
  std::vector<TensorSpec> specs;
  for (size_t i = 0; i < count; ++i) specs.push_back(read_spec<GetName, GetType>(session, i));
  return specs;
}

ValuePtr borrow(const Feed& feed) {
  Value* value = nullptr;
  check(CreateTensorWithData(library().cpu_memory, feed.data, feed.bytes, feed.shape.data(),
                             feed.shape.size(), static_cast<int32_t>(feed.type), &value));
  return ValuePtr(value);
}

}  // namespace

Model::Model(const ModelSource& source, const ModelOptions& options,
             std::unique_ptr<CustomOpDomain> domain)
    : domain_(std::move(domain)) {
  const SessionOptionsPtr session_options = make_options(options, domain_->get());
  try {
    session_ = open(source, session_options.get());
  } catch (const Error&) {
    if (domain_->refusal()) throw *domain_->refusal();
    throw;
  }
  inputs_ = read_specs<SessionGetInputCount, SessionGetInputName, SessionGetInputTypeInfo>(
      session_.get());
  outputs_ = read_specs<SessionGetOutputCount, SessionGetOutputName, SessionGetOutputTypeInfo>(
      session_.get());
}

std::string Model::metadata(const char* key) const {
  ModelMetadata* raw = nullptr;
  check(SessionGetModelMetadata(session_.get(), &raw));
  const ModelMetadataPtr metadata(raw);
  char* text = nullptr;
  check(ModelMetadataLookup(metadata.get(), library().allocator, key, &text));
  if (text == nullptr) return "";
  std::string value(text);
  check(AllocatorFree(library().allocator, text));
  return value;
}

std::vector<ValuePtr> Model::run(const std::vector<Feed>& feeds,
                                 const std::vector<size_t>& wanted) const {
  std::vector<ValuePtr> owned;
  std::vector<const char*> input_names, output_names;
  std::vector<const Value*> values;
  for (size_t i = 0; i < feeds.size(); ++i) {
    owned.push_back(borrow(feeds[i]));
    values.push_back(owned.back().get());
    input_names.push_back(inputs_[i].name.c_str());
  }
  for (const size_t index : wanted) output_names.push_back(outputs_[index].name.c_str());

  std::vector<Value*> raw(wanted.size(), nullptr);
  check(Run(session_.get(), nullptr, input_names.data(), values.data(), values.size(),
            output_names.data(), raw.size(), raw.data()));
  return std::vector<ValuePtr>(raw.begin(), raw.end());
}

}  // namespace lcq::ort

#include "tensors.h"

#include <cstring>

namespace lcq {

namespace {

Napi::Array make_dims(Napi::Env env, const ort::Shape& shape) {
  Napi::Array dims = Napi::Array::New(env, shape.size());
  for (uint32_t i = 0; i < shape.size(); ++i) {
    dims.Set(i, Napi::Number::New(env, static_cast<double>(shape[i])));
  }
  return dims;
}

ort::Shape read_dims(const Napi::Value& value) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), "dims must be an array");
  const Napi::Array dims = value.As<Napi::Array>();
  ort::Shape shape(dims.Length());
  for (uint32_t i = 0; i < dims.Length(); ++i) {
    const Napi::Value size = dims[i];
    const double number = size.IsNumber() ? size.As<Napi::Number>().DoubleValue() : -1;
    if (!(number >= 0 && number <= INT32_MAX) || number != static_cast<int32_t>(number)) {
      throw Napi::RangeError::New(value.Env(), "dims must be integers from 0 to 2^31 - 1");
    }
    shape[i] = static_cast<int64_t>(number);
  }
  return shape;
}

/// Bytes of a tensor, or SIZE_MAX where no buffer could be that large.
size_t tensor_bytes(const ort::Shape& shape, size_t item) {
  size_t bytes = item;
  for (const int64_t size : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<size_t>(size), &bytes)) return SIZE_MAX;
  }
  return bytes;
}

}  // namespace

size_t element_size(ort::ElementType type) {
  switch (type) {
    case ort::ElementType::kUint8:
    case ort::ElementType::kInt8:
    case ort::ElementType::kBool:
      return 1;
    case ort::ElementType::kUint16:
    case ort::ElementType::kInt16:
    case ort::ElementType::kFloat16:
      return 2;
    case ort::ElementType::kFloat32:
    case ort::ElementType::kInt32:
    case ort::ElementType::kUint32:
      return 4;
    case ort::ElementType::kFloat64:
    case ort::ElementType::kInt64:
    case ort::ElementType::kUint64:
      return 8;
    default:
      return 0;
  }
}

ort::Feed read_feed(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  if (!value.IsObject()) throw Napi::TypeError::New(env, "a feed must be an object");
  const Napi::Object feed = value.As<Napi::Object>();
  const Napi::Value type = feed.Get("type"), data = feed.Get("data");
  if (!type.IsNumber() || !data.IsTypedArray()) {
    throw Napi::TypeError::New(env, "a feed must have a type and a typed array");
  }
  ort::Feed result{static_cast<ort::ElementType>(type.As<Napi::Number>().Int32Value()),
                   read_dims(feed.Get("dims")), nullptr, data.As<Napi::TypedArray>().ByteLength()};
  const size_t item = element_size(result.type);
  if (item == 0 || tensor_bytes(result.shape, item) != result.bytes) {
    throw Napi::RangeError::New(env, "a feed's data must fill its dims");
  }
  const napi_status status = napi_get_typedarray_info(env, data, nullptr, nullptr, &result.data,
                                                      nullptr, nullptr);
  if (status != napi_ok) throw Napi::Error::New(env, "cannot read a feed's data");
  return result;
}

Napi::Object make_result(Napi::Env env, const ort::Value* value) {
  int32_t is_tensor = 0;
  ort::check(ort::IsTensor(value, &is_tensor));
  if (is_tensor == 0) throw Napi::Error::New(env, "an output is not a tensor");
  const ort::TensorView tensor = ort::view(value);
  const size_t item = element_size(tensor.type);
  if (item == 0) throw Napi::Error::New(env, "an output has an unsupported element type");
  const size_t bytes = tensor.count() * item;
  Napi::ArrayBuffer data = Napi::ArrayBuffer::New(env, bytes);
  if (bytes != 0) std::memcpy(data.Data(), tensor.data, bytes);
  Napi::Object result = Napi::Object::New(env);
  result.Set("type", Napi::Number::New(env, static_cast<int32_t>(tensor.type)));
  result.Set("dims", make_dims(env, tensor.shape));
  result.Set("data", data);
  return result;
}

Napi::Object make_spec(Napi::Env env, const ort::TensorSpec& spec) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("name", spec.name);
  result.Set("type", Napi::Number::New(env, static_cast<int32_t>(spec.type)));
  result.Set("dims", make_dims(env, spec.shape));
  return result;
}

}  // namespace lcq

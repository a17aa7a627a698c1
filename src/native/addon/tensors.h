// Tensors between JavaScript and ONNX Runtime.
#pragma once

#include <napi.h>

#include "../ort/model.h"

namespace lcq {

/// Bytes of an element; 0 for types that do not pass to JavaScript (strings).
size_t element_size(ort::ElementType type);

/// Reads { type, dims, data } (data: a typed array) without copying. Throws Napi::Error where data does not fill dims.
/// The caller keeps `data` alive while the feed is in use.
ort::Feed read_feed(const Napi::Value& value);

/// Makes { type, dims, data } (data: an ArrayBuffer, a copy).
Napi::Object make_result(Napi::Env env, const ort::Value* value);

/// Makes { name, type, dims } of a model's input or output.
Napi::Object make_spec(Napi::Env env, const ort::TensorSpec& spec);

}  // namespace lcq

#include "self_test.h"

#include <cstring>
#include <string>

#include "loaded_model.h"

namespace lcq {

namespace {

// The few protobuf encodings that the model of the self-test needs. All lengths and values are below 128.
std::string number(int field, int value) {
  return {static_cast<char>(field << 3), static_cast<char>(value)};
}

std::string message(int field, const std::string& body) {
  std::string encoded = {static_cast<char>(field << 3 | 2)};
  if (body.size() >= 128) encoded += static_cast<char>(body.size() % 128 + 128);
  encoded += static_cast<char>(body.size() >= 128 ? body.size() / 128 : body.size());
  return encoded + body;
}

std::string tensor_value(const char* name, ort::ElementType type, const ort::Shape& shape) {
  std::string dims;
  for (const int64_t size : shape) dims += message(1, number(1, static_cast<int>(size)));
  const std::string tensor = number(1, static_cast<int>(type)) + message(2, dims);
  return message(1, name) + message(2, message(1, tensor));
}

/// One LcqGlobalAveragePool of two pixels and two channels, with the scale 0.5.
std::string self_test_model() {
  const std::string half = {0x15, 0, 0, 0, 0x3f};  // field 2: 0.5f
  const std::string scale = message(1, "scale") + half + std::string{'\xa0', 0x01, 0x01};
  const std::string node = message(1, "S") + message(2, "Y") + message(4, "LcqGlobalAveragePool") +
                           message(5, scale) + message(7, "lcq");
  const std::string graph =
      message(1, node) + message(2, "self_test") +
      message(11, tensor_value("S", ort::ElementType::kInt16, {1, 1, 2, 2})) +
      message(12, tensor_value("Y", ort::ElementType::kUint8, {1, 2}));
  const std::string lcq_opset = message(1, "lcq") + number(2, 1);
  return number(1, 8) + message(7, graph) + message(8, number(2, 17)) + message(8, lcq_opset);
}

}  // namespace

void self_test() {
  const std::string model = self_test_model();
  const LoadedModel loaded =
      load_model({"", model.data(), model.size()}, ort::ModelOptions{}, "scalar");
  int16_t stream[] = {3, 4, 4, 1};  // sums 7 and 5, halves 3.5 and 2.5, to even 4 and 2
  const ort::Feed feed{ort::ElementType::kInt16, {1, 1, 2, 2}, stream, sizeof stream};
  const std::vector<ort::ValuePtr> results = loaded.model->run({feed}, {0});
  const ort::TensorView codes = ort::view(results[0].get());
  constexpr uint8_t kExpected[] = {4, 2};
  if (codes.shape != ort::Shape{1, 2} || std::memcmp(codes.data, kExpected, 2) != 0) {
    throw ort::Error(ort::kFail, "the self-test of the native add-on failed: custom ops do not "
                                 "compute what they should on this ONNX Runtime");
  }
}

}  // namespace lcq

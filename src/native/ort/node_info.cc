#include "node_info.h"

#include "error.h"

namespace lcq::ort {

namespace {

/// `get(out, &size)` tells the size without a buffer, and with one fills it.
template <typename Get>
std::string read_name(const Get& get) {
  size_t size = 0;
  check(get(nullptr, &size));
  std::string name(size, '\0');
  check(get(name.data(), &size));
  name.resize(std::strlen(name.c_str()));
  return name;
}

std::string node_name(const KernelInfo* info) {
  return read_name(
      [&](char* out, size_t* size) { return KernelInfoGetNodeName(info, out, size); });
}

}  // namespace

NodeInfo::NodeInfo(const char* op, const KernelInfo* info)
    : op_(op), node_(node_name(info)), info_(info) {}

void NodeInfo::refuse(const std::string& what) const {
  throw Error(kInvalidArgument, op_ + " node '" + node_ + "': " + what);
}

std::string NodeInfo::input_name(size_t index) const {
  return read_name([&](char* out, size_t* size) {
    return KernelInfoGetInputName(info_, index, out, size);
  });
}

int64_t NodeInfo::integer(const char* attribute) const {
  int64_t value = 0;
  if (Status* status = KernelInfoGetInt(info_, attribute, &value)) {
    ReleaseStatus(status);
    refuse(std::string("attribute '") + attribute + "' must be an integer");
  }
  return value;
}

float NodeInfo::real(const char* attribute) const {
  float value = 0;
  if (Status* status = KernelInfoGetFloat(info_, attribute, &value)) {
    ReleaseStatus(status);
    refuse(std::string("attribute '") + attribute + "' must be a float");
  }
  return value;
}

std::vector<int64_t> NodeInfo::integers(const char* attribute, size_t count) const {
  size_t size = 0;
  Status* status = KernelInfoGetInts(info_, attribute, nullptr, &size);
  if (status != nullptr || size != count) {
    if (status != nullptr) ReleaseStatus(status);
    refuse(std::string("attribute '") + attribute + "' must be a list of " + std::to_string(count) +
           " integers");
  }
  std::vector<int64_t> values(count);
  check(KernelInfoGetInts(info_, attribute, values.data(), &size));
  return values;
}

TensorView NodeInfo::constant_view(size_t index, const char* name, ElementType type,
                                   size_t rank) const {
  int32_t is_constant = 0;
  const Value* value = nullptr;
  check(KernelInfoGetConstantInput(info_, index, &is_constant, &value));
  const std::string input = std::string("input '") + name + "'";
  if (is_constant == 0 || value == nullptr) refuse(input + " must be a constant initializer");
  TensorView tensor = view(value);
  if (tensor.type != type) refuse(input + " has the wrong element type");
  if (tensor.shape.size() != rank) {
    refuse(input + " must have " + std::to_string(rank) + " axes");
  }
  return tensor;
}

}  // namespace lcq::ort

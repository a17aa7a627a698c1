#include "custom_op.h"

#include <limits>

namespace lcq::ort {

namespace {

std::string node_name(const KernelInfo* info) {
  size_t size = 0;
  check(KernelInfoGetNodeName(info, nullptr, &size));
  std::string name(size, '\0');
  check(KernelInfoGetNodeName(info, name.data(), &size));
  name.resize(std::strlen(name.c_str()));
  return name;
}

/// Runs `body`; what it throws becomes a status for ONNX Runtime.
template <typename Body>
Status* as_status(const Body& body) {
  try {
    body();
    return nullptr;
  } catch (const Error& error) {
    return CreateStatus(error.code, error.what());
  } catch (const std::exception& error) {
    return CreateStatus(kFail, error.what());
  }
}

}  // namespace

size_t TensorView::count() const {
  size_t product = 1;
  for (const int64_t size : shape) product *= static_cast<size_t>(size);
  return product;
}

TensorView view(const Value* value) {
  TensorInfo* raw = nullptr;
  check(GetTensorTypeAndShape(value, &raw));
  const TensorInfoPtr info(raw);
  int32_t type = 0;
  size_t rank = 0;
  void* data = nullptr;
  check(GetTensorElementType(info.get(), &type));
  check(GetDimensionsCount(info.get(), &rank));
  Shape shape(rank);
  check(GetDimensions(info.get(), shape.data(), rank));
  check(GetTensorMutableData(const_cast<Value*>(value), &data));
  return {static_cast<ElementType>(type), std::move(shape), data};
}

NodeInfo::NodeInfo(const char* op, const KernelInfo* info)
    : op_(op), node_(node_name(info)), info_(info) {}

void NodeInfo::refuse(const std::string& what) const {
  throw Error(kInvalidArgument, op_ + " node '" + node_ + "': " + what);
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

TensorView RunContext::input(size_t index) const {
  const Value* value = nullptr;
  check(KernelContextGetInput(context_, index, &value));
  return view(value);
}

void* RunContext::output_data(size_t index, const Shape& shape) const {
  Value* value = nullptr;
  void* data = nullptr;
  check(KernelContextGetOutput(context_, index, shape.data(), shape.size(), &value));
  check(GetTensorMutableData(value, &data));
  return data;
}

void RunContext::parallel_for(size_t count, const std::function<void(size_t)>& task) const {
  if (count == 1) return task(0);
  constexpr size_t kOneBatchPerThread = 0;
  check(KernelContextParallelFor(
      context_,
      [](void* argument, size_t index) {
        (*static_cast<const std::function<void(size_t)>*>(argument))(index);
      },
      count, kOneBatchPerThread, const_cast<std::function<void(size_t)>*>(&task)));
}

struct CustomOpDomain::Op : CustomOp {
  OpDefinition definition;
  CustomOpDomain* domain;

  Op(OpDefinition op_definition, CustomOpDomain* op_domain)
      : CustomOp{}, definition(std::move(op_definition)), domain(op_domain) {
    version = kApiVersion;
    name = [](const CustomOp* op) { return self(op).definition.name; };
    execution_provider = [](const CustomOp*) -> const char* { return nullptr; };  // the CPU
    input_count = [](const CustomOp* op) { return self(op).definition.inputs.size(); };
    output_count = [](const CustomOp* op) { return self(op).definition.outputs.size(); };
    input_type = [](const CustomOp* op, size_t index) {
      return static_cast<int32_t>(self(op).definition.inputs[index]);
    };
    output_type = [](const CustomOp* op, size_t index) {
      return static_cast<int32_t>(self(op).definition.outputs[index]);
    };
    // 0 stands for "required" and for the default memory.
    input_characteristic = output_characteristic = input_memory_type =
        [](const CustomOp*, size_t) { return int32_t{0}; };
    variadic_input_minimum = variadic_input_homogeneous = variadic_output_minimum =
        variadic_output_homogeneous = [](const CustomOp*) { return int32_t{1}; };
    start_version = [](const CustomOp*) { return int32_t{1}; };
    end_version = [](const CustomOp*) { return std::numeric_limits<int32_t>::max(); };
    create_kernel_v2 = create_op_kernel;
    compute_v2 = [](void* kernel, KernelContext* context) {
      return as_status([&] { static_cast<OpKernel*>(kernel)->compute(RunContext(context)); });
    };
    destroy = [](void* kernel) { delete static_cast<OpKernel*>(kernel); };
  }

  static const Op& self(const CustomOp* op) { return *static_cast<const Op*>(op); }

  static Status* create_op_kernel(const CustomOp* op, ApiTable, const KernelInfo* info,
                                  void** kernel) {
    return as_status([&] {
      try {
        *kernel = self(op).definition.create(NodeInfo(self(op).definition.name, info)).release();
      } catch (const Error& error) {
        self(op).domain->refusal_ = error;
        throw;
      }
    });
  }
};

CustomOpDomain::CustomOpDomain(const char* name, std::vector<OpDefinition> definitions) {
  OpDomain* domain = nullptr;
  check(CreateCustomOpDomain(name, &domain));
  domain_.reset(domain);
  for (OpDefinition& definition : definitions) {
    ops_.push_back(std::make_unique<Op>(std::move(definition), this));
    check(CustomOpDomainAdd(domain, ops_.back().get()));
  }
}

CustomOpDomain::~CustomOpDomain() = default;

}  // namespace lcq::ort

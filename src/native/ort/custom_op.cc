#include "custom_op.h"

#include <limits>
#include <string>

namespace lcq::ort {

namespace {

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

TensorView RunContext::input(size_t index) const {
  const Value* value = nullptr;
  check(KernelContextGetInput(context_, index, &value));
  return view(value);
}

void* RunContext::output_data(size_t index, const Shape& shape) const {
  // As reals: the product may be beyond 64 bits.
  double elements = 1;
  for (const int64_t size : shape) elements *= static_cast<double>(size);
  if (elements > std::numeric_limits<int32_t>::max()) {
    throw Error(kInvalidArgument, "output " + std::to_string(index) + " would have the shape " +
                                      to_string(shape) + ", beyond 2^31 - 1 elements");
  }
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
    may_in_place = definition.in_place.pairs;
    release_may_in_place = definition.in_place.release;
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

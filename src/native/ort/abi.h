// The part of the ONNX Runtime C ABI that this add-on uses, declared from its published facts: the position of each
// function in the API table, its signature, and the layout of a custom op. The table only ever grows, and an entry
// never moves once released; library.cc checks all of it again against the library that is really loaded.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lcq::ort {

struct Status;
struct Env;
struct Session;
struct SessionOptions;
struct RunOptions;
struct Value;
struct MemoryInfo;
struct Allocator;
struct TypeInfo;
struct TensorInfo;
struct ModelMetadata;
struct OpDomain;
struct KernelInfo;
struct KernelContext;
struct ShapeInferContext;
struct CustomOp;

using ApiTable = const void* const*;

struct ApiBase {
  ApiTable (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

/// The API version that is asked for: the first one that has every slot below and the custom op layout below.
inline constexpr uint32_t kApiVersion = 18;

enum StatusCode : int32_t {
  kFail = 1,
  kInvalidArgument = 2,
  kNoSuchFile = 3,
  kRuntimeException = 6,
  kInvalidProtobuf = 7,
  kNotImplemented = 9,
  kInvalidGraph = 10,
};

enum OnnxType : int32_t { kTensor = 1 };

namespace detail {

/// The table of the loaded library; set once by load_library() before anything else is called.
extern ApiTable table;

template <size_t Index, typename Signature>
struct Slot;

template <size_t Index, typename Result, typename... Arguments>
struct Slot<Index, Result(Arguments...)> {
  Result operator()(Arguments... arguments) const {
    using Function = Result (*)(Arguments...);
    return reinterpret_cast<Function>(const_cast<void*>(table[Index]))(arguments...);
  }
};

}  // namespace detail

// X(position in the table, name, result, parameters)
#define LCQ_ORT_SLOTS(X)                                                                             \
  X(0, CreateStatus, Status*, int32_t code, const char* message)                                     \
  X(1, GetErrorCode, int32_t, const Status*)                                                         \
  X(2, GetErrorMessage, const char*, const Status*)                                                  \
  X(3, CreateEnv, Status*, int32_t log_level, const char* log_id, Env** out)                         \
  X(7, CreateSession, Status*, const Env*, const char* path, const SessionOptions*, Session** out)   \
  X(8, CreateSessionFromArray, Status*, const Env*, const void* model, size_t bytes,                 \
    const SessionOptions*, Session** out)                                                            \
  X(9, Run, Status*, Session*, const RunOptions*, const char* const* input_names,                    \
    const Value* const* inputs, size_t input_count, const char* const* output_names,                 \
    size_t output_count, Value** outputs)                                                            \
  X(10, CreateSessionOptions, Status*, SessionOptions** out)                                         \
  X(14, EnableProfiling, Status*, SessionOptions*, const char* path_prefix)                          \
  X(22, SetSessionLogSeverityLevel, Status*, SessionOptions*, int32_t level)                         \
  X(24, SetIntraOpNumThreads, Status*, SessionOptions*, int32_t threads)                             \
  X(26, CreateCustomOpDomain, Status*, const char* name, OpDomain** out)                             \
  X(27, CustomOpDomainAdd, Status*, OpDomain*, const CustomOp*)                                      \
  X(28, AddCustomOpDomain, Status*, SessionOptions*, OpDomain*)                                      \
  X(30, SessionGetInputCount, Status*, const Session*, size_t* out)                                  \
  X(31, SessionGetOutputCount, Status*, const Session*, size_t* out)                                 \
  X(33, SessionGetInputTypeInfo, Status*, const Session*, size_t index, TypeInfo** out)              \
  X(34, SessionGetOutputTypeInfo, Status*, const Session*, size_t index, TypeInfo** out)             \
  X(36, SessionGetInputName, Status*, const Session*, size_t index, Allocator*, char** out)          \
  X(37, SessionGetOutputName, Status*, const Session*, size_t index, Allocator*, char** out)         \
  X(49, CreateTensorWithData, Status*, const MemoryInfo*, void* data, size_t bytes,                  \
    const int64_t* shape, size_t rank, int32_t element_type, Value** out)                            \
  X(50, IsTensor, Status*, const Value*, int32_t* out)                                               \
  X(51, GetTensorMutableData, Status*, Value*, void** out)                                           \
  X(55, CastTypeInfoToTensorInfo, Status*, const TypeInfo*, const TensorInfo** out)                  \
  X(60, GetTensorElementType, Status*, const TensorInfo*, int32_t* out)                              \
  X(61, GetDimensionsCount, Status*, const TensorInfo*, size_t* out)                                 \
  X(62, GetDimensions, Status*, const TensorInfo*, int64_t* out, size_t rank)                        \
  X(65, GetTensorTypeAndShape, Status*, const Value*, TensorInfo** out)                              \
  X(69, CreateCpuMemoryInfo, Status*, int32_t allocator_type, int32_t memory_type, MemoryInfo** out) \
  X(76, AllocatorFree, Status*, Allocator*, void*)                                                   \
  X(78, GetAllocatorWithDefaultOptions, Status*, Allocator** out)                                    \
  X(85, KernelInfoGetFloat, Status*, const KernelInfo*, const char* name, float* out)                \
  X(86, KernelInfoGetInt, Status*, const KernelInfo*, const char* name, int64_t* out)                \
  X(90, KernelContextGetInput, Status*, const KernelContext*, size_t index, const Value** out)       \
  X(91, KernelContextGetOutput, Status*, KernelContext*, size_t index, const int64_t* shape,         \
    size_t rank, Value** out)                                                                        \
  X(93, ReleaseStatus, void, Status*)                                                                \
  X(95, ReleaseSession, void, Session*)                                                              \
  X(96, ReleaseValue, void, Value*)                                                                  \
  X(98, ReleaseTypeInfo, void, TypeInfo*)                                                            \
  X(99, ReleaseTensorInfo, void, TensorInfo*)                                                        \
  X(100, ReleaseSessionOptions, void, SessionOptions*)                                               \
  X(101, ReleaseCustomOpDomain, void, OpDomain*)                                                     \
  X(111, SessionGetModelMetadata, Status*, const Session*, ModelMetadata** out)                      \
  X(116, ModelMetadataLookup, Status*, const ModelMetadata*, Allocator*, const char* key, char** out) \
  X(118, ReleaseModelMetadata, void, ModelMetadata*)                                                 \
  X(130, AddSessionConfigEntry, Status*, SessionOptions*, const char* key, const char* value)        \
  X(163, KernelInfoGetInts, Status*, const KernelInfo*, const char* name, int64_t* out, size_t* size) \
  X(232, KernelInfoGetInputName, Status*, const KernelInfo*, size_t index, char* out, size_t* size)  \
  X(244, KernelInfoGetNodeName, Status*, const KernelInfo*, char* out, size_t* size)                 \
  X(249, KernelInfoGetConstantInput, Status*, const KernelInfo*, size_t index, int32_t* is_constant, \
    const Value** out)                                                                               \
  X(274, KernelContextParallelFor, Status*, const KernelContext*, void (*task)(void*, size_t),       \
    size_t count, size_t batches, void* argument)

#define LCQ_DECLARE_SLOT(INDEX, NAME, RESULT, ...) \
  inline constexpr detail::Slot<INDEX, RESULT(__VA_ARGS__)> NAME;
LCQ_ORT_SLOTS(LCQ_DECLARE_SLOT)
#undef LCQ_DECLARE_SLOT

inline constexpr size_t kSlots[] = {
#define LCQ_SLOT_INDEX(INDEX, ...) INDEX,
    LCQ_ORT_SLOTS(LCQ_SLOT_INDEX)
#undef LCQ_SLOT_INDEX
};

/// What ONNX Runtime calls to learn of a custom op, to make a kernel of it and to run that.
struct CustomOp {
  uint32_t version;
  void* (*create_kernel)(const CustomOp*, ApiTable, const KernelInfo*);
  const char* (*name)(const CustomOp*);
  const char* (*execution_provider)(const CustomOp*);
  int32_t (*input_type)(const CustomOp*, size_t index);
  size_t (*input_count)(const CustomOp*);
  int32_t (*output_type)(const CustomOp*, size_t index);
  size_t (*output_count)(const CustomOp*);
  void (*compute)(void* kernel, KernelContext*);
  void (*destroy)(void* kernel);
  int32_t (*input_characteristic)(const CustomOp*, size_t index);
  int32_t (*output_characteristic)(const CustomOp*, size_t index);
  int32_t (*input_memory_type)(const CustomOp*, size_t index);
  int32_t (*variadic_input_minimum)(const CustomOp*);
  int32_t (*variadic_input_homogeneous)(const CustomOp*);
  int32_t (*variadic_output_minimum)(const CustomOp*);
  int32_t (*variadic_output_homogeneous)(const CustomOp*);
  Status* (*create_kernel_v2)(const CustomOp*, ApiTable, const KernelInfo*, void** kernel);
  Status* (*compute_v2)(void* kernel, KernelContext*);
  Status* (*infer_shape)(const CustomOp*, ShapeInferContext*);
  int32_t (*start_version)(const CustomOp*);
  int32_t (*end_version)(const CustomOp*);
  size_t (*may_in_place)(int32_t** inputs, int32_t** outputs);
  void (*release_may_in_place)(int32_t* inputs, int32_t* outputs);
  size_t (*alias_map)(int32_t** inputs, int32_t** outputs);
  void (*release_alias_map)(int32_t* inputs, int32_t* outputs);
};
static_assert(sizeof(CustomOp) == 26 * sizeof(void*), "ONNX Runtime reads this struct by position");

}  // namespace lcq::ort

#include "loaded_model.h"

#include <stdexcept>
#include <thread>

#include "../ort/library.h"

namespace lcq {

namespace {

/// Pieces of work per thread: enough to level out unequal threads.
constexpr size_t kPiecesPerThread = 4;

kernels::Isa choose(const std::string& name) {
  try {
    return kernels::choose_isa(name);
  } catch (const std::invalid_argument& error) {
    throw ort::Error(ort::kNotImplemented, error.what());
  }
}

}  // namespace

LoadedModel load_model(const ort::ModelSource& source, const ort::ModelOptions& options,
                       const std::string& kernels) {
  ort::library();  // throws where it is not loaded: without its table, no call below may be made
  LoadedModel loaded;
  const size_t threads = options.threads > 0 ? options.threads : std::thread::hardware_concurrency();
  const size_t pieces = threads <= 1 ? 1 : threads * kPiecesPerThread;
  loaded.settings =
      std::make_unique<ops::OpSettings>(ops::OpSettings{choose(kernels), pieces, {}});
  loaded.model =
      std::make_unique<ort::Model>(source, options, ops::make_lcq_domain(*loaded.settings));
  return loaded;
}

}  // namespace lcq

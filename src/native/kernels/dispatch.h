// The only place where a kernel is chosen.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conv.h"

namespace lcq::kernels {

/// A set of kernels for one instruction set.
enum class Isa {
  kScalar,
  kAvx2,
  kAvxVnni,
  kAvx512Vnni,
  kAvx512Vbmi,
  kAmx,
  kNeon,
  kNeonDot,
  kNeonI8mm
};

struct IsaInfo {
  Isa isa;
  const char* name;
  /// Built into this add-on, and the processor can run it.
  bool available;
  std::vector<const char*> kernels;
};

/// Every instruction set that this project has kernels for, the one preferred on this processor last.
const std::vector<IsaInfo>& isas();

/// The value of the environment variable LCQ_KERNELS, which forces an instruction set; empty if it is not set.
std::string forced_isa_name();

/// The instruction set called `name`; an empty name is the best available one.
/// Throws std::invalid_argument, listing the names to choose from, if there is none or it is not available.
Isa choose_isa(std::string_view name);

/// The kernel of `isa` that takes the layer; the scalar one where none does.
std::unique_ptr<Conv> make_conv(const ConvLayer& layer, Isa isa);

}  // namespace lcq::kernels

#include "dispatch.h"

#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "cpu_features.h"
#include "depthwise_conv.h"
#include "lookup_conv.h"
#include "panel_conv.h"
#include "scalar.h"

namespace lcq::kernels {

namespace {

/// The kernels of an instruction set.
struct KernelSet {
  const DepthwiseKernel* depthwise = nullptr;
  const LookupKernel* lookup = nullptr;
  std::vector<const PanelKernel*> panel;  // the preferred first
};

KernelSet kernel_set([[maybe_unused]] Isa isa) {
#if defined(LCQ_AMX)
  if (isa == Isa::kAmx) {
    return {&depthwise_u8s8_8x64_avx512vnni, nullptr, {&conv_u8s8_32x32_amx}};
  }
#endif
#if defined(LCQ_X86_64)
  if (isa == Isa::kAvx512Vbmi) {
    return {&depthwise_u8s8_8x64_avx512vnni,
            &lookup_u2s2_8x64_avx512vbmi,
            {&conv_u8s8_8x32_avx512vnni}};
  }
  if (isa == Isa::kAvx512Vnni) {
    return {&depthwise_u8s8_8x64_avx512vnni, nullptr, {&conv_u8s8_8x32_avx512vnni}};
  }
#if defined(LCQ_AVXVNNI)
  if (isa == Isa::kAvxVnni) {
    return {&depthwise_u8s16_8x16_avx2, &lookup_u2s2_4x32_avx2, {&conv_u8s8_6x16_avxvnni}};
  }
#endif
  if (isa == Isa::kAvx2) {
    return {&depthwise_u8s16_8x16_avx2,
            &lookup_u2s2_4x32_avx2,
            {&conv_u8s8_4x16_avx2, &conv_u8s16_4x16_avx2}};
  }
#endif
#if defined(LCQ_ARM64)
  if (isa == Isa::kNeonI8mm) {
    return {&depthwise_u8s16_8x16_neon, &lookup_u2s2_4x32_neon, {&conv_u8s8_8x8_neoni8mm}};
  }
  if (isa == Isa::kNeonDot) {
    return {&depthwise_u8s16_8x16_neon,
            &lookup_u2s2_4x32_neon,
            {&conv_u7s8_8x8_neondot, &conv_u8s16_4x16_neon}};
  }
  if (isa == Isa::kNeon) {
    return {&depthwise_u8s16_8x16_neon, &lookup_u2s2_4x32_neon, {&conv_u8s16_4x16_neon}};
  }
#endif
  return {};
}

std::vector<IsaInfo> describe() {
  const CpuFeatures cpu = cpu_features();
  std::vector<IsaInfo> infos = {
      {Isa::kScalar, "scalar", true,
       {"conv_u8s8_1x1_scalar", "global_average_pool_s16_scalar", "max_pool_u8_scalar",
        "max_pool_s16_scalar"}},
      {Isa::kAvx2, "avx2", cpu.avx2, {}},
      {Isa::kAvxVnni, "avxvnni", cpu.avxvnni, {}},
      {Isa::kAvx512Vnni, "avx512vnni", cpu.avx512vnni, {}},
      {Isa::kAvx512Vbmi, "avx512vbmi", cpu.avx512vbmi, {}},
      {Isa::kAmx, "amx", cpu.amx, {}},
      {Isa::kNeon, "neon", cpu.neon, {}},
      {Isa::kNeonDot, "neondot", cpu.neondot, {}},
      {Isa::kNeonI8mm, "neoni8mm", cpu.neoni8mm, {}},
  };
  // Where permutes are slow, a look-up gains nothing over vpdpbusd.
  if (!cpu.fast_byte_permutes) std::swap(infos[3], infos[4]);
  for (IsaInfo& info : infos) {
    const KernelSet set = kernel_set(info.isa);
    if (set.lookup != nullptr) info.kernels.push_back(set.lookup->name);
    for (const PanelKernel* kernel : set.panel) info.kernels.push_back(kernel->name);
    if (set.depthwise != nullptr) info.kernels.push_back(set.depthwise->name);
    info.available = info.available && !info.kernels.empty();
  }
  return infos;
}

}  // namespace

const std::vector<IsaInfo>& isas() {
  static const auto* infos = new std::vector<IsaInfo>(describe());
  return *infos;
}

std::string forced_isa_name() {
  const char* name = std::getenv("LCQ_KERNELS");
  return name == nullptr ? "" : name;
}

Isa choose_isa(std::string_view name) {
  std::string choices;
  Isa best = Isa::kScalar;
  for (const IsaInfo& info : isas()) {
    if (!info.available) continue;
    if (info.name == name) return info.isa;
    best = info.isa;
    if (!choices.empty()) choices += ", ";
    choices += info.name;
  }
  if (name.empty()) return best;
  throw std::invalid_argument("there are no kernels '" + std::string(name) +
                              "' for this processor, only: " + choices);
}

std::unique_ptr<Conv> make_conv(const ConvLayer& layer, Isa isa) {
  const KernelSet set = kernel_set(isa);
  if (set.depthwise != nullptr && is_depthwise(layer)) {
    return make_depthwise_conv(layer, *set.depthwise);
  }
  if (set.lookup != nullptr && takes(*set.lookup, layer)) {
    return make_lookup_conv(layer, *set.lookup);
  }
  for (const PanelKernel* kernel : set.panel) {
    if (takes(*kernel, layer)) return make_panel_conv(layer, *kernel);
  }
  return make_scalar_conv(layer);
}

}  // namespace lcq::kernels

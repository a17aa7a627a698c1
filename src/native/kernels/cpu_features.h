// What the processor can do; probed here and nowhere else.
#pragma once

namespace lcq::kernels {

struct CpuFeatures {
  bool avx2 = false;
  /// AVX2 and AVX-VNNI.
  bool avxvnni = false;
  /// AVX-512 F, BW, DQ, VL and VNNI together.
  bool avx512vnni = false;
  /// These and VBMI.
  bool avx512vbmi = false;
  /// Two byte permutes of 512 bits a cycle (AMD Zen 4 and later); Intel's processors do one.
  bool fast_byte_permutes = false;
  /// AVX-512 as above and AMX with 8-bit integers, which this process may use.
  bool amx = false;
  /// All 64-bit Arm processors; with FEAT_DotProd; with FEAT_I8MM too.
  bool neon = false;
  bool neondot = false;
  bool neoni8mm = false;
};

/// The features of this processor that the operating system lets programs use. On Linux a process must ask for AMX:
/// this does.
CpuFeatures cpu_features();

}  // namespace lcq::kernels

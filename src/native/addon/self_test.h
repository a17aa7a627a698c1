// A check that takes a millisecond, made when the ONNX Runtime library is loaded.
#pragma once

namespace lcq {

/// Runs a model of one op whose result is known. Throws if custom ops do not work on the loaded library.
void self_test();

}  // namespace lcq

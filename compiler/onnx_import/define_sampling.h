// GridSample and DeformConv: samples of images at computed places.
//
// A sample along an axis is a product with what each element counts at its distance from the
// place: max(0, 1 - |d|) between two neighbours, a cubic between four. Of several axes the shares
// are multiplied, and one matrix product sums up.
#pragma once

#include "absl/status/status.h"
#include "compiler/onnx_import/function_text.h"

namespace lindero::compiler {

absl::Status writeGridSample(FunctionText& b);
absl::Status writeDeformConv(FunctionText& b);

}  // namespace lindero::compiler

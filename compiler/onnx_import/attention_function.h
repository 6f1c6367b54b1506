// The standard's Attention with a soft cap.
//
// onnxruntime caps scores before it masks them, so that what is masked stays so. The definition in
// ONNX 1.19 caps after that, which leaves masked keys with weights: it is not taken.
#pragma once

#include "absl/status/statusor.h"
#include "compiler/onnx_import/function_text.h"

namespace lindero::compiler {

// Does the node, of the ONNX domain, cap scores and mask them?
bool capsMaskedScores(const onnx::NodeProto& node);

// Such a node's body. kUnimplemented: with a past, or with scores that are outputs.
absl::StatusOr<onnx::FunctionProto> cappedAttention(const onnx::NodeProto& node,
                                                    llvm::ArrayRef<ir::Value*> inputs);

}  // namespace lindero::compiler

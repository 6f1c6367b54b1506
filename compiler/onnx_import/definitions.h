// Definitions, in other ops of the ONNX domain, of ops that the standard defines in words alone.
//
// Integers of quantized files are whole reals on the way: MatMulInteger and ConvInteger give reals.
// DynamicQuantizeLinear is the identity, with scale 1 and zero point 0: what follows computes with
// the activation as it was before it was rounded.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "llvm/ADT/ArrayRef.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

// Their types.
std::vector<std::string> definedOps();

// The body of such a node, in ops of opset 24. Operands are null where the node leaves one out.
absl::StatusOr<onnx::FunctionProto> definedBody(const onnx::NodeProto& node,
                                                llvm::ArrayRef<ir::Value*> inputs);

}  // namespace lindero::compiler

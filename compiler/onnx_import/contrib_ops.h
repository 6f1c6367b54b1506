// Ops of onnxruntime's transformer optimizer (domain com.microsoft), as functions of ONNX ops.
//
// The ONNX library does not know them: their schemas, of what is supported of them, are registered
// with it here, so that its checker and its shape inference do.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "llvm/ADT/ArrayRef.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

constexpr char kContribDomain[] = "com.microsoft";

// "com.microsoft.Attention" and so on, sorted.
std::vector<std::string> contribOps();

// Once per process; more calls do nothing.
void registerContribSchemas();

// onnxruntime takes some of them in ONNX's own domain, too, where the opset has no such op: moves
// these nodes to the contrib domain.
void moveContribNodes(onnx::ModelProto& model, int64_t opset);

// What the node computes, written in ONNX ops. `inputs` are null where one is left out. Errors:
// kUnimplemented for a part of the op that is not supported.
absl::StatusOr<onnx::FunctionProto> contribBody(const onnx::NodeProto& node,
                                                llvm::ArrayRef<ir::Value*> inputs);

}  // namespace lindero::compiler

// The ONNX types of a file's values: in the tensor dialect all reals are one type, and all integers
// another.
#pragma once

#include "absl/status/statusor.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/ir.h"
#include "llvm/ADT/ArrayRef.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

// A value, null where a node leaves it out, with the ONNX type that it has by that name. (A cast
// may give the same value another type.)
struct TypedValue {
  ir::Value* value = nullptr;
  int type = onnx::TensorProto::UNDEFINED;
};

// The type of output i, by the schema of the node's op and by its attributes. UNDEFINED if neither
// tells. (The library's types would be keyed by names, which branches share.)
int outputType(const onnx::NodeProto& node, int64_t opset, llvm::ArrayRef<TypedValue> inputs,
               int i);

// The input with a statement of what it may be: of integers of few bits, or without a sign.
absl::StatusOr<ir::Value*> withType(ir::Builder& builder, ir::Value* input, int onnx_type);

// An error if a constant among the inputs has integers beyond 2^63, which are held in two's
// complement, and the op is not one to which that is the same.
absl::Status checkUnsigned(const NodeEmitter& e, const onnx::NodeProto& node,
                           llvm::ArrayRef<TypedValue> inputs);

// What a node has computed, as the type holds it: integers beyond it wrap around, and reals that
// are cast to 16 bits are infinite beyond these. Nothing is emitted for what can be in range only.
absl::StatusOr<ir::Value*> heldAs(NodeEmitter& e, const onnx::NodeProto& node, ir::Value* value,
                                  int onnx_type);

}  // namespace lindero::compiler

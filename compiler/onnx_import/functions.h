// Ops that are functions of other ops, which the importer emits in place of them. Some the standard
// defines so: the ONNX library has their bodies. Others are those of contrib_ops.h.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "llvm/ADT/ArrayRef.h"
#include "onnx/onnx_pb.h"

namespace onnx {
class OpSchema;
}

namespace lindero::compiler {

// Of the node's op, in that version of the ONNX domain; null if there is none.
const onnx::OpSchema* schemaOf(const onnx::NodeProto& node, int64_t opset);

// The op types that are imported by their definition, sorted: each is made of ops that have an
// emitter, and is tested. (Others of the standard's functions are not, or have an emitter.)
const std::vector<std::string>& functionOps();

// What bodies are told that operands of an element type are.
int onnxTypeOf(ir::Element element);

// The body of a node's op in that version of the ONNX domain, with the node's attributes, or their
// defaults, put in place of references. Bodies may depend on the operands' types: `inputs`, null
// where an optional one is left out. Errors: kUnimplemented if the op has no body for these
// operands and attributes; what the library says.
absl::StatusOr<onnx::FunctionProto> functionBody(const onnx::NodeProto& node, int64_t opset,
                                                 llvm::ArrayRef<ir::Value*> inputs);

// An error if an input is null that the node's op cannot do without, or one of several alike: a
// call of a model's function may leave out what its body needs.
absl::Status checkRequired(const onnx::NodeProto& node, int64_t opset,
                           llvm::ArrayRef<ir::Value*> inputs);

// Writes the defaults of such nodes' attributes into them: the library's shape inference misses the
// default of an attribute that a body refers to.
void writeDefaults(onnx::GraphProto& graph, int64_t opset);

}  // namespace lindero::compiler

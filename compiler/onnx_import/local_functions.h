// Functions of a model's own, before the ONNX library inlines them.
#pragma once

#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

// Domain, name, overload.
using FunctionKey = std::tuple<std::string, std::string, std::string>;
FunctionKey keyOf(const onnx::FunctionProto& function);
FunctionKey calledBy(const onnx::NodeProto& node);

// Refuses recursion, growth beyond a million nodes, and names of ONNX's own operators, of which
// runtimes differ in what a node means by them.
absl::Status checkLocalFunctions(const onnx::ModelProto& model);

// Gives each call the defaults of the attributes that it leaves out, which inlining does not.
void writeFunctionDefaults(onnx::ModelProto& model);

}  // namespace lindero::compiler

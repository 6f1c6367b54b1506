// What a user is to know of a file that is imported all the same: where it says something else than
// what is computed, and where it leaves open what runtimes decide.
#pragma once

#include <string>
#include <vector>

#include "ir/core/ir.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

// Of the shapes of outputs as the file declares them, and of the nodes (which have names) of the
// graph that the function was made of.
std::vector<std::string> notesOnFile(const std::vector<onnx::ValueInfoProto>& declared,
                                     const onnx::GraphProto& graph, const ir::Function& function);

}  // namespace lindero::compiler

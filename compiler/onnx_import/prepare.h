// Everything that the ONNX library does for the importer before nodes are emitted.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "compiler/onnx_import/import.h"
#include "compiler/onnx_import/model_file.h"
#include "ir/core/problems.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

// Names come from the file: whatever they hold, what names a value or a node is one line. Control
// characters become question marks.
std::string printable(std::string text);

bool isDefaultDomain(const std::string& domain);

// The version of the ONNX domain, 0 if the model imports none.
int64_t opsetOf(const onnx::ModelProto& model);

// What an op is listed as: its type, after its domain if that is another than ONNX's own
// ("com.microsoft.BiasGelu").
std::string qualifiedOp(const onnx::NodeProto& node);

// The branches of an If; nothing of other nodes.
std::vector<onnx::GraphProto*> branchesOf(onnx::NodeProto& node);
std::vector<const onnx::GraphProto*> branchesOf(const onnx::NodeProto& node);

// Checks the model (ONNX checker), inlines its local functions, names unnamed nodes, makes every
// input static and caches of past keys and values empty (empty_caches.h), converts old opsets,
// propagates shapes. Errors: what the library says, in one line; recursive functions; opsets
// outside of 7 to 28;
// dimensions that are not bound (with the remedy) or bound but unknown, or bound to other sizes
// than the options allow. Ops that are not among the supported ones go to `problems`, and the rest
// goes on without them.
absl::Status prepareModel(ModelFile& file, const ImportOptions& import,
                          const std::set<std::string>& supported_ops, ir::Problems& problems);

}  // namespace lindero::compiler

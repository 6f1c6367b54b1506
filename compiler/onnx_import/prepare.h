// Everything that the ONNX library does for the importer. It reports errors by exceptions: they end
// in this file.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

// Checks the model (ONNX checker), inlines its local functions, names unnamed nodes, makes every
// input static and caches of past keys and values empty (empty_caches.h), propagates shapes.
// Errors: what the library says, in one line; recursive functions; opsets outside of 13 to 21;
// dimensions that are not bound (with the remedy) or bound but unknown.
absl::Status prepareModel(onnx::ModelProto& model, const std::map<std::string, int64_t>& dims,
                          const std::set<std::string>& supported_ops);

}  // namespace lindero::compiler

// ONNX -> tensor IR.
//
// The file is read, checked, inlined and shape-checked by the ONNX library itself; what remains is
// one emitter per ONNX op (emit_*.cc), or the op's definition by the standard as a function of such
// ops (functions.h). Opsets 7 to 28 (old_opsets.h). Dimensions become static: symbolic ones are
// bound by ImportOptions::dims; arithmetic on shapes is evaluated on the way. The module holds one
// function @main whose arguments and `tensor.return` names are those of the graph; every op carries
// its ONNX node's name as location (a node without a name is called <op type>_<index>).
//
// Weights stay in the mapped file, which the module keeps open; they are copied only where they are
// misaligned, or not f32 or int64. Files are hostile until proven otherwise: sizes are checked
// before they are believed, external data never leaves the model's folder, and every error is one
// line that names file, node or initializer. kInvalidArgument: bad input; kUnimplemented: a valid
// model beyond what is supported; kFailedPrecondition: a dimension without a size; kDataLoss: a
// weight that is not finite; kNotFound: no such file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"

namespace lindero::compiler {

struct ImportOptions {
  // Symbolic dimension -> size, as in `--dim seq=64`. A dimension without a name is called
  // "<input>[<axis>]"; "*" stands for all that are not named.
  std::map<std::string, int64_t> dims;
  // How many elements inputs with such dimensions are to have; those not named here, at most
  // `most_elements`. Another number is an error, before anything of these sizes is made. Empty and
  // 0: any number will do.
  std::map<std::string, int64_t> elements = {};
  int64_t most_elements = 0;
  // Where to put what a user is to know of a file that is imported all the same.
  std::vector<std::string>* notes = nullptr;
  // Each node as the file has it, even where another order of the same ops is better in integers:
  // for a reference.
  bool as_written = false;
};

// Time and memory are linear in the file, apart from inlined functions (at most a million nodes).
// ir::registerAllDialects() must have been called.
absl::StatusOr<std::unique_ptr<ir::Module>> importOnnx(const std::string& path,
                                                       const ImportOptions& options = {});

// The files beside the model that hold weights of it, as the model names them, sorted.
absl::StatusOr<std::vector<std::string>> externalFiles(const std::string& path);

// The ONNX op types that can be imported, sorted; those of other domains after the domain's name
// ("com.microsoft.BiasGelu").
std::vector<std::string> supportedOnnxOps();

}  // namespace lindero::compiler

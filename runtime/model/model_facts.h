// What is worth knowing of a model beyond its circuit: sizes, inputs, outputs, whether it is
// causal. Taken from the float function after import, written to the package's report.json, read
// back when the package is used. Nothing here is part of what is proven.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "llvm/ADT/StringRef.h"
#include "nlohmann/json.hpp"

namespace lindero::compiler {

struct TensorFacts {
  std::string name;
  bool integer = false;  // token ids; else reals
  std::vector<int64_t> shape;
};

struct ModelFacts {
  std::string file;        // name of the ONNX file, without folders
  std::string sha256;      // of its bytes
  int64_t parameters = 0;  // elements of the constants in use, a tied head's once
  bool causal = false;     // every position depends on those before it alone
  int64_t vocabulary = 0;  // of the token input; 0: there is none
  std::vector<TensorFacts> inputs;
  std::vector<TensorFacts> outputs;

  bool readsTokens() const { return vocabulary > 0; }
  const TensorFacts* input(llvm::StringRef name) const;  // null if there is none
};

// Of a function in the canonical form that import cleanup leaves; file and sha256 stay empty.
ModelFacts modelFacts(const ir::Function& function);

nlohmann::ordered_json toJson(const ModelFacts& facts);
// Fails on anything that toJson does not write.
absl::StatusOr<ModelFacts> modelFactsFromJson(const nlohmann::ordered_json& json);

// "int [64]", "float [16, 32]"
std::string describe(const TensorFacts& tensor);

}  // namespace lindero::compiler

// What is worth knowing of a model beyond its circuit: sizes, inputs, outputs, whether it is
// causal. The compiler writes it to the package's report.json; it is read back when the package is
// used. Nothing here is part of what is proven.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace lindero::runtime {

struct TensorFacts {
  std::string name;
  bool integer = false;  // token ids; else reals
  std::vector<int64_t> shape;
  std::vector<int64_t> onnx_shape = {};  // in the ONNX file, where that is another one; else empty
  bool unread = false;                   // an input that no output depends on
  int64_t values = 0;                    // of integers: 0 .. values - 1; 0: not known
};

struct ModelFacts {
  std::string file;        // name of the ONNX file, without folders
  std::string sha256;      // of its bytes
  int64_t parameters = 0;  // elements of the constants in use, a tied head's once
  bool causal = false;     // every position depends on those before it alone
  int64_t vocabulary = 0;  // of the token input, that of most values; 0: there is none
  std::vector<TensorFacts> inputs;
  std::vector<TensorFacts> outputs;

  bool readsTokens() const { return vocabulary > 0; }
  const TensorFacts* input(absl::string_view name) const;  // null if there is none
};

nlohmann::ordered_json toJson(const ModelFacts& facts);
// Fails on anything that toJson does not write.
absl::StatusOr<ModelFacts> modelFactsFromJson(const nlohmann::ordered_json& json);

// "int [64]", "float [16, 32] (in the ONNX file [1, 16, 32])"
std::string describe(const TensorFacts& tensor);
// Of all inputs, with their names.
std::string describeInputs(const ModelFacts& facts);

}  // namespace lindero::runtime

// Weights kept outside of the model file (TensorProto.external_data).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/onnx_import/model_file.h"

namespace lindero::compiler {

// Maps each file once. A location must be a relative path without "..", and, with every symbolic
// link resolved, a regular file inside of the model's folder; offset and length must lie inside of
// that file.
class ExternalData {
 public:
  explicit ExternalData(const std::string& model_path);

  // The bytes of a tensor whose data_location is EXTERNAL; fills bytes and owner of `initializer`.
  absl::Status attach(Initializer& initializer);

  // The locations that were opened, sorted.
  std::vector<std::string> locations() const;

 private:
  absl::StatusOr<const MappedFile*> open(const std::string& location);

  std::string folder_;
  std::map<std::string, MappedFile> files_;
};

}  // namespace lindero::compiler

// Cuts the raw data of large initializers out of a serialized ONNX model.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "llvm/ADT/ArrayRef.h"

namespace lindero::compiler {

struct ScannedModel {
  std::string skeleton;  // the serialized model without the bytes cut out
  // For each initializer of the graph, in order: its raw data if that was cut out, else empty.
  std::vector<llvm::ArrayRef<uint8_t>> raw_data;
};

// Raw data of `least` bytes or more is cut. Cost: a few bytes read per field of the model, and one
// copy of the skeleton. Fails with the offset of the first byte that is not a protobuf message.
absl::StatusOr<ScannedModel> scanModel(llvm::ArrayRef<uint8_t> file, size_t least);

}  // namespace lindero::compiler

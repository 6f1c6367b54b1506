// A model file in memory, with its weights left in the file.
//
// Parsing an ONNX protobuf copies every byte of it. So the raw data of large initializers is cut
// out of the message first (a scan of the protobuf wire format, which touches a few bytes per
// field), the rest is parsed, and each weight is a view of the mapping. What the ONNX library gets
// to see is a model in which those initializers are typed graph inputs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "llvm/ADT/ArrayRef.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

// A read-only file. `owner` keeps the mapping alive.
struct MappedFile {
  std::shared_ptr<const void> owner;
  llvm::ArrayRef<uint8_t> bytes;
};

// Regular files only: a pipe or a device may never end.
absl::StatusOr<MappedFile> mapFile(const std::string& path);

// An initializer: its message, and its bytes if they were cut out or lie in another file.
struct Initializer {
  const onnx::TensorProto* tensor = nullptr;  // owned by ModelFile::tensors
  bool detached = false;                      // bytes and owner hold the data
  llvm::ArrayRef<uint8_t> bytes = {};
  std::shared_ptr<const void> owner = {};
};

struct ModelFile {
  onnx::ModelProto model;  // without the detached initializers, which are graph inputs instead
  std::vector<std::unique_ptr<onnx::TensorProto>> tensors;
  std::map<std::string, Initializer> initializers;  // by name, all of them
  std::vector<std::string> external;                // files that hold some of them, sorted
};

// Maps and parses the file, finds external data. Fails on truncated or foreign files, on duplicate
// initializers, on sparse ones, and on external data outside of the model's folder.
absl::StatusOr<ModelFile> readModelFile(const std::string& path);

}  // namespace lindero::compiler

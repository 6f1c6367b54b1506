#include "compiler/onnx_import/model_file.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/external_data.h"
#include "compiler/onnx_import/wire_scan.h"
#include "ir/core/problems.h"
#include "ir/core/status_macros.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

namespace lindero::compiler {
namespace {

// Smaller initializers stay in the message: the ONNX library propagates them (shapes, scalars), and
// a copy is cheap.
constexpr size_t kLeastDetached = 4096;

// Protocol Buffers' own limit for one message.
constexpr size_t kMostSkeletonBytes = std::numeric_limits<int32_t>::max();

absl::Status inInitializer(const std::string& name, const absl::Status& status) {
  return ir::withPrefix(status, absl::StrCat("initializer '", name, "': "));
}

// Presents a detached initializer to the ONNX library as a graph input of its type.
void declareInput(const onnx::TensorProto& tensor, onnx::GraphProto& graph) {
  for (const onnx::ValueInfoProto& input : graph.input()) {
    if (input.name() == tensor.name()) return;  // IR version 3 lists initializers as inputs
  }
  onnx::ValueInfoProto* input = graph.add_input();
  input->set_name(tensor.name());
  onnx::TypeProto_Tensor* type = input->mutable_type()->mutable_tensor_type();
  type->set_elem_type(tensor.data_type());
  type->mutable_shape();
  for (int64_t size : tensor.dims()) type->mutable_shape()->add_dim()->set_dim_value(size);
}

absl::Status takeInitializers(ModelFile& file, const MappedFile& mapped,
                              llvm::ArrayRef<llvm::ArrayRef<uint8_t>> raw_data,
                              ExternalData& external) {
  onnx::GraphProto& graph = *file.model.mutable_graph();
  if (graph.sparse_initializer_size() != 0)
    return absl::UnimplementedError("sparse initializers are not supported");
  if (size_t(graph.initializer_size()) != raw_data.size())
    return absl::InternalError("initializers were miscounted");
  google::protobuf::RepeatedPtrField<onnx::TensorProto> kept;
  for (int i = 0; i < graph.initializer_size(); ++i) {
    auto& tensor = file.tensors.emplace_back(std::make_unique<onnx::TensorProto>());
    tensor->Swap(graph.mutable_initializer(i));
    Initializer initializer{.tensor = tensor.get()};
    if (tensor->data_location() == onnx::TensorProto::EXTERNAL) {
      absl::Status status = external.attach(initializer);
      if (!status.ok()) return inInitializer(tensor->name(), status);
    } else if (!raw_data[i].empty()) {
      initializer.bytes = raw_data[i];
      initializer.owner = mapped.owner;
      initializer.detached = true;
    }
    if (!file.initializers.emplace(tensor->name(), initializer).second) {
      return inInitializer(tensor->name(), absl::InvalidArgumentError("is defined twice"));
    }
    if (initializer.detached) {
      declareInput(*tensor, graph);
    } else {
      *kept.Add() = *tensor;
    }
  }
  graph.mutable_initializer()->Swap(&kept);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MappedFile> mapFile(const std::string& path) {
  llvm::sys::fs::file_status status;
  if (std::error_code error = llvm::sys::fs::status(path, status)) {
    return absl::NotFoundError(error == std::errc::no_such_file_or_directory ? "no such file"
                                                                             : error.message());
  }
  if (!llvm::sys::fs::is_regular_file(status))
    return absl::InvalidArgumentError("is not a regular file");
  auto buffer =
      llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer) return absl::NotFoundError(buffer.getError().message());
  std::shared_ptr<const llvm::MemoryBuffer> owner = std::move(*buffer);
  auto* bytes = reinterpret_cast<const uint8_t*>(owner->getBufferStart());
  return MappedFile{owner, {bytes, owner->getBufferSize()}};
}

absl::StatusOr<ModelFile> readModelFile(const std::string& path) {
  IR_ASSIGN_OR_RETURN(MappedFile mapped, mapFile(path));
  if (mapped.bytes.empty()) return absl::InvalidArgumentError("is empty");
  IR_ASSIGN_OR_RETURN(ScannedModel scanned, scanModel(mapped.bytes, kLeastDetached));
  if (scanned.skeleton.size() > kMostSkeletonBytes) {
    return absl::InvalidArgumentError("is over 2 GiB without its weights");
  }
  ModelFile file;
  if (!file.model.ParseFromString(scanned.skeleton)) {
    return absl::InvalidArgumentError(
        "not an ONNX model, or damaged: its protobuf message does not parse");
  }
  if (!file.model.has_graph())
    return absl::InvalidArgumentError("not an ONNX model: it has no graph");
  ExternalData external(path);
  IR_RETURN_IF_ERROR(takeInitializers(file, mapped, scanned.raw_data, external));
  file.external = external.locations();
  return file;
}

}  // namespace lindero::compiler

#include "runtime/claim/model_record.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/claim/model_fields.h"

namespace lindero::runtime {

template <>
struct Fields<DimensionSize> {
  static void visit(auto& each, auto& dim) {
    each("name", dim.name);
    each("size", dim.size);
  }
};

template <>
struct Fields<TensorShape> {
  static void visit(auto& each, auto& tensor) {
    each("name", tensor.name);
    each("shape", tensor.shape);
  }
};

template <>
struct Fields<CompileOptions> {
  static void visit(auto& each, auto& options) {
    each("argmax", options.argmax);
    each("block", options.block);
    each("decode", options.decode);
    each("dims", options.dims);
    each("lanes", options.lanes);
    each("outputs", options.outputs);
    each("positions", options.positions);
    each("prefer", options.prefer);
    each("segments", options.segments);
  }
};

template <>
struct Fields<ModelRecord> {
  static void visit(auto& each, auto& record) {
    each("format", record.format);
    each("arithmetic", record.arithmetic);
    each("boundary", record.boundary);
    each("bucket", record.bucket);
    each("context", record.context);
    each("compiler", record.compiler);
    each("exponents", record.exponents);
    each("external", record.external);
    each("id", record.id);
    each("onnx", record.onnx);
    each("options", record.options);
    each("shapes", record.shapes);
    each("unread", record.unread);
  }
};

absl::Status checkExternal(const std::vector<ExternalFile>& files, absl::string_view where) {
  for (size_t i = 0; i < files.size(); ++i) {
    if (!files[i].name.empty() && (i == 0 || files[i - 1].name < files[i].name)) continue;
    return absl::InvalidArgumentError(absl::StrCat(where, " is not sorted by name"));
  }
  return absl::OkStatus();
}

bool hasElements(const std::vector<int64_t>& shape, uint64_t elements) {
  uint64_t rest = elements;
  for (int64_t size : shape) {
    if (size < 1 || rest % static_cast<uint64_t>(size) != 0) return false;
    rest /= static_cast<uint64_t>(size);
  }
  return rest == 1;
}

std::string boundaryOf(const CompileOptions& options) {
  if (options.block != 0) return absl::StrCat("per-step=", options.block);
  if (options.segments.empty()) return "whole";
  const int64_t last = *std::max_element(options.segments.begin(), options.segments.end());
  return absl::StrCat("segments=", last + 1);
}

absl::StatusOr<Digest> modelId(const ModelRecord& record) {
  Json json = {{"arithmetic", toJson(record.arithmetic)},
               {"exponents", record.exponents},
               {"external", toJson(record.external)},
               {"onnx", toJson(record.onnx)}};
  LINDERO_ASSIGN_OR_RETURN(std::string bytes, canonicalJson(json));
  return sha256(bytes);
}

absl::StatusOr<std::string> encodeModelRecord(const ModelRecord& record) {
  return encodeFields(record, "model.json");
}

absl::StatusOr<ModelRecord> decodeModelRecord(absl::string_view bytes) {
  LINDERO_ASSIGN_OR_RETURN(ModelRecord record, decodeFields<ModelRecord>(bytes, "model.json"));
  if (record.format != kModelFormat) {
    return absl::InvalidArgumentError(
        absl::StrCat("model.json: format is not \"", kModelFormat, "\""));
  }
  LINDERO_RETURN_IF_ERROR(checkExternal(record.external, "model.json: external"));
  LINDERO_ASSIGN_OR_RETURN(Digest id, modelId(record));
  const auto atoms = static_cast<int64_t>(record.options.segments.size());
  for (int64_t segment : record.options.segments) {
    if (segment >= 0 && segment < atoms) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "model.json: segments: ", segment, " is none of those that ", atoms, " atoms can be in"));
  }
  if (record.boundary != boundaryOf(record.options)) {
    return absl::InvalidArgumentError("model.json: boundary is not that of its options");
  }
  if (id != record.id) {
    return absl::InvalidArgumentError("model.json: id is not the hash of what it names");
  }
  return record;
}

}  // namespace lindero::runtime

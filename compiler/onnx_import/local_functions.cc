#include "compiler/onnx_import/local_functions.h"

#include <cstdint>
#include <map>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/prepare.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/STLExtras.h"
#include "onnx/defs/schema.h"

namespace lindero::compiler {
namespace {

constexpr uint64_t kMostNodes = 1'000'000;

// How many nodes inlining makes; refuses recursion and explosive growth before the library meets
// them.
class InlinedSize {
 public:
  explicit InlinedSize(const onnx::ModelProto& model) {
    for (const onnx::FunctionProto& function : model.functions())
      functions_[keyOf(function)] = &function;
  }

  template <typename Nodes>
  absl::StatusOr<uint64_t> of(const Nodes& nodes) {
    uint64_t total = 0;
    for (const onnx::NodeProto& node : nodes) {
      auto found = functions_.find(calledBy(node));
      uint64_t size = 1;
      if (found != functions_.end()) {
        IR_ASSIGN_OR_RETURN(size, ofFunction(found->first, *found->second));
      }
      for (const onnx::AttributeProto& attribute : node.attribute()) {
        IR_ASSIGN_OR_RETURN(const uint64_t inside, of(attribute.g().node()));
        size += inside;
      }
      total += size;
      if (total > kMostNodes)
        return absl::InvalidArgumentError("the model has over a million nodes once inlined");
    }
    return total;
  }

 private:
  absl::StatusOr<uint64_t> ofFunction(const FunctionKey& key, const onnx::FunctionProto& function) {
    auto [entry, fresh] = sizes_.try_emplace(key, kInProgress);
    if (!fresh && entry->second == kInProgress) {
      return absl::InvalidArgumentError(
          absl::StrCat("function '", std::get<1>(key), "' calls itself"));
    }
    if (!fresh) return entry->second;
    if (++depth_ > kMostDepth) return absl::InvalidArgumentError("functions are nested too deeply");
    IR_ASSIGN_OR_RETURN(uint64_t size, of(function.node()));
    --depth_;
    return sizes_[key] = size;
  }

  static constexpr uint64_t kInProgress = ~uint64_t{0};
  static constexpr int kMostDepth = 100;
  std::map<FunctionKey, const onnx::FunctionProto*> functions_;
  std::map<FunctionKey, uint64_t> sizes_;
  int depth_ = 0;
};

// Runtimes may have a kernel for any name of these.
bool isOfRuntimes(llvm::StringRef domain) {
  return domain.starts_with("ai.onnx.") || domain.starts_with("com.microsoft") ||
         domain.starts_with("com.ms.");
}

// A runtime computes the operator that it knows by a name, whatever the file defines.
absl::Status checkNames(const onnx::ModelProto& model) {
  for (const onnx::FunctionProto& function : model.functions()) {
    const bool of_onnx = isDefaultDomain(function.domain()) &&
                         onnx::OpSchemaRegistry::Schema(function.name(), onnx::ONNX_DOMAIN);
    if (!of_onnx && !isOfRuntimes(function.domain())) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("function '", printable(function.name()),
                     "' has the name of an operator of ONNX, or of the ", "domain of a runtime ('",
                     printable(function.domain()), "'); give it a domain of its own"));
  }
  return absl::OkStatus();
}

}  // namespace

FunctionKey keyOf(const onnx::FunctionProto& function) {
  return {function.domain(), function.name(), function.overload()};
}
FunctionKey calledBy(const onnx::NodeProto& node) {
  return {node.domain(), node.op_type(), node.overload()};
}

absl::Status checkLocalFunctions(const onnx::ModelProto& model) {
  IR_RETURN_IF_ERROR(InlinedSize(model).of(model.graph().node()).status());
  return checkNames(model);
}

void writeFunctionDefaults(onnx::ModelProto& model) {
  std::map<FunctionKey, const onnx::FunctionProto*> functions;
  for (const onnx::FunctionProto& function : model.functions())
    functions[keyOf(function)] = &function;
  auto write = [&](const auto& self, auto& nodes) -> void {
    for (onnx::NodeProto& node : nodes) {
      for (onnx::AttributeProto& attribute : *node.mutable_attribute())
        if (attribute.has_g()) self(self, *attribute.mutable_g()->mutable_node());
      auto found = functions.find(calledBy(node));
      if (found == functions.end()) continue;
      for (const onnx::AttributeProto& attribute : found->second->attribute_proto()) {
        const auto given = [&](const onnx::AttributeProto& a) {
          return a.name() == attribute.name();
        };
        if (llvm::none_of(node.attribute(), given)) *node.add_attribute() = attribute;
      }
    }
  };
  write(write, *model.mutable_graph()->mutable_node());
  for (onnx::FunctionProto& function : *model.mutable_functions())
    write(write, *function.mutable_node());
}

}  // namespace lindero::compiler

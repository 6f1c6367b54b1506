#include "compiler/onnx_import/functions.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/contrib_ops.h"
#include "compiler/onnx_import/definitions.h"
#include "compiler/onnx_import/onnx_guard.h"
#include "compiler/onnx_import/prepare.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/STLExtras.h"
#include "onnx/defs/schema.h"

namespace lindero::compiler {
namespace {

// The library takes an empty type for an operand that is left out.
std::vector<onnx::TypeProto> typesOf(llvm::ArrayRef<ir::Value*> inputs) {
  std::vector<onnx::TypeProto> types;
  for (const ir::Value* input : inputs) {
    auto& type = *types.emplace_back().mutable_tensor_type();
    if (!input) {
      types.back().Clear();
      continue;
    }
    type.set_elem_type(onnxTypeOf(input->type().element));
    auto& shape = *type.mutable_shape();
    for (int64_t size : input->type().shape) shape.add_dim()->set_dim_value(size);
  }
  return types;
}

// What the op's attributes are: those given, else the defaults of its schema.
std::map<std::string, onnx::AttributeProto> attributesOf(const onnx::NodeProto& node,
                                                         const onnx::OpSchema& schema) {
  std::map<std::string, onnx::AttributeProto> attributes;
  for (const auto& [name, attribute] : schema.attributes()) {
    if (attribute.default_value.has_name()) attributes[name] = attribute.default_value;
  }
  for (const onnx::AttributeProto& attribute : node.attribute())
    attributes[attribute.name()] = attribute;
  return attributes;
}

void bindAttributes(onnx::FunctionProto& body,
                    const std::map<std::string, onnx::AttributeProto>& attributes) {
  for (onnx::NodeProto& node : *body.mutable_node()) {
    const onnx::NodeProto unbound = node;
    node.clear_attribute();
    for (const onnx::AttributeProto& attribute : unbound.attribute()) {
      if (attribute.ref_attr_name().empty()) {
        *node.add_attribute() = attribute;
        continue;
      }
      // One that is neither given nor has a default is left out of the body, too.
      auto found = attributes.find(attribute.ref_attr_name());
      if (found == attributes.end()) continue;
      onnx::AttributeProto& bound = *node.add_attribute();
      bound = found->second;
      bound.set_name(attribute.name());
    }
  }
}

}  // namespace

int onnxTypeOf(ir::Element element) {
  switch (element) {
    case ir::Element::kFloat:
      return onnx::TensorProto::FLOAT;
    case ir::Element::kInt:
      return onnx::TensorProto::INT64;
    default:
      return onnx::TensorProto::BOOL;
  }
}

const std::vector<std::string>& functionOps() {
  static const auto* ops = [] {
    auto* list = new std::vector<std::string>{
        "Attention",
        "BlackmanWindow",
        "CausalConvWithState",
        "CenterCropPad",
        "GroupNormalization",
        "HammingWindow",
        "HannWindow",
        "LogSoftmax",
        "MeanVarianceNormalization",
        "NegativeLogLikelihoodLoss",
        "RotaryEmbedding",
        "SoftmaxCrossEntropyLoss",
        "SwiGLU",
        "Swish",
    };
    for (std::string& name : definedOps()) list->push_back(std::move(name));
    for (std::string& name : contribOps()) list->push_back(std::move(name));
    return list;
  }();
  return *ops;
}

absl::StatusOr<onnx::FunctionProto> functionBody(const onnx::NodeProto& node, int64_t opset,
                                                 llvm::ArrayRef<ir::Value*> inputs) {
  if (node.domain() == kContribDomain) return contribBody(node, inputs);
  if (llvm::is_contained(definedOps(), node.op_type())) return definedBody(node, inputs);
  onnx::FunctionProto body;
  bool found = false;
  IR_RETURN_IF_ERROR(guarded("its definition", [&] {
    const int version = static_cast<int>(opset);
    const onnx::OpSchema* schema =
        onnx::OpSchemaRegistry::Schema(node.op_type(), version, onnx::ONNX_DOMAIN);
    if (!schema) return;
    if (const onnx::FunctionProto* fixed = schema->GetFunction(version)) {
      body = *fixed;
      found = true;
    } else if (schema->HasContextDependentFunction()) {
      const onnx::FunctionBodyBuildContextImpl context(node, typesOf(inputs));
      found = schema->BuildContextDependentFunction(context, body, version);
    }
    if (found) bindAttributes(body, attributesOf(node, *schema));
  }));
  if (found) return body;
  return absl::UnimplementedError("the standard defines no body for it with these operands");
}

const onnx::OpSchema* schemaOf(const onnx::NodeProto& node, int64_t opset) {
  const bool standard = isDefaultDomain(node.domain());
  return onnx::OpSchemaRegistry::Schema(node.op_type(), standard ? static_cast<int>(opset) : 1,
                                        standard ? "" : node.domain());
}

absl::Status checkRequired(const onnx::NodeProto& node, int64_t opset,
                           llvm::ArrayRef<ir::Value*> inputs) {
  const onnx::OpSchema* schema = schemaOf(node, opset);
  if (!schema) return absl::OkStatus();
  const auto& formals = schema->inputs();
  for (size_t i = 0; i < std::max(formals.size(), inputs.size()) && !formals.empty(); ++i) {
    const auto& formal = formals[std::min(i, formals.size() - 1)];
    const bool optional = formal.GetOption() == onnx::OpSchema::Optional ||
                          (formal.GetOption() == onnx::OpSchema::Variadic && i >= inputs.size());
    if (optional || (i < inputs.size() && inputs[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("its input ", i, ", ", formal.GetName(), ", is left out"));
  }
  return absl::OkStatus();
}

void writeDefaults(onnx::GraphProto& graph, int64_t opset) {
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    for (onnx::GraphProto* branch : branchesOf(node)) writeDefaults(*branch, opset);
    if (!isDefaultDomain(node.domain()) || !llvm::is_contained(functionOps(), node.op_type()))
      continue;
    const onnx::OpSchema* schema =
        onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset), onnx::ONNX_DOMAIN);
    if (!schema) continue;
    const std::map<std::string, onnx::AttributeProto> attributes = attributesOf(node, *schema);
    node.clear_attribute();
    for (const auto& [name, attribute] : attributes) *node.add_attribute() = attribute;
  }
}

}  // namespace lindero::compiler

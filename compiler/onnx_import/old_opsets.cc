#include "compiler/onnx_import/old_opsets.h"

#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/onnx_guard.h"
#include "compiler/onnx_import/prepare.h"
#include "ir/core/status_macros.h"
#include "onnx/version_converter/convert.h"

namespace lindero::compiler {
namespace {

// The converter knows the ONNX domain by its short name only.
void shortenDomain(onnx::ModelProto& model) {
  for (auto& opset : *model.mutable_opset_import())
    if (isDefaultDomain(opset.domain())) opset.clear_domain();
  for (onnx::NodeProto& node : *model.mutable_graph()->mutable_node())
    if (isDefaultDomain(node.domain())) node.clear_domain();
}

// New nodes have no names: each belongs to the old one that reads or gives what it gives or reads.
void nameNewNodes(onnx::GraphProto& graph) {
  std::map<std::string, std::string> of_value;
  for (const onnx::NodeProto& node : graph.node()) {
    if (node.name().empty()) continue;
    for (const auto& values : {node.input(), node.output()})
      for (const std::string& value : values) of_value.try_emplace(value, node.name());
  }
  std::set<std::string> used;
  for (const onnx::NodeProto& node : graph.node()) used.insert(node.name());
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    if (!node.name().empty()) continue;
    std::string owner = node.op_type();
    for (const auto& values : {node.output(), node.input()})
      for (const std::string& value : values)
        if (auto found = of_value.find(value); found != of_value.end()) owner = found->second;
    std::string name = absl::StrCat(owner, "/", node.op_type());
    while (!used.insert(name).second) name += "_";
    node.set_name(name);
  }
}

// Those that the converter has added.
void takeNewInitializers(ModelFile& file) {
  for (const onnx::TensorProto& tensor : file.model.graph().initializer()) {
    if (file.initializers.contains(tensor.name())) continue;
    file.tensors.push_back(std::make_unique<onnx::TensorProto>(tensor));
    file.initializers[tensor.name()] = {.tensor = file.tensors.back().get()};
  }
}

onnx::AttributeProto& newAttribute(onnx::NodeProto& node, const char* name) {
  auto& attributes = *node.mutable_attribute();
  auto found = llvm::find_if(attributes, [&](const auto& a) { return a.name() == name; });
  onnx::AttributeProto& attribute = found == attributes.end() ? *attributes.Add() : *found;
  attribute.Clear();
  attribute.set_name(name);
  return attribute;
}

void setAttribute(onnx::NodeProto& node, const char* name, llvm::StringRef value) {
  onnx::AttributeProto& attribute = newAttribute(node, name);
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s(value.str());
}

void setAttribute(onnx::NodeProto& node, const char* name, int64_t value) {
  onnx::AttributeProto& attribute = newAttribute(node, name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

// Calls `visit` for the nodes of the graph and its branches.
template <typename Visit>
void forEachNode(onnx::GraphProto& graph, Visit visit) {
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    visit(node);
    for (onnx::GraphProto* branch : branchesOf(node)) forEachNode(*branch, visit);
  }
}

// Of all values with a shape, in the graph and its branches.
std::map<std::string, int> ranksOf(onnx::GraphProto& graph) {
  std::map<std::string, int> ranks;
  auto add = [&](const onnx::GraphProto& part) {
    for (const auto* values : {&part.input(), &part.value_info(), &part.output()})
      for (const onnx::ValueInfoProto& value : *values)
        if (value.type().tensor_type().has_shape())
          ranks[value.name()] = value.type().tensor_type().shape().dim_size();
  };
  add(graph);
  forEachNode(graph, [&](onnx::NodeProto& node) {
    for (const onnx::GraphProto* branch : branchesOf(node)) add(*branch);
  });
  return ranks;
}

// A Hardmax was of all axes from one on, by default the second. The library takes no notice.
absl::Status convertHardmax(onnx::GraphProto& graph) {
  const std::map<std::string, int> ranks = ranksOf(graph);
  absl::Status status;
  forEachNode(graph, [&](onnx::NodeProto& node) {
    if (node.op_type() != "Hardmax" || node.input_size() == 0) return;
    const auto rank = ranks.find(node.input(0));
    const auto given = llvm::find_if(*node.mutable_attribute(), [](const auto& attribute) {
      return attribute.name() == "axis";
    });
    const int64_t axis = given == node.mutable_attribute()->end() ? 1 : given->i();
    if (rank != ranks.end() && (axis == rank->second - 1 || axis == -1)) {
      setAttribute(node, "axis", int64_t{-1});
    } else {
      status.Update(absl::UnimplementedError(absl::StrCat(
          "node '", node.name(), "' (Hardmax): before opset 13 it is of all axes from ", axis,
          " on; export with opset 13")));
    }
  });
  return status;
}

}  // namespace

void writeOldDefaults(onnx::GraphProto& graph, int64_t opset) {
  if (opset >= 16) return;
  forEachNode(graph, [](onnx::NodeProto& node) {
    if (qualifiedOp(node) == "RoiAlign")
      setAttribute(node, "coordinate_transformation_mode", "output_half_pixel");
  });
}

absl::Status convertToOpset(ModelFile& file, int64_t opset) {
  shortenDomain(file.model);
  IR_RETURN_IF_ERROR(convertHardmax(*file.model.mutable_graph()));
  const bool asymmetric = opsetOf(file.model) < 11;
  IR_RETURN_IF_ERROR(guarded("conversion to a newer opset", [&] {
    file.model = onnx::version_conversion::ConvertVersion(file.model, static_cast<int>(opset));
  }));
  // The library leaves the defaults of opset 11 to what had no such choice before.
  if (asymmetric) {
    forEachNode(*file.model.mutable_graph(), [](onnx::NodeProto& node) {
      if (qualifiedOp(node) != "Resize") return;
      setAttribute(node, "coordinate_transformation_mode", "asymmetric");
      setAttribute(node, "nearest_mode", kOldNearest);
    });
  }
  nameNewNodes(*file.model.mutable_graph());
  takeNewInitializers(file);
  return absl::OkStatus();
}

}  // namespace lindero::compiler

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

// The library leaves the defaults of opset 11 to what had no such choice before.
std::set<std::string> oldResizes(const onnx::ModelProto& model) {
  std::set<std::string> names;
  if (opsetOf(model) >= 11) return names;
  for (const onnx::NodeProto& node : model.graph().node()) {
    if (node.op_type() == "Resize" || node.op_type() == "Upsample") names.insert(node.name());
  }
  return names;
}

void setResize(onnx::NodeProto& node, const char* name, const char* value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s(value);
}

}  // namespace

absl::Status convertToOpset(ModelFile& file, int64_t opset) {
  shortenDomain(file.model);
  const std::set<std::string> resizes = oldResizes(file.model);
  IR_RETURN_IF_ERROR(guarded("conversion to a newer opset", [&] {
    file.model = onnx::version_conversion::ConvertVersion(file.model, static_cast<int>(opset));
  }));
  for (onnx::NodeProto& node : *file.model.mutable_graph()->mutable_node()) {
    if (node.op_type() != "Resize" || !resizes.contains(node.name())) continue;
    setResize(node, "coordinate_transformation_mode", "asymmetric");
    setResize(node, "nearest_mode", kOldNearest.data());
  }
  nameNewNodes(*file.model.mutable_graph());
  takeNewInitializers(file);
  return absl::OkStatus();
}

}  // namespace lindero::compiler

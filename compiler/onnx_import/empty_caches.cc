#include "compiler/onnx_import/empty_caches.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/prepare.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

const std::set<std::string>& viewOps() {
  static const auto* ops =
      new std::set<std::string>{"Cast",  "Gather",  "Identity",  "Reshape",  "Slice",
                                "Split", "Squeeze", "Transpose", "Unsqueeze"};
  return *ops;
}

struct Use {
  const onnx::NodeProto* node;
  int operand;
};

// The output that is the use's value joined to what is new, if the node does that.
std::optional<int> joinedOutput(const Use& use) {
  // Operand -> output of past and present, per op.
  static const auto* ops = new std::map<std::string, std::map<int, int>>{
      {"Concat", {{0, 0}}},
      {"Attention", {{4, 1}, {5, 2}}},
      {"com.microsoft.Attention", {{4, 1}}},
      {"com.microsoft.GroupQueryAttention", {{3, 1}, {4, 2}}},
      {"com.microsoft.MultiHeadAttention", {{6, 1}, {7, 2}}}};
  const auto op = ops->find(qualifiedOp(*use.node));
  if (op == ops->end()) return std::nullopt;
  const auto output = op->second.find(use.operand);
  if (output == op->second.end() || output->second >= use.node->output_size()) return std::nullopt;
  return output->second;
}

bool joinsDirectly(const onnx::NodeProto& node, const std::string& value) {
  for (int i = 0; i < node.input_size(); ++i) {
    if (node.input(i) == value && joinedOutput({&node, i})) return true;
  }
  return false;
}

// Who reads what.
class Readers {
 public:
  explicit Readers(const onnx::GraphProto& graph) {
    for (const onnx::NodeProto& node : graph.node()) {
      for (int i = 0; i < node.input_size(); ++i) uses_[node.input(i)].push_back({&node, i});
    }
    for (const onnx::ValueInfoProto& output : graph.output()) outputs_.insert(output.name());
  }

  // The results of concatenations whose first part is a view of the value; nothing if something
  // else reads its elements.
  std::optional<std::vector<std::string>> joined(const std::string& input) const {
    std::vector<std::string> results, todo = {input};
    while (!todo.empty()) {
      const std::string value = todo.back();
      todo.pop_back();
      if (outputs_.contains(value)) return std::nullopt;
      for (const Use& use : usesOf(value)) {
        if (use.node->op_type() == "Shape") continue;
        if (const std::optional<int> output = joinedOutput(use)) {
          results.push_back(use.node->output(*output));
        } else if (use.operand == 0 && viewOps().contains(use.node->op_type())) {
          todo.insert(todo.end(), use.node->output().begin(), use.node->output().end());
        } else {
          return std::nullopt;
        }
      }
    }
    return results;
  }

  // The graph's outputs among the values, their views, and what is concatenated of them.
  std::set<std::string> outputsOf(std::vector<std::string> values) const {
    std::set<std::string> found, seen;
    while (!values.empty()) {
      const std::string value = values.back();
      values.pop_back();
      if (!seen.insert(value).second) continue;
      if (outputs_.contains(value)) found.insert(value);
      for (const Use& use : usesOf(value)) {
        const std::string& op = use.node->op_type();
        if (op == "Concat" || (use.operand == 0 && viewOps().contains(op)))
          values.insert(values.end(), use.node->output().begin(), use.node->output().end());
      }
    }
    return found;
  }

 private:
  const std::vector<Use>& usesOf(const std::string& value) const {
    static const auto* none = new std::vector<Use>;
    auto found = uses_.find(value);
    return found == uses_.end() ? *none : found->second;
  }

  std::map<std::string, std::vector<Use>> uses_;
  std::set<std::string> outputs_;
};

struct Caches {
  std::vector<onnx::ValueInfoProto*> inputs;
  std::set<std::string> outputs;
};

bool isFloat(int type) {
  return type == onnx::TensorProto::FLOAT || type == onnx::TensorProto::FLOAT16 ||
         type == onnx::TensorProto::BFLOAT16 || type == onnx::TensorProto::DOUBLE;
}

bool isFixed(const onnx::ValueInfoProto& input) {
  const auto& dims = input.type().tensor_type().shape().dim();
  return std::all_of(dims.begin(), dims.end(), [](const auto& dim) {
    return dim.value_case() == onnx::TensorShapeProto_Dimension::kDimValue;
  });
}

// Attention ops take a past of a known length like any other operand.
bool isOperandOfOps(const onnx::GraphProto& graph, const onnx::ValueInfoProto& input) {
  if (!isFixed(input)) return false;
  return std::any_of(graph.node().begin(), graph.node().end(), [&](const auto& node) {
    return node.op_type() != "Concat" && joinsDirectly(node, input.name());
  });
}

Caches findCaches(onnx::GraphProto& graph) {
  const Readers readers(graph);
  Caches caches;
  for (onnx::ValueInfoProto& input : *graph.mutable_input()) {
    if (!isFloat(input.type().tensor_type().elem_type())) continue;
    if (isOperandOfOps(graph, input)) continue;
    auto joined = readers.joined(input.name());
    if (!joined) continue;
    const std::set<std::string> outputs = readers.outputsOf(*joined);
    if (outputs.empty()) continue;
    caches.inputs.push_back(&input);
    caches.outputs.insert(outputs.begin(), outputs.end());
  }
  const bool result =
      std::any_of(graph.output().begin(), graph.output().end(),
                  [&](const auto& output) { return !caches.outputs.contains(output.name()); });
  return result ? caches : Caches{};
}

auto& dimsOf(onnx::ValueInfoProto& input) {
  return *input.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim();
}

// Names that inputs other than caches give to dimensions.
std::set<std::string> otherDims(const onnx::GraphProto& graph, const Caches& caches) {
  std::set<std::string> names;
  for (const onnx::ValueInfoProto& input : graph.input()) {
    if (std::find(caches.inputs.begin(), caches.inputs.end(), &input) != caches.inputs.end())
      continue;
    for (const auto& dim : input.type().tensor_type().shape().dim()) names.insert(dim.dim_param());
  }
  return names;
}

// Is the graph made for a single token, so that its mask and positions may be wrong for several?
bool takesOneToken(const onnx::GraphProto& graph) {
  bool tokens = false;
  for (const onnx::ValueInfoProto& input : graph.input()) {
    if (input.type().tensor_type().elem_type() != onnx::TensorProto::INT64) continue;
    tokens = true;
    for (const auto& dim : input.type().tensor_type().shape().dim()) {
      if (dim.value_case() != onnx::TensorShapeProto_Dimension::kDimValue || dim.dim_value() != 1)
        return false;
    }
  }
  return tokens;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> bindEmptyCaches(
    onnx::GraphProto& graph, const std::map<std::string, int64_t>& dims) {
  const Caches caches = findCaches(graph);
  const std::set<std::string> others = otherDims(graph, caches);
  std::vector<std::string> names;
  for (onnx::ValueInfoProto* input : caches.inputs) {
    std::vector<onnx::TensorShapeProto_Dimension*> open;
    bool bound = false;
    for (int axis = 0; axis < dimsOf(*input).size(); ++axis) {
      auto& dim = *dimsOf(*input).Mutable(axis);
      if (dim.value_case() == onnx::TensorShapeProto_Dimension::kDimValue) continue;
      const std::string name = dim.dim_param();
      bound |= dims.contains(name) && !others.contains(name);
      if (!dims.contains(name) && (name.empty() || !others.contains(name))) open.push_back(&dim);
    }
    if (open.empty() && (bound || isFixed(*input))) continue;
    if (open.size() != 1) {
      return absl::UnimplementedError(absl::StrCat(
          "input '", input->name(), "' is a cache of past keys or values ",
          open.empty() ? "whose dimensions are all those of other inputs; give the past length a "
                         "name of its own"
                       : "with several symbolic dimensions; name those that are not the past "
                         "length as other inputs do, or bind them with --dim"));
    }
    open[0]->set_dim_value(0);
    names.push_back(input->name());
  }
  if (names.empty()) return names;
  if (takesOneToken(graph)) {
    return absl::UnimplementedError(
        "the model takes one token at a time; export it with a symbolic number of tokens");
  }
  auto& outputs = *graph.mutable_output();
  outputs.erase(
      std::remove_if(outputs.begin(), outputs.end(),
                     [&](const auto& output) { return caches.outputs.contains(output.name()); }),
      outputs.end());
  return names;
}

void makeEmptyConstants(onnx::GraphProto& graph, const std::vector<std::string>& inputs) {
  onnx::GraphProto constants;
  for (const std::string& name : inputs) {
    auto& list = *graph.mutable_input();
    auto input = std::find_if(list.begin(), list.end(),
                              [&](const auto& item) { return item.name() == name; });
    onnx::NodeProto& node = *constants.add_node();
    node.set_op_type("Constant");
    node.set_name(name);
    node.add_output(name);
    onnx::AttributeProto& value = *node.add_attribute();
    value.set_name("value");
    value.set_type(onnx::AttributeProto::TENSOR);
    value.mutable_t()->set_data_type(input->type().tensor_type().elem_type());
    for (const auto& dim : input->type().tensor_type().shape().dim())
      value.mutable_t()->add_dims(dim.dim_value());
    list.erase(input);
  }
  // Nodes are in topological order.
  constants.mutable_node()->MergeFrom(graph.node());
  graph.mutable_node()->Swap(constants.mutable_node());
}

}  // namespace lindero::compiler

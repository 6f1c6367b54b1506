#include "tests/fuzz/change_model.h"

#include <algorithm>
#include <iterator>

#include "compiler/onnx_import/import.h"
#include "tests/fuzz/changer.h"

namespace lindero::fuzz {
namespace {

using onnx::AttributeProto;
using onnx::GraphProto;
using onnx::ModelProto;
using onnx::NodeProto;
using onnx::OpSchema;
using onnx::TensorProto;

constexpr int kMostNodes = 400;
constexpr int kMostDoublings = 24;

// Ops without an emitter: control flow, and what other exporters write.
constexpr const char* kForeign[] = {"If",   "Loop",   "Scan",           "Conv",
                                    "LSTM", "Einsum", "QuantizeLinear", "SequenceConstruct"};

const std::vector<std::string>& ops() {
  static const auto* all = [] {
    auto* names = new std::vector<std::string>(compiler::supportedOnnxOps());
    names->insert(names->end(), std::begin(kForeign), std::end(kForeign));
    return names;
  }();
  return *all;
}

// An op of as many inputs, nearly always.
std::string anyOp(const ModelProto& model, int inputs, Random& random) {
  std::string op;
  for (int tries = 0; tries < 8; ++tries) {
    op = ops()[below(static_cast<int64_t>(ops().size()), random)];
    const OpSchema* schema = schemaOf(model, op);
    if (schema && schema->min_input() <= inputs && inputs <= schema->max_input()) break;
  }
  return op;
}

// Nodes.

void changeOp(Changer& c) {
  if (!c.hasNodes()) return;
  NodeProto& node = *c.graph.mutable_node(c.node());
  node.set_op_type(anyOp(c.model, node.input_size(), c.random));
  if (once(3, c.random)) node.clear_attribute();
}

void dropNode(Changer& c) {
  if (!c.hasNodes()) return;
  const int i = c.node();
  // Mostly with its output bridged.
  if (!once(3, c.random) && c.graph.node(i).input_size() > 0 && c.graph.node(i).output_size() > 0) {
    const std::string from = c.graph.node(i).output(0), to = c.graph.node(i).input(0);
    for (NodeProto& node : *c.graph.mutable_node())
      for (std::string& input : *node.mutable_input())
        if (input == from) input = to;
    if (once(2, c.random)) {
      for (auto& output : *c.graph.mutable_output())
        if (output.name() == from) output.set_name(to);
    }
  }
  c.graph.mutable_node()->DeleteSubrange(i, 1);
}

void insertNode(Changer& c) {
  if (!c.hasNodes() || c.graph.node_size() > kMostNodes) return;
  const int i = c.node();
  if (c.graph.node(i).output_size() == 0) return;
  const std::string from = c.graph.node(i).output(0), to = c.fresh("v");
  NodeProto added;
  const int inputs = 1 + c.some(3);
  added.add_input(from);
  for (int k = 1; k < inputs; ++k) added.add_input(anyWire(c.graph, i + 1, c.random));
  if (inputs > 1 && once(3, c.random)) added.mutable_input()->SwapElements(0, 1);
  added.add_output(to);
  added.set_op_type(anyOp(c.model, inputs, c.random));
  if (once(2, c.random)) addAttribute(c.model, added, c.random);
  for (int k = i + 1; k < c.graph.node_size(); ++k)
    for (std::string& input : *c.graph.mutable_node(k)->mutable_input())
      if (input == from && !once(4, c.random)) input = to;
  *c.graph.add_node() = added;
  for (int k = c.graph.node_size() - 1; k > i + 1; --k)
    c.graph.mutable_node()->SwapElements(k, k - 1);
}

void doubleNode(Changer& c) {
  if (!c.hasNodes() || c.graph.node_size() > kMostNodes) return;
  NodeProto copy = c.graph.node(c.node());
  if (!once(4, c.random)) {
    for (std::string& output : *copy.mutable_output()) output = c.fresh("v");
  }
  *c.graph.add_node() = copy;
}

void reorderNodes(Changer& c) {
  if (c.hasNodes()) c.graph.mutable_node()->SwapElements(c.node(), c.node());
}

// A long chain that doubles: x + x, or x beside x.
void growChain(Changer& c) {
  if (!c.hasNodes() || c.graph.node_size() > kMostNodes) return;
  std::string from = anyWire(c.graph, c.graph.node_size(), c.random);
  const bool concat = once(2, c.random);
  for (int i = 2 + c.some(kMostDoublings); i > 0; --i) {
    NodeProto& node = *c.graph.add_node();
    node.set_op_type(concat ? "Concat" : anyOp(c.model, 2, c.random));
    node.add_input(from);
    node.add_input(from);
    from = c.fresh("v");
    node.add_output(from);
    if (!concat) continue;
    AttributeProto& axis = *node.add_attribute();
    axis.set_name("axis");
    axis.set_type(AttributeProto::INT);
    axis.set_i(-c.some(3));
  }
  if (c.graph.output_size() > 0 && once(2, c.random)) c.graph.mutable_output(0)->set_name(from);
}

// Wires.

void changeInput(Changer& c) {
  if (!c.hasNodes()) return;
  const int i = c.node();
  NodeProto& node = *c.graph.mutable_node(i);
  if (node.input_size() == 0 || once(6, c.random)) {
    node.add_input(anyWire(c.graph, i, c.random));
  } else if (once(6, c.random)) {
    node.mutable_input()->RemoveLast();
  } else if (once(6, c.random)) {
    node.mutable_input()->SwapElements(0, node.input_size() - 1);
  } else {
    *node.mutable_input(c.some(node.input_size())) = once(20, c.random) && node.output_size() > 0
                                                         ? node.output(0)
                                                         : anyWire(c.graph, i, c.random);
  }
}

void changeOutput(Changer& c) {
  if (!c.hasNodes()) return;
  NodeProto& node = *c.graph.mutable_node(c.node());
  if (node.output_size() == 0 || once(3, c.random)) {
    node.add_output(once(2, c.random) ? "" : c.fresh("v"));
  } else if (once(3, c.random)) {
    node.mutable_output()->RemoveLast();
  } else {
    *node.mutable_output(0) = anyWire(c.graph, c.graph.node_size(), c.random);
  }
}

void changeOutputs(Changer& c) {
  const std::string wire = anyWire(c.graph, c.graph.node_size(), c.random);
  if (c.graph.output_size() > 1 && once(3, c.random)) {
    c.graph.mutable_output()->DeleteSubrange(c.some(c.graph.output_size()), 1);
  } else if (c.graph.output_size() > 0 && once(2, c.random)) {
    c.graph.mutable_output(c.some(c.graph.output_size()))->set_name(wire);
  } else {
    onnx::ValueInfoProto& output = *c.graph.add_output();
    output.set_name(wire);
    auto& type = *output.mutable_type()->mutable_tensor_type();
    type.set_elem_type(once(4, c.random) ? TensorProto::INT64 : TensorProto::FLOAT);
    // A guess: the rank must be right.
    for (int rank = 1 + c.some(4); rank > 0; --rank) type.mutable_shape()->add_dim();
  }
}

void changeInputs(Changer& c) {
  if (c.graph.input_size() == 0) return;
  const int i = c.some(c.graph.input_size());
  if (once(3, c.random)) return c.graph.mutable_input()->DeleteSubrange(i, 1);
  onnx::ValueInfoProto copy = c.graph.input(i);
  if (!once(4, c.random)) copy.set_name(c.fresh("in"));
  const std::string name = copy.name();
  *c.graph.add_input() = copy;
  if (!c.hasNodes()) return;
  NodeProto& node = *c.graph.mutable_node(c.node());
  if (node.input_size() > 0) *node.mutable_input(c.some(node.input_size())) = name;
}

// Opsets, names, functions, subgraphs.

void changeOpset(Changer& c) {
  if (c.model.opset_import_size() == 0 || once(4, c.random)) {
    auto& opset = *c.model.add_opset_import();
    opset.set_domain(once(2, c.random) ? "fuzz" : anyText("ai.onnx", c.random));
    opset.set_version(1 + c.some(3));
  } else if (once(6, c.random)) {
    changeAnywhere(*c.model.mutable_opset_import(0), c.random);
  } else {
    c.model.mutable_opset_import(0)->set_version(12 + c.some(11));
  }
  if (once(4, c.random)) c.model.set_ir_version(c.some(14));
}

// Everywhere, so that the model stays whole.
void renameWire(Changer& c) {
  const std::string from = anyWire(c.graph, c.graph.node_size(), c.random);
  const std::string to = anyText(from, c.random);
  const auto rename = [&](std::string& name) {
    if (name == from) name = to;
  };
  for (NodeProto& node : *c.graph.mutable_node()) {
    for (std::string& input : *node.mutable_input()) rename(input);
    for (std::string& output : *node.mutable_output()) rename(output);
  }
  for (auto& value : *c.graph.mutable_input()) rename(*value.mutable_name());
  for (auto& value : *c.graph.mutable_output()) rename(*value.mutable_name());
  for (auto& tensor : *c.graph.mutable_initializer()) rename(*tensor.mutable_name());
}

void renameNode(Changer& c) {
  if (!c.hasNodes()) return;
  NodeProto& node = *c.graph.mutable_node(c.node());
  node.set_name(once(3, c.random) ? c.graph.node(c.node()).name() : anyText(node.name(), c.random));
}

// A node becomes a call of a local function that holds it; or one that calls functions.
void makeFunction(Changer& c) {
  if (!c.hasNodes()) return;
  NodeProto& node = *c.graph.mutable_node(c.node());
  onnx::FunctionProto& function = *c.model.add_functions();
  function.set_domain(once(8, c.random) ? "" : "fuzz");
  function.set_name(once(8, c.random) ? node.op_type() : c.fresh("f"));
  *function.mutable_opset_import() = c.model.opset_import();
  if (!once(8, c.random)) {
    auto& opset = *c.model.add_opset_import();
    opset.set_domain("fuzz");
    opset.set_version(1);
  }
  for (const std::string& input : node.input())
    if (!once(12, c.random)) function.add_input(input);
  *function.mutable_output() = node.output();
  *function.add_node() = node;
  if (once(6, c.random)) *function.add_node() = c.graph.node(c.node());
  node.set_op_type(function.name());
  node.set_domain(function.domain());
  node.clear_attribute();
  if (once(4, c.random)) {
    NodeProto& inner = *function.mutable_node(0);
    inner.set_domain(function.domain());
    inner.set_op_type(c.model.functions(c.some(c.model.functions_size())).name());
  }
}

void addSubgraph(Changer& c) {
  if (!c.hasNodes()) return;
  NodeProto& node = *c.graph.mutable_node(c.node());
  const bool loop = once(3, c.random);
  onnx::GraphProto copy;
  if (once(2, c.random)) {
    copy = c.graph;
  } else {
    *copy.add_node() = node;
    for (const std::string& output : node.output()) copy.add_output()->set_name(output);
  }
  node.set_op_type(loop ? "Loop" : "If");
  for (const char* name : {loop ? "body" : "then_branch", "else_branch"}) {
    AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(AttributeProto::GRAPH);
    *attribute.mutable_g() = copy;
  }
}

// Which options the target compiles with.
void changeOptions(Changer& c) { c.model.set_model_version(c.some(1 << 16)); }

void changeField(Changer& c) {
  if (once(2, c.random) && c.hasNodes())
    return changeAnywhere(*c.graph.mutable_node(c.node()), c.random);
  changeAnywhere(c.model, c.random);
}

// Those named twice leave models that compile more often than others do.
constexpr Change kChanges[] = {
    changeOp,   dropNode,    insertNode,   insertNode,   insertNode,    doubleNode,   reorderNodes,
    growChain,  changeInput, changeInput,  changeOutput, changeOutputs, changeInputs, changeOpset,
    renameWire, renameNode,  makeFunction, addSubgraph,  changeOptions, changeField};

}  // namespace

const onnx::OpSchema* schemaOf(const ModelProto& model, const std::string& op) {
  for (const auto& opset : model.opset_import()) {
    if (!opset.domain().empty() || opset.version() < 1 || opset.version() > 100) continue;
    return onnx::OpSchemaRegistry::Schema(op, static_cast<int>(opset.version()));
  }
  return nullptr;
}

std::string anyWire(const GraphProto& graph, int end, Random& random) {
  std::vector<std::string> names;
  for (const auto& input : graph.input()) names.push_back(input.name());
  for (const auto& tensor : graph.initializer()) names.push_back(tensor.name());
  if (once(12, random)) end = graph.node_size();
  for (int i = 0; i < end; ++i)
    for (const std::string& output : graph.node(i).output()) names.push_back(output);
  if (once(20, random)) names = {"", "nowhere"};
  // Late values more often: early ones are mostly weights.
  const auto size = static_cast<int64_t>(names.size());
  if (size == 0) return "";
  return names[std::max(below(size, random), below(size, random))];
}

void changeModel(ModelProto& model, const Locations& locations, Random& random) {
  for (int i = once(3, random) ? 1 + below(3, random) : 1; i > 0; --i) {
    Changer changer{model, locations, random};
    const std::vector<Change>& values = valueChanges();
    const int chosen = below(static_cast<int64_t>(std::size(kChanges) + values.size()), random);
    const int own = static_cast<int>(std::size(kChanges));
    (chosen < own ? kChanges[chosen] : values[chosen - own])(changer);
  }
}

void graftModel(ModelProto& model, const ModelProto& other, Random& random) {
  GraphProto& graph = *model.mutable_graph();
  GraphProto added = other.graph();
  if (graph.node_size() + added.node_size() > kMostNodes) return;
  const auto renamed = [](const std::string& name) {
    return name.empty() ? name : absl::StrCat(name, "'");
  };
  const std::string wire = anyWire(graph, graph.node_size(), random);
  const int replaced = below(added.input_size(), random);
  for (int i = 0; i < added.input_size(); ++i) {
    onnx::ValueInfoProto& input = *added.mutable_input(i);
    if (i == replaced) continue;
    input.set_name(renamed(input.name()));
    *graph.add_input() = input;
  }
  const std::string socket = added.input_size() > 0 ? added.input(replaced).name() : "";
  for (TensorProto& tensor : *added.mutable_initializer()) {
    tensor.set_name(renamed(tensor.name()));
    *graph.add_initializer() = tensor;
  }
  for (NodeProto& node : *added.mutable_node()) {
    if (!node.name().empty()) node.set_name(renamed(node.name()));
    for (std::string& input : *node.mutable_input())
      input = input == socket ? wire : renamed(input);
    for (std::string& output : *node.mutable_output()) output = renamed(output);
    *graph.add_node() = node;
  }
  for (onnx::ValueInfoProto& output : *added.mutable_output()) {
    output.set_name(renamed(output.name()));
    *graph.add_output() = output;
  }
}

}  // namespace lindero::fuzz

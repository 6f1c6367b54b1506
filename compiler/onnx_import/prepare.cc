#include "compiler/onnx_import/prepare.h"

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "compiler/onnx_import/contrib_ops.h"
#include "compiler/onnx_import/empty_caches.h"
#include "compiler/onnx_import/functions.h"
#include "compiler/onnx_import/infer_shapes.h"
#include "compiler/onnx_import/local_functions.h"
#include "compiler/onnx_import/old_opsets.h"
#include "compiler/onnx_import/onnx_guard.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/problems.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/JSON.h"
#include "onnx/checker.h"
#include "onnx/inliner/inliner.h"

namespace lindero::compiler {
namespace {

constexpr int64_t kLeastOpset = 7, kMostOpset = 28;
constexpr int64_t kLeastOwnOpset = 13;  // older models are converted to it
constexpr int64_t kMostDim = 1 << 20;
constexpr char kOtherDims[] = "*";  // those that ImportOptions::dims does not name

// Are the ops of a model the same in both opsets?
bool hasOpsOf(const onnx::ModelProto& model, int64_t opset, int64_t other) {
  return llvm::all_of(model.graph().node(), [&](const onnx::NodeProto& node) {
    const auto schemaIn = [&](int64_t version) {
      return onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(version),
                                            onnx::ONNX_DOMAIN);
    };
    const onnx::OpSchema* schema = schemaIn(opset);
    return isDefaultDomain(node.domain()) && schema != nullptr && schema == schemaIn(other);
  });
}

absl::Status checkVersions(const onnx::ModelProto& model) {
  if (model.ir_version() > onnx::Version::IR_VERSION) {
    return absl::UnimplementedError(absl::StrCat(
        "IR version ", model.ir_version(), " is newer than ", onnx::Version::IR_VERSION,
        ", the newest that is known: save the model with an older ir_version"));
  }
  const int64_t opset = opsetOf(model);
  if (opset == 0)
    return absl::InvalidArgumentError("the model imports no opset of the ONNX domain");
  for (const onnx::OperatorSetIdProto& other : model.opset_import()) {
    if (isDefaultDomain(other.domain()) && other.version() != opset)
      return absl::InvalidArgumentError(absl::StrCat(
          "the model imports two opsets of the ONNX domain, ", opset, " and ", other.version()));
  }
  if (opset >= kLeastOpset && opset <= kMostOpset) return absl::OkStatus();
  if (opset < kLeastOpset && hasOpsOf(model, opset, kLeastOpset)) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(
      "opset ", opset, " is not supported: export with opset ", kLeastOpset, " to ", kMostOpset));
}

// What goes into packages and reports must be text. (The library stores any bytes.)
absl::Status checkNames(const onnx::GraphProto& graph) {
  auto check = [](const char* what, const auto& items) {
    for (const auto& item : items) {
      if (!llvm::json::isUTF8(item.name())) {
        return absl::InvalidArgumentError(
            absl::StrCat("the name of ", what, " '", item.name(), "' is not UTF-8"));
      }
    }
    return absl::OkStatus();
  };
  IR_RETURN_IF_ERROR(check("node", graph.node()));
  IR_RETURN_IF_ERROR(check("input", graph.input()));
  IR_RETURN_IF_ERROR(check("output", graph.output()));
  // A claim repeats these as they are.
  auto checkLine = [](const char* what, const auto& items) {
    for (const auto& item : items) {
      if (printable(item.name()) == item.name()) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("the name of ", what, " '", item.name(), "' has control characters"));
    }
    return absl::OkStatus();
  };
  IR_RETURN_IF_ERROR(checkLine("input", graph.input()));
  IR_RETURN_IF_ERROR(checkLine("output", graph.output()));
  for (const onnx::ValueInfoProto& input : graph.input()) {
    for (const auto& dim : input.type().tensor_type().shape().dim()) {
      const std::string& name = dim.dim_param();
      if (llvm::json::isUTF8(name) && printable(name) == name) continue;
      return absl::InvalidArgumentError(absl::StrCat("the name of a dimension of input '",
                                                     input.name(),
                                                     "' has control characters or is not UTF-8"));
    }
  }
  return absl::OkStatus();
}

// What the ONNX library reads without a look at its size.
absl::Status checkTensors(const onnx::ModelProto& model) {
  auto at = [](const char* what, const std::string& name, const onnx::TensorProto& tensor) {
    absl::Status status = checkRawSize(tensor);
    if (status.ok()) return status;
    return ir::withPrefix(status, absl::StrCat(what, " '", name, "': a tensor "));
  };
  auto check = [&](const auto& self, const auto& nodes) -> absl::Status {
    for (const onnx::NodeProto& node : nodes) {
      for (const onnx::AttributeProto& attribute : node.attribute()) {
        IR_RETURN_IF_ERROR(at("node", node.name(), attribute.t()));
        for (const onnx::TensorProto& tensor : attribute.tensors())
          IR_RETURN_IF_ERROR(at("node", node.name(), tensor));
        for (const onnx::TensorProto& tensor : attribute.g().initializer())
          IR_RETURN_IF_ERROR(at("initializer", tensor.name(), tensor));
        IR_RETURN_IF_ERROR(self(self, attribute.g().node()));
      }
    }
    return absl::OkStatus();
  };
  for (const onnx::TensorProto& tensor : model.graph().initializer())
    IR_RETURN_IF_ERROR(at("initializer", tensor.name(), tensor));
  for (const onnx::FunctionProto& function : model.functions())
    IR_RETURN_IF_ERROR(check(check, function.node()));
  return check(check, model.graph().node());
}

// The ONNX checker would say only that no such operator is registered.
void checkSupported(const onnx::ModelProto& model, const std::set<std::string>& supported,
                    ir::Problems& problems) {
  std::set<FunctionKey> local;
  for (const onnx::FunctionProto& function : model.functions()) local.insert(keyOf(function));
  auto check = [&](const auto& self, const auto& nodes) -> void {
    int index = 0;
    for (const onnx::NodeProto& node : nodes) {
      const std::string name =
          node.name().empty() ? absl::StrCat(node.op_type(), "_", index) : node.name();
      ++index;
      for (const onnx::GraphProto* branch : branchesOf(node)) self(self, branch->node());
      if (local.contains(calledBy(node))) continue;
      if (supported.contains(qualifiedOp(node))) continue;
      problems.add(absl::UnimplementedError(absl::StrCat(
          "node '", name, "': op ", node.op_type(), " of domain '",
          isDefaultDomain(node.domain()) ? "ai.onnx" : node.domain(),
          "' is not supported; export the model with others (compiler/onnx_import/README.md)")));
    }
  };
  check(check, model.graph().node());
  for (const onnx::FunctionProto& function : model.functions()) check(check, function.node());
}

void collectNames(onnx::GraphProto& graph, std::set<std::string>& names) {
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    node.set_name(printable(node.name()));
    names.insert(node.name());
    for (onnx::GraphProto* branch : branchesOf(node)) collectNames(*branch, names);
  }
}

// Those of a branch begin with the name of the If.
void nameNodes(onnx::GraphProto& graph, const std::string& prefix, std::set<std::string>& names) {
  for (int i = 0; i < graph.node_size(); ++i) {
    onnx::NodeProto& node = *graph.mutable_node(i);
    if (node.name().empty()) {
      std::string name = absl::StrCat(prefix, node.op_type(), "_", i);
      while (!names.insert(name).second) name += "_";
      node.set_name(name);
    }
    for (onnx::GraphProto* branch : branchesOf(node)) nameNodes(*branch, node.name() + "/", names);
  }
}

void nameNodes(onnx::GraphProto& graph) {
  std::set<std::string> names;
  collectNames(graph, names);
  nameNodes(graph, "", names);
}

// Gives symbolic dimensions their sizes.
class DimBinder {
 public:
  explicit DimBinder(const ImportOptions& import) : import_(import), dims_(import.dims) {}

  absl::Status bindInputs(onnx::GraphProto& graph) {
    for (const auto& [name, size] : dims_) {
      if (size < 1 || size > kMostDim) {
        return absl::InvalidArgumentError(
            absl::StrCat("--dim ", name, "=", size, ": a size is 1 to ", kMostDim));
      }
    }
    ir::Problems problems;
    for (onnx::ValueInfoProto& input : *graph.mutable_input()) problems.add(bindInput(input));
    IR_RETURN_IF_ERROR(problems.status());
    for (const auto& [name, size] : dims_) {
      if (!used_.contains(name)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "--dim ", name, "=", size, ": the inputs have no dimension '", name, "'; they have ",
            symbols_.empty() ? "none to bind" : absl::StrJoin(symbols_, ", ")));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status bindInput(onnx::ValueInfoProto& input) {
    if (!input.type().has_tensor_type() || !input.type().tensor_type().has_shape()) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", input.name(), "' is not a tensor with a shape"));
    }
    int axis = -1;
    bool bound_here = false;
    ir::Problems missing;
    for (auto& dim : *input.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim()) {
      ++axis;
      if (dim.value_case() == onnx::TensorShapeProto_Dimension::kDimValue) {
        if (dim.dim_value() >= 0) continue;
        return absl::InvalidArgumentError(
            absl::StrCat("input '", input.name(), "' has a negative size on axis ", axis));
      }
      const std::string symbol =
          dim.dim_param().empty() ? absl::StrCat(input.name(), "[", axis, "]") : dim.dim_param();
      symbols_.insert(symbol);
      auto bound = dims_.find(symbol);
      if (bound == dims_.end()) bound = dims_.find(kOtherDims);
      if (bound == dims_.end()) {
        if (!missing_.insert(symbol).second) continue;  // said of another input
        missing.add(absl::FailedPreconditionError(
            absl::StrCat("input '", input.name(), "': dimension '", symbol, "' (axis ", axis,
                         ") has no size; give it one with --dim ", symbol, "=N")));
        continue;
      }
      used_.insert(bound->first);
      dim.set_dim_value(bound->second);
      bound_here = true;
    }
    IR_RETURN_IF_ERROR(missing.status());
    return bound_here ? checkElements(input) : absl::OkStatus();
  }

  // Of an input whose sizes the options say.
  absl::Status checkElements(const onnx::ValueInfoProto& input) const {
    if (import_.elements.empty() && import_.most_elements == 0) return absl::OkStatus();
    double elements = 1;  // which may be beyond any integer
    for (const auto& dim : input.type().tensor_type().shape().dim())
      elements *= static_cast<double>(dim.dim_value());
    const auto known = import_.elements.find(input.name());
    const bool exact = known != import_.elements.end();
    const int64_t limit = exact ? known->second : import_.most_elements;
    if (exact ? elements == static_cast<double>(limit) : elements <= static_cast<double>(limit))
      return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrFormat("input '%s' would have %.0f elements, not %s%d", input.name(), elements,
                        exact ? "" : "at most ", limit));
  }

  const ImportOptions& import_;
  const std::map<std::string, int64_t>& dims_;
  std::set<std::string> symbols_, used_, missing_;
};

// Every input is static from here on. Returns the caches that are empty.
absl::StatusOr<std::vector<std::string>> bindDims(onnx::ModelProto& model,
                                                  const ImportOptions& import) {
  IR_ASSIGN_OR_RETURN(std::vector<std::string> caches,
                      bindEmptyCaches(*model.mutable_graph(), import.dims));
  DimBinder binder(import);
  IR_RETURN_IF_ERROR(binder.bindInputs(*model.mutable_graph()));
  return caches;
}

// Exporters list a value twice that two results of a module hold; under one name it is one output.
void dropRepeatedOutputs(onnx::GraphProto& graph) {
  onnx::GraphProto once;
  std::set<std::string> names;
  for (const onnx::ValueInfoProto& output : graph.output()) {
    if (names.insert(output.name()).second) *once.add_output() = output;
  }
  graph.mutable_output()->Swap(once.mutable_output());
}

// What the file says about other values than inputs may name dimensions that nothing defines, or be
// wrong, of which runtimes only warn: the shapes are computed anew.
void dropDeclaredShapes(onnx::GraphProto& graph) {
  for (onnx::NodeProto& node : *graph.mutable_node())
    for (onnx::GraphProto* branch : branchesOf(node)) dropDeclaredShapes(*branch);
  graph.clear_value_info();
  for (onnx::ValueInfoProto& output : *graph.mutable_output()) {
    if (output.type().has_tensor_type())
      output.mutable_type()->mutable_tensor_type()->clear_shape();
  }
}

// Values have no widths here: what to saturate at is written on the nodes.
void writeQuantizedTypes(onnx::GraphProto& graph) {
  static const std::set<std::string> saturates = {"QLinearConv", "QLinearMatMul", "QuantizeLinear"};
  std::map<std::string, int32_t> types;
  auto note = [&](const auto& values) {
    for (const onnx::ValueInfoProto& value : values)
      types[value.name()] = value.type().tensor_type().elem_type();
  };
  note(graph.value_info());
  note(graph.output());
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    for (onnx::GraphProto* branch : branchesOf(node)) writeQuantizedTypes(*branch);
    if (!saturates.contains(qualifiedOp(node)) || node.output().empty()) continue;
    auto* attributes = node.mutable_attribute();
    const auto given = llvm::find_if(*attributes, [](const onnx::AttributeProto& attribute) {
      return attribute.name() == "output_dtype";
    });
    if (given != attributes->end()) attributes->erase(given);
    onnx::AttributeProto& type = *node.add_attribute();
    type.set_name("output_dtype");
    type.set_type(onnx::AttributeProto::INT);
    type.set_i(types[node.output(0)]);
  }
}

}  // namespace

int64_t opsetOf(const onnx::ModelProto& model) {
  for (const onnx::OperatorSetIdProto& opset : model.opset_import()) {
    if (isDefaultDomain(opset.domain())) return opset.version();
  }
  return 0;
}

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

bool isDefaultDomain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

std::vector<onnx::GraphProto*> branchesOf(onnx::NodeProto& node) {
  std::vector<onnx::GraphProto*> branches;
  if (qualifiedOp(node) != "If") return branches;
  for (onnx::AttributeProto& attribute : *node.mutable_attribute())
    if (attribute.has_g()) branches.push_back(attribute.mutable_g());
  return branches;
}

std::vector<const onnx::GraphProto*> branchesOf(const onnx::NodeProto& node) {
  std::vector<const onnx::GraphProto*> branches;
  if (qualifiedOp(node) != "If") return branches;
  for (const onnx::AttributeProto& attribute : node.attribute())
    if (attribute.has_g()) branches.push_back(&attribute.g());
  return branches;
}

std::string qualifiedOp(const onnx::NodeProto& node) {
  return isDefaultDomain(node.domain()) ? node.op_type()
                                        : absl::StrCat(node.domain(), ".", node.op_type());
}

absl::Status prepareModel(ModelFile& file, const ImportOptions& import,
                          const std::set<std::string>& supported_ops, ir::Problems& problems) {
  onnx::ModelProto& model = file.model;
  IR_RETURN_IF_ERROR(checkVersions(model));
  IR_RETURN_IF_ERROR(checkTensors(model));
  registerContribSchemas();
  for (onnx::OperatorSetIdProto& given : *model.mutable_opset_import())
    if (isDefaultDomain(given.domain()) && given.version() < kLeastOpset)
      given.set_version(kLeastOpset);
  moveContribNodes(model, opsetOf(model));
  IR_RETURN_IF_ERROR(checkLocalFunctions(model));
  writeFunctionDefaults(model);
  const int64_t opset = opsetOf(model);
  const bool old = opset < kLeastOwnOpset;
  std::set<std::string> known = supported_ops;
  if (old) known.insert({"Scatter", "Upsample"});  // ScatterElements and Resize today
  checkSupported(model, known, problems);
  const absl::Status checked = guarded("ONNX checker", [&] { onnx::checker::check_model(model); });
  if (!checked.ok() && problems.count() > 0) problems.add(bindDims(model, import).status());
  IR_RETURN_IF_ERROR(checked);
  if (model.functions_size() != 0) {
    IR_RETURN_IF_ERROR(guarded("inlining", [&] { onnx::inliner::InlineLocalFunctions(model); }));
    if (problems.count() == 0) checkSupported(model, known, problems);
  }
  dropRepeatedOutputs(*model.mutable_graph());
  nameNodes(*model.mutable_graph());
  IR_RETURN_IF_ERROR(checkNames(model.graph()));
  IR_ASSIGN_OR_RETURN(const std::vector<std::string> caches, bindDims(model, import));
  makeEmptyConstants(*model.mutable_graph(), caches);
  dropDeclaredShapes(*model.mutable_graph());
  if (old) {
    IR_RETURN_IF_ERROR(guarded("ONNX shape inference", [&] { inferShapes(model); }));
    IR_RETURN_IF_ERROR(convertToOpset(file, kLeastOwnOpset));
    model.mutable_graph()->clear_value_info();
  }
  writeOldDefaults(*model.mutable_graph(), opset);
  writeDefaults(*model.mutable_graph(), opsetOf(model));
  IR_RETURN_IF_ERROR(guarded("ONNX shape inference", [&] { inferShapes(model); }));
  writeQuantizedTypes(*model.mutable_graph());
  return absl::OkStatus();
}

}  // namespace lindero::compiler

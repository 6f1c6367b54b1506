#include "compiler/onnx_import/import.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/onnx_import/functions.h"
#include "compiler/onnx_import/model_file.h"
#include "compiler/onnx_import/node_emitter.h"
#include "compiler/onnx_import/prepare.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/problems.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace lindero::compiler {
namespace {

using ir::Value;

const std::map<std::string, NamedEmitter>& emitters() {
  static const auto* map = [] {
    auto* entries = new std::map<std::string, NamedEmitter>;
    for (auto list :
         {activationEmitters(), elementwiseEmitters(), layoutEmitters(), shapeEmitters(),
          layerEmitters(), reductionEmitters(), normEmitters(), windowEmitters(), resizeEmitters(),
          paddingEmitters(), indexEmitters(), einsumEmitters(), quantizationEmitters()}) {
      for (const NamedEmitter& emitter : list) entries->emplace(emitter.op_type, emitter);
    }
    return entries;
  }();
  return *map;
}

// Of constants that are read and made while importing.
constexpr int64_t kMostFoldedElements = int64_t{1} << 25;

// Of an input, and of what a node computes. Beyond these no machine runs a model, and the ONNX
// library computes sizes in 32 bits here and there.
constexpr int64_t kMostInputElements = int64_t{1} << 28;
constexpr int64_t kMostElements = std::numeric_limits<int32_t>::max();

// Nothing if they are at most that many.
absl::Status checkElements(llvm::ArrayRef<int64_t> shape, int64_t most) {
  int64_t elements = 1;
  for (int64_t size : shape) {
    // Sizes beside a 0 count, too: what computes with them need not look for one.
    if (size > most / elements) {
      return absl::UnimplementedError(absl::StrCat("[", absl::StrJoin(shape, ", "),
                                                   "] is more than the ", most,
                                                   " elements that are supported"));
    }
    elements *= std::max<int64_t>(1, size);
  }
  return absl::OkStatus();
}

constexpr int kMostNestedFunctions = 8;

// The version of the ONNX domain that a function's body is written in.
int64_t bodyOpset(const onnx::FunctionProto& body) {
  for (const onnx::OperatorSetIdProto& opset : body.opset_import()) {
    if (isDefaultDomain(opset.domain())) return opset.version();
  }
  return 0;
}

// A shape that the ONNX library has computed, if it is static.
std::optional<std::vector<int64_t>> staticShape(const onnx::ValueInfoProto& info) {
  if (!info.type().tensor_type().has_shape()) return std::nullopt;
  std::vector<int64_t> shape;
  for (const auto& dim : info.type().tensor_type().shape().dim()) {
    if (dim.value_case() != onnx::TensorShapeProto_Dimension::kDimValue) return std::nullopt;
    shape.push_back(dim.dim_value());
  }
  return shape;
}

// One graph on its way into one function.
class GraphImporter {
 public:
  GraphImporter(const ModelFile& file, ir::Module& module)
      : file_(file),
        module_(module),
        function_(module.addFunction("main")),
        builder_(&function_->body()) {}

  absl::Status run() {
    const onnx::GraphProto& graph = file_.model.graph();
    IR_RETURN_IF_ERROR(addArguments());
    IR_RETURN_IF_ERROR(checkOutputs());
    findLiveNodes();
    for (const onnx::ValueInfoProto& info : graph.value_info()) inferred_[info.name()] = &info;
    std::map<std::string, std::string> types;
    ir::Problems problems;
    for (int i = 0; i < graph.node_size(); ++i) {
      const onnx::NodeProto& node = graph.node(i);
      types[node.name()] = node.op_type();
      if (!live_[i] || readsMissing(node)) continue;
      absl::Status status = emitNode(node);
      if (status.ok()) continue;
      missing_.insert(node.output().begin(), node.output().end());
      problems.add(absl::Status(
          status.code(),
          absl::StrCat("node '", node.name(), "' (", node.op_type(), "): ", status.message())));
    }
    IR_RETURN_IF_ERROR(problems.status());
    module_.setNodeTypes(std::move(types));
    IR_RETURN_IF_ERROR(addReturn());
    dropUnused();
    return absl::OkStatus();
  }

 private:
  // Does the node read what another node failed to compute? Then only that one is to be mended.
  bool readsMissing(const onnx::NodeProto& node) {
    const bool reads = llvm::any_of(
        node.input(), [&](const std::string& input) { return missing_.contains(input); });
    if (reads) missing_.insert(node.output().begin(), node.output().end());
    return reads;
  }

  absl::Status addArguments() {
    for (const onnx::ValueInfoProto& input : file_.model.graph().input()) {
      if (file_.initializers.contains(input.name())) continue;
      auto element = elementOf(input.type().tensor_type().elem_type());
      if (!element.ok()) {
        return absl::Status(
            element.status().code(),
            absl::StrCat("input '", input.name(), "': ", element.status().message()));
      }
      // Truth values come as integers, 0 and 1.
      const bool boolean = *element == ir::Element::kBool;
      const ir::Type type =
          ir::Type::tensor(boolean ? ir::Element::kInt : *element, *staticShape(input));
      if (absl::Status status = checkElements(type.shape, kMostInputElements); !status.ok()) {
        return absl::Status(status.code(),
                            absl::StrCat("input '", input.name(), "': ", status.message()));
      }
      ir::Value*& value = values_[input.name()];
      value = function_->body().addArgument(type, input.name());
      if (!boolean) continue;
      IR_ASSIGN_OR_RETURN(value, ir::tensor::create(builder_, "tensor.cast", {value},
                                                    {{"to", std::string("bool")}}));
    }
    return absl::OkStatus();
  }

  absl::Status checkOutputs() const {
    if (file_.model.graph().output().empty())
      return absl::InvalidArgumentError("the graph has no output");
    return absl::OkStatus();
  }

  // Nodes that an output depends on. Others may be anything.
  void findLiveNodes() {
    const onnx::GraphProto& graph = file_.model.graph();
    llvm::StringSet<> needed;
    for (const onnx::ValueInfoProto& output : graph.output()) needed.insert(output.name());
    live_.resize(graph.node_size());
    for (int i = graph.node_size(); i-- > 0;) {
      for (const std::string& output : graph.node(i).output())
        live_[i] = live_[i] || needed.contains(output);
      if (!live_[i]) continue;
      for (const std::string& input : graph.node(i).input()) needed.insert(input);
    }
  }

  // The value of that name; initializers become constants when first asked for.
  absl::StatusOr<Value*> lookUp(const std::string& name) {
    if (Value* value = values_.lookup(name)) return value;
    auto found = file_.initializers.find(name);
    if (found == file_.initializers.end()) {
      return absl::UnimplementedError(
          absl::StrCat("value '", name, "' is an output that the importer does not compute"));
    }
    auto constant = makeConstant(found->second);
    if (!constant.ok()) {
      return absl::Status(constant.status().code(),
                          absl::StrCat("initializer '", name, "' ", constant.status().message()));
    }
    const ir::Constant& added = module_.constants().add(*std::move(constant));
    IR_ASSIGN_OR_RETURN(ir::Element element, elementOf(found->second.tensor->data_type()));
    Value* value = builder_.value("tensor.constant", {}, ir::Type::tensor(element, added.shape),
                                  {{"value", ir::Symbol{added.name}}});
    values_[name] = value;
    return value;
  }

  absl::Status emitNode(const onnx::NodeProto& node) {
    builder_.setLocation({});
    std::vector<Value*> inputs;
    for (const std::string& input : node.input()) {
      inputs.push_back(nullptr);
      if (input.empty()) continue;
      IR_ASSIGN_OR_RETURN(inputs.back(), lookUp(input));
    }
    builder_.setLocation({node.name()});
    IR_ASSIGN_OR_RETURN(const std::vector<Value*> outputs,
                        compute(node, std::move(inputs), opsetOf(file_.model), 0));
    for (int i = 0; i < node.output_size(); ++i) {
      if (!outputs[i]) continue;
      IR_RETURN_IF_ERROR(checkShape(node.output(i), *outputs[i]));
      values_[node.output(i)] = outputs[i];
    }
    return absl::OkStatus();
  }

  // One value per output, null where there is none: by the op's emitter, or by its definition.
  absl::StatusOr<std::vector<Value*>> compute(const onnx::NodeProto& node,
                                              std::vector<Value*> inputs, int64_t opset,
                                              int depth) {
    while (!inputs.empty() && !inputs.back()) inputs.pop_back();
    auto emitter = emitters().find(qualifiedOp(node));
    if (emitter != emitters().end()) {
      NodeEmitter context(node, std::move(inputs), builder_, module_);
      context.limitFolding(folding_room_);
      IR_RETURN_IF_ERROR(emitter->second.emit(context, emitter->second.op));
      for (const Value* output : context.outputs())
        if (output) IR_RETURN_IF_ERROR(checkElements(output->type().shape, kMostElements));
      return context.outputs().vec();
    }
    if (!llvm::is_contained(functionOps(), qualifiedOp(node)) || depth > kMostNestedFunctions)
      return absl::UnimplementedError("the op is not supported");
    IR_ASSIGN_OR_RETURN(const onnx::FunctionProto body, functionBody(node, opset, inputs));
    return computeBody(body, node, inputs, depth + 1);
  }

  absl::StatusOr<std::vector<Value*>> computeBody(const onnx::FunctionProto& body,
                                                  const onnx::NodeProto& caller,
                                                  llvm::ArrayRef<Value*> inputs, int depth) {
    llvm::StringMap<Value*> values;
    llvm::StringMap<std::string> names;  // of values, as messages and constants have them
    for (int i = 0; i < body.input_size(); ++i) {
      values[body.input(i)] = size_t(i) < inputs.size() ? inputs[i] : nullptr;
      if (i < caller.input_size()) names[body.input(i)] = caller.input(i);
    }
    for (onnx::NodeProto node : body.node()) {
      std::vector<Value*> operands;
      for (std::string& input : *node.mutable_input()) {
        if (!input.empty() && !values.contains(input))
          return absl::UnimplementedError(
              "its definition reads what the importer does not compute");
        operands.push_back(values.lookup(input));
        input = names.lookup(input);
      }
      const onnx::NodeProto unnamed = node;
      node.set_name(caller.name());
      for (std::string& output : *node.mutable_output()) {
        names[output] = absl::StrCat(caller.name(), "/", output);
        output = names[output];
      }
      auto results = compute(node, std::move(operands), bodyOpset(body), depth);
      if (!results.ok()) {
        return absl::Status(
            results.status().code(),
            absl::StrCat("in its definition, ", node.op_type(), ": ", results.status().message()));
      }
      for (int i = 0; i < node.output_size(); ++i) {
        if ((*results)[i]) values[unnamed.output(i)] = (*results)[i];
      }
    }
    std::vector<Value*> outputs(caller.output_size());
    for (int i = 0; i < caller.output_size() && i < body.output_size(); ++i)
      outputs[i] = values.lookup(body.output(i));
    return outputs;
  }

  // Two independent derivations of each shape: ours and the ONNX library's.
  absl::Status checkShape(const std::string& name, const Value& value) const {
    auto info = inferred_.find(name);
    if (info == inferred_.end()) return absl::OkStatus();
    auto expected = staticShape(*info->second);
    if (!expected ||
        llvm::ArrayRef<int64_t>(*expected) == llvm::ArrayRef<int64_t>(value.type().shape))
      return absl::OkStatus();
    return absl::InternalError(
        absl::StrCat("output '", name, "' has another shape than the ONNX library infers"));
  }

  absl::Status addReturn() {
    llvm::SmallVector<Value*, 2> outputs;
    std::vector<std::string> names;
    builder_.setLocation({});
    for (const onnx::ValueInfoProto& output : file_.model.graph().output()) {
      IR_ASSIGN_OR_RETURN(Value * value, lookUp(output.name()));
      outputs.push_back(value);
      names.push_back(output.name());
    }
    builder_.create("tensor.return", outputs, {}, {{"names", names}});
    return absl::OkStatus();
  }

  // What only shapes were computed from.
  void dropUnused() {
    auto& ops = function_->body().ops();
    for (auto it = ops.end(); it != ops.begin();) {
      ir::Op& op = *--it;
      if (op.numResults() != 1 || !op.result()->users().empty()) continue;
      ++it;
      op.erase();
    }
    std::set<std::string> used;
    for (const ir::Op& op : ops) {
      if (op.is("tensor.constant")) used.insert(op.symbolAttr("value"));
    }
    for (const ir::Constant* constant : module_.constants().constants()) {
      if (!used.contains(constant->name)) module_.constants().erase(std::string(constant->name));
    }
  }

  const ModelFile& file_;
  ir::Module& module_;
  ir::Function* function_;
  ir::Builder builder_;
  llvm::StringMap<Value*> values_;
  llvm::StringMap<const onnx::ValueInfoProto*> inferred_;
  std::vector<bool> live_;
  std::set<std::string> missing_;
  int64_t folding_room_ = kMostFoldedElements;
};

}  // namespace

std::vector<std::string> supportedOnnxOps() {
  std::vector<std::string> names;
  for (const auto& [name, emitter] : emitters()) names.push_back(name);
  names.insert(names.end(), functionOps().begin(), functionOps().end());
  llvm::sort(names);
  return names;
}

absl::StatusOr<std::vector<std::string>> externalFiles(const std::string& path) {
  IR_ASSIGN_OR_RETURN(ModelFile file, readModelFile(path));
  return file.external;
}

absl::StatusOr<std::unique_ptr<ir::Module>> importOnnx(const std::string& path,
                                                       const ImportOptions& options) {
  auto import = [&]() -> absl::StatusOr<std::unique_ptr<ir::Module>> {
    IR_ASSIGN_OR_RETURN(ModelFile file, readModelFile(path));
    const std::vector<std::string> names = supportedOnnxOps();
    IR_RETURN_IF_ERROR(prepareModel(file, options, {names.begin(), names.end()}));
    auto module = std::make_unique<ir::Module>();
    IR_RETURN_IF_ERROR(GraphImporter(file, *module).run());
    return module;
  };
  auto module = import();
  if (module.ok()) return module;
  return absl::Status(module.status().code(),
                      printable(absl::StrCat(path, ": ", module.status().message())));
}

}  // namespace lindero::compiler

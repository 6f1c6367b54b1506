#include "compiler/onnx_import/import.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/onnx_import/double_constants.h"
#include "compiler/onnx_import/dynamic_scales.h"
#include "compiler/onnx_import/file_notes.h"
#include "compiler/onnx_import/functions.h"
#include "compiler/onnx_import/model_file.h"
#include "compiler/onnx_import/node_emitter.h"
#include "compiler/onnx_import/prepare.h"
#include "compiler/onnx_import/value_types.h"
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
    for (auto list : {activationEmitters(), elementwiseEmitters(), layoutEmitters(),
                      shapeEmitters(), layerEmitters(), reductionEmitters(), normEmitters(),
                      windowEmitters(), resizeEmitters(), paddingEmitters(), indexEmitters(),
                      einsumEmitters(), quantizationEmitters(), selectionEmitters(),
                      fourierEmitters(), bitEmitters(), constantEmitters(), regionEmitters()}) {
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
  // `problems` holds those of ops that are not supported.
  GraphImporter(const ModelFile& file, ir::Module& module, const ir::Problems& problems,
                bool as_written)
      : file_(file),
        module_(module),
        as_written_(as_written),
        knows_unsupported_(problems.count() > 0),
        function_(module.addFunction("main")),
        builder_(&function_->body()) {}

  absl::Status run() {
    const onnx::GraphProto& graph = file_.model.graph();
    IR_RETURN_IF_ERROR(addArguments());
    IR_RETURN_IF_ERROR(checkOutputs());
    findLiveNodes();
    for (const onnx::ValueInfoProto& info : graph.value_info()) inferred_[info.name()] = &info;
    const std::vector<std::string> supported = supportedOnnxOps();
    ir::Problems problems;
    for (int i = 0; i < graph.node_size(); ++i) {
      const onnx::NodeProto& node = graph.node(i);
      node_types_[node.name()] = node.op_type();
      if (!live_[i] || readsMissing(node)) continue;
      if (knows_unsupported_ && !llvm::is_contained(supported, qualifiedOp(node))) {
        missing_.insert(node.output().begin(), node.output().end());
        continue;
      }
      absl::Status status = emitNode(node);
      if (status.ok()) continue;
      missing_.insert(node.output().begin(), node.output().end());
      problems.add(ir::withPrefix(
          status, absl::StrCat("node '", node.name(), "' (", node.op_type(), "): ")));
    }
    IR_RETURN_IF_ERROR(problems.status());
    if (knows_unsupported_) return absl::OkStatus();  // the graph has holes
    module_.setNodeTypes(std::move(node_types_));
    IR_RETURN_IF_ERROR(addReturn());
    dropUnused();
    return absl::OkStatus();
  }

 private:
  // Does the node read what another node failed to compute? Then only that one is to be mended.
  bool readsMissing(const onnx::NodeProto& node) {
    llvm::StringSet<> names;
    addReads(node, names);
    const bool reads = llvm::any_of(
        names.keys(), [&](llvm::StringRef name) { return missing_.contains(name.str()); });
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
        return ir::withPrefix(status, absl::StrCat("input '", input.name(), "': "));
      }
      auto& [value, onnx_type] = values_[input.name()];
      value = function_->body().addArgument(type, input.name());
      onnx_type = input.type().tensor_type().elem_type();
      if (!boolean) {
        IR_ASSIGN_OR_RETURN(value, withType(builder_, value, onnx_type));
        continue;
      }
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
      addReads(graph.node(i), needed);
    }
  }

  // With what branches read, their own values included.
  static void addReads(const onnx::NodeProto& node, llvm::StringSet<>& names) {
    for (const std::string& input : node.input()) names.insert(input);
    for (const onnx::GraphProto* branch : branchesOf(node)) {
      for (const onnx::ValueInfoProto& output : branch->output()) names.insert(output.name());
      for (const onnx::NodeProto& inner : branch->node()) addReads(inner, names);
    }
  }

  // The value of that name; initializers become constants when first asked for.
  absl::StatusOr<TypedValue> lookUp(const std::string& name) {
    if (const TypedValue value = values_.lookup(name); value.value) return value;
    auto found = file_.initializers.find(name);
    if (found == file_.initializers.end()) {
      return absl::UnimplementedError(
          absl::StrCat("value '", name, "' is an output that the importer does not compute"));
    }
    auto constant = makeConstant(found->second);
    if (!constant.ok()) {
      return ir::withPrefix(constant.status(), absl::StrCat("initializer '", name, "' "));
    }
    const ir::Constant& added = module_.constants().add(*std::move(constant));
    const int type = found->second.tensor->data_type();
    IR_ASSIGN_OR_RETURN(ir::Element element, elementOf(type));
    Value* value = builder_.value("tensor.constant", {}, ir::Type::tensor(element, added.shape),
                                  {{"value", ir::Symbol{added.name}}});
    return values_[name] = {value, type};
  }

  // The branch that a condition picks that is known when compiling; its nodes see what the If sees.
  absl::Status emitIf(const onnx::NodeProto& node) {
    IR_ASSIGN_OR_RETURN(const TypedValue condition, lookUp(node.input(0)));
    builder_.setLocation({node.name()});
    NodeEmitter context(node, {condition.value}, builder_, module_);
    IR_ASSIGN_OR_RETURN(const ir::tensor::Array known, context.constantInput(0));
    if (known.elements() != 1 || known.isReal())
      return absl::InvalidArgumentError("its condition is not one truth value");
    const bool taken = known.integers[0] != 0;
    const onnx::AttributeProto* attribute =
        context.attribute(taken ? "then_branch" : "else_branch");
    if (attribute == nullptr) return absl::InvalidArgumentError("it has no branch");
    const onnx::GraphProto& branch = attribute->g();
    if (branch.output_size() != node.output_size())
      return absl::InvalidArgumentError("its branch has another number of outputs");
    if (branch.sparse_initializer_size() > 0)
      return absl::UnimplementedError("its branch has sparse weights");
    // Names of a branch are gone after it; later ones may be the same.
    std::set<std::string> own;
    for (const onnx::TensorProto& tensor : branch.initializer()) {
      own.insert(tensor.name());
      IR_ASSIGN_OR_RETURN(Value * value, context.constant(tensor));
      values_[tensor.name()] = {value, tensor.data_type()};
    }
    auto outer = std::exchange(inferred_, {});
    const absl::Status status = emitBranch(branch, own);
    inferred_ = std::move(outer);
    IR_RETURN_IF_ERROR(status);
    std::vector<TypedValue> outputs(node.output_size());
    for (int i = 0; i < node.output_size(); ++i) {
      IR_ASSIGN_OR_RETURN(outputs[i], lookUp(branch.output(i).name()));
    }
    for (const std::string& name : own) {
      values_.erase(name);
      whole_reals_.erase(name);
    }
    for (int i = 0; i < node.output_size(); ++i) {
      if (node.output(i).empty()) continue;
      IR_RETURN_IF_ERROR(checkShape(node.output(i), *outputs[i].value));
      values_[node.output(i)] = outputs[i];
      noteWholeReals(node.output(i), outputs[i]);
      scales_.alias(node.output(i), branch.output(i).name());
    }
    return absl::OkStatus();
  }

  absl::Status emitBranch(const onnx::GraphProto& branch, std::set<std::string>& own) {
    for (const onnx::NodeProto& inner : branch.node()) {
      own.insert(inner.output().begin(), inner.output().end());
      node_types_[inner.name()] = inner.op_type();
      if (absl::Status status = emitNode(inner); !status.ok()) {
        return ir::withPrefix(status, absl::StrCat("in its branch, node '", inner.name(), "' (",
                                                   inner.op_type(), "): "));
      }
    }
    return absl::OkStatus();
  }

  // Integers of quantized files are reals here (definitions.h): what would round them, or wrap
  // around, computes something else.
  absl::Status checkWholeReals(const onnx::NodeProto& node) const {
    static const std::set<std::string> same = {
        "Add",           "Concat",  "ConvInteger", "DequantizeLinear",
        "Expand",        "Flatten", "Gather",      "Identity",
        "MatMulInteger", "Mul",     "QLinearConv", "QLinearMatMul",
        "Reshape",       "Shape",   "Size",        "Slice",
        "Split",         "Squeeze", "Sub",         "Transpose",
        "Unsqueeze"};
    if (same.contains(qualifiedOp(node))) return absl::OkStatus();
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      const auto element = elementOf(static_cast<int>(attribute.i()));
      if (node.op_type() == "Cast" && attribute.name() == "to" && element.ok() &&
          *element == ir::Element::kFloat)
        return absl::OkStatus();
    }
    for (const std::string& input : node.input()) {
      if (!whole_reals_.contains(input)) continue;
      return absl::UnimplementedError(
          absl::StrCat("it reads '", input,
                       "', integers of a quantized product or activation, "
                       "which are kept as reals; cast them to float first"));
    }
    return absl::OkStatus();
  }

  void noteWholeReals(const std::string& name, const TypedValue& value) {
    if (value.value->type().element == ir::Element::kFloat && integerTypeOf(value.type))
      whole_reals_.insert(name);
  }

  absl::Status emitNode(const onnx::NodeProto& node) {
    if (qualifiedOp(node) == "If") return emitIf(node);
    IR_RETURN_IF_ERROR(checkAttributes(node));
    IR_RETURN_IF_ERROR(checkWholeReals(node));
    IR_RETURN_IF_ERROR(scales_.read(node, [&](const std::string& name) {
      absl::StatusOr<TypedValue> value = lookUp(name);
      if (!value.ok()) return false;
      const ir::Op* op = value->value->definingOp();
      return op != nullptr && op->is("tensor.constant");
    }));
    builder_.setLocation({});
    std::vector<TypedValue> inputs;
    for (const std::string& input : node.input()) {
      inputs.emplace_back();
      if (input.empty()) continue;
      IR_ASSIGN_OR_RETURN(inputs.back(), lookUp(input));
    }
    builder_.setLocation({node.name()});
    IR_ASSIGN_OR_RETURN(const std::vector<TypedValue> outputs,
                        compute(node, std::move(inputs), opsetOf(file_.model), 0));
    for (int i = 0; i < node.output_size(); ++i) {
      if (!outputs[i].value) continue;
      IR_RETURN_IF_ERROR(checkShape(node.output(i), *outputs[i].value));
      values_[node.output(i)] = outputs[i];
      noteWholeReals(node.output(i), outputs[i]);
    }
    return absl::OkStatus();
  }

  // One value per output, null where there is none: by the op's emitter, or by its definition.
  absl::StatusOr<std::vector<TypedValue>> compute(const onnx::NodeProto& node,
                                                  std::vector<TypedValue> inputs, int64_t opset,
                                                  int depth) {
    while (!inputs.empty() && !inputs.back().value) inputs.pop_back();
    std::vector<Value*> values;
    std::vector<int> types;
    for (const TypedValue& input : inputs) {
      values.push_back(input.value);
      types.push_back(input.type);
    }
    IR_RETURN_IF_ERROR(checkRequired(node, opset, values));
    NodeEmitter context(node, values, builder_, module_);
    context.limitFolding(folding_room_);
    if (as_written_) context.keepAsWritten();
    context.setTypes(std::move(types), outputType(node, opset, inputs, 0));
    IR_RETURN_IF_ERROR(checkUnsigned(context, node, inputs));
    IR_ASSIGN_OR_RETURN(values, computeValues(context, node, values, opset, depth));
    std::vector<TypedValue> outputs(node.output_size());
    for (const auto& [i, value] : llvm::enumerate(values)) {
      if (!value) continue;
      IR_RETURN_IF_ERROR(checkElements(value->type().shape, kMostElements));
      const int type = outputType(node, opset, inputs, static_cast<int>(i));
      IR_ASSIGN_OR_RETURN(Value * held, heldAs(context, node, value, type));
      outputs[i] = {held, type};
    }
    return outputs;
  }

  absl::StatusOr<std::vector<Value*>> computeValues(NodeEmitter& context,
                                                    const onnx::NodeProto& node,
                                                    llvm::ArrayRef<Value*> inputs, int64_t opset,
                                                    int depth) {
    auto emitter = emitters().find(qualifiedOp(node));
    if (emitter != emitters().end()) {
      IR_RETURN_IF_ERROR(emitter->second.emit(context, emitter->second.op));
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
    llvm::StringMap<TypedValue> values;
    llvm::StringMap<std::string> names;  // of values, as messages and constants have them
    for (int i = 0; i < body.input_size(); ++i) {
      // Bodies are told no types but these (functions.h).
      Value* value = size_t(i) < inputs.size() ? inputs[i] : nullptr;
      values[body.input(i)] = {value, value ? onnxTypeOf(value->type().element) : 0};
      if (i < caller.input_size()) names[body.input(i)] = caller.input(i);
    }
    for (onnx::NodeProto node : body.node()) {
      std::vector<TypedValue> operands;
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
        if ((*results)[i].value) values[unnamed.output(i)] = (*results)[i];
      }
    }
    std::vector<Value*> outputs(caller.output_size());
    for (int i = 0; i < caller.output_size() && i < body.output_size(); ++i)
      outputs[i] = values.lookup(body.output(i)).value;
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
      IR_ASSIGN_OR_RETURN(const TypedValue value, lookUp(output.name()));
      IR_RETURN_IF_ERROR(scales_.checkOutput(output.name()));
      Value* returned = value.value;
      if (whole_reals_.contains(output.name())) {  // what the graph calls integers is one by one
        builder_.setLocation(returned->definingOp()->location());
        IR_ASSIGN_OR_RETURN(returned, ir::tensor::create(builder_, "tensor.cast", {returned},
                                                         {{"to", std::string("int")}}));
        builder_.setLocation({});
      }
      outputs.push_back(returned);
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
    llvm::StringSet<> used;
    for (const ir::Op& op : ops) {
      if (op.is("tensor.constant")) used.insert(op.symbolAttr("value"));
    }
    module_.constants().keepOnly(used);
  }

  const ModelFile& file_;
  ir::Module& module_;
  const bool as_written_;
  bool knows_unsupported_;
  ir::Function* function_;
  ir::Builder builder_;
  llvm::StringMap<TypedValue> values_;
  llvm::StringMap<const onnx::ValueInfoProto*> inferred_;
  std::map<std::string, std::string> node_types_;
  std::vector<bool> live_;
  std::set<std::string> missing_;
  std::set<std::string> whole_reals_;
  DynamicScales scales_;
  int64_t folding_room_ = kMostFoldedElements;
};

// All problems that are found without one another.
absl::Status importInto(ir::Module& module, const std::string& path, const ImportOptions& options) {
  IR_ASSIGN_OR_RETURN(ModelFile file, readModelFile(path));
  const std::vector<std::string> names = supportedOnnxOps();
  ir::Problems problems;
  const std::vector<onnx::ValueInfoProto> declared(file.model.graph().output().begin(),
                                                   file.model.graph().output().end());
  absl::Status status = prepareModel(file, options, {names.begin(), names.end()}, problems);
  if (status.ok()) {
    status = GraphImporter(file, module, problems, options.as_written).run();
  } else if (problems.count() > 0 && !absl::IsFailedPrecondition(status)) {
    status = absl::OkStatus();  // the library stumbles over the same ops
  }
  problems.add(status);
  IR_RETURN_IF_ERROR(problems.status());
  if (options.notes != nullptr)
    *options.notes = notesOnFile(declared, file.model.graph(), *module.findFunction("main"));
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> supportedOnnxOps() {
  std::vector<std::string> names;
  for (const auto& [name, emitter] : emitters()) names.push_back(name);
  names.insert(names.end(), functionOps().begin(), functionOps().end());
  names.push_back("If");
  llvm::sort(names);
  return names;
}

absl::StatusOr<std::vector<std::string>> externalFiles(const std::string& path) {
  IR_ASSIGN_OR_RETURN(ModelFile file, readModelFile(path));
  return file.external;
}

absl::StatusOr<std::unique_ptr<ir::Module>> importOnnx(const std::string& path,
                                                       const ImportOptions& options) {
  auto module = std::make_unique<ir::Module>();
  absl::Status status = importInto(*module, path, options);
  if (status.ok()) status = checkDoubleConstants(*module->findFunction("main"));
  if (status.ok()) {
    module->constants().forEach([](ir::Constant& constant) {
      if (constant.scalar == ir::Scalar::kF64) roundToFloats(constant);
    });
    return module;
  }
  ir::Problems printed;
  for (const absl::Status& problem : ir::problemsOf(status))
    printed.add(absl::Status(problem.code(), printable(std::string(problem.message()))));
  return ir::withPrefix(printed.status(), printable(absl::StrCat(path, ": ")));
}

}  // namespace lindero::compiler

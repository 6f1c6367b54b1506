// What an ONNX op's emitter works with: the node, its inputs as IR values, and a builder that folds
// as it goes.
//
// Shapes are static, so whatever computes a shape or an index has constant operands: emit()
// evaluates such ops at once (integers, booleans, and reals of a few thousand elements) and what
// reaches the IR is the graph over activations and weights. Larger constant expressions stay for
// the pass fold-constants.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

// What an op may make of a small file (repeats, patches, outer products), in elements.
constexpr int64_t kMostNewElements = int64_t{1} << 26;

// An error if a tensor of that shape (an axis without elements counting as one) has more than
// kMostNewElements, or if a size is negative. For everything that is larger than the op's operands,
// before it is made.
absl::Status checkNewElements(llvm::ArrayRef<int64_t> shape);
// An attribute that is a yes or no is 0 or 1: what else means, runtimes and the ONNX library do not
// agree on. An epsilon is finite.
absl::Status checkAttributes(const onnx::NodeProto& node);
// ONNX calls that unidirectional: an error if the parameter would make the value larger.
absl::Status checkBroadcastsTo(const ir::Value* value, const ir::Value* parameter);

class NodeEmitter {
 public:
  NodeEmitter(const onnx::NodeProto& node, std::vector<ir::Value*> inputs, ir::Builder& builder,
              ir::Module& module)
      : node_(node),
        inputs_(std::move(inputs)),
        builder_(builder),
        module_(module),
        outputs_(node.output_size()) {}

  // How many elements may still be read and made by evaluating ops here, for all nodes: a file of a
  // few bytes may ask for any number. What has no room is left to fold-constants; what is as short
  // as a shape always has. Unlimited without a call.
  void limitFolding(int64_t& elements) { room_ = &elements; }
  bool hasRoomFor(int64_t elements) const;

  // As in ImportOptions.
  void keepAsWritten() { as_written_ = true; }
  bool asWritten() const { return as_written_; }

  // The ONNX types of the inputs: all integers are one type here. Where one of them, or the output,
  // is of doubles, what is computed of constants is, too, until it is emitted.
  void setTypes(std::vector<int> types, int output);
  // Of an input; UNDEFINED where nothing says it.
  int onnxType(int i) const;

  int numInputs() const { return static_cast<int>(inputs_.size()); }
  int numOutputs() const { return node_.output_size(); }
  // Optional inputs that are left out count as absent wherever they stand.
  bool has(int i) const { return i < numInputs() && inputs_[i]; }
  // The checker has made sure that required inputs are there.
  ir::Value* input(int i) const { return inputs_[i]; }
  const llvm::SmallVector<int64_t, 4>& shape(int i) const { return inputs_[i]->type().shape; }
  int64_t rank(int i) const { return static_cast<int64_t>(shape(i).size()); }

  const onnx::AttributeProto* attribute(llvm::StringRef name) const;
  int64_t intAttr(llvm::StringRef name, int64_t fallback) const;
  double floatAttr(llvm::StringRef name, double fallback) const;
  std::string stringAttr(llvm::StringRef name, const std::string& fallback) const;
  std::optional<std::vector<int64_t>> intsAttr(llvm::StringRef name) const;

  // In [0, rank); an ONNX axis may count from the end.
  absl::StatusOr<int64_t> axis(int64_t value, int64_t rank) const;
  absl::StatusOr<std::vector<int64_t>> axes(llvm::ArrayRef<int64_t> values, int64_t rank) const;

  // Null if the value is not known now.
  const ir::Constant* constantOf(const ir::Value* value) const;
  // The value of an input that must be known now: a shape, axes, bounds.
  absl::StatusOr<ir::tensor::Array> constantInput(int i) const;
  absl::StatusOr<std::vector<int64_t>> constantInts(int i) const;
  // The integers that a value made by emit() from constants holds.
  absl::StatusOr<std::vector<int64_t>> knownIntegers(const ir::Value* value) const;

  absl::StatusOr<ir::Value*> emit(llvm::StringRef op, llvm::ArrayRef<ir::Value*> operands,
                                  llvm::ArrayRef<ir::NamedAttribute> attributes = {});
  ir::Value* constant(const ir::tensor::Array& array);
  absl::StatusOr<ir::Value*> constant(const onnx::TensorProto& tensor);
  ir::Value* scalar(double value) { return constant(ir::tensor::Array::real({}, {value})); }
  // Another shape for the same elements; nothing is emitted if it is the same shape.
  absl::StatusOr<ir::Value*> reshape(ir::Value* value, llvm::ArrayRef<int64_t> shape);

  // Another order of axes; nothing is emitted if it is the same.
  absl::StatusOr<ir::Value*> transpose(ir::Value* value, llvm::ArrayRef<int64_t> perm);
  // Slices of an axis, by indices that are known now and in range: `sizes` takes the axis's place.
  absl::StatusOr<ir::Value*> gather(ir::Value* value, int64_t axis, llvm::ArrayRef<int64_t> sizes,
                                    std::vector<int64_t> indices);

  // Records output i. emitOutput: the common case of one op for output 0.
  void setOutput(int i, ir::Value* value) { outputs_[i] = value; }
  absl::Status emitOutput(llvm::StringRef op, llvm::ArrayRef<ir::Value*> operands,
                          llvm::ArrayRef<ir::NamedAttribute> attributes = {});
  llvm::ArrayRef<ir::Value*> outputs() const { return outputs_; }

 private:
  ir::Value* addConstant(const ir::Constant& constant, ir::Element element);
  void takeRoom(int64_t elements);
  absl::StatusOr<ir::Value*> foldIfCheap(ir::Value* value);

  const onnx::NodeProto& node_;
  std::vector<ir::Value*> inputs_;
  ir::Builder& builder_;
  ir::Module& module_;
  std::vector<ir::Value*> outputs_;
  int64_t* room_ = nullptr;
  bool as_written_ = false;
  std::vector<int> types_;
  bool doubles_ = false;
};

// Emits one node. `op` is the tensor op of its table row, for emitters that serve several ONNX ops.
using EmitFunction = absl::Status (*)(NodeEmitter& e, llvm::StringRef op);

struct NamedEmitter {
  const char* op_type;
  EmitFunction emit;
  const char* op = "";
};
// By kind of op: emit_activations.cc, emit_elementwise.cc and so on.
llvm::ArrayRef<NamedEmitter> activationEmitters();
llvm::ArrayRef<NamedEmitter> elementwiseEmitters();
llvm::ArrayRef<NamedEmitter> layoutEmitters();
llvm::ArrayRef<NamedEmitter> shapeEmitters();
llvm::ArrayRef<NamedEmitter> layerEmitters();
llvm::ArrayRef<NamedEmitter> reductionEmitters();
llvm::ArrayRef<NamedEmitter> normEmitters();
llvm::ArrayRef<NamedEmitter> windowEmitters();
llvm::ArrayRef<NamedEmitter> resizeEmitters();
llvm::ArrayRef<NamedEmitter> paddingEmitters();
llvm::ArrayRef<NamedEmitter> indexEmitters();
llvm::ArrayRef<NamedEmitter> einsumEmitters();
llvm::ArrayRef<NamedEmitter> quantizationEmitters();
llvm::ArrayRef<NamedEmitter> selectionEmitters();
llvm::ArrayRef<NamedEmitter> fourierEmitters();
llvm::ArrayRef<NamedEmitter> bitEmitters();
llvm::ArrayRef<NamedEmitter> constantEmitters();
llvm::ArrayRef<NamedEmitter> regionEmitters();

}  // namespace lindero::compiler

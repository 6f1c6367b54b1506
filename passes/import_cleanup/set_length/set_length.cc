#include "passes/import_cleanup/set_length/set_length.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/core/text.h"
#include "ir/tensor/infer.h"
#include "passes/import_cleanup/support/positions.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/import_cleanup/support/whole_range.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

absl::Status refuse(absl::string_view why) { return absl::InvalidArgumentError(why); }

// The number of tokens that all inputs have.
absl::StatusOr<int64_t> lengthOf(const ir::Function& main) {
  int64_t length = 0;
  for (const auto& argument : main.body().arguments()) {
    const ir::Type& type = argument->type();
    if (type.element != ir::Element::kInt || type.shape.size() != 1 ||
        (length != 0 && type.shape[0] != length)) {
      return refuse(absl::StrCat("input '", argument->name().str(), "' is of ", ir::toText(type),
                                 "; all inputs must be as many tokens"));
    }
    length = type.shape[0];
  }
  if (length == 0) return refuse("the function has no inputs");
  return length;
}

// The first `length` slices of an axis.
Array firstOf(const Array& from, int64_t axis, int64_t length) {
  Array to;
  to.element = from.element;
  to.shape = from.shape;
  to.shape[axis] = length;
  const int64_t inner = ir::tensor::product(llvm::ArrayRef(from.shape).drop_front(axis + 1));
  const int64_t stride = from.shape[axis] * inner, size = length * inner;
  auto copy = [&](const auto& elements, auto& result) {
    for (size_t start = 0; start < elements.size(); start += stride)
      result.insert(result.end(), elements.begin() + start, elements.begin() + start + size);
  };
  copy(from.reals, to.reals);
  copy(from.integers, to.integers);
  return to;
}

// Is the operand broadcast with the result, its axes counted from the last one?
bool broadcasts(const Op& op, unsigned operand) {
  return staysInPlace(op) || op.is("tensor.concat") || (op.is("tensor.embedding") && operand == 2);
}

class Cutter {
 public:
  Cutter(int64_t from, int64_t length) : from_(from), length_(length) {}

  // The op's constants, along the axes of its result that count positions.
  absl::Status cut(Op& op, llvm::ArrayRef<int64_t> axes) {
    for (unsigned i = 0; i < op.numOperands(); ++i) {
      if (!isConstant(op.operand(i)) || !broadcasts(op, i)) continue;
      IR_ASSIGN_OR_RETURN(Value * shorter, shorten(op, op.operand(i), axes));
      op.setOperand(i, shorter);
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<Value*> shorten(Op& op, Value* constant, llvm::ArrayRef<int64_t> axes) {
    const auto& shape = constant->type().shape;
    const int64_t added = int64_t(op.result()->type().shape.size()) - int64_t(shape.size());
    Ints own;
    for (int64_t axis : axes) {
      if (axis >= added && shape[axis - added] == from_) own.push_back(axis - added);
    }
    if (own.empty()) return constant;
    Value*& shorter = known_[{constant, own}];
    if (shorter != nullptr) return shorter;
    std::optional<Array> array = arrayOf(constant);
    if (!array)
      return refuse(
          absl::StrCat(ir::describe(op), ": its constant for each position is not at hand"));
    for (int64_t axis : own) array = firstOf(*array, axis, length_);
    ir::Builder builder = ir::Builder::before(&op);
    builder.setLocation(constant->definingOp()->location());
    return shorter = makeConstant(builder, *array, constantOf(constant)->name);
  }

  int64_t from_, length_;
  std::map<std::pair<Value*, Ints>, Value*> known_;
};

// The result's shape, where it is an attribute.
void setShape(Op& op, llvm::ArrayRef<int64_t> axes, int64_t length) {
  if (!op.has("shape")) return;
  Ints shape(op.intsAttr("shape"));
  for (int64_t axis : axes) shape[axis] = length;
  op.set("shape", shape);
}

absl::Status updateType(Op& op) {
  llvm::SmallVector<ir::Type, 4> operands;
  for (const Value* operand : op.operands()) operands.push_back(operand->type());
  IR_ASSIGN_OR_RETURN(const ir::Type type,
                      ir::tensor::inferType(op.name(), operands, op.attributes()));
  op.result()->setType(type);
  return absl::OkStatus();
}

void eraseUnreadConstants(ir::Function& main) {
  for (Op& op : llvm::make_early_inc_range(main.body().ops())) {
    if (op.is("tensor.constant") && op.result()->users().empty()) op.erase();
  }
}

class SetLength : public Pass {
 public:
  explicit SetLength(int64_t length) : length_(length) {}
  llvm::StringRef name() const override { return "set-length"; }
  llvm::StringRef summary() const override { return "Make a causal model one for fewer tokens"; }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* main = module.findFunction("main");
    if (!main) return refuse("the module has no function @main");
    IR_ASSIGN_OR_RETURN(const int64_t from, lengthOf(*main));
    if (length_ == from) return false;
    if (length_ < 1 || length_ > from) {
      return refuse(absl::StrCat("the model has ", from, " tokens; length is ", length_));
    }
    const Positions positions(*main);
    if (!positions.causal()) return refuse(positions.obstacle());
    for (const auto& argument : main->body().arguments()) {
      ir::Type type = argument->type();
      type.shape[0] = length_;
      argument->setType(type);
    }
    Cutter cutter(from, length_);
    for (Op& op : main->body().ops()) {
      if (op.numResults() != 1) continue;
      const llvm::SmallVector<int64_t, 2> axes = positions.axesOf(op.result());
      if (axes.empty()) continue;
      IR_RETURN_IF_ERROR(cutter.cut(op, axes));
      setShape(op, axes, length_);
      IR_RETURN_IF_ERROR(updateType(op));
    }
    eraseUnreadConstants(*main);
    eraseUnusedConstants(module);
    return true;
  }

 private:
  int64_t length_;
};

}  // namespace

std::unique_ptr<Pass> createSetLength(int64_t length) {
  return std::make_unique<SetLength>(length);
}

absl::Status registerSetLength() {
  return registerPass("set-length", SetLength(0).summary(),
                      [](const PassOptions& given) -> absl::StatusOr<std::unique_ptr<Pass>> {
                        int64_t length = 0;
                        OptionReader reader("set-length", given);
                        reader.read("length", length);
                        if (absl::Status s = reader.finish(); !s.ok()) return s;
                        return createSetLength(length);
                      });
}

}  // namespace lindero::passes

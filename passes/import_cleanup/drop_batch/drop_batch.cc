#include "passes/import_cleanup/drop_batch/drop_batch.h"

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSwitch.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Type;
using ir::Value;
using Ints = std::vector<int64_t>;

bool hasBatchAxis(const Type& type) {
  const size_t rank = type.shape.size();
  return rank >= (type.element == ir::Element::kFloat ? 3 : 2) && type.shape[0] == 1;
}

Type withoutBatch(Type type) {
  type.shape.erase(type.shape.begin());
  return type;
}

class BatchDropper {
 public:
  explicit BatchDropper(ir::Function& function) : function_(function) {}

  absl::StatusOr<bool> run() {
    for (const auto& argument : function_.body().arguments()) {
      if (hasBatchAxis(argument->type())) drop(argument.get());
    }
    for (Op& op : llvm::make_early_inc_range(function_.body().ops())) {
      if (op.def().terminator || op.is("tensor.constant") || op.numResults() != 1) continue;
      IR_RETURN_IF_ERROR(visit(op));
    }
    return changed_;
  }

 private:
  void drop(Value* value) {
    original_[value] = value->type();
    value->setType(withoutBatch(value->type()));
    changed_ = true;
  }
  bool dropped(const Value* value) const { return original_.contains(value); }
  const Type& originalType(const Value* value) const {
    auto found = original_.find(value);
    return found == original_.end() ? value->type() : found->second;
  }

  absl::Status visit(Op& op) {
    const bool drops = hasBatchAxis(op.result()->type());
    if (!drops && llvm::none_of(op.operands(), [&](Value* v) { return dropped(v); }))
      return absl::OkStatus();
    if (op.is("tensor.reshape")) {
      if (drops) drop(op.result());
      const auto& shape = op.result()->type().shape;
      op.set("shape", Ints(shape.begin(), shape.end()));
      return absl::OkStatus();
    }
    if (drops && shiftsAxes(op)) {
      drop(op.result());
      return ir::tensor::verifyType(op);
    }
    return isolate(op, drops);
  }

  // Rewrites the op for operands and result without the axis. False (and nothing done) if it does
  // not work that way.
  bool shiftsAxes(Op& op) {
    const bool elementwise =
        llvm::StringSwitch<bool>(op.name().drop_front(strlen("tensor.")))
            .Cases("abs", "neg", "sign", "relu", "cos", "erf", "exp", "floor", true)
            .Cases("log", "reciprocal", "sigmoid", "sin", "sqrt", "tanh", "activation", "not", true)
            .Cases("ceil", "round", true)
            .Cases("is_nan", "cast", "add", "div", "max", "min", "mul", "pow", "sub", true)
            .Cases("equal", "greater", "greater_or_equal", "less", "less_or_equal", true)
            .Cases("and", "or", "where", true)
            .Default(false);
    const Value* first = op.operand(0);
    if (op.is("tensor.trilu")) return dropped(first) && first->type().shape.size() >= 2;
    if (op.is("tensor.layernorm")) return dropped(first);
    if (elementwise) return alignOperands(op);
    if (op.is("tensor.matmul")) {
      return originalType(op.operand(0)).shape.size() >= 2 &&
             originalType(op.operand(1)).shape.size() >= 2 && alignOperands(op);
    }
    if (op.is("tensor.expand")) return shiftExpand(op);
    if (op.is("tensor.transpose")) return shiftPerm(op);
    if (op.is("tensor.gather")) return shiftGather(op);
    if (op.is("tensor.softmax") || op.is("tensor.slice") || op.is("tensor.argmax"))
      return shiftAxis(op);
    if (op.is("tensor.concat"))
      return llvm::all_of(op.operands(), [&](Value* v) { return dropped(v); }) && shiftAxis(op);
    if (op.name().starts_with("tensor.reduce_")) return shiftReduction(op);
    return false;
  }

  // Operands that broadcast: those of the result's rank lose the axis, shorter ones never reached
  // it.
  bool alignOperands(Op& op) {
    const size_t rank = op.result()->type().shape.size();
    auto aligned = [&](const Value* v) {
      return dropped(v) == (originalType(v).shape.size() == rank) ||
             (isConstant(v) && v->type().shape.size() == rank);
    };
    if (!llvm::all_of(op.operands(), aligned)) return false;
    for (unsigned i = 0; i < op.numOperands(); ++i) {
      Value* operand = op.operand(i);
      if (dropped(operand) || operand->type().shape.size() != rank) continue;
      op.setOperand(i, reshaped(op, operand, withoutBatch(operand->type())));
    }
    return true;
  }

  bool shiftExpand(Op& op) {
    if (!alignOperands(op)) return false;
    const auto shape = op.intsAttr("shape");
    op.set("shape", Ints(shape.begin() + 1, shape.end()));
    return true;
  }

  bool shiftPerm(Op& op) {
    Ints perm = op.intsAttr("perm").vec();
    if (perm[0] != 0 || !dropped(op.operand(0))) return false;
    perm.erase(perm.begin());
    for (int64_t& axis : perm) --axis;
    op.set("perm", perm);
    return true;
  }

  // Either the rows of a table by indices that have the axis, or rows of a tensor that has it.
  bool shiftGather(Op& op) {
    const bool by_ids =
        op.intAttr("axis") == 0 && !dropped(op.operand(0)) && dropped(op.operand(1));
    return by_ids || (!dropped(op.operand(1)) && shiftAxis(op));
  }

  bool shiftAxis(Op& op) {
    const int64_t axis = op.intAttrOr("axis", originalType(op.operand(0)).shape.size() - 1);
    if (axis == 0 || !dropped(op.operand(0))) return false;
    op.set("axis", axis - 1);
    return true;
  }

  bool shiftReduction(Op& op) {
    Ints axes = op.intsAttr("axes").vec();
    if (llvm::is_contained(axes, 0) || !dropped(op.operand(0))) return false;
    for (int64_t& axis : axes) --axis;
    op.set("axes", axes);
    return true;
  }

  // The op as it was, between reshapes.
  absl::Status isolate(Op& op, bool drops) {
    for (unsigned i = 0; i < op.numOperands(); ++i) {
      if (dropped(op.operand(i)))
        op.setOperand(i, reshaped(op, op.operand(i), originalType(op.operand(i))));
    }
    if (!drops) return absl::OkStatus();
    Value* result = op.result();
    const llvm::SmallVector<Op*, 4> users(result->users().begin(), result->users().end());
    ir::Builder builder = ir::Builder::after(&op);
    builder.setLocation(op.location());
    const Type type = withoutBatch(result->type());
    Value* flat = builder.value("tensor.reshape", {result}, type,
                                {{"shape", Ints(type.shape.begin(), type.shape.end())}});
    for (Op* user : users) {
      for (unsigned i = 0; i < user->numOperands(); ++i) {
        if (user->operand(i) == result) user->setOperand(i, flat);
      }
    }
    original_[flat] = result->type();
    changed_ = true;
    return absl::OkStatus();
  }

  Value* reshaped(Op& before, Value* value, const Type& type) {
    changed_ = true;
    ir::Builder builder = ir::Builder::before(&before);
    builder.setLocation(before.location());
    return builder.value("tensor.reshape", {value}, type,
                         {{"shape", Ints(type.shape.begin(), type.shape.end())}});
  }

  ir::Function& function_;
  llvm::DenseMap<const Value*, Type> original_;
  bool changed_ = false;
};

absl::StatusOr<bool> dropBatch(ir::Function& function) { return BatchDropper(function).run(); }

}  // namespace

std::unique_ptr<Pass> createDropBatch() {
  return makeFunctionPass("drop-batch", "Removes the leading axis of size 1 from activations",
                          dropBatch);
}
absl::Status registerDropBatch() { return registerPass(createDropBatch); }

}  // namespace lindero::passes

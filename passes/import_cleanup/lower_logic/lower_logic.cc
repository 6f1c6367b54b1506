#include "passes/import_cleanup/lower_logic/lower_logic.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/lower_logic/arithmetic.h"
#include "passes/import_cleanup/lower_logic/input_tables.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/import_cleanup/support/whole_range.h"

namespace lindero::passes {
namespace {

using ir::Element;
using ir::Op;
using ir::Value;
using ir::tensor::Array;

constexpr int64_t kMostRows = 1 << 20;    // of a table of a function of an input
constexpr int64_t kMostOneHot = 1 << 22;  // elements

bool isExact(const WholeRange& range) { return mostOf(range) < kMostInteger; }

// Constants have single precision.
bool areSingle(llvm::ArrayRef<int64_t> integers) {
  return llvm::all_of(integers, [](int64_t x) {
    const double value = static_cast<double>(x);
    return std::abs(value) < kMostInteger && static_cast<float>(value) == value;
  });
}

bool isReal(const Value* value) { return value->type().element == Element::kFloat; }

class LogicLowering {
 public:
  explicit LogicLowering(ir::Function& function) : function_(function) {}

  absl::StatusOr<bool> run() {
    chooseLimit();
    for (const auto& argument : function_.body().arguments()) {
      if (!isReal(argument.get()) && !numbers_.contains(argument.get())) tabulate(argument.get());
    }
    // New ops stand before the one that asked for them.
    for (Op& op : llvm::make_early_inc_range(function_.body().ops())) {
      if (!op.is("tensor.constant")) IR_RETURN_IF_ERROR(visit(op));
    }
    if (changed_) eraseUnread();
    return changed_;
  }

 private:
  // The largest inputs of which all that is computed is exact, and indices cost little.
  void chooseLimit() {
    for (const auto& argument : function_.body().arguments())
      if (!isReal(argument.get()) && isNumber(argument.get())) numbers_.insert(argument.get());
    if (numbers_.empty()) return;
    for (int bits : {20, 16, 14, 12, 10, 8, 7, 5, 4, 3}) {
      ranges_ = WholeRanges(int64_t{1} << bits);
      if (llvm::all_of(function_.body().ops(), [this](const Op& op) { return hasExactResult(op); }))
        return;
    }
  }

  // Does one table find the element that a computed index picks? Of a long axis, several may.
  bool isFoundInOneTable(const Op& gather) {
    const std::optional<WholeRange> index = ranges_.of(gather.operand(1));
    const int64_t size = gather.operand(0)->type().shape[gather.intAttr("axis")];
    return isConstant(gather.operand(1)) || !index || size > kMostWhole / 4 ||
           mostOf(*index) <= kMostWhole;
  }

  bool hasExactResult(const Op& op) {
    if (op.numResults() != 1 || op.is("tensor.constant")) return true;
    if (op.is("tensor.gather") && !isFoundInOneTable(op)) return false;
    const std::optional<WholeRange> range = ranges_.of(op.result());
    if (!range) return isReal(op.result());
    const bool divides =
        op.is("tensor.div") && !isReal(op.result()) && !isPowerOfTwo(op.operand(1));
    const int64_t most = op.is("tensor.bit_and") ? kMostShared
                         : divides               ? kMostDivided
                                                 : kMostInteger;
    const bool room = most == kMostInteger || llvm::all_of(op.operands(), [&](const Value* x) {
                        return ranges_.of(x) && mostOf(*ranges_.of(x)) <= most;
                      });
    if (!room) return false;
    return isExact(*range) || (isReal(op.result()) && mostOf(*range) >= kMostRounded);
  }

  void eraseUnread() {
    auto& ops = function_.body().ops();
    for (auto it = ops.rbegin(); it != ops.rend();) {
      Op& op = *it++;
      if (op.numResults() == 1 && op.result()->users().empty()) op.erase();
    }
    eraseUnusedConstants(*function_.module());
  }

  void tabulate(Value* argument) {
    const std::optional<WholeRange> range = ranges_.of(argument);
    if (range && range->high < kMostRows) tables_.addInput(argument, range->high + 1);
  }

  absl::Status visit(Op& op) {
    if (readsIds(op)) return absl::OkStatus();
    IR_ASSIGN_OR_RETURN(const bool table, tables_.extend(op));
    if (table) return absl::OkStatus();
    ir::Builder builder = ir::Builder::before(&op);
    builder.setLocation(op.location());
    arithmetic_.emplace(builder);
    // What was a real already keeps its reader.
    for (unsigned i = 0; i < op.numOperands(); ++i) {
      if (!isReal(op.operand(i)) || !tables_.contains(op.operand(i))) continue;
      IR_ASSIGN_OR_RETURN(Value * value, real(op.operand(i)));
      op.setOperand(i, value);
    }
    if (op.def().terminator) return returnReals(op);
    if (op.numResults() != 1) return absl::OkStatus();
    IR_ASSIGN_OR_RETURN(Value * value, lower(op));
    if (value == nullptr) return absl::OkStatus();
    changed_ = true;
    if (isReal(op.result())) {
      op.result()->replaceAllUsesWith(value);
    } else {
      reals_[op.result()] = value;
    }
    return absl::OkStatus();
  }

  // A lookup by an input as it is, in a constant table.
  bool readsIds(const Op& op) const {
    if (op.is("tensor.embedding")) return true;
    if (!op.is("tensor.gather") || op.intAttr("axis") != 0 || !isConstant(op.operand(0)) ||
        !isReal(op.operand(0)))
      return false;
    const Value* ids = op.operand(1);
    while (isOp(ids, "tensor.reshape")) ids = ids->definingOp()->operand(0);
    return ids->definingOp() == nullptr;
  }

  // The value as a real; null if it cannot be one.
  absl::StatusOr<Value*> real(Value* value) {
    if (isConstant(value)) {
      if (isReal(value)) return value;
      std::optional<Array> array = arrayOf(value);
      if (!array || !areSingle(array->integers)) return nullptr;
      return arithmetic_->constant(Array::real(
          array->shape, std::vector<double>(array->integers.begin(), array->integers.end())));
    }
    if (auto it = reals_.find(value); it != reals_.end()) return it->second;
    if (numbers_.contains(value)) {
      const WholeRange range = *ranges_.of(value);
      ir::Builder builder = ir::Builder::before(&*function_.body().ops().begin());
      IR_ASSIGN_OR_RETURN(reals_[value], ir::tensor::create(builder, "tensor.cast", {value},
                                                            {{"to", std::string("float")},
                                                             {"low", range.low},
                                                             {"high", range.high}}));
      changed_ = true;
      return reals_[value];
    }
    if (tables_.contains(value)) {
      IR_ASSIGN_OR_RETURN(Value * made, tables_.lookUp(value, function_));
      changed_ = true;
      return reals_[value] = made;
    }
    if (isOp(value, "tensor.argmax")) {
      const Op& op = *value->definingOp();
      if (!isReal(op.operand(0))) return nullptr;
      auto places = exact_choices_.contains(&op)
                        ? arithmetic_->argmax(op, op.operand(0), *ranges_.of(op.operand(0)))
                        : arithmetic_->argmaxOfReals(op, op.operand(0));
      IR_ASSIGN_OR_RETURN(Value * made, std::move(places));
      return reals_[value] = made;
    }
    return isReal(value) ? value : nullptr;
  }

  // What a value of that range is compared with, no farther from it than it has to be: that decides
  // nothing.
  absl::StatusOr<Value*> limit(Value* constant, const WholeRange& range) {
    std::optional<Array> array = arrayOf(constant);
    if (!array || array->isReal()) return real(constant);
    for (int64_t& x : array->integers) x = std::clamp(x, range.low - 1, range.high + 1);
    return real(arithmetic_->constant(*array));
  }

  absl::Status returnReals(Op& end) {
    for (unsigned i = 0; i < end.numOperands(); ++i) {
      if (isReal(end.operand(i)) || isOp(end.operand(i), "tensor.argmax")) continue;
      IR_ASSIGN_OR_RETURN(Value * value, real(end.operand(i)));
      if (value != nullptr) end.setOperand(i, value);
    }
    return absl::OkStatus();
  }

  // What takes the op's place; null: it stays.
  absl::StatusOr<Value*> lower(Op& op) {
    const bool logic = llvm::any_of(op.operands(), [](const Value* v) { return !isReal(v); }) ||
                       !isReal(op.result());
    if (!logic && !arithmetic_->spellsReal(op)) return nullptr;
    if (op.is("tensor.is_nan")) return arithmetic_->never(op.operand(0));
    // What is put in place of NaN is put nowhere.
    if (op.is("tensor.where") && isOp(op.operand(0), "tensor.is_nan") &&
        op.operand(0)->definingOp()->operand(0) == op.operand(2) &&
        op.operand(2)->type() == op.result()->type())
      return op.operand(2);
    if (op.is("tensor.argmax")) {
      const std::optional<WholeRange> range = ranges_.of(op.operand(0));
      IR_ASSIGN_OR_RETURN(Value * value, real(op.operand(0)));
      if (value == nullptr) return nullptr;
      op.setOperand(0, value);
      IR_ASSIGN_OR_RETURN(const Op* choice, overLastAxis(op));
      if (range && isExact(*range)) exact_choices_.insert(choice);
      return nullptr;
    }
    if (!isReal(op.result())) {
      const std::optional<WholeRange> range = ranges_.of(op.result());
      if (!range || !isExact(*range)) return nullptr;
    }
    llvm::SmallVector<Value*, 3> operands;
    llvm::SmallVector<std::optional<WholeRange>, 3> ranges;
    const bool gathers = op.is("tensor.gather") && !isConstant(op.operand(1));
    const bool compares = op.numOperands() == 2 && op.result()->type().element == Element::kBool &&
                          op.operand(0)->type().element == Element::kInt;
    for (unsigned i = 0; i < op.numOperands(); ++i) {
      Value* operand = op.operand(i);
      const std::optional<WholeRange> other =
          compares && isConstant(operand) && !isConstant(op.operand(1 - i))
              ? ranges_.of(op.operand(1 - i))
              : std::nullopt;
      IR_ASSIGN_OR_RETURN(Value * value, other ? limit(operand, *other) : real(operand));
      if (value == nullptr) return nullptr;
      operands.push_back(value);
      ranges.push_back(ranges_.of(other ? value : operand));
    }
    if (gathers) return pick(op, operands[0], operands[1]);
    if (movesElements(op)) {
      if (op.is("tensor.gather")) operands[1] = op.operand(1);
      return arithmetic_->emit(op.name(), operands, op.attributes());
    }
    return arithmetic_->spell(op, operands, ranges);
  }

  // The argmax itself, or one of moved axes that takes its place: of the last axis alone there are
  // circuits. Outputs need not keep axes of one.
  absl::StatusOr<const Op*> overLastAxis(Op& op) {
    Value* x = op.operand(0);
    const auto rank = static_cast<int64_t>(x->type().shape.size());
    const int64_t axis = op.intAttrOr("axis", rank - 1);
    const bool keeps = op.has("keepdims") && op.boolAttr("keepdims");
    const bool returned =
        llvm::all_of(op.result()->users(), [](const Op* user) { return user->def().terminator; });
    if (axis == rank - 1 || (keeps && !returned)) return &op;
    std::vector<int64_t> perm;
    for (int64_t i = 0; i < rank; ++i)
      if (i != axis) perm.push_back(i);
    perm.push_back(axis);
    IR_ASSIGN_OR_RETURN(Value * moved,
                        arithmetic_->emit("tensor.transpose", {x}, {{"perm", perm}}));
    IR_ASSIGN_OR_RETURN(Value * ids, arithmetic_->emit("tensor.argmax", {moved},
                                                       {{"axis", rank - 1}, {"keepdims", false}}));
    op.result()->replaceAllUsesWith(ids);
    changed_ = true;
    return ids->definingOp();
  }

  // By one-hot rows: y[..., c] = sum over j of [index == j] data[j, c].
  absl::StatusOr<Value*> pick(const Op& op, Value* data, Value* index) {
    const int64_t axis = op.intAttr("axis");
    const auto& shape = data->type().shape;
    const std::optional<WholeRange> range = ranges_.of(op.operand(1));
    const int64_t size = shape[axis];
    if (!range || index->type().elements() * size > kMostOneHot) return nullptr;
    return arithmetic_->pick({data, ranges_.of(op.operand(0))}, {index, range}, axis);
  }

  ir::Function& function_;
  WholeRanges ranges_;
  std::optional<Arithmetic> arithmetic_;
  InputTables tables_;
  llvm::DenseMap<const Value*, Value*> reals_;  // of integers and truth values
  llvm::DenseSet<const Value*> numbers_;        // inputs that are computed with as they are
  llvm::DenseSet<const Op*> exact_choices_;     // argmax of whole numbers
  bool changed_ = false;
};

absl::StatusOr<bool> lowerLogic(ir::Function& function) { return LogicLowering(function).run(); }

}  // namespace

std::unique_ptr<Pass> createLowerLogic() {
  return makeFunctionPass("lower-logic",
                          "Makes computed integers, truth values and comparisons real arithmetic",
                          lowerLogic);
}
absl::Status registerLowerLogic() { return registerPass(createLowerLogic); }

}  // namespace lindero::passes

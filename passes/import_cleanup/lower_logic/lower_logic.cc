#include "passes/import_cleanup/lower_logic/lower_logic.h"

#include <cmath>
#include <numeric>
#include <optional>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/interpreter.h"
#include "ir/tensor/scalar_functions.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "passes/import_cleanup/lower_logic/arithmetic.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/import_cleanup/support/whole_range.h"

namespace lindero::passes {
namespace {

using ir::Element;
using ir::Op;
using ir::Value;
using ir::tensor::Array;

// Larger whole numbers are not exact in a table of 14-bit keys, with its margin.
constexpr int64_t kMostWhole = 1 << 11;
constexpr int64_t kMostRows = 1 << 20;    // of a table of a function of an input
constexpr int64_t kMostOneHot = 1 << 22;  // elements

bool isExact(const WholeRange& range) {
  return -kMostWhole <= range.low && range.high <= kMostWhole;
}

bool isReal(const Value* value) { return value->type().element == Element::kFloat; }

bool isView(const Op& op) {
  return llvm::StringSwitch<bool>(op.name())
      .Cases("tensor.reshape", "tensor.transpose", "tensor.expand", "tensor.slice", true)
      .Default(false);
}

bool isMoved(const Op& op) {
  return isView(op) || op.is("tensor.concat") || op.is("tensor.select_rows") ||
         (op.is("tensor.gather") && isConstant(op.operand(1)));
}

// Is the op one on single numbers, of any kind?
bool isElementwise(const Op& op) {
  return op.is("tensor.cast") || op.is("tensor.activation") ||
         ir::tensor::findScalarFunction(op.name().drop_front(strlen("tensor."))) != nullptr;
}

// A function of one integer input, seen through views of it: a value for each number that the input
// may be.
struct Tabulated {
  Value* argument;
  std::vector<Op*> views;  // the first one of the argument
  Array values;            // [rows]
};

// The op on other operands, of other shapes.
absl::StatusOr<Array> evaluateOn(const Op& op, const std::vector<Array>& operands) {
  ir::Module module;
  ir::Function* function = module.addFunction("op");
  ir::Builder builder(&function->body());
  llvm::SmallVector<Value*, 3> arguments;
  for (const Array& operand : operands)
    arguments.push_back(function->body().addArgument(operand.type(), "x"));
  IR_ASSIGN_OR_RETURN(Value * result,
                      ir::tensor::create(builder, op.name(), arguments, op.attributes()));
  builder.create("tensor.return", {result}, {});
  IR_ASSIGN_OR_RETURN(std::vector<Array> results, ir::tensor::interpret(*function, operands));
  return std::move(results[0]);
}

class LogicLowering {
 public:
  explicit LogicLowering(ir::Function& function) : function_(function) {}

  absl::StatusOr<bool> run() {
    for (const auto& argument : function_.body().arguments()) {
      if (!isReal(argument.get())) tabulate(argument.get());
    }
    // New ops stand before the one that asked for them.
    for (Op& op : llvm::make_early_inc_range(function_.body().ops())) {
      if (!op.is("tensor.constant")) IR_RETURN_IF_ERROR(visit(op));
    }
    if (changed_) eraseUnread();
    return changed_;
  }

 private:
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
    if (!range || range->high >= kMostRows) return;
    Array values = Array::zeros(argument->type().element, {range->high + 1});
    std::iota(values.integers.begin(), values.integers.end(), 0);
    tables_[argument] = {argument, {}, std::move(values)};
  }

  absl::Status visit(Op& op) {
    if (op.numResults() == 1) {
      IR_ASSIGN_OR_RETURN(const bool table, extendTable(op));
      if (table) return absl::OkStatus();
    }
    if (readsIds(op)) return absl::OkStatus();
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

  // True: the op's result is a function of one integer input.
  absl::StatusOr<bool> extendTable(Op& op) {
    std::optional<Tabulated> from;
    for (Value* operand : op.operands()) {
      const auto it = tables_.find(operand);
      if (it == tables_.end()) {
        if (!uniform(operand)) return false;
      } else if (from &&
                 (from->argument != it->second.argument || from->views != it->second.views)) {
        return false;
      } else if (!from) {
        from = it->second;
      }
    }
    if (!from) return false;
    if (isView(op)) {
      from->views.push_back(&op);
    } else if (!isElementwise(op) || !sameShape(op)) {
      return false;
    } else {
      std::vector<Array> operands;
      for (Value* operand : op.operands()) {
        const auto it = tables_.find(operand);
        operands.push_back(it != tables_.end() ? it->second.values : *uniform(operand));
      }
      IR_ASSIGN_OR_RETURN(from->values, evaluateOn(op, operands));
      const bool finite =
          llvm::all_of(from->values.reals, [](double x) { return std::isfinite(x); });
      if (!finite || !fitsSingle(from->values)) return false;
    }
    tables_[op.result()] = *std::move(from);
    return true;
  }

  // Have the computed operands the result's shape? A constant does not broadcast them then.
  bool sameShape(const Op& op) const {
    return llvm::all_of(op.operands(), [&](const Value* operand) {
      return !tables_.contains(operand) || operand->type().shape == op.result()->type().shape;
    });
  }

  // The one number that a constant holds, as an array of rank 0.
  std::optional<Array> uniform(const Value* value) const {
    std::optional<Array> array = arrayOf(value);
    if (!array || array->elements() == 0) return std::nullopt;
    if (array->isReal() ? !llvm::all_equal(array->reals) : !llvm::all_equal(array->integers))
      return std::nullopt;
    Array one = Array::zeros(array->element, {});
    if (array->isReal()) {
      one.reals[0] = array->reals[0];
    } else {
      one.integers[0] = array->integers[0];
    }
    return one;
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
      if (!array) return nullptr;
      return arithmetic_->constant(Array::real(
          array->shape, std::vector<double>(array->integers.begin(), array->integers.end())));
    }
    if (auto it = reals_.find(value); it != reals_.end()) return it->second;
    if (auto it = tables_.find(value); it != tables_.end()) {
      IR_ASSIGN_OR_RETURN(Value * made, lookUp(it->second));
      return reals_[value] = made;
    }
    if (isOp(value, "tensor.argmax")) {
      const Op& op = *value->definingOp();
      if (!exact_choices_.contains(&op)) return nullptr;
      IR_ASSIGN_OR_RETURN(reals_[value], arithmetic_->argmax(op, op.operand(0)));
      return reals_[value];
    }
    return isReal(value) ? value : nullptr;
  }

  // Right after the last of its views, where each reader can see it.
  absl::StatusOr<Value*> lookUp(const Tabulated& table) {
    ir::Builder builder = table.views.empty() ? ir::Builder(&function_.body())
                                              : ir::Builder::after(table.views.back());
    if (table.views.empty()) builder = ir::Builder::before(&*function_.body().ops().begin());
    builder.setLocation(table.views.empty() ? ir::Location() : table.views.back()->location());
    Array rows = table.values;
    if (!rows.isReal()) rows.reals.assign(rows.integers.begin(), rows.integers.end());
    rows = Array::real({table.values.elements(), 1}, std::move(rows.reals));
    Value* constant = makeConstant(builder, rows, table.argument->name().str() + "_values");
    IR_ASSIGN_OR_RETURN(
        Value * value, ir::tensor::create(builder, "tensor.embedding", {table.argument, constant}));
    const auto& shape = table.argument->type().shape;
    IR_ASSIGN_OR_RETURN(
        value, ir::tensor::create(builder, "tensor.reshape", {value},
                                  {{"shape", std::vector<int64_t>(shape.begin(), shape.end())}}));
    for (const Op* view : table.views) {
      IR_ASSIGN_OR_RETURN(value,
                          ir::tensor::create(builder, view->name(), {value}, view->attributes()));
    }
    changed_ = true;
    return value;
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
    if (op.is("tensor.is_nan")) {
      return arithmetic_->constant(Array::zeros(Element::kFloat, op.result()->type().shape));
    }
    if (op.is("tensor.argmax")) {
      const std::optional<WholeRange> range = ranges_.of(op.operand(0));
      IR_ASSIGN_OR_RETURN(Value * value, real(op.operand(0)));
      if (value == nullptr) return nullptr;
      op.setOperand(0, value);
      if (range && isExact(*range)) exact_choices_.insert(&op);
      return nullptr;
    }
    if (!isReal(op.result())) {
      const std::optional<WholeRange> range = ranges_.of(op.result());
      if (!range || !isExact(*range)) return nullptr;
    }
    llvm::SmallVector<Value*, 3> operands;
    const bool gathers = op.is("tensor.gather") && !isConstant(op.operand(1));
    for (Value* operand : op.operands()) {
      IR_ASSIGN_OR_RETURN(Value * value, real(operand));
      if (value == nullptr) return nullptr;
      operands.push_back(value);
    }
    if (gathers) return pick(op, operands[0], operands[1]);
    if (isMoved(op)) {
      if (op.is("tensor.gather")) operands[1] = op.operand(1);
      return arithmetic_->emit(op.name(), operands, op.attributes());
    }
    return arithmetic_->spell(op, operands);
  }

  // By one-hot rows: y[..., c] = sum over j of [index == j] data[j, c].
  absl::StatusOr<Value*> pick(const Op& op, Value* data, Value* index) {
    const int64_t axis = op.intAttr("axis");
    const auto& shape = data->type().shape;
    const std::optional<WholeRange> range = ranges_.of(op.operand(1));
    const int64_t size = shape[axis];
    if (!range || index->type().elements() * size > kMostOneHot) return nullptr;
    return arithmetic_->pick(data, index, axis, *range);
  }

  ir::Function& function_;
  WholeRanges ranges_;
  std::optional<Arithmetic> arithmetic_;
  llvm::DenseMap<const Value*, Tabulated> tables_;
  llvm::DenseMap<const Value*, Value*> reals_;  // of integers and truth values
  llvm::DenseSet<const Op*> exact_choices_;  // argmax of whole numbers
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

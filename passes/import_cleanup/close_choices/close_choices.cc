#include "passes/import_cleanup/close_choices/close_choices.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/array.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/support/closed_parts.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/quantize/general.h"
#include "passes/quantize/masks.h"

namespace lindero::passes {
namespace {

using ir::Element;
using ir::Op;
using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

// Of what is added to closed elements: single precision holds their sums to within 2^-8.
constexpr double kKeepsOrder = -65536;
// Constants of several levels that are no farther are ordinary numbers.
constexpr double kLeastOfSeveral = -1e6;
// Up to here, one less than a stored number is another stored number.
constexpr double kMostStrict = 4096;

int64_t rankOf(const Value* value) { return static_cast<int64_t>(value->type().shape.size()); }

bool isReal(const Value* value) { return value->type().element == Element::kFloat; }

// What reads a value for which of its elements is the largest or least alone.
struct Choice {
  llvm::SmallVector<Op*, 4> readers;
  Side side = Side::kBelow;  // where elements have to be so as not to be chosen
  Ints axes;
  int64_t count = 1;     // of elements that it takes along the axes
  bool indices = false;  // equal elements are told apart
};

// What it is a reshape of (drop-batch).
const Value* unshaped(const Value* value) {
  while (isOp(value, "tensor.reshape")) value = value->definingOp()->operand(0);
  return value;
}

// Is it a truth value by which an element is the chosen one?
bool isChosen(const Value* condition) {
  condition = unshaped(condition);
  if (!isOp(condition, "tensor.equal")) return false;
  return llvm::any_of(condition->definingOp()->operands(), [](const Value* operand) {
    return isOp(unshaped(operand), "tensor.argmax");
  });
}

// Does the op set what was chosen of x below all others, for the next choice of the same node?
bool goesOn(const Op& op, const Value* x, const Op& argmax) {
  return op.is("tensor.where") && op.location() == argmax.location() && isChosen(op.operand(0)) &&
         op.operand(2) == x && op.operand(1) != x;
}

// The readers of x that a TopK consists of, which start from its first argmax (the importer): it
// picks each element, sets what it chose below all others, and finds out how far that is. None is
// counted where the argmax is part of no TopK.
Choice topKOf(Op& argmax) {
  Choice choice;
  Value* x = argmax.operand(0);
  choice.indices = true;
  choice.axes = {argmax.intAttrOr("axis", rankOf(x) - 1)};
  choice.count = 0;
  for (Op* reader : x->users()) {
    if (reader->location() != argmax.location()) continue;
    const bool picks = reader->is("tensor.where") && isChosen(reader->operand(0)) &&
                       reader->operand(1) == x && scalarOf(reader->operand(2)) == 0;
    const bool bounds = reader->is("tensor.reduce_min") &&
                        static_cast<int64_t>(reader->intsAttr("axes").size()) == rankOf(x);
    choice.count += picks;
    if (reader == &argmax || picks || goesOn(*reader, x, argmax) || bounds)
      choice.readers.push_back(reader);
  }
  int64_t steps = 0;
  for (const Value* next = x; next != nullptr; ++steps) {
    const auto reader =
        llvm::find_if(next->users(), [&](const Op* op) { return goesOn(*op, next, argmax); });
    next = reader == next->users().end() ? nullptr : (*reader)->result();
  }
  if (steps > 1) choice.count = std::max(choice.count, steps);
  return choice;
}

// By element, how many of the group along the axes that it is in a mask leaves open.
int64_t leastOpen(const Array& closed, llvm::ArrayRef<int64_t> axes) {
  const auto strides = ir::tensor::rowMajorStrides(closed.shape);
  std::vector<int64_t> open(closed.reals.size(), 0), groups;
  for (size_t i = 0; i < closed.reals.size(); ++i) {
    auto group = static_cast<int64_t>(i);
    for (int64_t axis : axes)
      group -= static_cast<int64_t>(i) / strides[axis] % closed.shape[axis] * strides[axis];
    if (group == static_cast<int64_t>(i)) groups.push_back(group);
    open[group] += closed.reals[i] == 0;
  }
  int64_t least = closed.elements();
  for (int64_t group : groups) least = std::min(least, open[group]);
  return least;
}

// What an op on constants gives; nothing if one of them is computed or not at hand.
absl::StatusOr<std::optional<Array>> evaluated(const Value* value) {
  if (isConstant(value)) return arrayOf(value);
  const Op* op = value->definingOp();
  if (op == nullptr) return std::nullopt;
  std::vector<Array> arrays;
  for (const Value* operand : op->operands()) {
    IR_ASSIGN_OR_RETURN(std::optional<Array> array, evaluated(operand));
    if (!array) return std::nullopt;
    arrays.push_back(*std::move(array));
  }
  std::vector<const Array*> operands;
  for (const Array& array : arrays) operands.push_back(&array);
  IR_ASSIGN_OR_RETURN(Array result, ir::tensor::evaluate(*op, operands));
  return std::optional<Array>(std::move(result));
}

ir::Builder builderAfter(Op& op) {
  ir::Builder builder = ir::Builder::after(&op);
  builder.setLocation(op.location());
  return builder;
}

class ChoiceCloser {
 public:
  // x is no argument and no constant.
  explicit ChoiceCloser(Value* x) : x_(x), finder_(builderAfter(*x->definingOp())) {}

  // True if the readers read something else now.
  absl::StatusOr<bool> run(const Choice& choice) {
    IR_ASSIGN_OR_RETURN(parts_, finder_.of(x_, choice.side));
    bool changed = false;
    if (choice.indices && (!parts_.closes() || parts_.everything)) {
      IR_ASSIGN_OR_RETURN(changed, dropOffset(choice));
    }
    const bool several = !parts_.exact && !parts_.added;
    const bool ordinary = !parts_.computed && several && parts_.level > kLeastOfSeveral;
    if (parts_.closes() && !parts_.everything && parts_.rest != nullptr && !ordinary) {
      IR_ASSIGN_OR_RETURN(rest_, finder_.expanded(parts_.rest, x_->type().shape));
      const bool masks = choice.indices && choice.count == 1 && isReturned(*choice.readers[0]);
      IR_ASSIGN_OR_RETURN(changed, masks ? mask(*choice.readers[0]) : fill(choice));
    }
    finder_.eraseUnread();
    return changed;
  }

 private:
  // What is added to all of them chooses nothing: the readers choose without it, unless they give
  // numbers, too.
  absl::StatusOr<bool> dropOffset(const Choice& choice) {
    const bool numbers = llvm::any_of(choice.readers, [&](const Op* reader) {
      return reader->is("tensor.where") && reader->operand(1) == x_;
    });
    if (numbers) return false;
    Value* without = x_;
    if (parts_.everything) {
      if (!keepsOrder() || parts_.rest == nullptr) return false;
      IR_ASSIGN_OR_RETURN(without, finder_.expanded(parts_.rest, x_->type().shape));
    } else {
      IR_ASSIGN_OR_RETURN(without, withoutOffset(x_, 0));
    }
    if (without == x_) return false;
    replace(choice, without);
    return true;
  }

  // The value less one number of at most -kKeepsOrder.
  absl::StatusOr<Value*> withoutOffset(Value* value, int depth) {
    constexpr int kDeepest = 64;
    Op* op = value->definingOp();
    if (op == nullptr || depth > kDeepest) return value;
    if (op->is("tensor.neg")) {
      IR_ASSIGN_OR_RETURN(Value * inner, withoutOffset(op->operand(0), depth + 1));
      return inner == op->operand(0) ? value : finder_.emit("tensor.neg", {inner});
    }
    if (copiesOne(*op) && isReal(op->operand(0))) {
      IR_ASSIGN_OR_RETURN(Value * inner, withoutOffset(op->operand(0), depth + 1));
      if (inner == op->operand(0)) return value;
      llvm::SmallVector<Value*, 2> operands(op->operands().begin(), op->operands().end());
      operands[0] = inner;
      return finder_.emit(op->name(), operands, op->attributes());
    }
    if (!op->is("tensor.add") && !op->is("tensor.sub")) return value;
    const std::optional<WithConstant> split = splitConstant(*op);
    const std::optional<double> number = split ? scalarOf(split->constant) : std::nullopt;
    if (!number || !(std::abs(*number) <= -kKeepsOrder)) return value;
    IR_ASSIGN_OR_RETURN(Value * inner, withoutOffset(split->value, depth + 1));
    IR_ASSIGN_OR_RETURN(inner, finder_.expanded(inner, value->type().shape));
    if (op->is("tensor.sub") && split->constant_first) return finder_.emit("tensor.neg", {inner});
    return inner;
  }

  void replace(const Choice& choice, Value* value) {
    for (Op* reader : choice.readers) {
      for (unsigned i = 0; i < reader->numOperands(); ++i)
        if (reader->operand(i) == x_) reader->setOperand(i, value);
    }
  }

  static bool isReturned(const Op& argmax) {
    return argmax.is("tensor.argmax") &&
           llvm::all_of(argmax.result()->users(),
                        [](const Op* reader) { return reader->def().terminator; });
  }

  absl::StatusOr<Value*> function(const std::string& text, Value* x) {
    return finder_.emit("tensor.activation", {x}, {{"function", text}});
  }

  // The argmax of what is open, over the last axis.
  absl::StatusOr<bool> mask(Op& argmax) {
    const int64_t rank = rankOf(x_), axis = argmax.intAttrOr("axis", rank - 1);
    if (axis != rank - 1) {
      Ints perm;
      for (int64_t i = 0; i < rank; ++i)
        if (i != axis) perm.push_back(i);
      perm.push_back(axis);
      IR_ASSIGN_OR_RETURN(parts_.closed, finder_.expanded(parts_.closed, x_->type().shape));
      for (Value** part : {&rest_, &parts_.closed}) {
        IR_ASSIGN_OR_RETURN(*part, finder_.emit("tensor.transpose", {*part}, {{"perm", perm}}));
      }
    }
    IR_ASSIGN_OR_RETURN(Value * open, openElements());
    if (open == nullptr) return false;
    IR_ASSIGN_OR_RETURN(Value * masked, finder_.emit("tensor.mask", {rest_, open}));
    Op& made = *masked->definingOp();
    if (std::isfinite(parts_.level)) made.set("masked", parts_.level);
    if (keepsOrder()) made.set("added", true);
    if (axis == rank - 1) {
      argmax.setOperand(0, masked);
      return true;
    }
    // Outputs need not keep axes of one (lower-logic).
    ir::Builder builder = ir::Builder::before(&argmax);
    builder.setLocation(argmax.location());
    IR_ASSIGN_OR_RETURN(Value * ids, ir::tensor::create(builder, "tensor.argmax", {masked},
                                                        {{"axis", rank - 1}, {"keepdims", false}}));
    argmax.result()->replaceAllUsesWith(ids);
    argmax.erase();
    return true;
  }

  // Are closed elements as far apart as they are without the mask?
  bool keepsOrder() const { return parts_.added && parts_.level >= kKeepsOrder; }

  // 1 where nothing closes the element of the last axis, or where it is what is chosen of a row in
  // which everything is closed; null if there is no such form.
  absl::StatusOr<Value*> openElements() {
    if (!parts_.computed) return openConstant();
    IR_ASSIGN_OR_RETURN(Value * open, finder_.emit("tensor.not", {parts_.closed}));
    IR_ASSIGN_OR_RETURN(open, finder_.emit("tensor.cast", {open}, {{"to", std::string("float")}}));
    if (keepsOrder()) return open;
    const int64_t last = rankOf(open) - 1;
    if (last < 0) return nullptr;
    llvm::SmallVector<int64_t, 4> shape = open->type().shape;
    shape[last] = rest_->type().shape.back();
    IR_ASSIGN_OR_RETURN(open, finder_.expanded(open, shape));
    IR_ASSIGN_OR_RETURN(Value * count, finder_.emit("tensor.reduce_sum", {open},
                                                    {{"axes", Ints{last}}, {"keepdims", true}}));
    if (!parts_.exact) {
      IR_ASSIGN_OR_RETURN(Value * some, function("reciprocal(where(greater(x, 0), 1, 0))", count));
      return finder_.emit("tensor.mul", {open, some});
    }
    // All are one number: the first one is chosen.
    Array first = Array::zeros(Element::kFloat, {shape[last]});
    first.reals[0] = 1;
    IR_ASSIGN_OR_RETURN(Value * none, function("where(greater(x, 0), 0, 1)", count));
    IR_ASSIGN_OR_RETURN(Value * opened,
                        finder_.emit("tensor.mul", {none, finder_.constant(first)}));
    return finder_.emit("tensor.add", {open, opened});
  }

  absl::StatusOr<Value*> openConstant() {
    IR_ASSIGN_OR_RETURN(std::optional<Array> closed, evaluated(parts_.closed));
    if (!closed) return nullptr;
    Array open = lindero::passes::spread(*closed, rest_->type().shape);
    const int64_t last = rankOf(rest_) - 1;
    const bool all_closed = leastOpen(open, {last}) == 0;
    if (all_closed && !parts_.exact && !keepsOrder()) return nullptr;
    // As one row, if all are the same.
    const int64_t width = open.shape[last];
    const llvm::ArrayRef<double> row(open.reals.data(), width);
    bool same = true;
    for (size_t i = width; i < open.reals.size() && same; ++i)
      same = open.reals[i] == row[i % width];
    if (same) {
      open.reals.resize(width);
      open.shape = {width};
    }
    for (double& x : open.reals) x = 1 - x;
    for (size_t i = 0; all_closed && !keepsOrder() && i < open.reals.size(); i += width) {
      const llvm::ArrayRef<double> one(open.reals.data() + i, width);
      if (llvm::all_of(one, [](double x) { return x == 0; })) open.reals[i] = 1;
    }
    return finder_.constant(open);
  }

  // Numbers of x, or one next to them, in place of those that are closed.
  absl::StatusOr<bool> fill(const Choice& choice) {
    const bool below = choice.side == Side::kBelow;
    IR_ASSIGN_OR_RETURN(Value * some, enough(choice));
    if (some == nullptr) return false;
    double most = -parts_.level / 2;
    if (choice.indices) most = std::min(most, kMostStrict);
    Value* x = rest_;
    if (most < -kAbsorbs / 2) {
      IR_ASSIGN_OR_RETURN(x, finder_.emit("tensor.within", {x}, {{"most", most}}));
    }
    IR_ASSIGN_OR_RETURN(Value * outside,
                        finder_.emit(below ? "tensor.reduce_min" : "tensor.reduce_max", {x},
                                     {{"axes", choice.axes}, {"keepdims", true}}));
    if (choice.indices) {
      IR_ASSIGN_OR_RETURN(
          outside, finder_.emit("tensor.sub", {outside, finder_.constant(Array::real({}, {1}))}));
    }
    if (parts_.computed) {
      IR_ASSIGN_OR_RETURN(outside, finder_.emit("tensor.mul", {outside, some}));
    }
    IR_ASSIGN_OR_RETURN(Value * filled, finder_.emit("tensor.where", {parts_.closed, outside, x}));
    replace(choice, filled);
    return true;
  }

  // 1 where as many are open along the axes as are chosen, no number elsewhere. Of constants any
  // value that says so, or null.
  absl::StatusOr<Value*> enough(const Choice& choice) {
    if (!parts_.computed) {
      IR_ASSIGN_OR_RETURN(std::optional<Array> closed, evaluated(parts_.closed));
      if (!closed) return nullptr;
      const Array all = lindero::passes::spread(*closed, x_->type().shape);
      if (leastOpen(all, choice.axes) < choice.count) return nullptr;
      Array constant = Array::zeros(Element::kBool, closed->shape);
      constant.integers = closed->integers;
      return parts_.closed = finder_.constant(constant);
    }
    const auto& whole = x_->type().shape;
    const int64_t added = rankOf(x_) - rankOf(parts_.closed);
    llvm::SmallVector<int64_t, 4> shape(rankOf(x_), 1);
    for (int64_t i = added; i < rankOf(x_); ++i) shape[i] = parts_.closed->type().shape[i - added];
    for (int64_t axis : choice.axes) shape[axis] = whole[axis];
    IR_ASSIGN_OR_RETURN(Value * open, finder_.expanded(parts_.closed, shape));
    IR_ASSIGN_OR_RETURN(open, finder_.emit("tensor.not", {open}));
    IR_ASSIGN_OR_RETURN(open, finder_.emit("tensor.cast", {open}, {{"to", std::string("float")}}));
    IR_ASSIGN_OR_RETURN(Value * count, finder_.emit("tensor.reduce_sum", {open},
                                                    {{"axes", choice.axes}, {"keepdims", true}}));
    return function(absl::StrCat("reciprocal(where(greater(x, ", choice.count - 1, "), 1, 0))"),
                    count);
  }

  Value* x_;
  PartsFinder finder_;
  ClosedParts parts_;
  Value* rest_ = nullptr;  // of the shape of x
};

std::optional<Choice> choiceOf(Op& op) {
  const bool max = op.is("tensor.reduce_max"), min = op.is("tensor.reduce_min");
  const bool chooses = op.is("tensor.argmax") || max || min;
  if (!chooses || !isReal(op.operand(0)) || op.operand(0)->definingOp() == nullptr ||
      isConstant(op.operand(0)) || op.operand(0)->type().elements() == 0)
    return std::nullopt;
  if (op.is("tensor.argmax")) {
    // What later choices of a TopK read follows from what the first one does.
    const Op& source = *unshaped(op.operand(0))->definingOp();
    if (source.is("tensor.where") && goesOn(source, source.operand(2), op)) return std::nullopt;
    Choice choice = topKOf(op);
    if (choice.count > 0) return choice;
    choice.count = 1;
    choice.readers = {&op};
    return choice;
  }
  Choice choice;
  choice.readers = {&op};
  choice.side = max ? Side::kBelow : Side::kAbove;
  choice.axes = op.intsAttr("axes").vec();
  return choice;
}

absl::StatusOr<bool> closeChoices(ir::Function& function) {
  std::vector<Op*> ops;
  for (Op& op : function.body().ops()) ops.push_back(&op);
  bool changed = false;
  for (Op* op : ops) {
    const std::optional<Choice> choice = choiceOf(*op);
    if (!choice) continue;
    Value* x = op->operand(0);
    IR_ASSIGN_OR_RETURN(const bool closed, ChoiceCloser(x).run(*choice));
    changed |= closed;
  }
  for (auto it = function.body().ops().rbegin(); changed && it != function.body().ops().rend();) {
    Op& op = *it++;
    if (!op.def().terminator && op.numResults() == 1 && op.result()->users().empty()) op.erase();
  }
  eraseUnusedConstants(*function.module());
  return changed;
}

}  // namespace

std::unique_ptr<Pass> createCloseChoices() {
  return makeFunctionPass(
      "close-choices", "Brings masks of what elements are chosen from within reach", closeChoices);
}
absl::Status registerCloseChoices() { return registerPass(createCloseChoices); }

}  // namespace lindero::passes

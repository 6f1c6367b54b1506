#include "passes/import_cleanup/recognize_masks/recognize_masks.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/of_truth.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/quantize/masks.h"

namespace lindero::passes {
namespace {

using ir::Element;
using ir::Op;
using ir::Value;

bool isReal(const Value* value) { return value->type().element == Element::kFloat; }

// Has it the same elements, perhaps elsewhere or rounded?
bool moves(const Op& op) { return movesElements(op) || op.is("tensor.narrow"); }

// Does an input have these elements?
bool isInput(const Value* value) {
  while (value->definingOp() != nullptr && moves(*value->definingOp()))
    value = value->definingOp()->operand(0);
  return value->definingOp() == nullptr && isReal(value);
}

bool isProduct(const Op& op) {
  if (op.is("tensor.mul")) return true;
  return op.is("tensor.matmul") && op.operand(0)->type().shape.back() == 1;
}

// Is an element chosen by the value, or by what is computed of it in ways that keep their order?
bool decidesChoice(const Value* value) {
  std::set<const Value*> seen{value};
  std::vector<const Value*> left{value};
  while (!left.empty()) {
    const Value* next = left.back();
    left.pop_back();
    for (const Op* op : next->users()) {
      if (op->is("tensor.softmax") || op->is("tensor.argmax") || op->is("tensor.reduce_max") ||
          op->is("tensor.reduce_min"))
        return true;
      const bool scales = (op->is("tensor.mul") || op->is("tensor.div")) &&
                          llvm::any_of(op->operands(), isConstant);
      const bool keeps = op->is("tensor.add") || op->is("tensor.sub") || op->is("tensor.neg") ||
                         op->is("tensor.max") || op->is("tensor.min") ||
                         (op->is("tensor.where") && op->operand(0) != next);
      if (op->numResults() == 1 && (scales || keeps || moves(*op)) &&
          seen.insert(op->result()).second)
        left.push_back(op->result());
    }
  }
  return false;
}

// What is computed of an input and constants alone, where the input is 0 and where it is 1.
class Mask {
 public:
  explicit Mask(const Value* argument) { numbers_[argument] = {0, 1}; }

  bool isIn(const ir::Function& function) {
    return llvm::any_of(function.body().ops(), [&](const Op& op) {
      if (op.numResults() != 1) return false;
      track(op);
      return hides(op);
    });
  }

 private:
  std::optional<TwoNumbers> find(const Value* value) const {
    const auto it = numbers_.find(value);
    return it == numbers_.end() ? std::nullopt : std::optional(it->second);
  }

  void track(const Op& op) {
    const bool known = llvm::any_of(op.operands(), [&](const Value* v) { return find(v); });
    if (!known) return;
    std::optional<TwoNumbers> numbers;
    if (moves(op)) {
      const bool alone = llvm::all_of(op.operands().drop_front(), isConstant);
      if (alone) numbers = find(op.operand(0));
    } else if (isProduct(op) && op.numOperands() == 2 && !numbersOf(op)) {
      // What two masks leave open is the product of the two.
      for (int i : {0, 1})
        if (isInput(op.operand(1 - i)) || find(op.operand(1 - i))) numbers = find(op.operand(i));
    } else {
      numbers = numbersOf(op);
    }
    if (numbers) numbers_[op.result()] = *numbers;
  }

  std::optional<TwoNumbers> numbersOf(const Op& op) const {
    return twoNumbersOf(op, [&](const Value* operand) { return find(operand); });
  }

  // Is it a sum with what is computed otherwise, and the mask far from it in one case?
  bool hides(const Op& op) const {
    if (!op.is("tensor.add") && !op.is("tensor.sub")) return false;
    for (int i : {0, 1}) {
      const std::optional<TwoNumbers> mask = find(op.operand(i));
      const Value* other = op.operand(1 - i);
      if (!mask || find(other) || isConstant(other)) continue;
      const auto [near, far] = std::minmax({std::abs(mask->at_zero), std::abs(mask->at_one)});
      if (near < kOrdinary && far >= -kMasked && decidesChoice(op.result())) return true;
    }
    return false;
  }

  static constexpr double kOrdinary = 100;
  std::map<const Value*, TwoNumbers> numbers_;  // asked for by value alone
};

absl::Status makeTruth(Value* argument, ir::Function& function) {
  const llvm::SmallVector<Op*> readers(argument->users().begin(), argument->users().end());
  argument->setType(ir::Type::tensor(Element::kInt, argument->type().shape));
  ir::Builder builder = ir::Builder::before(&*function.body().ops().begin());
  Value* value = argument;
  for (const char* type : {"bool", "float"}) {
    IR_ASSIGN_OR_RETURN(
        value, ir::tensor::create(builder, "tensor.cast", {value}, {{"to", std::string(type)}}));
  }
  for (Op* reader : readers) {
    for (unsigned i = 0; i < reader->numOperands(); ++i)
      if (reader->operand(i) == argument) reader->setOperand(i, value);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> recognizeMasks(ir::Function& function) {
  std::vector<Value*> masks;
  for (const auto& argument : function.body().arguments())
    if (isReal(argument.get()) && Mask(argument.get()).isIn(function))
      masks.push_back(argument.get());
  for (Value* mask : masks) IR_RETURN_IF_ERROR(makeTruth(mask, function));
  return !masks.empty();
}

}  // namespace

std::unique_ptr<Pass> createRecognizeMasks() {
  return makeFunctionPass(
      "recognize-masks", "Makes inputs that can only be masks of 0 and 1 integers", recognizeMasks);
}
absl::Status registerRecognizeMasks() { return registerPass(createRecognizeMasks); }

}  // namespace lindero::passes

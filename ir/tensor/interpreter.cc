#include "ir/tensor/interpreter.h"

#include "absl/strings/str_cat.h"
#include "ir/core/live_values.h"
#include "ir/core/op_table.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/kernels.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Parallel.h"

namespace lindero::ir::tensor {
namespace {

absl::Status atOp(const Op& op, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(describe(op), ": ", status.message()));
}

absl::Status checkInputs(const Function& function, llvm::ArrayRef<Array> inputs) {
  auto arguments = function.body().arguments();
  if (inputs.size() != arguments.size()) {
    return absl::InvalidArgumentError(absl::StrCat("@", function.name(), " takes ",
                                                   arguments.size(), " inputs; ", inputs.size(),
                                                   " were given"));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Array& input = inputs[i];
    const size_t held = input.isReal() ? input.reals.size() : input.integers.size();
    if (input.type() != arguments[i]->type() || int64_t(held) != input.elements()) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " of @", function.name(),
                                                     " has another type than its argument"));
    }
  }
  return absl::OkStatus();
}

// Whether every reader takes the constant as it is in the file.
bool onlyRead(const Value& constant) {
  return llvm::all_of(constant.users(), [&](const Op* user) {
    const bool weight = user->is("tensor.linear") || user->is("tensor.embedding") ||
                        (user->is("tensor.matmul") && constant.type().shape.size() == 2);
    if (!weight && !user->is("tensor.gather")) return false;
    return llvm::count(user->operands(), &constant) == 1 &&
           user->operand(weight ? 1 : 0) == &constant;
  });
}

}  // namespace

Kernel findKernel(llvm::StringRef name) {
  static const auto* kernels = [] {
    auto* map = new llvm::StringMap<Kernel>;
    for (auto list : {elementwiseKernels(), layoutKernels(), reductionKernels(), layerKernels()}) {
      for (const NamedKernel& named : list) map->try_emplace(named.name, named.kernel);
    }
    return map;
  }();
  return kernels->lookup(name);
}

namespace {

using Operands = llvm::SmallVector<const Array*, 3>;

// One op on the operands of several runs.
absl::StatusOr<std::vector<Array>> evaluateAll(const Op& op, llvm::ArrayRef<Operands> operands,
                                               llvm::ArrayRef<Observer*> observers) {
  Kernel kernel = findKernel(op.name());
  if (!kernel) {
    return absl::UnimplementedError(
        absl::StrCat(describe(op), ": the interpreter does not know this op"));
  }
  if (absl::Status status = verifyType(op); !status.ok()) return atOp(op, status);
  const Type& type = op.result()->type();
  std::vector<Array> results(operands.size(), Array::zeros(type.element, type.shape));
  std::vector<Call> calls;
  for (size_t run = 0; run < operands.size(); ++run)
    calls.push_back(
        {op, operands[run], results[run], observers.empty() ? nullptr : observers[run]});
  std::vector<absl::Status> status(calls.size());
  if (isWeighted(calls[0])) {
    status[0] = multiplyAll(calls);
  } else if (calls.size() == 1 || (!observers.empty() && op.is("tensor.attention"))) {
    // Attention calls observers itself; one that several runs have sees one after the other.
    for (size_t run = 0; run < calls.size(); ++run) status[run] = kernel(calls[run]);
  } else {
    llvm::parallelFor(0, calls.size(), [&](size_t run) { status[run] = kernel(calls[run]); });
  }
  for (const absl::Status& one : status)
    if (!one.ok()) return atOp(op, one);
  return results;
}

}  // namespace

bool isInsideNode(const Value& value) {
  const Op* op = value.definingOp();
  if (op == nullptr || op->location().empty() || value.users().empty()) return false;
  return llvm::all_of(value.users(),
                      [&](const Op* user) { return user->location() == op->location(); });
}

absl::StatusOr<Array> evaluate(const Op& op, llvm::ArrayRef<const Array*> operands,
                               Observer* observer) {
  auto results = evaluateAll(op, {Operands(operands)}, {observer});
  if (!results.ok()) return results.status();
  return std::move(results->front());
}

absl::StatusOr<const Array*> Interpreter::constant(const Op& op) {
  std::unique_ptr<Array>& kept = constants_[&op];
  if (kept) return kept.get();
  const Constant* constant = function_.module()->constants().find(op.symbolAttr("value"));
  if (!constant) {
    return atOp(op, absl::NotFoundError(absl::StrCat("no constant @", op.symbolAttr("value"))));
  }
  auto array = onlyRead(*op.result()) ? viewConstant(*constant) : readConstant(*constant);
  if (!array.ok()) return atOp(op, array.status());
  if (array->type() != op.result()->type()) {
    return atOp(op, absl::InvalidArgumentError("its type differs from the constant's"));
  }
  kept = std::make_unique<Array>(*std::move(array));
  return kept.get();
}

absl::StatusOr<std::vector<Array>> Interpreter::run(llvm::ArrayRef<Array> inputs,
                                                    Observer* observer) {
  auto results = runAll({inputs}, {observer});
  if (!results.ok()) return results.status();
  return std::move(results->front());
}

absl::StatusOr<std::vector<std::vector<Array>>> Interpreter::runAll(
    llvm::ArrayRef<llvm::ArrayRef<Array>> inputs, llvm::ArrayRef<Observer*> observers) {
  const size_t count = inputs.size();
  if (count == 0) return std::vector<std::vector<Array>>();
  auto observe = [&](size_t run, const Value& value, const Array& array) {
    if (!observers.empty() && observers[run] != nullptr) observers[run]->observe(value, array);
  };
  std::vector<LiveValues<Array>> values(count);
  for (size_t run = 0; run < count; ++run) {
    if (absl::Status status = checkInputs(function_, inputs[run]); !status.ok()) return status;
    for (auto [argument, input] : llvm::zip(function_.body().arguments(), inputs[run])) {
      values[run].borrow(*argument, input);
      observe(run, *argument, input);
    }
  }
  for (const Op& op : function_.body().ops()) {
    if (op.is("tensor.return")) {
      std::vector<std::vector<Array>> results(count);
      for (auto [result, live] : llvm::zip(results, values))
        for (const Value* value : op.operands()) result.push_back(live.take(*value));
      return results;
    }
    if (op.is("tensor.constant")) {
      auto array = constant(op);
      if (!array.ok()) return array.status();
      for (size_t run = 0; run < count; ++run) {
        observe(run, *op.result(), **array);
        values[run].borrow(*op.result(), **array);
      }
      continue;
    }
    std::vector<Operands> operands(count);
    for (auto [live, arrays] : llvm::zip(values, operands))
      for (const Value* value : op.operands()) arrays.push_back(live.find(*value));
    auto arrays = evaluateAll(op, operands, observers);
    if (!arrays.ok()) return arrays.status();
    for (size_t run = 0; run < count; ++run) {
      Array& array = (*arrays)[run];
      const bool rounds = precision_ == Precision::kSingle && !isInsideNode(*op.result());
      if (rounds || of_integers_.contains(op.result())) roundToSingle(array.reals);
      observe(run, *op.result(), array);
      values[run].own(*op.result(), std::move(array));
      values[run].release(op);
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("@", function_.name(), " does not return"));
}

absl::StatusOr<std::vector<Array>> interpret(const Function& function, llvm::ArrayRef<Array> inputs,
                                             Observer* observer) {
  return Interpreter(function).run(inputs, observer);
}

}  // namespace lindero::ir::tensor

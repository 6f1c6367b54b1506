#include "ir/tensor/interpreter.h"

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/kernels.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

namespace lindero::ir::tensor {
namespace {

absl::Status atOp(const Op& op, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(describe(op), ": ", status.message()));
}

// The values at hand, each with the uses that are still to come.
class Environment {
 public:
  void own(const Value* value, Array array) {
    Slot& slot = slots_[value];
    slot.owned = std::make_unique<Array>(std::move(array));
    slot.array = slot.owned.get();
    slot.uses = value->users().size();
  }
  void borrow(const Value* value, const Array* array) {
    slots_[value] = {nullptr, array, value->users().size()};
  }
  const Array* find(const Value* value) const {
    auto it = slots_.find(value);
    return it == slots_.end() ? nullptr : it->second.array;
  }
  void release(const Value* value) {
    auto it = slots_.find(value);
    if (it == slots_.end()) return;
    if (it->second.uses <= 1) {
      slots_.erase(it);
    } else {
      --it->second.uses;
    }
  }

 private:
  struct Slot {
    std::unique_ptr<Array> owned;
    const Array* array = nullptr;
    size_t uses = 0;
  };
  llvm::DenseMap<const Value*, Slot> slots_;
};

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
    return weight && llvm::count(user->operands(), &constant) == 1 && user->operand(1) == &constant;
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

absl::StatusOr<Array> evaluate(const Op& op, llvm::ArrayRef<const Array*> operands,
                               Observer* observer) {
  Kernel kernel = findKernel(op.name());
  if (!kernel) {
    return absl::UnimplementedError(
        absl::StrCat(describe(op), ": the interpreter does not know this op"));
  }
  if (absl::Status status = verifyType(op); !status.ok()) return atOp(op, status);
  const Type& type = op.result()->type();
  Array result = Array::zeros(type.element, type.shape);
  if (absl::Status status = kernel({op, operands, result, observer}); !status.ok()) {
    return atOp(op, status);
  }
  return result;
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
  if (absl::Status status = checkInputs(function_, inputs); !status.ok()) return status;
  Environment environment;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value* argument = function_.body().arguments()[i].get();
    environment.borrow(argument, &inputs[i]);
    if (observer) observer->observe(*argument, inputs[i]);
  }
  for (const Op& op : function_.body().ops()) {
    llvm::SmallVector<const Array*, 3> operands;
    for (const Value* value : op.operands()) operands.push_back(environment.find(value));
    if (op.is("tensor.return")) {
      std::vector<Array> results;
      for (const Array* array : operands) results.push_back(*array);
      return results;
    }
    if (op.is("tensor.constant")) {
      auto array = constant(op);
      if (!array.ok()) return array.status();
      environment.borrow(op.result(), *array);
    } else {
      auto array = evaluate(op, operands, observer);
      if (!array.ok()) return array.status();
      if (of_integers_.contains(op.result())) roundToSingle(array->reals);
      environment.own(op.result(), *std::move(array));
    }
    if (observer) observer->observe(*op.result(), *environment.find(op.result()));
    for (const Value* value : op.operands()) environment.release(value);
    if (op.result()->users().empty()) environment.release(op.result());
  }
  return absl::InvalidArgumentError(absl::StrCat("@", function_.name(), " does not return"));
}

absl::StatusOr<std::vector<Array>> interpret(const Function& function, llvm::ArrayRef<Array> inputs,
                                             Observer* observer) {
  return Interpreter(function).run(inputs, observer);
}

}  // namespace lindero::ir::tensor

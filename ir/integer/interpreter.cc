#include "ir/integer/interpreter.h"

#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/integer/run.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Parallel.h"

namespace lindero::ir::integer {
namespace {

using Outputs = absl::StatusOr<std::vector<IntArray>>;

// Names the op and its region. An op that holds others adds nothing: they have named themselves.
absl::Status annotate(const absl::Status& status, const Op& op) {
  if (status.ok() || op.block() != nullptr) return status;
  const Op* holder = op.parent()->parentOp();
  const bool labelled = holder != nullptr && holder->has("label");
  return absl::Status(
      status.code(),
      absl::StrCat(describe(op), labelled ? " in " + holder->stringAttr("label") : "", ": ",
                   status.message()));
}

template <typename T>
std::vector<int64_t> widen(const Constant& constant) {
  llvm::ArrayRef<T> values = constant.as<T>();
  return {values.begin(), values.end()};
}

bool isConstant(const Value* value) {
  const Op* op = value->definingOp();
  return op != nullptr && op->is("integer.constant");
}

// Takes the runs of a function through its ops, all of them through one before the next.
class Interpreter {
 public:
  Interpreter(const Function& function, llvm::ArrayRef<std::vector<IntArray>> inputs,
              llvm::ArrayRef<Observer*> observers);

  std::vector<Outputs> outputs();

 private:
  // One for each run that goes on.
  using Results = std::vector<absl::StatusOr<IntArray>>;

  // Runs the ops up to the terminator, which it returns; null if there is none.
  const Op* runBlock(const Block& block);
  void runOp(const Op& op);
  void runHolder(const Op& op);
  void runSegment(const Op& op);
  Results compute(const Op& op);
  Results linear(const Op& op);

  // The constants that the op reads.
  absl::Status load(const Op& op);
  absl::Status load(const Value& value, bool is_matrix);

  // The runs that go on: no error has ended them.
  llvm::SmallVector<Run*> live();

  const Function& function_;
  Constants constants_;
  std::deque<Run> runs_;
};

Interpreter::Interpreter(const Function& function, llvm::ArrayRef<std::vector<IntArray>> inputs,
                         llvm::ArrayRef<Observer*> observers)
    : function_(function), constants_(function.module()->constants()) {
  const auto arguments = function.body().arguments();
  for (size_t i = 0; i < inputs.size(); ++i) {
    Run& run = runs_.emplace_back(constants_, observers.empty() ? nullptr : observers[i]);
    if (arguments.size() != inputs[i].size()) {
      run.end(absl::InvalidArgumentError(absl::StrCat(
          "@", function.name(), " takes ", arguments.size(), " inputs, not ", inputs[i].size())));
    }
    for (size_t a = 0; run.status().ok() && a < arguments.size(); ++a)
      run.end(run.bind(*arguments[a], inputs[i][a]));
  }
}

std::vector<Outputs> Interpreter::outputs() {
  const Op* end = runBlock(function_.body());
  std::vector<Outputs> outputs;
  for (Run& run : runs_) {
    if (run.status().ok() && end == nullptr)
      run.end(absl::InvalidArgumentError("a block has no terminator"));
    outputs.push_back(run.status().ok() ? run.take(*end) : run.status());
  }
  return outputs;
}

llvm::SmallVector<Run*> Interpreter::live() {
  llvm::SmallVector<Run*> live;
  for (Run& run : runs_)
    if (run.status().ok()) live.push_back(&run);
  return live;
}

const Op* Interpreter::runBlock(const Block& block) {
  for (const Op& op : block.ops()) {
    if (op.is("integer.constant")) continue;
    if (live().empty()) return nullptr;
    if (absl::Status status = load(op); !status.ok()) {
      for (Run* run : live()) run->end(annotate(status, op));
    }
    if (op.def().terminator) return &op;
    runOp(op);
    for (Run* run : live()) run->release(op);
    constants_.arrays.release(op);
  }
  return nullptr;
}

void Interpreter::runOp(const Op& op) {
  if (op.block() != nullptr) return runHolder(op);
  if (op.is("proof.segment")) return runSegment(op);
  Results results = op.is("integer.linear") ? linear(op) : compute(op);
  for (auto [run, result] : llvm::zip(live(), results)) {
    const absl::Status status =
        result.ok() ? run->define(*op.result(), *std::move(result)) : result.status();
    run->end(annotate(status, op));
  }
}

void Interpreter::runHolder(const Op& op) {
  const Op* end = runBlock(*op.block());
  for (Run* run : live()) {
    run->end(end != nullptr ? run->yield(*end, op)
                            : absl::InvalidArgumentError("a block has no terminator"));
  }
}

void Interpreter::runSegment(const Op& op) {
  const Function* function = function_.module()->findFunction(op.symbolAttr("function"));
  llvm::SmallVector<Run*> runs;
  std::vector<std::vector<IntArray>> inputs;
  std::vector<Observer*> observers;
  for (Run* run : live()) {
    Outputs given = run->take(op);
    run->end(annotate(given.status(), op));
    if (!given.ok()) continue;
    runs.push_back(run);
    inputs.push_back(*std::move(given));
    observers.push_back(run->observer());
  }
  std::vector<Outputs> all = interpretAll(*function, inputs, observers);
  for (auto [run, outputs] : llvm::zip(runs, all)) {
    absl::Status status = outputs.status();
    for (unsigned i = 0; status.ok() && i < op.numResults(); ++i)
      status = run->define(*op.result(i), std::move((*outputs)[i]));
    run->end(annotate(status, op));
  }
}

Interpreter::Results Interpreter::compute(const Op& op) {
  const llvm::SmallVector<Run*> runs = live();
  Results results(runs.size());
  llvm::parallelFor(0, runs.size(), [&](size_t i) { results[i] = runs[i]->compute(op); });
  return results;
}

// One product for all runs, if they have the same weights.
Interpreter::Results Interpreter::linear(const Op& op) {
  const llvm::SmallVector<Run*> runs = live();
  if (runs.empty() || !llvm::all_of(op.operands().drop_front(), isConstant)) return compute(op);
  std::vector<const IntArray*> x;
  for (const Run* run : runs) {
    absl::StatusOr<const IntArray*> one = run->read(op.operand(0));
    if (!one.ok()) return Results(runs.size(), one.status());
    x.push_back(*one);
  }
  absl::StatusOr<Rows> w = runs[0]->rows(op.operand(1));
  if (!w.ok()) return Results(runs.size(), w.status());
  llvm::ArrayRef<int64_t> bias;
  if (op.numOperands() > 2) bias = constants_.arrays.find(*op.operand(2))->values;
  return linearAll(x, *w, bias);
}

absl::Status Interpreter::load(const Op& op) {
  const bool reads_matrix = op.is("integer.linear") || op.is("integer.embedding");
  for (unsigned i = 0; i < op.numOperands(); ++i) {
    if (isConstant(op.operand(i))) IR_RETURN_IF_ERROR(load(*op.operand(i), reads_matrix && i == 1));
  }
  return absl::OkStatus();
}

absl::Status Interpreter::load(const Value& value, bool is_matrix) {
  if (constants_.arrays.find(value) != nullptr) return absl::OkStatus();
  const std::string& name = value.definingOp()->symbolAttr("value");
  const Constant* constant = constants_.pool.find(name);
  if (constant == nullptr)
    return absl::NotFoundError(absl::StrCat("constant @", name, " is not in the pool"));
  const Type& type = value.type();
  const IntegerFacts* facts = is_matrix ? constant->integerFacts() : nullptr;
  if (facts != nullptr && facts->low >= type.low && facts->high <= type.high) {
    constants_.matrices.try_emplace(&value, rowsOfMatrix(*constant));
    return absl::OkStatus();
  }
  IR_ASSIGN_OR_RETURN(IntArray array, readConstant(*constant));
  IR_RETURN_IF_ERROR(
      checkRange(array, type.low, type.high, absl::StrCat("constant @", constant->name)));
  constants_.arrays.own(value, std::move(array));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<IntArray> readConstant(const Constant& constant) {
  IntArray array;
  array.shape.assign(constant.shape.begin(), constant.shape.end());
  switch (constant.scalar) {
    case Scalar::kI64:
      array.values = widen<int64_t>(constant);
      break;
    case Scalar::kI32:
      array.values = widen<int32_t>(constant);
      break;
    case Scalar::kI16:
      array.values = widen<int16_t>(constant);
      break;
    case Scalar::kI8:
      array.values = widen<int8_t>(constant);
      break;
    case Scalar::kU8:
      array.values = widen<uint8_t>(constant);
      break;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("constant @", constant.name, " is not integer"));
  }
  return array;
}

std::vector<Outputs> interpretAll(const Function& function,
                                  llvm::ArrayRef<std::vector<IntArray>> inputs,
                                  llvm::ArrayRef<Observer*> observers) {
  return Interpreter(function, inputs, observers).outputs();
}

Outputs interpret(const Function& function, llvm::ArrayRef<IntArray> inputs, Observer* observer) {
  return std::move(interpretAll(function, {inputs.vec()}, {observer}).front());
}

}  // namespace lindero::ir::integer

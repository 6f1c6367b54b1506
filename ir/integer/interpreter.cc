#include "ir/integer/interpreter.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::ir::integer {
namespace {

absl::string_view view(llvm::StringRef text) { return {text.data(), text.size()}; }

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

class Interpreter {
 public:
  explicit Interpreter(const Function& function, Observer* observer)
      : constants_(function.module()->constants()), observer_(observer) {}

  absl::Status bind(const Value& argument, const IntArray& input);
  // Runs the ops up to the terminator and returns the terminator's operands.
  absl::StatusOr<std::vector<std::shared_ptr<const IntArray>>> run(const Block& block);

 private:
  using Array = std::shared_ptr<const IntArray>;

  absl::Status runOp(const Op& op);
  absl::Status runSegment(const Op& op);
  absl::StatusOr<IntArray> compute(const Op& op);
  absl::StatusOr<IntArray> embedding(const Op& op);
  absl::StatusOr<IntArray> layerNorm(const Op& op);
  absl::StatusOr<IntArray> linearOp(const Op& op);
  absl::StatusOr<IntArray> requantizeOp(const Op& op);
  absl::StatusOr<IntArray> affineOp(const Op& op);
  absl::StatusOr<IntArray> copyOp(const Op& op);
  absl::StatusOr<IntArray> lookup(const Op& op);
  absl::StatusOr<IntArray> softmax(const Op& op);

  // An argument, computed value or constant; constants stay for the whole run.
  absl::StatusOr<Array> read(const Value* value);
  // Of a matrix; a constant that fits its type is not copied. What is copied is `held`.
  absl::StatusOr<Rows> rows(const Value* value, Array& held);
  absl::Status define(const Value& value, Array array, llvm::StringRef what);
  void release(const Op& op);

  const ConstantPool& constants_;
  Observer* observer_;
  struct Slot {
    Array array;
    size_t uses;
  };
  llvm::DenseMap<const Value*, Slot> values_;
};

absl::Status Interpreter::define(const Value& value, Array array, llvm::StringRef what) {
  const Type& type = value.type();
  if (llvm::ArrayRef<int64_t>(type.shape) != llvm::ArrayRef<int64_t>(array->shape)) {
    return absl::InvalidArgumentError(absl::StrCat(view(what), " has shape [",
                                                   absl::StrJoin(array->shape, ", "), "], not [",
                                                   absl::StrJoin(type.shape, ", "), "]"));
  }
  if (type.element == Element::kFixed) {
    absl::Status status = checkRange(*array, type.low, type.high, what);
    if (!status.ok()) return status;
  }
  if (observer_ != nullptr) observer_->observe(value, *array);
  if (!value.users().empty()) values_[&value] = Slot{std::move(array), value.users().size()};
  return absl::OkStatus();
}

absl::Status Interpreter::bind(const Value& argument, const IntArray& input) {
  if (static_cast<size_t>(argument.type().elements()) != input.values.size()) {
    return absl::InvalidArgumentError(absl::StrCat("input ", view(argument.name()), " has ",
                                                   input.values.size(), " elements, not ",
                                                   argument.type().elements()));
  }
  auto array = std::make_shared<IntArray>(input);
  array->shape.assign(argument.type().shape.begin(),
                      argument.type().shape.end());  // drops a batch of 1
  return define(argument, std::move(array), absl::StrCat("input ", view(argument.name())));
}

absl::StatusOr<Interpreter::Array> Interpreter::read(const Value* value) {
  if (auto it = values_.find(value); it != values_.end()) return it->second.array;
  const Op* op = value->definingOp();
  if (op == nullptr || !op->is("integer.constant")) {
    return absl::InternalError(
        absl::StrCat("%", view(value->name()), " is read before it is computed"));
  }
  const Constant* constant = constants_.find(op->symbolAttr("value"));
  if (constant == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("constant @", op->symbolAttr("value"), " is not in the pool"));
  }
  absl::StatusOr<IntArray> array = readConstant(*constant);
  if (!array.ok()) return array.status();
  const Type& type = value->type();
  absl::Status status =
      checkRange(*array, type.low, type.high, absl::StrCat("constant @", constant->name));
  if (!status.ok()) return status;
  auto shared = std::make_shared<const IntArray>(*std::move(array));
  values_[value] = Slot{shared, value->users().size()};
  return shared;
}

absl::StatusOr<Rows> Interpreter::rows(const Value* value, Array& held) {
  const Op* op = value->definingOp();
  if (!values_.contains(value) && op != nullptr && op->is("integer.constant")) {
    const Constant* constant = constants_.find(op->symbolAttr("value"));
    const IntegerFacts* facts = constant == nullptr ? nullptr : constant->integerFacts();
    if (facts != nullptr && facts->low >= value->type().low && facts->high <= value->type().high)
      return rowsOfMatrix(*constant);
  }
  absl::StatusOr<Array> array = read(value);
  if (!array.ok()) return array.status();
  held = *std::move(array);
  return rowsOfMatrix(*held);
}

void Interpreter::release(const Op& op) {
  for (const Value* operand : op.operands()) {
    auto it = values_.find(operand);
    if (it != values_.end() && --it->second.uses == 0) values_.erase(it);
  }
}

absl::StatusOr<std::vector<Interpreter::Array>> Interpreter::run(const Block& block) {
  for (const Op& op : block.ops()) {
    if (!op.def().terminator) {
      if (absl::Status status = annotate(runOp(op), op); !status.ok()) return status;
      continue;
    }
    std::vector<Array> results;
    for (const Value* operand : op.operands()) {
      absl::StatusOr<Array> array = read(operand);
      if (!array.ok()) return annotate(array.status(), op);
      results.push_back(*std::move(array));
    }
    release(op);
    return results;
  }
  return absl::InvalidArgumentError("a block has no terminator");
}

absl::Status Interpreter::runOp(const Op& op) {
  if (op.is("integer.constant")) return absl::OkStatus();
  if (op.block() != nullptr) {
    absl::StatusOr<std::vector<Array>> results = run(*op.block());
    if (!results.ok()) return results.status();
    if (results->size() != op.numResults()) {
      return absl::InvalidArgumentError(absl::StrCat(
          describe(op), ": the block yields another number of values than the op has"));
    }
    // Already checked and observed where they were computed.
    for (unsigned i = 0; i < op.numResults(); ++i) {
      const Value& result = *op.result(i);
      if (!result.users().empty()) values_[&result] = Slot{(*results)[i], result.users().size()};
    }
    return absl::OkStatus();
  }
  if (op.is("proof.segment")) return runSegment(op);
  absl::StatusOr<IntArray> result = compute(op);
  if (!result.ok()) return result.status();
  absl::Status status =
      define(*op.result(), std::make_shared<const IntArray>(*std::move(result)), "value");
  release(op);
  return status;
}

absl::Status Interpreter::runSegment(const Op& op) {
  const Function* function =
      op.parent()->function()->module()->findFunction(op.symbolAttr("function"));
  std::vector<IntArray> inputs;
  for (const Value* operand : op.operands()) {
    absl::StatusOr<Array> array = read(operand);
    if (!array.ok()) return array.status();
    inputs.push_back(**array);
  }
  absl::StatusOr<std::vector<IntArray>> results = interpret(*function, inputs, observer_);
  if (!results.ok()) return results.status();
  for (unsigned i = 0; i < op.numResults(); ++i) {
    absl::Status status =
        define(*op.result(i), std::make_shared<const IntArray>(std::move((*results)[i])), "value");
    if (!status.ok()) return status;
  }
  release(op);
  return absl::OkStatus();
}

absl::StatusOr<IntArray> Interpreter::compute(const Op& op) {
  using Method = absl::StatusOr<IntArray> (Interpreter::*)(const Op&);
  const Method method = llvm::StringSwitch<Method>(op.name())
                            .Case("integer.embedding", &Interpreter::embedding)
                            .Case("integer.layernorm", &Interpreter::layerNorm)
                            .Case("integer.linear", &Interpreter::linearOp)
                            .Case("integer.requantize", &Interpreter::requantizeOp)
                            .Case("integer.affine", &Interpreter::affineOp)
                            .Case("integer.copy", &Interpreter::copyOp)
                            .Case("integer.lookup", &Interpreter::lookup)
                            .Case("integer.softmax", &Interpreter::softmax)
                            .Default(nullptr);
  if (method != nullptr) return (this->*method)(op);
  absl::StatusOr<Array> x = op.numOperands() > 0 ? read(op.operand(0)) : Array();
  absl::StatusOr<Array> y = op.numOperands() > 1 ? read(op.operand(1)) : Array();
  if (!x.ok()) return x.status();
  if (!y.ok()) return y.status();
  if (op.is("proof.link")) return **x;
  if (op.is("integer.slice")) return sliceColumns(**x, op.intAttr("start"), op.intAttr("size"));
  if (op.is("integer.select_rows")) return gatherRows(rowsOfMatrix(**x), op.intsAttr("rows"));
  if (op.is("integer.argmax")) {
    absl::StatusOr<IntArray> ids = argmax(**x);
    if (ids.ok()) ids->shape = op.result()->type().shape;
    return ids;
  }
  if (op.is("integer.append_rows")) return appendRows(**x, **y);
  if (op.is("integer.multiply")) return multiply(**x, **y, static_cast<int>(op.intAttr("shift")));
  if (op.is("integer.divide")) return divide(**x, **y, static_cast<int>(op.intAttr("shift")));
  if (op.is("integer.scores")) return scores(**x, **y, op.intAttr("heads"));
  if (op.is("integer.mix")) return mix(**x, **y, op.intAttr("heads"));
  return absl::UnimplementedError("not an op of the integer dialect");
}

absl::StatusOr<IntArray> Interpreter::embedding(const Op& op) {
  Array held;
  absl::StatusOr<Array> ids = read(op.operand(0));
  absl::StatusOr<Rows> table = rows(op.operand(1), held);
  if (!ids.ok()) return ids.status();
  if (!table.ok()) return table.status();
  if (absl::Status status = checkRange(**ids, 0, table->count - 1, "id"); !status.ok())
    return status;
  IntArray out = gatherRows(*table, (*ids)->values);
  out.shape.assign((*ids)->shape.begin(), (*ids)->shape.end());
  out.shape.push_back(table->width);
  if (op.numOperands() < 3) return out;
  absl::StatusOr<Array> addend = read(op.operand(2));
  if (!addend.ok()) return addend.status();
  for (size_t i = 0; i < out.values.size(); ++i) out.values[i] += (*addend)->values[i];
  return out;
}

absl::StatusOr<IntArray> Interpreter::layerNorm(const Op& op) {
  absl::StatusOr<Array> x = read(op.operand(0)), rsqrt = read(op.operand(1));
  if (!x.ok()) return x.status();
  if (!rsqrt.ok()) return rsqrt.status();
  LayerNorm function;
  function.square_shift = static_cast<int>(op.intAttr("square_shift"));
  function.epsilon = op.intAttr("epsilon");
  function.output_bits = static_cast<int>(op.intAttr("output_bits"));
  function.max_exponent = static_cast<int>(op.intAttr("max_exponent"));
  function.has_mean = op.boolAttr("has_mean");
  function.row_shift = static_cast<int>(op.intAttrOr("row_shift", 0));
  function.rsqrt = (*rsqrt)->values;
  const int64_t width = (*x)->shape.back(), rows = rowsOf(**x);
  IntArray z{(*x)->shape, std::vector<int64_t>((*x)->values.size())};
  for (int64_t i = 0; i < rows; ++i) {
    const llvm::ArrayRef<int64_t> in((*x)->values.data() + i * width, width);
    absl::Status status =
        function.row(in, {z.values.data() + i * width, static_cast<size_t>(width)});
    if (!status.ok())
      return absl::Status(status.code(), absl::StrCat("row ", i, ": ", status.message()));
  }
  return z;
}

absl::StatusOr<IntArray> Interpreter::linearOp(const Op& op) {
  Array held;
  absl::StatusOr<Array> x = read(op.operand(0));
  absl::StatusOr<Rows> w = rows(op.operand(1), held);
  if (!x.ok()) return x.status();
  if (!w.ok()) return w.status();
  if (op.numOperands() < 3) return linear(**x, *w, {});
  absl::StatusOr<Array> bias = read(op.operand(2));
  if (!bias.ok()) return bias.status();
  return linear(**x, *w, (*bias)->values);
}

absl::StatusOr<IntArray> Interpreter::requantizeOp(const Op& op) {
  absl::StatusOr<Array> acc = read(op.operand(0));
  if (!acc.ok()) return acc.status();
  absl::StatusOr<Array> addend = op.numOperands() > 1 ? read(op.operand(1)) : Array();
  if (!addend.ok()) return addend.status();
  return requantize(**acc, addend->get(), static_cast<int>(op.intAttrOr("addend_shift", 0)),
                    static_cast<int>(op.intAttr("shift")));
}

absl::StatusOr<IntArray> Interpreter::affineOp(const Op& op) {
  llvm::SmallVector<Array, 5> read;
  for (const Value* operand : op.operands()) {
    absl::StatusOr<Array> array = this->read(operand);
    if (!array.ok()) return array.status();
    read.push_back(*std::move(array));
  }
  const bool two = read.size() > 3;
  return affine(*read[0], *read[1], *read[2], two ? read[3].get() : nullptr,
                two ? read[4].get() : nullptr, static_cast<int>(op.intAttr("shift")));
}

absl::StatusOr<IntArray> Interpreter::copyOp(const Op& op) {
  IntArray all;
  for (const Value* operand : op.operands()) {
    absl::StatusOr<Array> x = read(operand);
    if (!x.ok()) return x.status();
    all.values.insert(all.values.end(), (*x)->values.begin(), (*x)->values.end());
  }
  absl::StatusOr<IntArray> y = readConstant(*constants_.find(op.symbolAttr("indices")));
  if (!y.ok()) return y.status();
  const auto& shape = op.result()->type().shape;
  y->shape.assign(shape.begin(), shape.end());
  const int64_t last = static_cast<int64_t>(all.values.size()) - 1;
  if (absl::Status status = checkRange(*y, 0, last, "index"); !status.ok()) return status;
  for (int64_t& value : y->values) value = all.values[value];
  return y;
}

absl::StatusOr<IntArray> Interpreter::lookup(const Op& op) {
  absl::StatusOr<Array> acc = read(op.operand(0)), table = read(op.operand(1));
  if (!acc.ok()) return acc.status();
  if (!table.ok()) return table.status();
  absl::StatusOr<IntArray> out =
      requantize(**acc, nullptr, 0, static_cast<int>(op.intAttr("shift")));
  if (!out.ok()) return out.status();
  const int64_t low = op.intAttrOr("low", -(int64_t{1} << (op.intAttr("bits") - 1)));
  const int64_t rows = static_cast<int64_t>((*table)->values.size());
  if (absl::Status status = checkRange(*out, low, low + rows - 1, "lookup key"); !status.ok())
    return status;
  for (int64_t& value : out->values) value = (*table)->values[value - low];
  return out;
}

absl::StatusOr<IntArray> Interpreter::softmax(const Op& op) {
  absl::StatusOr<Array> scores = read(op.operand(0)), exp = read(op.operand(1));
  if (!scores.ok()) return scores.status();
  if (!exp.ok()) return exp.status();
  Softmax function;
  function.exp = (*exp)->values;
  function.exp_at_minus_one = op.intAttr("exp_at_minus_one");
  function.score_shift = static_cast<int>(op.intAttr("score_shift"));
  function.probability_bits = static_cast<int>(op.intAttr("probability_bits"));
  function.normalizer_low = op.intAttr("normalizer_low");
  function.normalizer_bits = static_cast<int>(op.intAttr("normalizer_bits"));
  function.dead_rows = op.intAttr("dead_rows");
  function.dead_width = static_cast<int>(op.intAttr("dead_width"));
  const bool causal = op.boolAttr("causal");
  const int64_t keys = (*scores)->shape.back(), rows = rowsOf(**scores);
  const int64_t queries = causal ? (*scores)->shape[1] : rows;
  int64_t earlier = 0, first = 0;  // keys before the queries' own, and the first that is seen
  if (op.numOperands() > 2) {
    absl::StatusOr<Array> open = read(op.operand(2));
    if (!open.ok()) return open.status();
    earlier = keys - queries;
    absl::Status status = checkRange(**open, 0, earlier / queries, "open_windows");
    if (!status.ok()) return status;
    first = earlier - (*open)->values[0] * queries;
  }
  IntArray p{(*scores)->shape, std::vector<int64_t>((*scores)->values.size(), 0)};
  for (int64_t row = 0; row < rows; ++row) {
    const size_t live = (causal ? std::min(earlier + row % queries + 1, keys) : keys) - first;
    const int64_t at = row * keys + first;
    absl::Status status =
        function.row({(*scores)->values.data() + at, live}, {p.values.data() + at, live});
    if (status.ok()) continue;
    return absl::Status(status.code(), absl::StrCat("row ", row, ": ", status.message()));
  }
  return p;
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

absl::StatusOr<std::vector<IntArray>> interpret(const Function& function,
                                                llvm::ArrayRef<IntArray> inputs,
                                                Observer* observer) {
  const llvm::ArrayRef<std::unique_ptr<Value>> arguments = function.body().arguments();
  if (arguments.size() != inputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "@", function.name(), " takes ", arguments.size(), " inputs, not ", inputs.size()));
  }
  Interpreter interpreter(function, observer);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (absl::Status status = interpreter.bind(*arguments[i], inputs[i]); !status.ok())
      return status;
  }
  auto results = interpreter.run(function.body());
  if (!results.ok()) return results.status();
  std::vector<IntArray> out;
  for (const auto& array : *results) out.push_back(*array);
  return out;
}

}  // namespace lindero::ir::integer

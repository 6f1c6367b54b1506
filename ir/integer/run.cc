#include "ir/integer/run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::ir::integer {
namespace {

absl::string_view view(llvm::StringRef text) { return {text.data(), text.size()}; }

}  // namespace

absl::Status Run::define(const Value& value, IntArray array, llvm::StringRef what) {
  const Type& type = value.type();
  if (llvm::ArrayRef<int64_t>(type.shape) != llvm::ArrayRef<int64_t>(array.shape)) {
    return absl::InvalidArgumentError(absl::StrCat(view(what), " has shape [",
                                                   absl::StrJoin(array.shape, ", "), "], not [",
                                                   absl::StrJoin(type.shape, ", "), "]"));
  }
  if (type.element == Element::kFixed)
    IR_RETURN_IF_ERROR(checkRange(array, type.low, type.high, what));
  if (observer_ != nullptr) observer_->observe(value, array);
  values_.own(value, std::move(array));
  return absl::OkStatus();
}

absl::Status Run::bind(const Value& argument, const IntArray& input) {
  if (static_cast<size_t>(argument.type().elements()) != input.values.size()) {
    return absl::InvalidArgumentError(absl::StrCat("input ", view(argument.name()), " has ",
                                                   input.values.size(), " elements, not ",
                                                   argument.type().elements()));
  }
  IntArray array = input;
  array.shape.assign(argument.type().shape.begin(), argument.type().shape.end());
  return define(argument, std::move(array), absl::StrCat("input ", view(argument.name())));
}

absl::StatusOr<const IntArray*> Run::read(const Value* value) const {
  if (Array array = values_.find(*value)) return array;
  if (Array array = constants_.arrays.find(*value)) return array;
  return absl::InternalError(
      absl::StrCat("%", view(value->name()), " is read before it is computed"));
}

absl::StatusOr<Rows> Run::rows(const Value* value) const {
  const auto it = constants_.matrices.find(value);
  if (it != constants_.matrices.end()) return it->second;
  IR_ASSIGN_OR_RETURN(Array array, read(value));
  return rowsOfMatrix(*array);
}

absl::StatusOr<std::vector<IntArray>> Run::take(const Op& op) {
  std::vector<IntArray> taken;
  for (const Value* operand : op.operands()) {
    IR_ASSIGN_OR_RETURN(Array array, read(operand));
    const bool own = values_.find(*operand) != nullptr;
    taken.push_back(own ? values_.take(*operand) : *array);
  }
  return taken;
}

absl::Status Run::yield(const Op& terminator, const Op& holder) {
  if (terminator.numOperands() != holder.numResults()) {
    return absl::InvalidArgumentError(absl::StrCat(
        describe(holder), ": the block yields another number of values than the op has"));
  }
  IR_ASSIGN_OR_RETURN(std::vector<IntArray> results, take(terminator));
  for (unsigned i = 0; i < holder.numResults(); ++i)
    values_.own(*holder.result(i), std::move(results[i]));
  release(terminator);
  return absl::OkStatus();
}

absl::StatusOr<IntArray> Run::compute(const Op& op) const {
  using Method = absl::StatusOr<IntArray> (Run::*)(const Op&) const;
  const Method method = llvm::StringSwitch<Method>(op.name())
                            .Case("integer.embedding", &Run::embedding)
                            .Case("integer.layernorm", &Run::layerNorm)
                            .Case("integer.linear", &Run::linearOp)
                            .Case("integer.requantize", &Run::requantizeOp)
                            .Case("integer.affine", &Run::affineOp)
                            .Case("integer.copy", &Run::copyOp)
                            .Case("integer.lookup", &Run::lookup)
                            .Case("integer.softmax", &Run::softmax)
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

absl::StatusOr<IntArray> Run::embedding(const Op& op) const {
  absl::StatusOr<Array> ids = read(op.operand(0));
  absl::StatusOr<Rows> table = rows(op.operand(1));
  if (!ids.ok()) return ids.status();
  if (!table.ok()) return table.status();
  if (absl::Status status = checkRange(**ids, 0, table->count() - 1, "id"); !status.ok())
    return status;
  IntArray out = gatherRows(*table, (*ids)->values);
  out.shape.assign((*ids)->shape.begin(), (*ids)->shape.end());
  out.shape.push_back(table->width());
  if (op.numOperands() < 3) return out;
  absl::StatusOr<Array> addend = read(op.operand(2));
  if (!addend.ok()) return addend.status();
  for (size_t i = 0; i < out.values.size(); ++i) out.values[i] += (*addend)->values[i];
  return out;
}

absl::StatusOr<IntArray> Run::layerNorm(const Op& op) const {
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

absl::StatusOr<IntArray> Run::linearOp(const Op& op) const {
  absl::StatusOr<Array> x = read(op.operand(0));
  absl::StatusOr<Rows> w = rows(op.operand(1));
  if (!x.ok()) return x.status();
  if (!w.ok()) return w.status();
  if (op.numOperands() < 3) return linear(**x, *w, {});
  absl::StatusOr<Array> bias = read(op.operand(2));
  if (!bias.ok()) return bias.status();
  return linear(**x, *w, (*bias)->values);
}

absl::StatusOr<IntArray> Run::requantizeOp(const Op& op) const {
  absl::StatusOr<Array> acc = read(op.operand(0));
  if (!acc.ok()) return acc.status();
  absl::StatusOr<Array> addend = op.numOperands() > 1 ? read(op.operand(1)) : Array();
  if (!addend.ok()) return addend.status();
  return requantize(**acc, *addend, static_cast<int>(op.intAttrOr("addend_shift", 0)),
                    static_cast<int>(op.intAttr("shift")));
}

absl::StatusOr<IntArray> Run::affineOp(const Op& op) const {
  llvm::SmallVector<Array, 5> read;
  for (const Value* operand : op.operands()) {
    absl::StatusOr<Array> array = this->read(operand);
    if (!array.ok()) return array.status();
    read.push_back(*array);
  }
  const bool two = read.size() > 3;
  return affine(*read[0], *read[1], *read[2], two ? read[3] : nullptr, two ? read[4] : nullptr,
                static_cast<int>(op.intAttr("shift")));
}

absl::StatusOr<IntArray> Run::copyOp(const Op& op) const {
  IntArray all;
  for (const Value* operand : op.operands()) {
    absl::StatusOr<Array> x = read(operand);
    if (!x.ok()) return x.status();
    all.values.insert(all.values.end(), (*x)->values.begin(), (*x)->values.end());
  }
  absl::StatusOr<IntArray> y = readConstant(*constants_.pool.find(op.symbolAttr("indices")));
  if (!y.ok()) return y.status();
  const auto& shape = op.result()->type().shape;
  y->shape.assign(shape.begin(), shape.end());
  const int64_t last = static_cast<int64_t>(all.values.size()) - 1;
  if (absl::Status status = checkRange(*y, 0, last, "index"); !status.ok()) return status;
  for (int64_t& value : y->values) value = all.values[value];
  return y;
}

absl::StatusOr<IntArray> Run::lookup(const Op& op) const {
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

absl::StatusOr<IntArray> Run::softmax(const Op& op) const {
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

}  // namespace lindero::ir::integer

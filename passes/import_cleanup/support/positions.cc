#include "passes/import_cleanup/support/positions.h"

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/tensor/array.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/import_cleanup/support/whole_range.h"
#include "passes/quantize/masks.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

int64_t rankOf(const Value* value) { return static_cast<int64_t>(value->type().shape.size()); }

// The input that is looked up, if no other one is read.
const Value* tokensOf(const ir::Function& function) {
  const Value* tokens = nullptr;
  for (const auto& argument : function.body().arguments()) {
    if (argument->users().empty()) continue;
    const bool looked_up = llvm::all_of(argument->users(), [&](const Op* reader) {
      return reader->is("tensor.embedding") && reader->operand(0) == argument.get();
    });
    if (tokens != nullptr || !looked_up) return nullptr;
    tokens = argument.get();
  }
  return tokens;
}

bool isReduction(const Op& op) {
  return op.is("tensor.reduce_mean") || op.is("tensor.reduce_sum") || op.is("tensor.reduce_max") ||
         op.is("tensor.reduce_min");
}

// Where an axis is among others that lose some of theirs; nothing if it is lost.
std::optional<int64_t> withoutAxes(int64_t axis, llvm::ArrayRef<int64_t> lost, bool kept) {
  if (llvm::is_contained(lost, axis)) return std::nullopt;
  return kept ? axis : axis - llvm::count_if(lost, [&](int64_t l) { return l < axis; });
}

// As many elements before it, and as long.
std::optional<int64_t> reshaped(llvm::ArrayRef<int64_t> from, int64_t axis,
                                llvm::ArrayRef<int64_t> to) {
  const int64_t before = ir::tensor::product(from.take_front(axis));
  int64_t count = 1;
  for (size_t i = 0; i < to.size(); ++i) {
    if (count == before && to[i] == from[axis]) return static_cast<int64_t>(i);
    count *= to[i];
  }
  return std::nullopt;
}

// Where an op that puts elements in other places leaves an axis, as a whole and in order.
std::optional<int64_t> movedAxis(const Op& op, int64_t axis) {
  const Value *from = op.operand(0), *to = op.result();
  if (op.is("tensor.slice")) return axis != op.intAttr("axis") ? std::optional(axis) : std::nullopt;
  if (op.is("tensor.transpose"))
    return llvm::find(op.intsAttr("perm"), axis) - op.intsAttr("perm").begin();
  if (op.is("tensor.gather")) {
    const int64_t along = op.intAttr("axis");
    if (axis == along) return std::nullopt;
    return axis < along ? axis : axis + rankOf(to) - rankOf(from);
  }
  if (op.is("tensor.expand")) return axis + rankOf(to) - rankOf(from);
  if (op.is("tensor.reshape")) return reshaped(from->type().shape, axis, to->type().shape);
  return std::nullopt;
}

// Does a constant close the scores of all later keys, and no row as a whole? Keys stand on the last
// axis, queries on the one that is given.
bool closesLater(const Op& softmax, int64_t queries) {
  Masks masks;
  const std::vector<double>& levels = masks.of(*softmax.operand(0));
  const auto& shape = softmax.result()->type().shape;
  const int64_t length = shape.back(), stride = ir::tensor::rowMajorStrides(shape)[queries];
  if (levels.empty()) return length == 1;
  for (size_t row = 0; row < levels.size(); row += length) {
    const auto keys = llvm::ArrayRef(levels).slice(row, length);
    const int64_t query = row / stride % length;
    auto open = [](double level) { return level >= 0; };
    if (llvm::none_of(keys.take_front(query + 1), open) ||
        llvm::any_of(keys.drop_front(query + 1), open)) {
      return false;
    }
  }
  return true;
}

}  // namespace

Positions::Positions(const ir::Function& function) {
  const Value* tokens = tokensOf(function);
  if (tokens == nullptr) {
    obstacle_ = "it reads more than tokens that are looked up";
    return;
  }
  const auto& shape = tokens->type().shape;
  const auto longest = llvm::max_element(shape);
  if (shape.empty() || tokens->type().elements() != *longest) {
    obstacle_ = "its tokens are not one row";
    return;
  }
  states_[tokens] = {State::kRows, longest - shape.begin()};
  auto mixes = [](const Op& op) {
    return absl::StrCat(ir::describe(op), " may mix positions with later ones");
  };
  for (const Op& op : function.body().ops()) {
    if (llvm::none_of(op.operands(), [&](const Value* v) { return has(v); })) continue;
    if (op.def().terminator) {
      for (const Value* output : op.operands()) {
        if (has(output) && states_.at(output).kind == State::kScores)
          obstacle_ = mixes(*output->definingOp());
      }
      return;
    }
    const std::optional<State> state = op.numResults() == 1 ? follow(op) : std::nullopt;
    if (!state) {
      obstacle_ = mixes(op);
      return;
    }
    states_[op.result()] = *state;
  }
}

llvm::SmallVector<int64_t, 2> Positions::axesOf(const Value* value) const {
  const auto found = states_.find(value);
  if (found == states_.end()) return {};
  if (found->second.kind == State::kRows) return {found->second.own};
  return {found->second.own, found->second.keys};
}

std::optional<Positions::State> Positions::follow(const Op& op) const {
  if (staysInPlace(op)) return elementwise(op);
  if (op.is("tensor.concat")) return join(op);
  if (op.is("tensor.matmul")) return product(op);
  if (op.is("tensor.attention")) return attention(op);
  const bool alone = has(op.operand(0)) && llvm::none_of(op.operands().drop_front(),
                                                         [&](const Value* v) { return has(v); });
  if (!alone) return std::nullopt;
  const State& from = states_.at(op.operand(0));
  if (movesElements(op)) return move(op, from);
  if (from.kind == State::kRows) return rows(op, from);
  // A closed score has the probability zero, whatever it depends on.
  const int64_t last = rankOf(op.result()) - 1;
  if (from.kind != State::kScores || !op.is("tensor.softmax") || op.intAttr("axis") != last ||
      from.keys != last || !closesLater(op, from.own)) {
    return std::nullopt;
  }
  return State{State::kProbabilities, from.own, from.keys};
}

std::optional<Positions::State> Positions::move(const Op& op, State from) const {
  for (int64_t* axis : {&from.own, &from.keys}) {
    if (*axis < 0) continue;
    const std::optional<int64_t> moved = movedAxis(op, *axis);
    if (!moved) return std::nullopt;
    *axis = *moved;
  }
  return from;
}

std::optional<Positions::State> Positions::rows(const Op& op, const State& from) const {
  const int64_t axis = from.own, last = rankOf(op.operand(0)) - 1;
  std::optional<int64_t> found;
  if (op.is("tensor.embedding")) {
    found = axis;
  } else if (op.is("tensor.linear") || op.is("tensor.layernorm")) {
    found = withoutAxes(axis, {last}, true);
  } else if (op.is("tensor.softmax")) {
    found = withoutAxes(axis, {op.intAttr("axis")}, true);
  } else if (op.is("tensor.argmax")) {
    found = withoutAxes(axis, {op.intAttrOr("axis", last)},
                        op.has("keepdims") && op.boolAttr("keepdims"));
  } else if (isReduction(op)) {
    found = withoutAxes(axis, op.intsAttr("axes"), op.boolAttr("keepdims"));
  }
  return found ? std::optional(State{State::kRows, *found}) : std::nullopt;
}

std::optional<Positions::State> Positions::join(const Op& op) const {
  const std::optional<State> state = common(op);
  if (!state || state->kind != State::kRows || state->own == op.intAttr("axis"))
    return std::nullopt;
  return state;
}

std::optional<Positions::State> Positions::product(const Op& op) const {
  const Value *a = op.operand(0), *b = op.operand(1);
  const int64_t rank = rankOf(op.result());
  if (rankOf(a) < 2 || rankOf(b) < 2) return std::nullopt;
  // The axes of a matrix, counted from the end.
  auto is = [&](const Value* value, State::Kind kind, int64_t own, int64_t keys = 0) {
    const auto found = states_.find(value);
    return found != states_.end() && found->second.kind == kind &&
           found->second.own == rankOf(value) - own &&
           (keys == 0 || found->second.keys == rankOf(value) - keys);
  };
  if (!has(b)) {
    return is(a, State::kRows, 2) ? std::optional(State{State::kRows, rank - 2}) : std::nullopt;
  }
  if (!has(a)) {
    return is(b, State::kRows, 1) ? std::optional(State{State::kRows, rank - 1}) : std::nullopt;
  }
  if (is(a, State::kRows, 2) && is(b, State::kRows, 1))
    return State{State::kScores, rank - 2, rank - 1};
  if (is(a, State::kProbabilities, 2, 1) && is(b, State::kRows, 2))
    return State{State::kRows, rank - 2};
  return std::nullopt;
}

std::optional<Positions::State> Positions::attention(const Op& op) const {
  if (!op.boolAttr("causal")) return std::nullopt;
  for (const Value* operand : op.operands()) {
    const auto found = states_.find(operand);
    if (found == states_.end() || found->second.kind != State::kRows || found->second.own != 0)
      return std::nullopt;
  }
  return State{State::kRows, 0};
}

std::optional<Positions::State> Positions::common(const Op& op) const {
  std::optional<State> found;
  for (const Value* operand : op.operands()) {
    const auto state = states_.find(operand);
    if (state == states_.end()) continue;
    State own = state->second;
    const int64_t added = rankOf(op.result()) - rankOf(operand);
    own.own += added;
    if (own.keys >= 0) own.keys += added;
    if (found && (found->kind != own.kind || found->own != own.own || found->keys != own.keys))
      return std::nullopt;
    found = own;
  }
  return found;
}

std::optional<Positions::State> Positions::elementwise(const Op& op) const {
  const std::optional<State> state = common(op);
  if (!state || state->kind == State::kRows) return state;
  return state->kind == State::kScores ? state : ofProbabilities(op, *state);
}

// Zero stays zero under these. Probabilities are never NaN, so that a guard changes none.
std::optional<Positions::State> Positions::ofProbabilities(const Op& op, const State& from) const {
  const bool scaled =
      op.is("tensor.mul") || (op.is("tensor.div") && has(op.operand(0)) && !has(op.operand(1)));
  const bool guarded = op.is("tensor.where") && has(op.operand(0)) && has(op.operand(2));
  if (scaled || op.is("tensor.is_nan") || guarded) return from;
  return std::nullopt;
}

}  // namespace lindero::passes

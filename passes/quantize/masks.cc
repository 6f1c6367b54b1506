#include "passes/quantize/masks.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ir/core/post_order.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

bool isMasked(double level) { return level < 0; }

bool isPositive(const Value& value) {
  const ir::Constant* constant = constantOf(value);
  if (constant == nullptr) return false;
  absl::StatusOr<Array> array = ir::tensor::readConstant(*constant);
  return array.ok() && array->isReal() &&
         llvm::all_of(array->reals, [](double x) { return x > 0 && std::isfinite(x); });
}

// Is what the reader makes of scores as large where they are larger?
bool keepsOrder(const Op& reader, const Value& scores) {
  if (isCopy(reader) || reader.is("tensor.add") || reader.is("tensor.where")) return true;
  if (reader.is("tensor.sub")) return reader.operand(1) != &scores;
  if (reader.is("tensor.div"))
    return reader.operand(0) == &scores && isPositive(*reader.operand(1));
  if (!reader.is("tensor.mul")) return false;
  return isPositive(*reader.operand(reader.operand(0) == &scores ? 1 : 0));
}

bool isLast(const Value& value) {
  return isReadOnlyBy(value, [](const Op& reader) { return reader.is("tensor.softmax"); });
}

}  // namespace

bool Scores::contains(const Value& value) {
  if (auto it = known_.find(&value); it != known_.end()) return it->second;
  auto readers = [this](const Value& of, llvm::SmallVectorImpl<const Value*>& needed) {
    for (const Op* reader : of.users()) {
      if (keepsOrder(*reader, of) && !known_.contains(reader->result()))
        needed.push_back(reader->result());
    }
  };
  for (const Value* next : ir::postOrder<Value>(&value, readers)) {
    known_[next] = !next->users().empty() && llvm::all_of(next->users(), [&](const Op* reader) {
      return reader->is("tensor.softmax") ||
             (keepsOrder(*reader, *next) && known_.lookup(reader->result()));
    });
  }
  return known_[&value];
}

bool isScores(const Value& value) { return Scores().contains(value); }

bool isChoiceMask(const Op& op) {
  return op.is("tensor.mask") &&
         isReadOnlyBy(*op.result(), [](const Op& reader) { return reader.is("tensor.argmax"); });
}

Array withoutMasks(Array constant) {
  for (double& x : constant.reals) x = x <= kMasked ? 0 : x;
  return constant;
}

bool Masks::hides(const Value& value) {
  const Value* root = &value;
  while (root->definingOp() != nullptr && copiesOne(*root->definingOp()))
    root = copiedOperands(*root->definingOp()).front();
  const bool masked = root->definingOp() != nullptr && root->definingOp()->is("tensor.mask");
  return masked || scores_.contains(value);
}

const std::vector<double>& Masks::of(const Value& value) {
  if (auto it = levels_.find(&value); it != levels_.end()) return it->second;
  auto operands = [this](const Value& of, llvm::SmallVectorImpl<const Value*>& needed) {
    if (of.definingOp() == nullptr || !scores_.contains(of)) return;
    llvm::copy_if(of.definingOp()->operands(), std::back_inserter(needed),
                  [this](const Value* operand) { return !levels_.contains(operand); });
  };
  for (const Value* next : ir::postOrder<Value>(&value, operands)) {
    std::vector<double> levels;
    const Op* op = next->definingOp();
    if (op != nullptr && next->type().element == ir::Element::kFloat && scores_.contains(*next))
      levels = isCopy(*op) ? copied(*op) : summed(*op);
    if (llvm::none_of(levels, isMasked)) levels.clear();
    levels_[next] = std::move(levels);
  }
  return levels_[&value];
}

std::vector<double> Masks::copied(const Op& op) {
  absl::StatusOr<std::vector<int64_t>> from = copiedElements(op);
  if (!from.ok()) return {};
  std::vector<double> all;
  for (const Value* operand : copiedOperands(op)) {
    const size_t end = all.size() + operand->type().elements();
    if (const ir::Constant* constant = constantOf(*operand)) {
      absl::StatusOr<Array> array = ir::tensor::readConstant(*constant);
      if (!array.ok()) return {};
      for (double x : array->reals) all.push_back(x <= kMasked ? x : 0);
    } else {
      llvm::append_range(all, of(*operand));
    }
    all.resize(end, 0);
  }
  std::vector<double> levels;
  for (int64_t i : *from) levels.push_back(all[i]);
  return levels;
}

std::vector<double> Masks::summed(const Op& op) {
  std::optional<AffineForm> form = affineForm(op);
  if (!form) return {};
  std::vector<double> levels = std::move(form->masks);
  levels.resize(op.result()->type().elements(), 0);
  for (const AffineForm::Term& term : form->terms) {
    const std::vector<double>& before = of(*term.value);
    if (before.empty()) continue;
    Array masks = Array::zeros(ir::Element::kFloat, term.value->type().shape);
    masks.reals = before;
    const Array here = spread(masks, op.result()->type().shape);
    for (size_t i = 0; i < levels.size(); ++i) {
      // A factor so small that nothing is left of the mask leaves the score masked.
      if (isMasked(here.reals[i]) && term.factor.reals[i] != 0)
        levels[i] += std::min(here.reals[i] * term.factor.reals[i], -1e-300);
    }
  }
  return levels;
}

bool setsMasks(const Op& op, Masks& masks) {
  const std::vector<double>& levels = masks.of(*op.result());
  if (levels.empty() || isCopy(op) || !standsAlone(op) || !isLast(*op.result())) return false;
  const std::optional<AffineForm> form = affineForm(op);
  if (!form || form->masks.empty()) return false;
  for (size_t i = 0; i < levels.size(); ++i) {
    if (isMasked(levels[i]) && !isMasked(form->masks[i])) return false;
  }
  return true;
}

std::optional<AffineForm> scoresForm(const Op& op, Masks& masks) {
  std::optional<AffineForm> form = affineForm(op);
  const std::vector<double>& levels = masks.of(*op.result());
  if (!form || levels.empty() || setsMasks(op, masks)) return form;
  for (size_t i = 0; i < levels.size(); ++i) {
    if (!isMasked(levels[i])) continue;
    form->constant.reals[i] = 0;
    for (AffineForm::Term& term : form->terms) term.factor.reals[i] = 0;
  }
  form->masks.clear();
  return form;
}

bool haveMasksSet(const Value& scores, Masks& masks) {
  const Value* root = &scores;
  while (root->definingOp() != nullptr && copiesOne(*root->definingOp()))
    root = copiedOperands(*root->definingOp()).front();
  return root->definingOp() != nullptr && setsMasks(*root->definingOp(), masks);
}

bool hasOpenScores(const Op& softmax) {
  Masks masks;
  const std::vector<double>& levels = masks.of(*softmax.operand(0));
  if (levels.empty()) return true;
  const auto& shape = softmax.operand(0)->type().shape;
  const int64_t axis = softmax.intAttr("axis"), keys = shape[axis];
  const int64_t stride = ir::tensor::rowMajorStrides(shape)[axis];
  std::vector<bool> open(levels.size(), false);  // by the row's first element
  for (size_t i = 0; i < levels.size(); ++i) {
    const size_t first = i - i / stride % keys * stride;
    open[first] = open[first] || !isMasked(levels[i]);
  }
  for (size_t i = 0; i < open.size(); ++i) {
    if (i / stride % keys == 0 && !open[i]) return false;
  }
  return true;
}

}  // namespace lindero::passes

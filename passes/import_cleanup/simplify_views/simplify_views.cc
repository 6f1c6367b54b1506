#include "passes/import_cleanup/simplify_views/simplify_views.h"

#include <set>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/import_cleanup/support/view.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using Ints = std::vector<int64_t>;

bool isMatrix(const Value* value) { return value->type().shape.size() == 2; }

// Axes of size 1 aside: the rows and columns of a window over a matrix, if it has such.
struct MatrixWindow {
  ViewAxis rows{1, 0}, columns{1, 1};
};

std::optional<MatrixWindow> matrixWindow(const StridedView& view) {
  if (!isMatrix(view.source) || view.axes.size() != 2) return std::nullopt;
  return MatrixWindow{view.axes[0], view.axes[1]};
}

class Simplifier {
 public:
  explicit Simplifier(Op& op)
      : op_(op), builder_(ir::Builder::before(&op)), view_(viewOf(op.result())) {
    for (Op* link : llvm::reverse(view_.chain)) chain_.push_back(link);
    builder_.setLocation(locationOf(chain_));
  }

  // The replacement, or null if the op is best as it is.
  absl::StatusOr<Value*> run() {
    if (op_.is("tensor.gather")) {
      IR_ASSIGN_OR_RETURN(Value * rows, gatheredRows());
      if (rows) return rows;
    }
    if (view_.chain.empty()) return nullptr;
    if (isReshape(view_)) return reshape(view_.source);
    std::optional<MatrixWindow> window = matrixWindow(view_);
    if (!window) return nullptr;
    return slice(*window);
  }

 private:
  absl::StatusOr<Value*> reshape(Value* source) {
    const auto& shape = op_.result()->type().shape;
    if (source->type() == op_.result()->type()) return source;
    if (op_.is("tensor.reshape") && op_.operand(0) == source) return nullptr;
    return ir::tensor::create(builder_, "tensor.reshape", {source},
                              {{"shape", Ints(shape.begin(), shape.end())}});
  }

  // Whole rows by a list of constant indices that names none twice.
  absl::StatusOr<Value*> gatheredRows() {
    Value* data = op_.operand(0);
    std::optional<ir::tensor::Array> indices = arrayOf(op_.operand(1));
    if (!indices || isConstant(data) || op_.intAttr("axis") != 0 || !isMatrix(data) ||
        indices->rank() != 1)
      return nullptr;
    Ints rows = indices->integers;
    for (int64_t& row : rows) row += row < 0 ? data->type().shape[0] : 0;
    if (std::set(rows.begin(), rows.end()).size() < rows.size()) return nullptr;
    return ir::tensor::create(builder_, "tensor.select_rows", {data}, {{"rows", rows}});
  }

  absl::StatusOr<Value*> slice(const MatrixWindow& window) {
    const int64_t height = view_.source->type().shape[0], width = view_.source->type().shape[1];
    const bool whole_rows =
        window.columns.size == width && (width == 1 || window.columns.stride == 1) &&
        view_.offset % width == 0 && (window.rows.size == 1 || window.rows.stride % width == 0);
    if (whole_rows) {
      Ints rows;
      for (int64_t i = 0; i < window.rows.size; ++i)
        rows.push_back(view_.offset / width + i * (window.rows.stride / width));
      if (op_.is("tensor.select_rows")) return nullptr;
      return ir::tensor::create(builder_, "tensor.select_rows", {view_.source}, {{"rows", rows}});
    }
    const bool columns = window.rows.size == height &&
                         (height == 1 || window.rows.stride == width) &&
                         (window.columns.size == 1 || window.columns.stride == 1) &&
                         view_.offset + window.columns.size <= width;
    if (!columns) return nullptr;
    if (op_.is("tensor.slice") && op_.operand(0) == view_.source) return nullptr;
    return ir::tensor::create(
        builder_, "tensor.slice", {view_.source},
        {{"axis", int64_t{1}}, {"start", view_.offset}, {"size", window.columns.size}});
  }

  Op& op_;
  ir::Builder builder_;
  StridedView view_;
  llvm::SmallVector<const Op*, 4> chain_;
};

llvm::SmallVector<int64_t, 4> withoutUnitAxes(const Value* value) {
  llvm::SmallVector<int64_t, 4> shape;
  for (int64_t size : value->type().shape) {
    if (size != 1) shape.push_back(size);
  }
  return shape;
}

// Results are matrices or lists of ids in canonical form.
bool simplifyReturn(Op& op) {
  bool changed = false;
  for (unsigned i = 0; i < op.numOperands(); ++i) {
    Value* value = op.operand(i);
    if (!isOp(value, "tensor.reshape")) continue;
    Op* reshape = value->definingOp();
    Value* source = reshape->operand(0);
    if (source->type().shape.size() > 2 || withoutUnitAxes(source) != withoutUnitAxes(value))
      continue;
    op.setOperand(i, source);
    eraseDead(reshape);
    changed = true;
  }
  return changed;
}

// Parts that are negated are joined as they are, and multiplied by -1: as rotary positions have
// them, so that one sum can hold sign and factor. Null if none is.
absl::StatusOr<Value*> withoutSigns(Op& op) {
  const auto rank = static_cast<int64_t>(op.result()->type().shape.size());
  const int64_t axis = op.intAttr("axis");
  ir::tensor::Array signs;
  signs.shape.assign(rank - axis, 1);
  llvm::SmallVector<Value*, 4> parts;
  bool negated = false;
  for (Value* part : op.operands()) {
    const bool negative = isOp(part, "tensor.neg") && part->hasOneUse() &&
                          part->type().element == ir::Element::kFloat;
    negated |= negative;
    signs.reals.insert(signs.reals.end(), part->type().shape[axis], negative ? -1 : 1);
    parts.push_back(negative ? part->definingOp()->operand(0) : part);
  }
  if (!negated) return nullptr;
  signs.shape[0] = op.result()->type().shape[axis];
  ir::Builder builder = ir::Builder::before(&op);
  builder.setLocation(op.location());
  IR_ASSIGN_OR_RETURN(Value * joined,
                      ir::tensor::create(builder, "tensor.concat", parts, {{"axis", axis}}));
  Value* constant = makeConstant(builder, signs, "signs");
  return ir::tensor::create(builder, "tensor.mul", {joined, constant});
}

constexpr int kMostMoves = 32;

// Ids that are other elements of an input, or constants beside them, by a few ops.
bool isMovedInput(const Value* ids, int& ops_left) {
  const Op* op = ids->definingOp();
  if (op == nullptr || isConstant(ids)) return true;
  return ops_left-- > 0 &&
         (op->is("tensor.transpose") || op->is("tensor.slice") || op->is("tensor.concat") ||
          op->is("tensor.reshape")) &&
         llvm::all_of(op->operands(),
                      [&](const Value* part) { return isMovedInput(part, ops_left); });
}

// The rows of the table under the ids, with the ids looked up as the inputs have them.
absl::StatusOr<Value*> lookUp(ir::Builder& builder, Value* table, Value* ids) {
  Op* op = ids->definingOp();
  if (op == nullptr || isConstant(ids))
    return ir::tensor::create(builder, "tensor.gather", {table, ids}, {{"axis", int64_t{0}}});
  llvm::SmallVector<Value*, 4> parts;
  for (Value* part : op->operands()) {
    IR_ASSIGN_OR_RETURN(Value * found, lookUp(builder, table, part));
    parts.push_back(found);
  }
  const auto row = llvm::ArrayRef<int64_t>(table->type().shape).drop_front();
  llvm::SmallVector<ir::NamedAttribute, 4> attributes(op->attributes().begin(),
                                                      op->attributes().end());
  for (auto& [name, attribute] : attributes) {
    auto* list = std::get_if<Ints>(&attribute);
    if (list == nullptr) continue;
    for (size_t i = 0; i < row.size(); ++i)
      list->push_back(op->is("tensor.reshape") ? row[i] : static_cast<int64_t>(list->size()));
  }
  return ir::tensor::create(builder, op->name(), parts, attributes);
}

// Ids that were put in other places are looked up first, and what is found is moved. Null if they
// are those of an input, or something else.
absl::StatusOr<Value*> movedAfterLookup(Op& op) {
  Value* table = op.operand(0);
  const Value* ids = op.operand(1);
  const bool looks = op.is("tensor.gather") && op.intAttr("axis") == 0 && isConstant(table) &&
                     table->type().element == ir::Element::kFloat && !isConstant(ids);
  int ops_left = kMostMoves;
  if (!looks || ids->definingOp() == nullptr || !isMovedInput(ids, ops_left)) return nullptr;
  ir::Builder builder = ir::Builder::before(&op);
  builder.setLocation(op.location());
  return lookUp(builder, table, op.operand(1));
}

absl::StatusOr<bool> simplify(ir::Function& function) {
  bool changed = false;
  for (Op& op : llvm::make_early_inc_range(function.body().ops())) {
    if (op.is("tensor.return")) changed |= simplifyReturn(op);
    if (op.is("tensor.concat")) {
      IR_ASSIGN_OR_RETURN(Value * joined, withoutSigns(op));
      if (!joined) continue;
      op.result()->replaceAllUsesWith(joined);
      eraseDead(&op);
      changed = true;
      continue;
    }
    const bool view = op.is("tensor.reshape") || op.is("tensor.transpose") ||
                      op.is("tensor.slice") || op.is("tensor.gather");
    if (!view || op.result()->users().empty()) continue;
    if (op.is("tensor.gather")) {
      IR_ASSIGN_OR_RETURN(Value * moved, movedAfterLookup(op));
      if (moved) {
        op.result()->replaceAllUsesWith(moved);
        eraseDead(&op);
        changed = true;
        continue;
      }
    }
    IR_ASSIGN_OR_RETURN(Value * shorter, Simplifier(op).run());
    if (!shorter) continue;
    op.result()->replaceAllUsesWith(shorter);
    eraseDead(&op);
    changed = true;
  }
  return changed;
}

}  // namespace

std::unique_ptr<Pass> createSimplifyViews() {
  return makeFunctionPass("simplify-views",
                          "Shortens chains of reshape, transpose, slice and gather", simplify);
}
absl::Status registerSimplifyViews() { return registerPass(createSimplifyViews); }

}  // namespace lindero::passes

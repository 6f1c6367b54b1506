#include "passes/import_cleanup/support/view.h"

#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {

using ir::Op;
using ir::Value;
using Axes = llvm::SmallVector<ViewAxis, 4>;

namespace {

Axes contiguous(llvm::ArrayRef<int64_t> shape) {
  Axes axes;
  for (int64_t size : shape) axes.push_back({size, 1});
  for (size_t i = axes.size(); i-- > 1;) axes[i - 1].stride = axes[i].stride * axes[i].size;
  return axes;
}

// Splits and merges axes. Fails where merged axes do not follow each other in memory. Sizes are
// positive.
std::optional<Axes> reshape(const Axes& from, llvm::ArrayRef<int64_t> shape) {
  Axes old;
  for (const ViewAxis& axis : from) {
    if (axis.size != 1) old.push_back(axis);
  }
  Axes result;
  size_t next = 0;
  // `run` elements of stride `stride` are left of the old axes taken so far.
  int64_t run = 1, stride = 0;
  for (size_t i = shape.size(); i-- > 0;) {
    int64_t size = shape[i];
    if (size == 1) {
      result.push_back({1, 0});
      continue;
    }
    while (run % size != 0 || run == 1) {
      if (next == old.size()) return std::nullopt;
      const ViewAxis& axis = old[old.size() - 1 - next++];
      if (run == 1) {
        run = axis.size;
        stride = axis.stride;
      } else if (axis.stride == stride * run) {
        run *= axis.size;
      } else {
        return std::nullopt;
      }
    }
    result.push_back({size, stride});
    run /= size;
    stride *= size;
  }
  std::reverse(result.begin(), result.end());
  return result;
}

// A product with or a quotient by a scalar that leaves the shape alone.
bool isScale(const Op& op, double& factor) {
  const bool product = op.is("tensor.mul");
  if (!product && !op.is("tensor.div")) return false;
  std::optional<WithConstant> parts = splitConstant(op);
  if (!parts || (!product && parts->constant_first)) return false;
  std::optional<double> scalar = scalarOf(parts->constant);
  if (!scalar || !(parts->value->type() == op.result()->type())) return false;
  factor = product ? *scalar : 1 / *scalar;
  return true;
}

// The window of one op over its first operand, given the operand's window.
std::optional<StridedView> through(const Op& op, StridedView view) {
  if (op.is("tensor.reshape")) {
    std::optional<Axes> axes = reshape(view.axes, op.result()->type().shape);
    if (!axes) return std::nullopt;
    view.axes = *std::move(axes);
    return view;
  }
  if (op.is("tensor.transpose")) {
    Axes axes;
    for (int64_t axis : op.intsAttr("perm")) axes.push_back(view.axes[axis]);
    view.axes = std::move(axes);
    return view;
  }
  if (op.is("tensor.slice")) {
    ViewAxis& axis = view.axes[op.intAttr("axis")];
    view.offset += op.intAttr("start") * axis.stride;
    axis = {op.intAttr("size"), axis.stride * op.intAttrOr("step", 1)};
    return view;
  }
  if (op.is("tensor.gather") && op.operand(1)->type().shape.empty()) {
    std::optional<double> index = scalarOf(op.operand(1));
    if (!index) return std::nullopt;
    const int64_t axis = op.intAttr("axis");
    const int64_t row = *index < 0 ? int64_t(*index) + view.axes[axis].size : int64_t(*index);
    view.offset += row * view.axes[axis].stride;
    view.axes.erase(view.axes.begin() + axis);
    return view;
  }
  return std::nullopt;
}

// Longer chains do not occur once simplify-views has run; the bound keeps the passes linear.
constexpr size_t kMostChain = 64;

StridedView identity(Value* value) { return {value, 0, contiguous(value->type().shape), 1, {}}; }

}  // namespace

StridedView viewOf(Value* value, bool follow_scales) {
  // Down to the last op that can be looked through, then up again, composing; a reshape that does
  // not compose starts anew.
  llvm::SmallVector<Op*, 8> chain;
  Value* source = value;
  while (Op* op = source->definingOp()) {
    double factor = 1;
    if (chain.size() == kMostChain) break;
    const bool scales = follow_scales && isScale(*op, factor);
    const bool moves = op->is("tensor.reshape") || op->is("tensor.transpose") ||
                       op->is("tensor.slice") || op->is("tensor.gather");
    if ((!scales && !moves) || op->result()->type().elements() == 0) break;
    chain.push_back(op);
    source = scales ? splitConstant(*op)->value : op->operand(0);
  }
  StridedView view = identity(source);
  for (Op* op : llvm::reverse(chain)) {
    double factor = 1;
    std::optional<StridedView> next;
    if (follow_scales && isScale(*op, factor)) {
      next = view;
      next->scale *= factor;
    } else {
      next = through(*op, view);
    }
    if (next) {
      view = *std::move(next);
      view.chain.insert(view.chain.begin(), op);
    } else {
      view = identity(op->result());
    }
  }
  return view;
}

bool isReshape(const StridedView& view) {
  int64_t stride = 1;
  for (const ViewAxis& axis : llvm::reverse(view.axes)) {
    if (axis.size != 1 && axis.stride != stride) return false;
    stride *= axis.size;
  }
  return view.offset == 0 && stride == view.source->type().elements();
}

}  // namespace lindero::passes

// ONNX ops that reduce axes to one element, or to running sums.

#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

// Of CumProd: as many products one after the other.
constexpr int64_t kMostProducts = 256;

// The axes to reduce; none if the op does nothing. They are an attribute up to opset 17 (ReduceSum:
// 12), an input since.
absl::StatusOr<Ints> reducedAxes(NodeEmitter& e) {
  Ints axes = e.intsAttr("axes").value_or(Ints());
  if (e.has(1)) {
    IR_ASSIGN_OR_RETURN(axes, e.constantInts(1));
  }
  if (axes.empty() && !e.intAttr("noop_with_empty_axes", 0)) {
    axes.resize(e.rank(0));
    std::iota(axes.begin(), axes.end(), 0);
  }
  return e.axes(axes, e.rank(0));
}

bool keepsDims(NodeEmitter& e) { return e.intAttr("keepdims", 1) != 0; }

// Of no elements, a constant: true if that is set as the result.
absl::StatusOr<bool> reducesNothing(NodeEmitter& e, double value) {
  IR_ASSIGN_OR_RETURN(const Ints axes, reducedAxes(e));
  const bool none = llvm::any_of(axes, [&](int64_t axis) { return e.shape(0)[axis] == 0; });
  if (!none) return false;
  Ints shape;
  for (int64_t axis = 0; axis < e.rank(0); ++axis) {
    const bool reduced = llvm::is_contained(axes, axis);
    if (!reduced || keepsDims(e)) shape.push_back(reduced ? 1 : e.shape(0)[axis]);
  }
  IR_RETURN_IF_ERROR(checkNewElements(shape));
  Array y = Array::zeros(e.input(0)->type().element, shape);
  std::fill(y.reals.begin(), y.reals.end(), value);
  if (y.element == ir::Element::kBool) value = value > 0;
  if (!y.isReal() && !std::isfinite(value))
    return absl::UnimplementedError("the extreme, or mean, of no integers");
  std::fill(y.integers.begin(), y.integers.end(), ir::tensor::toInteger(value));
  e.setOutput(0, e.constant(y));
  return true;
}

// What the result of no elements is.
double ofNothing(llvm::StringRef op) {
  if (op == "tensor.reduce_max") return -std::numeric_limits<double>::infinity();
  if (op == "tensor.reduce_min") return std::numeric_limits<double>::infinity();
  return op == "tensor.reduce_mean" ? std::nan("") : 0;
}

absl::Status reduce(NodeEmitter& e, llvm::StringRef op) {
  IR_ASSIGN_OR_RETURN(const bool done, reducesNothing(e, ofNothing(op)));
  if (done) return absl::OkStatus();
  IR_ASSIGN_OR_RETURN(const Ints axes, reducedAxes(e));
  if (axes.empty()) {
    e.setOutput(0, e.input(0));
    return absl::OkStatus();
  }
  // The extreme of truth values is that of 0 and 1.
  Value* x = e.input(0);
  const bool truth = x->type().element == ir::Element::kBool;
  if (truth) {
    IR_ASSIGN_OR_RETURN(x, e.emit("tensor.cast", {x}, {{"to", std::string("int")}}));
  }
  IR_RETURN_IF_ERROR(e.emitOutput(op, {x}, {{"axes", axes}, {"keepdims", keepsDims(e)}}));
  if (!truth) return absl::OkStatus();
  return e.emitOutput("tensor.cast", {e.outputs()[0]}, {{"to", std::string("bool")}});
}

// The sum of a function of x. What the function does to an x of which nothing is reduced, runtimes
// do not agree on.
absl::StatusOr<Value*> sumOf(NodeEmitter& e, Value* value) {
  IR_ASSIGN_OR_RETURN(const Ints axes, reducedAxes(e));
  if (axes.empty() && e.rank(0) > 0)
    return absl::UnimplementedError("it has no axes to reduce (noop_with_empty_axes)");
  if (axes.empty()) return value;
  return e.emit("tensor.reduce_sum", {value}, {{"axes", axes}, {"keepdims", keepsDims(e)}});
}

absl::Status reduceL1(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const bool done, reducesNothing(e, 0));
  if (done) return absl::OkStatus();
  IR_ASSIGN_OR_RETURN(Value * magnitude, e.emit("tensor.abs", {e.input(0)}));
  IR_ASSIGN_OR_RETURN(Value * sum, sumOf(e, magnitude));
  e.setOutput(0, sum);
  return absl::OkStatus();
}

absl::Status reduceSumSquare(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const bool done, reducesNothing(e, 0));
  if (done) return absl::OkStatus();
  IR_ASSIGN_OR_RETURN(Value * square, e.emit("tensor.mul", {e.input(0), e.input(0)}));
  IR_ASSIGN_OR_RETURN(Value * sum, sumOf(e, square));
  e.setOutput(0, sum);
  return absl::OkStatus();
}

absl::Status needsReals(NodeEmitter& e) {
  if (e.input(0)->type().element == ir::Element::kFloat) return absl::OkStatus();
  return absl::UnimplementedError("a root or logarithm of integers");
}

absl::Status reduceL2(NodeEmitter& e, llvm::StringRef op) {
  IR_RETURN_IF_ERROR(needsReals(e));
  IR_RETURN_IF_ERROR(reduceSumSquare(e, op));
  return e.emitOutput("tensor.sqrt", {e.outputs()[0]});
}

absl::Status reduceLogSum(NodeEmitter& e, llvm::StringRef) {
  IR_RETURN_IF_ERROR(needsReals(e));
  IR_ASSIGN_OR_RETURN(const bool done, reducesNothing(e, -std::numeric_limits<double>::infinity()));
  if (done) return absl::OkStatus();
  IR_ASSIGN_OR_RETURN(Value * sum, sumOf(e, e.input(0)));
  return e.emitOutput("tensor.log", {sum});
}

// The greatest element is taken out of the powers, so that none is large.
absl::StatusOr<Value*> logSumExp(NodeEmitter& e, Value* x, const Ints& axes, bool keeps) {
  const auto reduced = [&](llvm::StringRef op, Value* value, bool keep) {
    return e.emit(op, {value}, {{"axes", axes}, {"keepdims", keep}});
  };
  IR_ASSIGN_OR_RETURN(Value * most, reduced("tensor.reduce_max", x, true));
  IR_ASSIGN_OR_RETURN(Value * rest, e.emit("tensor.sub", {x, most}));
  IR_ASSIGN_OR_RETURN(Value * powers, e.emit("tensor.exp", {rest}));
  IR_ASSIGN_OR_RETURN(Value * sum, reduced("tensor.reduce_sum", powers, keeps));
  IR_ASSIGN_OR_RETURN(Value * log, e.emit("tensor.log", {sum}));
  IR_ASSIGN_OR_RETURN(most, e.reshape(most, log->type().shape));
  return e.emit("tensor.add", {log, most});
}

absl::Status reduceLogSumExp(NodeEmitter& e, llvm::StringRef) {
  IR_RETURN_IF_ERROR(needsReals(e));
  IR_ASSIGN_OR_RETURN(const bool done, reducesNothing(e, -std::numeric_limits<double>::infinity()));
  if (done) return absl::OkStatus();
  IR_ASSIGN_OR_RETURN(const Ints axes, reducedAxes(e));
  if (axes.empty() && e.rank(0) > 0)
    return absl::UnimplementedError("it has no axes to reduce (noop_with_empty_axes)");
  IR_ASSIGN_OR_RETURN(Value * y, logSumExp(e, e.input(0), axes, keepsDims(e)));
  e.setOutput(0, y);
  return absl::OkStatus();
}

// Of a sum of powers, as above.
absl::Status log(NodeEmitter& e, llvm::StringRef) {
  const ir::Op* sum = e.input(0)->definingOp();
  if (e.asWritten() || sum == nullptr || !sum->is("tensor.reduce_sum"))
    return e.emitOutput("tensor.log", {e.input(0)});
  const ir::Op* powers = sum->operand(0)->definingOp();
  if (powers == nullptr || !powers->is("tensor.exp") || powers->operand(0)->type().elements() == 0)
    return e.emitOutput("tensor.log", {e.input(0)});
  IR_ASSIGN_OR_RETURN(Value * y, logSumExp(e, powers->operand(0), sum->intsAttr("axes").vec(),
                                           sum->boolAttr("keepdims")));
  e.setOutput(0, y);
  return absl::OkStatus();
}

// Slice i of an axis, with size 1.
absl::StatusOr<Value*> sliceAt(NodeEmitter& e, Value* x, int64_t axis, int64_t i) {
  return e.emit("tensor.slice", {x}, {{"axis", axis}, {"start", i}, {"size", int64_t{1}}});
}

// Products of halves, until one is left.
absl::Status reduceProd(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const bool done, reducesNothing(e, 1));
  if (done) return absl::OkStatus();
  IR_ASSIGN_OR_RETURN(const Ints axes, reducedAxes(e));
  Value* x = e.input(0);
  Ints shape(e.shape(0).begin(), e.shape(0).end());
  for (const int64_t axis : axes) {
    while (shape[axis] > 1) {
      const int64_t half = shape[axis] / 2;
      const auto part = [&](int64_t start, int64_t size) {
        return e.emit("tensor.slice", {x}, {{"axis", axis}, {"start", start}, {"size", size}});
      };
      IR_ASSIGN_OR_RETURN(Value * first, part(0, half));
      IR_ASSIGN_OR_RETURN(Value * second, part(half, half));
      IR_ASSIGN_OR_RETURN(Value * product, e.emit("tensor.mul", {first, second}));
      if (shape[axis] % 2 != 0) {
        IR_ASSIGN_OR_RETURN(Value * last, part(2 * half, 1));
        IR_ASSIGN_OR_RETURN(product, e.emit("tensor.concat", {product, last}, {{"axis", axis}}));
      }
      x = product;
      shape[axis] -= half;
    }
  }
  Ints kept;
  for (size_t i = 0; i < shape.size(); ++i)
    if (keepsDims(e) || !llvm::is_contained(axes, int64_t(i))) kept.push_back(shape[i]);
  IR_ASSIGN_OR_RETURN(x, e.reshape(x, kept));
  e.setOutput(0, x);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> runningAxis(NodeEmitter& e) {
  IR_ASSIGN_OR_RETURN(const Array given, e.constantInput(1));
  if (given.integers.size() != 1) return absl::InvalidArgumentError("its axis is not one integer");
  return e.axis(given.integers[0], e.rank(0));
}

// Each product from the one before.
absl::Status cumProd(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const int64_t axis, runningAxis(e));
  const bool exclusive = e.intAttr("exclusive", 0) != 0, reverse = e.intAttr("reverse", 0) != 0;
  const int64_t n = e.shape(0)[axis];
  if (n > kMostProducts || n == 0)
    return absl::UnimplementedError(absl::StrCat("running products of ", n, " elements: 1 to ",
                                                 kMostProducts, " are supported"));
  std::vector<Value*> products(n);
  Value* so_far = nullptr;
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = reverse ? n - 1 - step : step;
    IR_ASSIGN_OR_RETURN(Value * own, sliceAt(e, e.input(0), axis, i));
    if (exclusive && step == 0) {
      Array ones = Array::zeros(own->type().element, own->type().shape);
      std::fill(ones.reals.begin(), ones.reals.end(), 1);
      std::fill(ones.integers.begin(), ones.integers.end(), 1);
      products[i] = e.constant(ones);
    } else if (exclusive) {
      products[i] = so_far;
    }
    if (so_far != nullptr) {
      IR_ASSIGN_OR_RETURN(own, e.emit("tensor.mul", {so_far, own}));
    }
    so_far = own;
    if (!exclusive) products[i] = own;
  }
  return e.emitOutput("tensor.concat", products, {{"axis", axis}});
}

// Does running sum j hold element i?
bool sums(int64_t i, int64_t j, bool exclusive, bool reverse) {
  return reverse ? (exclusive ? i > j : i >= j) : (exclusive ? i < j : i <= j);
}

// Running sums are a product with a triangle of ones. Integers, which have no matrix product, are
// spread out, masked and summed up.
absl::Status cumSum(NodeEmitter& e, llvm::StringRef) {
  const int64_t rank = e.rank(0);
  IR_ASSIGN_OR_RETURN(const int64_t axis, runningAxis(e));
  const bool exclusive = e.intAttr("exclusive", 0) != 0, reverse = e.intAttr("reverse", 0) != 0;
  const bool real = e.input(0)->type().element == ir::Element::kFloat;
  Ints swap(rank);
  std::iota(swap.begin(), swap.end(), 0);
  std::swap(swap[axis], swap.back());
  const int64_t n = e.shape(0)[axis];
  IR_RETURN_IF_ERROR(checkNewElements({n, real ? n : e.input(0)->type().elements()}));
  Array triangle = Array::zeros(e.input(0)->type().element, {n, n});
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const bool one = sums(i, j, exclusive, reverse);
      if (real) {
        triangle.reals[i * n + j] = one;
      } else {
        triangle.integers[j * n + i] = one;
      }
    }
  }
  IR_ASSIGN_OR_RETURN(Value * x, e.transpose(e.input(0), swap));
  if (real) {
    IR_ASSIGN_OR_RETURN(x, e.emit("tensor.matmul", {x, e.constant(triangle)}));
  } else {
    Ints spread(x->type().shape.begin(), x->type().shape.end());
    spread.insert(spread.end() - 1, 1);
    IR_ASSIGN_OR_RETURN(x, e.reshape(x, spread));
    IR_ASSIGN_OR_RETURN(x, e.emit("tensor.mul", {x, e.constant(triangle)}));
    IR_ASSIGN_OR_RETURN(
        x, e.emit("tensor.reduce_sum", {x}, {{"axes", Ints{rank}}, {"keepdims", false}}));
  }
  IR_ASSIGN_OR_RETURN(x, e.transpose(x, swap));
  e.setOutput(0, x);
  return absl::OkStatus();
}

constexpr NamedEmitter kEmitters[] = {
    {"CumProd", cumProd},
    {"CumSum", cumSum},
    {"Log", log},
    {"ReduceL1", reduceL1},
    {"ReduceL2", reduceL2},
    {"ReduceLogSum", reduceLogSum},
    {"ReduceLogSumExp", reduceLogSumExp},
    {"ReduceMax", reduce, "tensor.reduce_max"},
    {"ReduceMean", reduce, "tensor.reduce_mean"},
    {"ReduceMin", reduce, "tensor.reduce_min"},
    {"ReduceProd", reduceProd},
    {"ReduceSum", reduce, "tensor.reduce_sum"},
    {"ReduceSumSquare", reduceSumSquare},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> reductionEmitters() { return kEmitters; }

}  // namespace lindero::compiler

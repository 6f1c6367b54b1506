// Ops that combine elements along axes: reductions, softmax, argmax, LayerNorm.

#include <cmath>
#include <limits>

#include "ir/tensor/kernels.h"

namespace lindero::ir::tensor {
namespace {

using Strides = llvm::SmallVector<int64_t, 4>;

// Calls visit(input offset, output offset) for every element of the operand.
template <typename Visit>
void forEachReduced(const Call& call, Visit visit) {
  const Array& x = call.in(0);
  std::vector<bool> reduced(x.rank());
  for (int64_t axis : call.op.intsAttr("axes")) reduced[axis] = true;
  Strides kept;
  for (int64_t axis = 0; axis < x.rank(); ++axis) kept.push_back(reduced[axis] ? 1 : x.shape[axis]);
  Strides strides = rowMajorStrides(kept);
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    if (reduced[axis]) strides[axis] = 0;
  }
  Strides index(x.rank(), 0);
  int64_t out = 0;
  for (int64_t in = 0, n = x.elements(); in < n; ++in) {
    visit(in, out);
    for (int64_t axis = x.rank(); axis-- > 0;) {
      out += strides[axis];
      if (++index[axis] < x.shape[axis]) break;
      out -= strides[axis] * x.shape[axis];
      index[axis] = 0;
    }
  }
}

absl::Status reduceSum(const Call& call) {
  const Array& x = call.in(0);
  forEachReduced(call, [&](int64_t in, int64_t out) {
    if (x.isReal()) {
      call.result.reals[out] += x.reals[in];
    } else {
      uint64_t sum = uint64_t(call.result.integers[out]) + uint64_t(x.integers[in]);
      call.result.integers[out] = static_cast<int64_t>(sum);
    }
  });
  return absl::OkStatus();
}

absl::Status reduceMean(const Call& call) {
  const int64_t outputs = call.result.elements();
  if (outputs == 0) return absl::OkStatus();
  const int64_t count = call.in(0).elements() / outputs;
  if (count == 0) return absl::InvalidArgumentError("the mean of no elements");
  if (absl::Status status = reduceSum(call); !status.ok()) return status;
  for (double& value : call.result.reals) value /= double(count);
  for (int64_t& value : call.result.integers) value /= count;
  return absl::OkStatus();
}

// kSign = 1: the greatest element; -1: the least.
template <int kSign>
absl::Status reduceExtreme(const Call& call) {
  const Array& x = call.in(0);
  Array& y = call.result;
  if (y.elements() != 0 && x.elements() == 0) {
    return absl::InvalidArgumentError("the extreme of no elements");
  }
  std::vector<bool> seen(y.elements());
  forEachReduced(call, [&](int64_t in, int64_t out) {
    const bool first = !seen[out];
    seen[out] = true;
    if (x.isReal()) {
      if (first || kSign * x.reals[in] > kSign * y.reals[out] || std::isnan(x.reals[in])) {
        y.reals[out] = x.reals[in];
      }
    } else if (first ||
               (kSign > 0 ? x.integers[in] > y.integers[out] : x.integers[in] < y.integers[out])) {
      y.integers[out] = x.integers[in];
    }
  });
  return absl::OkStatus();
}

// Runs body(first offset, stride, count) for every line of the operand along `axis`.
template <typename Body>
void forEachLine(const Array& x, int64_t axis, Body body) {
  int64_t inner = 1;
  for (int64_t size : llvm::ArrayRef(x.shape).drop_front(axis + 1)) inner *= size;
  const int64_t count = x.shape[axis];
  if (x.elements() == 0) return;
  const int64_t outer = x.elements() / (inner * count);
  for (int64_t i = 0; i < outer; ++i) {
    for (int64_t j = 0; j < inner; ++j) body(i * inner * count + j, inner, count);
  }
}

absl::Status softmax(const Call& call) {
  const std::vector<double>& x = call.in(0).reals;
  std::vector<double>& y = call.result.reals;
  forEachLine(call.in(0), call.op.intAttr("axis"), [&](int64_t at, int64_t stride, int64_t n) {
    double greatest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t i = 0; i < n; ++i) greatest = std::max(greatest, x[at + i * stride]);
    for (int64_t i = 0; i < n; ++i)
      sum += y[at + i * stride] = std::exp(x[at + i * stride] - greatest);
    for (int64_t i = 0; i < n; ++i) y[at + i * stride] /= sum;
  });
  return absl::OkStatus();
}

absl::Status argmax(const Call& call) {
  const Array& x = call.in(0);
  int64_t out = 0;
  forEachLine(x, call.op.intAttrOr("axis", x.rank() - 1),
              [&](int64_t at, int64_t stride, int64_t n) {
                int64_t best = 0;
                for (int64_t i = 1; i < n; ++i) {
                  const int64_t candidate = at + i * stride, incumbent = at + best * stride;
                  const bool greater = x.isReal() ? x.reals[candidate] > x.reals[incumbent]
                                                  : x.integers[candidate] > x.integers[incumbent];
                  if (greater) best = i;
                }
                call.result.integers[out++] = best;
              });
  return absl::OkStatus();
}

absl::Status layernorm(const Call& call) {
  const std::vector<double>& x = call.in(0).reals;
  const std::vector<double>& gamma = call.in(1).reals;
  const std::vector<double>& beta = call.in(2).reals;
  const double epsilon = call.op.floatAttr("epsilon");
  const bool has_mean = !call.op.has("has_mean") || call.op.boolAttr("has_mean");
  forEachLine(call.in(0), call.in(0).rank() - 1, [&](int64_t at, int64_t stride, int64_t n) {
    double mean = 0, variance = 0;
    if (has_mean) {
      for (int64_t i = 0; i < n; ++i) mean += x[at + i];
      mean /= double(n);
    }
    for (int64_t i = 0; i < n; ++i) variance += (x[at + i] - mean) * (x[at + i] - mean);
    const double scale = 1 / std::sqrt(variance / double(n) + epsilon);
    for (int64_t i = 0; i < n; ++i) {
      call.result.reals[at + i] = (x[at + i] - mean) * scale * gamma[i] + beta[i];
    }
  });
  return absl::OkStatus();
}

constexpr NamedKernel kKernels[] = {
    {"tensor.argmax", argmax},
    {"tensor.layernorm", layernorm},
    {"tensor.reduce_max", reduceExtreme<1>},
    {"tensor.reduce_mean", reduceMean},
    {"tensor.reduce_min", reduceExtreme<-1>},
    {"tensor.reduce_sum", reduceSum},
    {"tensor.softmax", softmax},
};

}  // namespace

llvm::ArrayRef<NamedKernel> reductionKernels() { return kKernels; }

}  // namespace lindero::ir::tensor

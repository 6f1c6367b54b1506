#include "passes/quantize/magnitudes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/tensor/array.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

constexpr int kLargestExponent = 24;

}  // namespace

int exponentFor(double largest, int bits, double margin) {
  const double limit = std::ldexp(1.0, bits - 1) - 1;
  const double needed = std::max(largest * margin, 1e-30);
  return std::min(kLargestExponent, static_cast<int>(std::floor(std::log2(limit / needed))));
}

double functionBound(const ir::tensor::Expression& function, double reach, bool all) {
  constexpr int kPoints = 256;
  double bound = 0;
  for (const double side : {-reach, reach}) {
    double nearer = 0, largest = 0;
    for (int i = 0; i <= kPoints; ++i) {
      const double y = std::abs(function(side * i / kPoints));
      if (!std::isfinite(y)) continue;
      largest = std::max(largest, y);
      if (2 * i <= kPoints) nearer = largest;
    }
    if (all || nearer >= 0.95 * largest) bound = std::max(bound, largest);
  }
  return bound;
}

absl::StatusOr<double> embeddingBound(const ir::Op& op) {
  std::vector<double> bound(op.result()->type().shape.back(), 0.0);
  for (unsigned i = 1; i < op.numOperands(); ++i) {
    const ir::Constant* constant = constantOf(*op.operand(i));
    if (constant == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(ir::describe(op), ": its tables are not constants"));
    }
    absl::StatusOr<ir::tensor::Array> array = ir::tensor::readConstant(*constant);
    if (!array.ok()) return array.status();
    std::vector<double> largest(bound.size(), 0.0);
    for (size_t k = 0; k < array->reals.size(); ++k) {
      double& channel = largest[k % bound.size()];
      channel = std::max(channel, std::abs(array->reals[k]));
    }
    for (size_t c = 0; c < bound.size(); ++c) bound[c] += largest[c];
  }
  return *std::max_element(bound.begin(), bound.end());
}

}  // namespace lindero::passes

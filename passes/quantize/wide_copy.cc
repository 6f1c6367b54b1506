#include "passes/quantize/wide_copy.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ir/tensor/array.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

// Far above what any sum has room for.
constexpr double kMost = 0x1p30;

absl::StatusOr<std::vector<double>> channels(const ir::Value& value) {
  const ir::Constant* constant = constantOf(value);
  if (constant == nullptr) return absl::InvalidArgumentError("gamma and beta must be constants");
  absl::StatusOr<ir::tensor::Array> array = ir::tensor::readConstant(*constant);
  if (!array.ok()) return array.status();
  return std::move(array->reals);
}

double nearest(double x) { return std::floor(x + 0.5); }

}  // namespace

absl::StatusOr<std::vector<double>> gammaOf(const ir::Op& layernorm) {
  return channels(*layernorm.operand(1));
}

absl::StatusOr<std::vector<double>> betaOf(const ir::Op& layernorm) {
  if (layernorm.numOperands() < 3) return std::vector<double>();
  return channels(*layernorm.operand(2));
}

absl::StatusOr<WideCopy> wideCopy(const ir::Op& layernorm, int bits, int exponent,
                                  int copy_exponent) {
  const auto gamma = gammaOf(layernorm), beta = betaOf(layernorm);
  if (!gamma.ok()) return gamma.status();
  if (!beta.ok()) return beta.status();
  WideCopy copy;
  double factor = 0, offset = 0;
  for (size_t c = 0; c < gamma->size(); ++c) {
    const double wanted = std::ldexp((*gamma)[c], copy_exponent - exponent);
    const double whole = nearest(wanted),
                 moved = beta->empty() ? 0 : nearest(std::ldexp((*beta)[c], copy_exponent));
    if (!(std::abs(whole) < kMost && std::abs(moved) < kMost)) {
      return absl::OutOfRangeError(absl::StrCat("gamma or beta of channel ", c,
                                                " is too large at exponent ", copy_exponent));
    }
    copy.factors.push_back(static_cast<int32_t>(whole));
    copy.rests.push_back(
        static_cast<int32_t>(nearest(std::ldexp(wanted - whole, WideCopy::kRestShift))));
    copy.offsets.push_back(static_cast<int32_t>(moved));
    factor = std::max(factor, std::abs(whole)), offset = std::max(offset, std::abs(moved));
  }
  copy.reach = (static_cast<int64_t>(factor) << (bits - 1)) + static_cast<int64_t>(offset) +
               (int64_t{1} << (WideCopy::kRestBits - 1));
  return copy;
}

}  // namespace lindero::passes

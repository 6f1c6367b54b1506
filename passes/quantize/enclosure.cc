#include "passes/quantize/enclosure.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace lindero::passes {
namespace {

using ir::tensor::Expression;
using State = RealInterval::State;

constexpr mpfr_prec_t kFirstPrecision = 64;
constexpr mpfr_prec_t kLastPrecision = 8192;

constexpr mpfr_rnd_t kDown = MPFR_RNDD, kUp = MPFR_RNDU;

}  // namespace

Enclosure::Enclosure(const Expression& expression, mpfr_prec_t precision)
    : expression_(expression), arithmetic_(precision) {
  for (const Expression::Node& node : expression.nodes()) {
    values_.push_back(std::make_unique<RealInterval>(precision));
    RealInterval& value = *values_.back();
    if (!node.isNumber()) continue;
    mpfr_set_d(value.low.value, node.number, MPFR_RNDN);
    mpfr_set_d(value.high.value, node.number, MPFR_RNDN);
    value.state = std::isfinite(node.number) ? State::kFinite : State::kInfinite;
  }
}

const RealInterval& Enclosure::at(int64_t u, int exponent) {
  for (size_t n = 0; n < values_.size(); ++n) {
    const Expression::Node& node = expression_.nodes()[n];
    RealInterval& value = *values_[n];
    if (node.is_variable) {
      setPoint(value, u);
      mpfr_mul_2si(value.low.value, value.low.value, -exponent, MPFR_RNDN);
      mpfr_mul_2si(value.high.value, value.high.value, -exponent, MPFR_RNDN);
    }
    if (node.function == nullptr) continue;
    llvm::SmallVector<const RealInterval*, 3> operands;
    for (int operand : node.operands) operands.push_back(values_[operand].get());
    arithmetic_.apply(node.function->op, operands, value);
  }
  return *values_.back();
}

absl::StatusOr<int64_t> Rounder::round(int64_t u, int key_exponent, int output_exponent) {
  const double x = std::ldexp(static_cast<double>(u), -key_exponent);
  size_t step = 0;
  for (mpfr_prec_t precision = kFirstPrecision; precision <= kLastPrecision; precision *= 2) {
    if (step == enclosures_.size())
      enclosures_.push_back(std::make_unique<Enclosure>(expression_, precision));
    const RealInterval& value = enclosures_[step++]->at(u, key_exponent);
    if (value.state == State::kUndefined) {
      return absl::UnimplementedError(
          absl::StrCat("its function is not a finite number at ", x, ": a table cannot hold it"));
    }
    if (value.state == State::kInfinite) {
      return signOf(value.low) < 0 ? std::numeric_limits<int64_t>::min()
                                   : std::numeric_limits<int64_t>::max();
    }
    if (!value.isFinite()) continue;
    // Exact but for the addition, which may need a bit more than the end itself.
    Real end(precision + 2);
    auto rounded = [&](const End& from, mpfr_rnd_t side) -> int64_t {
      mpfr_mul_2si(end, from.value, output_exponent, MPFR_RNDN);
      const bool moved = mpfr_add_d(end, end, 0.5, side) != 0;
      const bool below = side == kUp && (from.open || moved) && mpfr_integer_p(end);
      if (below) mpfr_sub_ui(end, end, 1, MPFR_RNDD);
      return mpfr_get_si(end, kDown);
    };
    const int64_t low = rounded(value.low, kDown), high = rounded(value.high, kUp);
    if (low == high) return high;
    if (precision < kLastPrecision || high - 1 != low) continue;
    // A half, as far as anyone can see; not two sides of a step.
    mpfr_sub(end, value.high.value, value.low.value, kUp);
    mpfr_mul_2si(end, end, output_exponent + kLastPrecision / 2, kUp);
    if (mpfr_cmp_ui(end, 1) < 0) return high;
  }
  return absl::UnimplementedError(
      absl::StrCat("its function at ", x, " stays undecided (a comparison or step of values that ",
                   kLastPrecision, " bits do not tell apart, or a value out of all range)"));
}

}  // namespace lindero::passes

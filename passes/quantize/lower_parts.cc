// Lowering of linears whose weights have two parts: what the bound leaves of them, and what
// rounding took.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "passes/quantize/lowering.h"

namespace lindero::passes {

using ir::Op;
using ir::Type;
using ir::tensor::Array;

namespace {

// What is added to the accumulator, and the most that a rounding to so many bits shifts by.
constexpr int kRestBits = 16, kRestShift = 31 - kRestBits;

}  // namespace

// The rests of the weights, finer by 2^k, have a product of their own, which is rounded to 16 bits
// whatever x is: in units of 2^d of the accumulator's, with k + d = kRestShift. Null if the
// accumulator has no room for it.
std::shared_ptr<Stored> Lowering::restOf(const FoldLinear& fold, const IntegerLinear& folded,
                                         const Stored& acc, const Stored& x, int64_t limit,
                                         llvm::StringRef name) {
  const Array rests = fold.rests(folded, acc.exponents);
  const std::vector<double> ones(rests.shape[0], 1.0);
  const FoldLinear fine(rests, nullptr, ones, {}, fold.xLow(), fold.xHigh());
  constexpr int64_t kMost = ((int64_t{1} << (kRestBits - 1)) - 1) << kRestShift;
  const int64_t reach = std::max(-folded.low, folded.high);
  for (int finer = kRestShift - 1; finer > 0; --finer) {
    if (reach + (int64_t{1} << (kRestBits - 1 + kRestShift - finer)) >= limit) return nullptr;
    std::optional<IntegerLinear> product =
        fine.fold(std::vector<int>(rests.shape[1], finer), kRestBits, kMost);
    if (!product) continue;
    Stored rest;
    rest.exponents = raised(acc.exponents, finer);
    rest.shift = kRestShift;
    const Type& input = x.value->type();
    rest.value = builder_.value(
        "integer.linear",
        {x.value, narrowConstant(absl::StrCat(name.str(), "_rest"), rests.shape, product->weights,
                                 rest.exponents.front() - input.exponent)},
        Type::fixed({input.shape[0], rests.shape[1]}, rest.exponents.front(), product->low,
                    product->high));
    return std::make_shared<Stored>(round(rest, kRestBits));
  }
  return nullptr;
}

// Each slice of the result as a linear of its own: a rounding that adds rests takes no slices.
absl::Status Lowering::lowerParts(const Op& op, const Stored& x, const Array& weight,
                                  const Array* bias, const Rounding& rounding,
                                  llvm::StringRef name) {
  const int64_t in = weight.shape[0], out = weight.shape[1];
  for (const Op* slice : op.result()->users()) {
    const int64_t start = slice->intAttr("start"), size = slice->intAttr("size");
    Array part = Array::zeros(ir::Element::kFloat, {in, size}), part_bias;
    for (int64_t c = 0; c < in; ++c) {
      for (int64_t j = 0; j < size; ++j) {
        const int64_t at = c * out + start + j;
        part.reals[c * size + j] = weight.floats.empty() ? weight.reals[at] : weight.floats[at];
      }
    }
    if (bias != nullptr) {
      part_bias = Array::zeros(ir::Element::kFloat, {size});
      std::copy_n(bias->reals.begin() + start, size, part_bias.reals.begin());
    }
    absl::StatusOr<Storage> storage = storageOf(*slice->result());
    if (!storage.ok()) return storage.status();
    Rounding own = rounding;
    own.is_key = *storage == Storage::kKey;
    own.exponents.assign(rounding.exponents.begin() + start,
                         rounding.exponents.begin() + start + size);
    absl::StatusOr<Stored> acc = product(op, x, part, bias != nullptr ? &part_bias : nullptr, own,
                                         absl::StrCat(name.str(), "_", start));
    if (!acc.ok()) return acc.status();
    stored_[slice->result()] = std::make_unique<Stored>(*std::move(acc));
  }
  return absl::OkStatus();
}

}  // namespace lindero::passes

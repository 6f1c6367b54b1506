// Lowering of linears: rounding wanted by the readers, weights, accumulators.
#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ir/core/field.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/quantize/lowering.h"
#include "passes/quantize/widen_streams.h"

namespace lindero::passes {

using ir::Op;
using ir::Type;
using ir::Value;
using ir::tensor::Array;

namespace {

// Of a branch that a wide sum adds.
constexpr int kBranchBits = 16;

int signedBits(int64_t low, int64_t high) {
  int bits = 1;
  while (low < -(int64_t{1} << (bits - 1)) || high >= int64_t{1} << (bits - 1)) ++bits;
  return bits;
}

// What a circuit lets an embedding reach: any entry of any of its tables, as often as it has
// tables. The sums that there are, column by column, are smaller; but many columns share a lane,
// rows of all tables may be looked up among one another, and what is proven holds for all of them.
absl::StatusOr<int64_t> embeddingReach(const Op& embedding, int exponent) {
  double low = 0, high = 0;
  for (unsigned i = 1; i < embedding.numOperands(); ++i) {
    const ir::Constant* constant = constantOf(*embedding.operand(i));
    if (constant == nullptr) return absl::InvalidArgumentError("its tables must be constants");
    absl::StatusOr<Array> array = ir::tensor::viewConstant(*constant);
    if (!array.ok()) return array.status();
    auto see = [&](const auto& entries) {
      for (double entry : entries) low = std::min(low, entry), high = std::max(high, entry);
    };
    see(array->reals);
    see(array->floats);
  }
  const double largest = std::ceil(std::ldexp(std::max(-low, high), exponent) + 0.5);
  // An embedding that leaves its own bits is refused where it is lowered.
  return static_cast<int64_t>(std::min(largest * (embedding.numOperands() - 1), 0x1p31));
}

absl::Status noShift(const Rounding& rounding, int shift, absl::string_view why) {
  return absl::OutOfRangeError(
      rounding.isRaw()
          ? absl::StrCat("no exponent keeps the product exact: at ", shift, ", ", why)
          : absl::StrCat("no shift keeps the product exact: at ", shift, " bits, ", why));
}

// Are the folded weights what they stand for? Of whole ones, with x in whole units.
bool foldsExactly(const Array& weight, const Stored& x, llvm::ArrayRef<int> exponents) {
  const int finest = *llvm::max_element(x.exponents);
  const int coarsest = *llvm::min_element(exponents);
  if (coarsest < 0 || coarsest >= finest) return coarsest >= 0;
  auto isExact = [&](double w) {
    const double scaled = std::ldexp(w, coarsest - finest);
    return scaled == std::floor(scaled);
  };
  return llvm::all_of(weight.reals, isExact) && llvm::all_of(weight.floats, isExact);
}

// A wide sum takes columns of any unit down to that of the coarsest. So with a larger shift those
// that have room for it are finer accumulators; the others stay what they were, and their results
// are coarser, by two bits at most. Returns the shift.
int refine(const FoldLinear& fold, const Rounding& rounding, int weight_bits, int shift,
           std::vector<int>& exponents, IntegerLinear& folded) {
  const int coarsest = *llvm::min_element(rounding.exponents);
  const int most = std::min(shift + 2, rounding.largestShift());
  for (; shift < most; ++shift) {
    const absl::StatusOr<int64_t> limit = accumulatorLimit(rounding, shift + 1);
    if (!limit.ok()) break;
    std::vector<int> finer = fold.refined(folded, exponents, *limit);
    if (finer == exponents || *llvm::min_element(finer) - shift - 1 < coarsest) break;
    std::optional<IntegerLinear> again = fold.fold(finer, weight_bits, *limit);
    if (!again) break;
    folded = *std::move(again);
    exponents = std::move(finer);
  }
  return shift;
}

// Takes that from the bias; returns it.
double lowerBias(IntegerLinear& folded, int64_t by) {
  if (folded.bias.empty()) folded.bias.assign(folded.reach.size(), 0);
  for (int32_t& bias : folded.bias) bias -= static_cast<int32_t>(by);
  folded.low -= by, folded.high -= by;
  return static_cast<double>(by);
}

// The reader of an accumulator; views in between do not count.
const Op& readerOf(const Value& value) {
  const Op* reader = value.users().front();
  return reader->is("tensor.select_rows") ? readerOf(*reader->result()) : *reader;
}

}  // namespace

absl::StatusOr<Rounding> Lowering::slicedRounding(const Op& linear) {
  Rounding rounding;
  const int64_t width = linear.result()->type().shape.back();
  std::vector<bool> seen(width, false);
  int first = 0;
  for (const Op* slice : linear.result()->users()) {
    if (!slice->is("tensor.slice")) {
      return absl::UnimplementedError(
          absl::StrCat(slice->name().str(), " stands between it and the slices of its columns"));
    }
    absl::StatusOr<Storage> storage = storageOf(*slice->result());
    if (!storage.ok()) return storage.status();
    const bool key = *storage == Storage::kKey;
    const Value& site = key ? *readerOf(*slice->result()).result() : *slice->result();
    absl::StatusOr<int> exponent = this->exponent(site, key ? "key_exponent" : "exponent");
    absl::StatusOr<int> bits = this->exponent(site, key ? "key_bits" : "bits");
    if (!exponent.ok()) return exponent.status();
    if (!bits.ok()) return bits.status();
    if (rounding.exponents.empty()) rounding.exponents.assign(width, first = *exponent);
    rounding.bits = std::max(rounding.bits, *bits);
    const int64_t start = slice->intAttr("start");
    for (int64_t c = start; c < start + slice->intAttr("size"); ++c) {
      if (seen[c] && rounding.exponents[c] != *exponent) {
        return absl::UnimplementedError("its slices overlap with different exponents");
      }
      seen[c] = true;
      rounding.exponents[c] = *exponent;
    }
  }
  return rounding;
}

absl::StatusOr<Rounding> Lowering::roundingOf(const Op& linear, Storage storage) {
  Rounding rounding;
  if (storage == Storage::kRaw) return rounding;
  if (storage == Storage::kSliced) return slicedRounding(linear);
  const Value* site = linear.result();
  const char *exponent_name = "exponent", *bits_name = "bits";
  if (storage == Storage::kKey) {
    site = readerOf(*site).result();
    rounding.is_key = true;
    exponent_name = "key_exponent";
    bits_name = "key_bits";
  } else if (storage == Storage::kPartial) {
    site = readerOf(*site).result();
  }
  absl::StatusOr<int> exponent = this->exponent(*site, exponent_name),
                      bits = this->exponent(*site, bits_name);
  if (!exponent.ok()) return exponent.status();
  if (!bits.ok()) return bits.status();
  const int64_t width = linear.result()->type().shape.back();
  rounding.exponents.assign(width, *exponent);
  rounding.bits = *bits;
  if (storage != Storage::kPartial) return rounding;
  if (const ExponentSite& sum = siteOf(*site); isWide(sum)) {
    rounding.bits = kBranchBits;
    rounding.by_column = true;
    for (int64_t c = 0; c < width; ++c) {
      absl::StatusOr<int> unit = branchExponent(sum, c);
      if (!unit.ok()) return unit.status();
      rounding.exponents[c] = *unit;
    }
    return rounding;
  }

  absl::Status status = addAddend(*addOperands(*site->definingOp()).addend, *exponent, rounding);
  if (!status.ok()) return status;
  return rounding;
}

// The addend may not be lowered yet, but its site says what it will be.
absl::Status Lowering::addAddend(const Value& value, int exponent, Rounding& rounding) {
  const Value* addend = &value;
  while (addend->definingOp() != nullptr && addend->definingOp()->is("tensor.select_rows")) {
    addend = addend->definingOp()->operand(0);
  }
  const Op* op = addend->definingOp();
  const bool normalized = op != nullptr && op->is("tensor.layernorm");
  absl::StatusOr<int> addend_exponent =
      this->exponent(*addend, normalized ? "copy_exponent" : "exponent");
  absl::StatusOr<int> addend_bits = this->exponent(*addend, normalized ? "copy_bits" : "bits");
  if (!addend_exponent.ok()) return addend_exponent.status();
  if (!addend_bits.ok()) return addend_bits.status();
  rounding.has_addend = true;
  const int dropped = addendDrop(siteOf(*addend), exponent);
  rounding.addend_gap = exponent - *addend_exponent + dropped;
  rounding.addend_bound = int64_t{1} << (std::max(*addend_bits - dropped, 2) - 1);
  if (dropped > 0 || op == nullptr || !op->is("tensor.embedding")) return absl::OkStatus();
  absl::StatusOr<int64_t> reach = embeddingReach(*op, *addend_exponent);
  if (!reach.ok()) return reach.status();
  rounding.addend_bound = std::max(rounding.addend_bound, *reach);
  return absl::OkStatus();
}

absl::StatusOr<Stored> Lowering::product(const Op& op, const Stored& x, const Array& weight,
                                         const Array* bias, const Rounding& rounding,
                                         llvm::StringRef name) {
  std::vector<double> factors;
  for (size_t c = 0; c < x.exponents.size(); ++c) {
    factors.push_back(std::ldexp(x.gamma.empty() ? 1.0 : x.gamma[c], -x.exponents[c]));
  }
  const Type& input = x.value->type();
  const FoldLinear fold(weight, bias, factors, x.beta, input.low, input.high);
  const int64_t out = weight.shape[1];
  const bool raw = rounding.isRaw();
  const std::vector<int> base = raw ? std::vector<int>(out, 0) : rounding.exponents;
  // A raw accumulator takes the largest exponent that fits; a rounded one the largest shift that
  // its requantization allows.
  int last = rounding.largestShift(), least = 1;
  if (raw) {
    const double largest = std::max(fold.largestWeight(base), 0x1p-60);
    last = exponents_.weight_bits - 1 - std::ilogb(largest);
    least = last - 40;
  }
  const auto weight_limit = static_cast<int>(exponents_.weight_bits);
  absl::Status refusal = noShift(
      rounding, least, absl::StrCat("results of ", rounding.bits, " bits leave no room for any"));
  bool overflow = false;
  for (int shift = last; shift >= least; --shift) {
    const absl::StatusOr<int64_t> limit = accumulatorLimit(rounding, shift);
    if (!limit.ok()) {
      if (!overflow) refusal = noShift(rounding, shift, limit.status().message());
      continue;
    }
    std::vector<int> exponents = raised(base, shift);
    std::optional<IntegerLinear> folded = fold.fold(exponents, weight_limit, *limit);
    if (!folded) {
      overflow = true;
      refusal = noShift(rounding, shift,
                        describeOverflow(fold, rounding, exponents, *limit, weight_limit));
      continue;
    }
    const int used = rounding.by_column
                         ? refine(fold, rounding, weight_limit, shift, exponents, *folded)
                         : shift;
    const int weight_bits = signedBits(folded->weight_low, folded->weight_high);
    if (weight_bits < kLeastWeightBits && folded->weight_high != folded->weight_low) {
      refusal =
          noShift(rounding, shift, describeNarrow(rounding, overflow, weight_bits, weight_limit));
      break;
    }
    Stored acc;
    acc.exponents = exponents;
    acc.shift = raw ? 0 : used;
    const double error = computes_whole_ && foldsExactly(weight, x, exponents) ? kExact : 0.5;
    const bool in_parts = weight_bits < exponents_.least_weight_bits && !raw &&
                          !rounding.has_addend && error != kExact &&
                          used > (rounding.is_key ? 1 : 0);
    double bias_error = error;
    if (in_parts) {
      // A key is rounded twice, of which the first time shall be down.
      if (rounding.is_key) bias_error += lowerBias(*folded, int64_t{1} << used >> 2);
      acc.rest = restOf(fold, *folded, acc, x, *accumulatorLimit(rounding, used), name);
      if (acc.rest == nullptr) {
        refusal = noShift(rounding, shift, "there is no room for what rounding takes from weights");
        continue;
      }
    }
    const int weight_exponent = exponents.front() - input.exponent;
    llvm::SmallVector<Value*, 3> operands = {
        x.value, narrowConstant(name, weight.shape, folded->weights, weight_exponent,
                                acc.rest == nullptr ? error : kExact)};
    if (!folded->bias.empty()) {
      operands.push_back(narrowConstant(absl::StrCat(name.str(), "_bias"), {out}, folded->bias,
                                        exponents.front(), bias_error));
    }
    llvm::SmallVector<int64_t, 4> shape(input.shape.begin(), input.shape.end());
    shape.back() = out;
    acc.value = builder_.value("integer.linear", operands,
                               Type::fixed(shape, exponents.front(), folded->low, folded->high));
    if (raw) {
      record(static_cast<int64_t>(site_.find(op.result())->second), acc, "logits", weight_bits);
    } else {
      record(-1, acc, "accumulator", weight_bits);
    }
    return acc;
  }
  return refusal;
}

Stored Lowering::round(const Stored& acc, int bits, const Stored* addend, int addend_shift) {
  if (acc.rest != nullptr && addend == nullptr)
    return round(acc, bits, acc.rest.get(), acc.exponents.front() - acc.rest->exponents.front());
  Stored result;
  result.exponents = raised(acc.exponents, -acc.shift);
  const int64_t limit = int64_t{1} << (bits - 1);
  const Type& type = acc.value->type();
  llvm::SmallVector<Value*, 2> operands = {acc.value};
  llvm::SmallVector<ir::NamedAttribute, 3> attributes = {{"shift", int64_t{acc.shift}},
                                                         {"bits", int64_t{bits}}};
  if (addend != nullptr) {
    operands.push_back(addend->value);
    attributes.push_back({"addend_shift", int64_t{addend_shift}});
  }
  result.value = builder_.value(
      "integer.requantize", operands,
      Type::fixed(type.shape, type.exponent - acc.shift, -limit, limit - 1), attributes);
  return result;
}

absl::Status Lowering::lowerLinear(const Op& op) {
  absl::StatusOr<Storage> storage = storageOf(*op.result());
  if (!storage.ok()) return storage.status();
  absl::StatusOr<Rounding> rounding = roundingOf(op, *storage);
  if (!rounding.ok()) return rounding.status();
  const ir::Constant* weights = constantOf(*op.operand(1));
  const ir::Constant* biases = op.numOperands() > 2 ? constantOf(*op.operand(2)) : nullptr;
  if (weights == nullptr || (op.numOperands() > 2 && biases == nullptr)) {
    return absl::InvalidArgumentError("its weights must be constants");
  }
  absl::StatusOr<Array> weight = ir::tensor::viewConstant(*weights);
  if (!weight.ok()) return weight.status();
  absl::StatusOr<Array> bias = biases != nullptr ? ir::tensor::readConstant(*biases) : Array();
  if (!bias.ok()) return bias.status();
  Stored x = stored(*op.operand(0));
  if (x.gamma.empty() && llvm::all_equal(x.exponents)) {
    absl::StatusOr<Value*> narrow = input(op, 0);
    if (!narrow.ok()) return narrow.status();
    x.value = *narrow;
    x.exponents.assign(x.exponents.size(), x.value->type().exponent);
  }
  if (*storage == Storage::kSliced && exponents_.least_weight_bits > 0)
    return lowerParts(op, x, *weight, biases != nullptr ? &*bias : nullptr, *rounding,
                      weights->name);
  absl::StatusOr<Stored> acc =
      product(op, x, *weight, biases != nullptr ? &*bias : nullptr, *rounding, weights->name);
  if (!acc.ok()) return acc.status();
  const bool deferred = *storage == Storage::kRaw || *storage == Storage::kKey ||
                        *storage == Storage::kPartial || *storage == Storage::kSliced;
  if (deferred) {
    acc->value->setName(op.result()->name());
    stored_[op.result()] = std::make_unique<Stored>(*std::move(acc));
    return absl::OkStatus();
  }
  const bool stream = *storage == Storage::kResidual || *storage == Storage::kStored;
  keep(*op.result(), round(*acc, rounding->bits), stream ? "residual" : "input");
  return absl::OkStatus();
}

absl::Status Lowering::lowerAdd(const Op& op) {
  const AddOperands operands = addOperands(op);
  if (operands.partial == nullptr) {
    return absl::UnimplementedError("one operand of a sum must be a linear with no other reader");
  }
  absl::StatusOr<int> bits = exponent(*op.result(), "bits");
  if (!bits.ok()) return bits.status();
  const Stored& acc = stored(*operands.partial);
  absl::StatusOr<const Stored*> form = plain(*operands.addend);
  if (!form.ok()) return form.status();
  if (isWide(siteOf(*op.result())))
    return lowerWideAdd(op, round(acc, kBranchBits), (*form)->value);
  Stored addend = **form;
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "exponent");
  if (!exponent.ok()) return exponent.status();
  const int dropped = addendDrop(siteOf(*operands.addend), *exponent);
  addend.value = narrowed(addend.value, dropped);
  addend.exponents = raised(addend.exponents, -dropped);
  const int addend_shift = acc.exponents.front() - addend.exponents.front();
  for (size_t c = 0; c < acc.exponents.size(); ++c) {
    if (acc.exponents[c] - addend.exponents[c] != addend_shift) {
      return absl::UnimplementedError("the columns of its operands have different units");
    }
  }
  keep(*op.result(), round(acc, *bits, &addend, addend_shift), "residual");
  return absl::OkStatus();
}

// The branch's columns may be coarser than the sum, each by a power of two: that is exact.
absl::Status Lowering::lowerWideAdd(const Op& op, const Stored& branch, Value* addend) {
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "exponent"),
                      bits = this->exponent(*op.result(), "bits");
  if (!exponent.ok()) return exponent.status();
  if (!bits.ok()) return bits.status();
  Value* x = narrowed(addend, addend->type().exponent - *exponent);
  std::vector<int32_t> factors;
  for (int unit : branch.exponents) {
    if (unit > *exponent || *exponent - unit > kBranchBits) {
      return absl::InvalidArgumentError(absl::StrCat("a column of what is added is at exponent ",
                                                     unit, ", the sum at ", *exponent));
    }
    factors.push_back(int32_t{1} << (*exponent - unit));
  }
  const int64_t most = *std::max_element(factors.begin(), factors.end());
  const int common = *exponent - branch.value->type().exponent;
  const bool one = llvm::all_equal(factors);
  const auto width = static_cast<int64_t>(factors.size());
  if (one) factors.resize(1);
  Value* n = narrowConstant("branch_units", {one ? 1 : width}, factors, common, kExact);
  const int64_t reach =
      std::max(-x->type().low, x->type().high) + most * (int64_t{1} << (kBranchBits - 1));
  Stored sum;
  sum.exponents.assign(width, *exponent);
  sum.value =
      builder_.value("integer.affine",
                     {x, narrowConstant("one", {1}, {1}, *exponent - x->type().exponent, kExact),
                      narrowConstant("zero", {1}, {0}, *exponent, kExact), branch.value, n},
                     Type::fixed(op.result()->type().shape, *exponent, -reach, reach),
                     {{"shift", int64_t{0}}, {"bits", int64_t{*bits}}});
  keep(*op.result(), std::move(sum), "residual");
  return absl::OkStatus();
}

// z is read by more than linears: a diagonal linear applies gamma and beta, and a requantization
// makes it like the stream.
absl::Status Lowering::addAffineCopy(const Op& op, Stored& normalized) {
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "copy_exponent");
  absl::StatusOr<int> bits = this->exponent(*op.result(), "copy_bits");
  if (!exponent.ok()) return exponent.status();
  if (!bits.ok()) return bits.status();
  const int64_t width = static_cast<int64_t>(normalized.exponents.size());
  if (isWide(siteOf(*op.result()))) return addWideCopy(op, *exponent, *bits, normalized);
  Array identity = Array::zeros(ir::Element::kFloat, {width, width});
  for (int64_t c = 0; c < width; ++c) identity.reals[c * width + c] = 1.0;
  Rounding rounding;
  rounding.exponents.assign(width, *exponent);
  rounding.bits = *bits;
  absl::StatusOr<Stored> acc = product(op, normalized, identity, nullptr, rounding, "gamma");
  if (!acc.ok()) return acc.status();
  normalized.copy = std::make_shared<Stored>(round(*acc, *bits));
  record(-1, *normalized.copy, "residual", 0);
  return absl::OkStatus();
}

}  // namespace lindero::passes

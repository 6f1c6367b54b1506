// Lowering of normalization, attention and activations: the ops with tables.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ir/tensor/expression.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/bit.h"
#include "passes/quantize/lowering.h"
#include "passes/quantize/tables.h"
#include "passes/quantize/wide_copy.h"
#include "passes/quantize/widen_streams.h"

namespace lindero::passes {

using ir::Op;
using ir::Type;
using ir::Value;
using ir::tensor::Array;

namespace {

// The most that a row of the type may have to be shifted so that 16 bits hold its deviations, which
// are at most twice as large as its elements; within what the op takes.
int64_t rowShift(const Type& type) {
  int64_t shift = 1;
  while (shift < 10 && 2 * std::max(-type.low, type.high) >> shift >= 1 << 15) ++shift;
  return shift;
}

// What a table is called in the constant pool: a function by its name, if it has one.
llvm::StringRef shortName(llvm::StringRef function) {
  const llvm::StringRef name = function.split('(').first;
  return function.drop_front(name.size()) == "(x)" ? name : "function";
}

}  // namespace

absl::Status Lowering::lowerLayerNorm(const Op& op) {
  absl::StatusOr<const Stored*> form = plain(*op.operand(0));
  if (!form.ok()) return form.status();
  Value* x = (*form)->value;
  const bool wide = isWide(siteOf(*op.operand(0)));
  // A row has 16 bits; a probability has one more, and a sign.
  if (!wide && x->type().high > 1 << 15) x = narrowed(x, 2);
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "exponent"),
                      bits = this->exponent(*op.result(), "bits");
  absl::StatusOr<int> max_exponent = this->exponent(*op.result(), "max_exponent");
  for (const auto* number : {&exponent, &bits, &max_exponent}) {
    if (!number->ok()) return number->status();
  }
  const Type& type = x->type();
  const int64_t width = type.shape.back();
  const int square_shift = squareShift(width);
  const double epsilon = std::floor(std::ldexp(op.floatAttr("epsilon") * static_cast<double>(width),
                                               2 * type.exponent - square_shift) +
                                    0.5);
  if (!(epsilon >= 0 && epsilon < 0x1p29) || square_shift > 16) {
    return absl::InvalidArgumentError(
        absl::StrCat("epsilon ", op.floatAttr("epsilon"), " at exponent ", type.exponent,
                     " and a width of ", width, " leave the range of the variance"));
  }
  llvm::SmallVector<ir::NamedAttribute, 6> attributes = {
      {"square_shift", int64_t{square_shift}},
      {"epsilon", static_cast<int64_t>(epsilon)},
      {"output_bits", int64_t{*bits}},
      {"max_exponent", int64_t{*max_exponent}},
      {"has_mean", !op.has("has_mean") || op.boolAttr("has_mean")}};
  if (wide) attributes.push_back({"row_shift", rowShift(type)});
  Stored result;
  result.exponents.assign(width, *exponent);
  const std::string key = absl::StrCat("rsqrt_n", width, "_q", square_shift, "_f", *exponent, "_b",
                                       *bits, "_j", *max_exponent, wide ? "_halves" : "");
  absl::StatusOr<Value*> roots =
      table(key, {65536, 2}, 0, [&]() -> absl::StatusOr<std::vector<int32_t>> {
        absl::StatusOr<ReciprocalRootTable> made =
            reciprocalRootTable(width, square_shift, *exponent, *bits, *max_exponent, wide);
        if (!made.ok()) return made.status();
        return std::move(made->entries);
      });
  if (!roots.ok()) return roots.status();
  const int64_t limit = int64_t{1} << (*bits - 1);
  result.value = builder_.value("integer.layernorm", {x, *roots},
                                Type::fixed(type.shape, *exponent, -limit, limit - 1), attributes);
  absl::StatusOr<std::vector<double>> gamma = gammaOf(op), beta = betaOf(op);
  if (!gamma.ok()) return gamma.status();
  if (!beta.ok()) return beta.status();
  result.gamma = *std::move(gamma);
  result.beta = *std::move(beta);
  if (needsAffineCopy(*op.result())) {
    if (absl::Status status = addAffineCopy(op, result); !status.ok()) return status;
  }
  keep(*op.result(), std::move(result), "normalized");
  return absl::OkStatus();
}

// As wide_copy.h says, by two maps of z.
absl::Status Lowering::addWideCopy(const Op& op, int exponent, int bits, Stored& normalized) {
  Value* z = normalized.value;
  const Type& type = z->type();
  const absl::StatusOr<int> own_bits = this->exponent(*op.result(), "bits");
  if (!own_bits.ok()) return own_bits.status();
  const absl::StatusOr<WideCopy> copy = wideCopy(op, *own_bits, type.exponent, exponent);
  if (!copy.ok()) return copy.status();
  constexpr int kShift = WideCopy::kRestShift, kBits = WideCopy::kRestBits;
  const auto width = static_cast<int64_t>(normalized.exponents.size());
  const int64_t limit = int64_t{1} << (kBits - 1);
  Value* rest = builder_.value(
      "integer.affine",
      {z, narrowConstant("gamma_rest", {width}, copy->rests, exponent + kShift - type.exponent),
       narrowConstant("zero", {1}, {0}, exponent + kShift, kExact)},
      Type::fixed(type.shape, exponent, -limit, limit - 1),
      {{"shift", int64_t{kShift}}, {"bits", int64_t{kBits}}});
  Stored wide;
  wide.exponents.assign(width, exponent);
  wide.value = builder_.value(
      "integer.affine",
      {z, narrowConstant("gamma", {width}, copy->factors, exponent - type.exponent, kExact),
       narrowConstant("beta", {width}, copy->offsets, exponent), rest,
       narrowConstant("one", {1}, {1}, 0, kExact)},
      Type::fixed(type.shape, exponent, -copy->reach, copy->reach),
      {{"shift", int64_t{0}}, {"bits", int64_t{bits}}});
  normalized.copy = std::make_shared<Stored>(std::move(wide));
  record(-1, *normalized.copy, "residual", 0);
  return absl::OkStatus();
}

absl::Status Lowering::lowerAttention(const Op& op) {
  llvm::SmallVector<Value*, 3> qkv;
  llvm::SmallVector<int, 3> exponents;
  for (unsigned i = 0; i < op.numOperands(); ++i) {
    absl::StatusOr<Value*> value = input(op, i);
    if (!value.ok()) return value.status();
    qkv.push_back(*value);
    exponents.push_back((*value)->type().exponent);
  }
  absl::StatusOr<int> out = exponent(*op.result(), "exponent"),
                      bits = exponent(*op.result(), "bits");
  absl::StatusOr<int> probability_bits = exponent(*op.result(), "probability_bits");
  for (const auto* number : {&out, &bits, &probability_bits}) {
    if (!number->ok()) return number->status();
  }
  const Type &q = qkv[0]->type(), &k = qkv[1]->type(), &v = qkv[2]->type();
  const int64_t heads = op.intAttr("heads"), queries = q.shape[0], keys = k.shape[0],
                head_width = q.shape[1] / heads;
  const int64_t products[] = {q.low * k.low, q.low * k.high, q.high * k.low, q.high * k.high};
  const int64_t low = head_width * *std::min_element(products, products + 4);
  const int64_t high = head_width * *std::max_element(products, products + 4);
  const int64_t bound = std::max(-low, high);
  if (bound >= int64_t{1} << 30) {
    return absl::InvalidArgumentError(
        absl::StrCat("scores may reach ", bound, ", not below 2^30; use fewer bits for Q and K"));
  }
  const int score_exponent = exponents[0] + exponents[1];
  Stored scores;
  scores.value = builder_.value("integer.scores", {qkv[0], qkv[1]},
                                Type::fixed({heads, queries, keys}, score_exponent, low, high),
                                {{"heads", heads}});
  const ScoreScale scale = ScoreScale::fromModel(op.floatAttr("scale"), head_width);
  if (op.has("masked")) {
    // A masked score is at most masked + |s|, an open one at least -|s|.
    const double most =
        std::ldexp(static_cast<double>(bound), -score_exponent) * std::abs(scale.value);
    const double needed = 3 * most + std::log(static_cast<double>(keys)) +
                          (*probability_bits + 2) * std::numbers::ln2;
    if (!(op.floatAttr("masked") <= -needed)) {
      return absl::UnimplementedError(absl::StrCat(
          "its mask puts keys at ", op.floatAttr("masked"), ", and its scores may reach ", most,
          ": masked keys would count unless the mask is ", -needed,
          " or less; export the model with -inf, or with the lowest number of its type"));
    }
  }
  absl::StatusOr<Value*> p =
      softmax(scores.value, scale, keys, *probability_bits, op.boolAttr("causal"));
  if (!p.ok()) return p.status();
  Stored mixed;
  const int64_t most = std::max(std::abs(v.low), std::abs(v.high)) << *probability_bits;
  mixed.shift = *probability_bits + exponents[2] - *out;
  if (mixed.shift < 1 || mixed.shift > std::min(16, 31 - *bits)) {
    return absl::InvalidArgumentError(
        absl::StrCat("its result at exponent ", *out, " would need a shift of ", mixed.shift,
                     " bits; 1 to ", std::min(16, 31 - *bits), " are possible"));
  }
  mixed.exponents.assign(v.shape[1], *probability_bits + exponents[2]);
  mixed.value = builder_.value(
      "integer.mix", {*p, qkv[2]},
      Type::fixed({queries, v.shape[1]}, mixed.exponents.front(), -most, most), {{"heads", heads}});
  keep(*op.result(), round(mixed, *bits), "input");
  return absl::OkStatus();
}

absl::StatusOr<Value*> Lowering::softmax(Value* scores, ScoreScale scale, int64_t keys,
                                         int probability_bits, bool causal) {
  const Type& type = scores->type();
  const int64_t bound = std::max(-type.low, type.high);
  const std::string unit = scale.head_width > 0
                               ? absl::StrCat("d", scale.head_width)
                               : absl::StrCat("c", llvm::bit_cast<uint64_t>(scale.value));
  const std::string key =
      absl::StrCat(unit, "_f", type.exponent, "_b", bound, "_T", keys, "_p", probability_bits);
  auto it = softmaxes_.find(key);
  if (it == softmaxes_.end()) {
    absl::StatusOr<ExponentialTable> made =
        exponentialTable(type.exponent, scale, bound, keys, probability_bits);
    if (!made.ok()) return made.status();
    it = softmaxes_.emplace(key, *std::move(made)).first;
  }
  const ExponentialTable& plan = it->second;
  // Layers whose score units agree have one table of exponentials, whatever their exponents.
  const std::string name =
      absl::StrCat("exp_", unit, "_u", type.exponent - plan.score_shift, "_p", probability_bits);
  absl::StatusOr<Value*> exp = table(name, {}, probability_bits, [&]() { return plan.exp; });
  if (!exp.ok()) return exp.status();
  return builder_.value(
      "integer.softmax", {scores, *exp},
      Type::fixed(type.shape, probability_bits, 0, int64_t{1} << probability_bits),
      {{"score_shift", int64_t{plan.score_shift}},
       {"probability_bits", int64_t{probability_bits}},
       {"causal", causal},
       {"live_rows", static_cast<int64_t>(plan.exp.size())},
       {"dead_width", int64_t{plan.dead_width}},
       {"dead_rows", plan.dead_rows},
       {"normalizer_low", plan.normalizer_low},
       {"normalizer_bits", int64_t{plan.normalizer_bits}},
       {"exp_at_minus_one", plan.exp_at_minus_one}});
}

absl::Status Lowering::lowerMultiply(const Op& op) {
  absl::StatusOr<int> out = exponent(*op.result(), "exponent"),
                      bits = exponent(*op.result(), "bits");
  for (const auto* number : {&out, &bits}) {
    if (!number->ok()) return number->status();
  }
  // That the two sides of the division with remainder do not wrap: bits + s <= 30.
  const int most = std::min(16, 30 - *bits);
  Value* values[2];
  int64_t magnitudes[2];
  int dropped[2] = {0, 0}, shift = -*out;
  for (unsigned i : {0u, 1u}) {
    absl::StatusOr<Value*> value = form(*op.operand(i));
    if (!value.ok()) return value.status();
    values[i] = *value;
    magnitudes[i] = std::max(-(*value)->type().low, (*value)->type().high);
    shift += (*value)->type().exponent;
  }
  while ((magnitudes[0] * magnitudes[1] > int64_t{1} << 29 || shift > most) && shift > 1) {
    const int larger = magnitudes[1] > magnitudes[0] ? 1 : 0;
    magnitudes[larger] = (magnitudes[larger] + 1) / 2;
    ++dropped[larger];
    --shift;
  }
  const int64_t bound = magnitudes[0] * magnitudes[1];
  llvm::SmallVector<Value*, 2> factors;
  for (unsigned i : {0u, 1u})
    factors.push_back(spread(narrowed(values[i], dropped[i]), op.result()->type().shape));
  if (shift < 1 || shift > most || bound > int64_t{1} << 29) {
    return absl::OutOfRangeError(absl::StrCat("its product may reach ", bound,
                                              " (limit 2^29), and needs a shift of ", shift,
                                              " bits at exponent ", *out, " (1 to ", most,
                                              " are possible); use fewer bits for its factors"));
  }
  Stored result;
  result.exponents.assign(op.result()->type().shape.empty() ? 1 : op.result()->type().shape.back(),
                          *out);
  const int64_t limit = int64_t{1} << (*bits - 1);
  result.value = builder_.value("integer.multiply", factors,
                                Type::fixed(op.result()->type().shape, *out, -limit, limit - 1),
                                {{"shift", int64_t{shift}}, {"bits", int64_t{*bits}}});
  keep(*op.result(), std::move(result), "input");
  return absl::OkStatus();
}

// The operand of an activation with the shift that makes it the table's key: an accumulator, or a
// stored value, of which bits are dropped that no shift of a key can.
absl::StatusOr<Stored> Lowering::keyed(const Op& op, int key_exponent, int key_bits) {
  Stored acc = stored(*op.operand(0));
  // What is rounded with the rests, down as its bias has it, loses another bit as a key.
  if (acc.rest != nullptr) {
    --acc.shift;
    acc = round(acc, key_bits + 1);
    acc.shift = 1;
  }
  inexact_ |= whole_.contains(op.operand(0)) && key_exponent < 0;
  if (acc.shift == 0) {
    absl::StatusOr<Value*> value = form(*op.operand(0));
    if (!value.ok()) return value.status();
    const int most = std::min(16, 31 - key_bits);
    acc = Stored();
    acc.value = narrowed(*value, (*value)->type().exponent - key_exponent - most);
    const Type& type = acc.value->type();
    acc.shift = type.exponent - key_exponent;
    acc.exponents.assign(type.shape.empty() ? 1 : type.shape.back(), type.exponent);
  }
  for (int unit : acc.exponents) {
    if (unit - acc.shift == key_exponent && acc.shift > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("its keys are at exponent ", key_exponent,
                                                   ", its operand at ", unit, " before a shift of ",
                                                   acc.shift));
  }
  return acc;
}

absl::Status Lowering::lowerActivation(const Op& op) {
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "exponent"),
                      bits = this->exponent(*op.result(), "bits");
  absl::StatusOr<int> key_exponent = this->exponent(*op.result(), "key_exponent");
  absl::StatusOr<int> key_bits = this->exponent(*op.result(), "key_bits");
  for (const auto* number : {&exponent, &bits, &key_exponent, &key_bits}) {
    if (!number->ok()) return number->status();
  }
  absl::StatusOr<Stored> acc = keyed(op, *key_exponent, *key_bits);
  if (!acc.ok()) return acc.status();
  const std::string& text = op.stringAttr("function");
  absl::StatusOr<ir::tensor::Expression> function = ir::tensor::Expression::parse(text);
  if (!function.ok()) return function.status();
  const std::string parameters =
      absl::StrCat("_k", *key_bits, "_", *key_exponent, "_v", *bits, "_", *exponent);
  absl::StatusOr<Value*> entries = table(
      text + parameters, {}, *exponent,
      [&]() -> absl::StatusOr<std::vector<int32_t>> {
        absl::StatusOr<FunctionTable> made =
            functionTable(*function, *key_bits, *key_exponent, *bits, *exponent);
        if (!made.ok()) return made.status();
        first_keys_[text + parameters] = made->low;
        return std::move(made->entries);
      },
      absl::StrCat(shortName(text).str(), parameters));
  if (!entries.ok()) return entries.status();
  Stored result;
  result.exponents.assign(acc->exponents.size(), *exponent);
  const Type& range = (*entries)->type();
  result.value = builder_.value(
      "integer.lookup", {acc->value, *entries},
      Type::fixed(acc->value->type().shape, *exponent, range.low, range.high),
      {{"shift", int64_t{acc->shift}}, {"bits", int64_t{*key_bits}}, {"function", text}});
  if (range.shape.front() < int64_t{1} << *key_bits)
    result.value->definingOp()->set("low", first_keys_[text + parameters]);
  keep(*op.result(), std::move(result), "input");
  return absl::OkStatus();
}

}  // namespace lindero::passes

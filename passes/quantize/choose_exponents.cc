#include "passes/quantize/choose_exponents.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/tensor/expression.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"
#include "passes/quantize/choose_normalization.h"
#include "passes/quantize/general.h"
#include "passes/quantize/limit_general.h"
#include "passes/quantize/magnitudes.h"
#include "passes/quantize/storage.h"
#include "passes/quantize/tables.h"
#include "passes/quantize/whole.h"
#include "passes/quantize/widen_streams.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

constexpr int kLargestScoreShift = 12;

class Chooser {
 public:
  Chooser(const ir::Function& function, const Calibration& calibration,
          const QuantizeOptions& options)
      : function_(function),
        calibration_(calibration),
        options_(options),
        values_(exponentSites(function)) {
    for (const Value* value : values_) site_.try_emplace(value, site_.size());
  }

  absl::StatusOr<Exponents> run();

 private:
  absl::Status classifyOps();
  absl::Status require(size_t site);
  int attendedBits(const Value& value) const;
  int storedBits(const Value& value) const;
  absl::Status chooseStored(size_t site);
  absl::Status chooseActivation(size_t site);
  // Whole numbers that no table or product has room for.
  void holdWhole();
  void chooseAttention(size_t site);
  void chooseReaders();
  // What norms make, and what their copies hold; before sums are widened, which add those.
  void chooseNormalizations();
  absl::Status chooseVariances();
  void limitAddends();
  void limitScores();
  void shareActivations();
  void alignKeys();
  // How a factor of a product is stored: of a normalized one, its copy with gamma and beta. Nothing
  // of columns of another value, which are stored as that is.
  struct Width {
    int64_t &exponent, &bits;
  };
  std::optional<Width> widthOf(const Value* value);
  bool limitMix(size_t site);
  bool limitProduct(size_t site);
  void limitProducts();
  void limitKeys();
  void limitNorms();

  const TensorRange& range(size_t site) const { return calibration_.ranges[site]; }
  // The stored value that select_rows ops show.
  static const Value* rootOf(const Value* value);
  size_t siteOf(const Value* value) const { return site_.find(value)->second; }
  int64_t& at(size_t site, const char* name) { return exponents_.sites[site].values[name]; }
  bool is(size_t site, llvm::StringRef op) const {
    return values_[site]->definingOp() != nullptr && values_[site]->definingOp()->is(op);
  }

  const ir::Function& function_;
  const Calibration& calibration_;
  const QuantizeOptions& options_;
  const std::vector<const Value*> values_;
  llvm::DenseMap<const Value*, size_t> site_;
  std::vector<Storage> storage_;
  // The largest magnitude that a value of the residual stream must hold, its views and margin
  // included, by its site.
  std::map<size_t, double> residual_;
  // Those that are finer or wider than that asks for (widen_streams.h).
  std::set<size_t> widened_;
  Exponents exponents_;
};

const Value* Chooser::rootOf(const Value* value) {
  while (value->definingOp() != nullptr && value->definingOp()->is("tensor.select_rows")) {
    value = value->definingOp()->operand(0);
  }
  return value;
}

// Adds what a value of the residual stream must hold to the need of the value that it is a view of.
absl::Status Chooser::require(size_t site) {
  const Value* root = rootOf(values_[site]);
  double& need = residual_[siteOf(root)];
  if (const Op* op = root->definingOp(); op != nullptr && isNumber(*op)) {
    const auto most = static_cast<double>(std::max(-op->intAttr("low"), op->intAttr("high")));
    const double seen = std::max(1.0, range(site).largest * options_.residual_margin);
    need = std::max(need, std::min(most, seen));
    return absl::OkStatus();
  }
  const llvm::ArrayRef<double> deviations = range(site).deviations;
  for (double deviation : deviations) need = std::max(need, deviation * options_.residual_margin);
  if (!is(siteOf(root), "tensor.embedding")) {
    need = std::max(need, range(site).largest * options_.residual_margin);
    return absl::OkStatus();
  }
  // All that an embedding can be is known, so it needs no margin.
  absl::StatusOr<double> bound = embeddingBound(*root->definingOp());
  if (!bound.ok()) return bound.status();
  need = std::max(need, *bound);
  return absl::OkStatus();
}

absl::Status Chooser::classifyOps() {
  for (size_t i = 0; i < values_.size(); ++i) {
    absl::StatusOr<Storage> storage = storageOf(*values_[i]);
    if (!storage.ok()) return storage.status();
    storage_.push_back(*storage);
    const Op* op = values_[i]->definingOp();
    ExponentSite site;
    site.op = op != nullptr ? op->name().str() : "argument";
    site.node = op != nullptr ? llvm::join(op->location(), " + ") : values_[i]->name().str();
    exponents_.sites.push_back(std::move(site));
    if (*storage == Storage::kResidual || *storage == Storage::kStored) {
      if (absl::Status status = require(i); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// The most bits that attentions take of a value that is stored for others, too.
int Chooser::attendedBits(const Value& value) const {
  int bits = 16;
  for (const Op* reader : value.users()) {
    if (!reader->is("tensor.attention")) continue;
    if (reader->operand(2) == &value) bits = std::min(bits, options_.value_bits);
    if (reader->operand(0) == &value || reader->operand(1) == &value) {
      bits = std::min(bits, options_.query_key_bits);
    }
  }
  return bits;
}

// The bits of a value that general ops read: those of products, if these alone do.
int Chooser::storedBits(const Value& value) const {
  const bool of_products = isReadOnlyBy(value, [](const Op& reader) {
    return reader.is("tensor.matmul") || reader.is("tensor.linear");
  });
  if (!of_products) return options_.residual_bits;
  int bits = options_.activation_bits;
  for (const Op* reader : value.users()) {
    if (reader->is("tensor.matmul"))
      bits = std::max(bits, factorBits(*reader, options_.activation_bits));
  }
  return bits;
}

absl::Status Chooser::chooseStored(size_t site) {
  const double largest = range(site).largest;
  if (residual_.contains(site)) {
    const Op* op = values_[site]->definingOp();
    int bits =
        op != nullptr && standsAlone(*op) ? storedBits(*values_[site]) : options_.residual_bits;
    if (op != nullptr && isQuotient(*op)) bits = std::min(bits, kQuotientBits);
    at(site, "bits") = bits;
    at(site, "exponent") = exponentFor(residual_[site], bits, 1.0);
    if (is(site, "tensor.attention")) chooseAttention(site);
    return absl::OkStatus();
  }
  // Views have the form of what they view, unless that is a linear's accumulator.
  const bool view = is(site, "tensor.select_rows") || is(site, "tensor.slice");
  if (view) {
    const Op* viewed = values_[site]->definingOp()->operand(0)->definingOp();
    if (viewed == nullptr || !viewed->is("tensor.linear") || is(site, "tensor.select_rows"))
      return absl::OkStatus();
  }
  int bits = 0;
  double margin = options_.activation_margin;
  switch (storage_[site]) {
    case Storage::kInput:
      bits = options_.activation_bits;
      break;
    case Storage::kQueryKey:
      bits = options_.query_key_bits;
      margin = options_.query_key_margin;
      break;
    case Storage::kValue:
      bits = options_.value_bits;
      break;
    case Storage::kResidual:
      bits = options_.residual_bits;
      break;
    case Storage::kRaw:
      if (view) bits = options_.residual_bits;
      break;
    default:
      break;
  }
  if (bits == 0) return absl::OkStatus();
  bits = std::min(bits, attendedBits(*values_[site]));
  at(site, "bits") = bits;
  at(site, "exponent") = exponentFor(largest, bits, margin);
  if (is(site, "tensor.attention")) chooseAttention(site);
  return absl::OkStatus();
}

void Chooser::holdWhole() {
  for (const auto& [value, bits] : exactBits(function_)) {
    at(siteOf(value), "bits") = bits;
    at(siteOf(value), "exponent") = 0;
  }
}

void Chooser::chooseAttention(size_t site) {
  at(site, "probability_bits") = options_.probability_bits;
  limitMix(site);
}

// How many bits readers take of operands that are stored for readers of any kind, and what general
// ops need besides.
void Chooser::chooseReaders() {
  for (size_t site = 0; site < values_.size(); ++site) {
    const Op* op = values_[site]->definingOp();
    if (op == nullptr) continue;
    const bool rounds = op->is("tensor.linear") || op->is("tensor.attention");
    const bool general = llvm::any_of(op->operands(), [&](const Value* operand) {
      const auto it = site_.find(operand);
      return it != site_.end() && storage_[it->second] == Storage::kStored;
    });
    if (op->is("tensor.matmul")) at(site, "input_bits") = factorBits(*op, options_.activation_bits);
    if (rounds && general) at(site, "input_bits") = options_.activation_bits;
    if (op->is("tensor.softmax")) {
      at(site, "probability_bits") = options_.probability_bits;
      at(site, "exponent") = options_.probability_bits;
      at(site, "bits") = options_.probability_bits + 2;
    }
  }
}

// Epsilon, at the scale of the squares of a row, stays below the variance's limit.
void Chooser::limitNorms() {
  for (size_t site = 0; site < values_.size(); ++site) {
    if (!is(site, "tensor.layernorm")) continue;
    const Op& op = *values_[site]->definingOp();
    auto& values = exponents_.sites[siteOf(rootOf(op.operand(0)))].values;
    int64_t& exponent = values[values.contains("copy_exponent") ? "copy_exponent" : "exponent"];
    const int64_t width = values_[site]->type().shape.back();
    const double epsilon = op.floatAttr("epsilon") * static_cast<double>(width);
    while (std::ldexp(epsilon, static_cast<int>(2 * exponent) - squareShift(width)) >= 0x1p28)
      --exponent;
  }
}

// Keys of an activation are coarser than the stored value that they are of.
void Chooser::limitKeys() {
  for (size_t site = 0; site < values_.size(); ++site) {
    if (!is(site, "tensor.activation")) continue;
    const Value* operand = rootOf(values_[site]->definingOp()->operand(0));
    const auto& values = exponents_.sites[siteOf(operand)].values;
    const auto stored =
        values.find(values.contains("copy_exponent") ? "copy_exponent" : "exponent");
    if (stored == values.end()) continue;
    int64_t& key = at(site, "key_exponent");
    key = std::min(key, stored->second - 1);
  }
}

absl::Status Chooser::chooseActivation(size_t site) {
  const Op& op = *values_[site]->definingOp();
  auto function = ir::tensor::Expression::parse(op.stringAttr("function"));
  if (!function.ok()) return function.status();
  const int key_exponent =
      exponentFor(range(siteOf(op.operand(0))).largest, options_.key_bits, options_.key_margin);
  const double largest = range(site).largest,
               reach = std::ldexp(1.0, options_.key_bits - 1 - key_exponent);
  const int bits =
      storage_[site] == Storage::kStored ? options_.residual_bits : options_.activation_bits;
  at(site, "bits") = bits;
  at(site, "exponent") =
      std::min(exponentFor(largest, bits, options_.activation_margin),
               exponentFor(functionBound(*function, reach, largest == 0), bits, 1.0));
  at(site, "key_bits") = options_.key_bits;
  at(site, "key_exponent") = key_exponent;
  return absl::OkStatus();
}

void Chooser::chooseNormalizations() {
  std::map<size_t, Normalization> needs;    // by site
  std::map<int64_t, Normalization> common;  // by width of the rows, where tables are shared
  for (size_t site = 0; site < values_.size(); ++site) {
    if (!is(site, "tensor.layernorm")) continue;
    const Value* x = values_[site]->definingOp()->operand(0);
    const Normalization need = chooseNormalization(range(siteOf(x)), options_);
    needs[site] = need;
    Normalization& shared = common[x->type().shape.back()];
    shared = {std::max(shared.bits, need.bits), std::max(shared.largest, need.largest)};
    if (!needsAffineCopy(*values_[site])) continue;
    at(site, "copy_bits") = options_.residual_bits;
    at(site, "copy_exponent") =
        exponentFor(range(site).largest, options_.residual_bits, options_.residual_margin);
  }
  for (const auto& [site, own] : needs) {
    const Normalization& need =
        options_.share_tables ? common[values_[site]->type().shape.back()] : own;
    at(site, "bits") = need.bits;
    at(site, "exponent") = exponentFor(need.largest, need.bits, 1.0);
  }
}

// The largest j of each norm's variance, which depends on the unit of the stream that it reads.
absl::Status Chooser::chooseVariances() {
  std::map<size_t, int> needs;
  std::map<int64_t, int> common;
  for (size_t site = 0; site < values_.size(); ++site) {
    if (!is(site, "tensor.layernorm")) continue;
    const Op& op = *values_[site]->definingOp();
    const Value* x = op.operand(0);
    const size_t stream = siteOf(rootOf(x));
    const auto& stored = exponents_.sites[stream].values;
    const auto unit = stored.find(stored.contains("copy_exponent") ? "copy_exponent" : "exponent");
    if (unit == stored.end()) {
      return absl::UnimplementedError(
          absl::StrCat(ir::describe(op), ": it reads a value that is not stored"));
    }
    const TensorRange& measured = range(siteOf(x));
    const int64_t width = x->type().shape.back();
    // Its rows have 16 bits: those of a probability are rounded (lowerLayerNorm).
    const auto bits = stored.find(stored.contains("copy_bits") ? "copy_bits" : "bits");
    const bool wide = isWide(exponents_.sites[stream]);
    const int64_t dropped =
        wide || bits == stored.end() ? 0 : std::max<int64_t>(0, bits->second - 16);
    const double epsilon = op.floatAttr("epsilon") * static_cast<double>(width);
    double variance =
        (measured.square_sum * options_.residual_margin * options_.residual_margin + epsilon) *
        std::ldexp(1.0, static_cast<int>(2 * (unit->second - dropped)) - squareShift(width));
    if (wide)
      variance = std::min(variance, shiftedVariance(measured, width, options_.residual_margin));
    int& need = needs[site];
    while (need < 7 && std::ldexp(65536.0, 2 * need) <= variance) ++need;
    common[width] = std::max(common[width], need);
  }
  for (const auto& [site, own] : needs)
    at(site, "max_exponent") =
        options_.share_tables ? common[values_[site]->type().shape.back()] : own;
  return absl::OkStatus();
}

void Chooser::limitAddends() {
  for (size_t site = values_.size(); site-- > 0;) {
    if (!is(site, "tensor.add")) continue;
    const Value* addend = addOperands(*values_[site]->definingOp()).addend;
    if (addend == nullptr || widened_.contains(siteOf(rootOf(addend)))) continue;
    auto& values = exponents_.sites[siteOf(addend)].values;
    for (const char* name : {"exponent", "copy_exponent"}) {
      // A normalized addend is its copy; its own exponent is another matter.
      const bool copied = values.contains("copy_exponent");
      if (!values.contains(name) || copied != (llvm::StringRef(name) == "copy_exponent")) continue;
      values[name] = std::min(values[name], at(site, "exponent") + kLargestAddendGap);
    }
  }
}

// Finer scores than those of the layer with the widest range gain nothing; with one unit, all
// layers share one softmax table.
void Chooser::limitScores() {
  std::map<std::pair<double, int64_t>, int64_t> common;  // by what the unit depends on
  auto forEach = [&](auto visit) {
    for (size_t site = 0; site < values_.size(); ++site) {
      if (!is(site, "tensor.attention")) continue;
      const Op& op = *values_[site]->definingOp();
      const int64_t head_width = op.result()->type().shape.back() / op.intAttr("heads");
      visit(op, ScoreScale::fromModel(op.floatAttr("scale"), head_width),
            at(siteOf(op.operand(0)), "exponent"), at(siteOf(op.operand(1)), "exponent"));
    }
  };
  forEach([&](const Op& op, ScoreScale scale, int64_t q, int64_t k) {
    int64_t sum = q + k;
    while (scoreShift(static_cast<int>(sum), scale) > kLargestScoreShift) --sum;
    const auto it = common.try_emplace({scale.value, scale.head_width}, sum).first;
    if (options_.share_tables) it->second = std::min(it->second, sum);
  });
  forEach([&](const Op& op, ScoreScale scale, int64_t& q, int64_t& k) {
    const int64_t most = options_.share_tables ? common[{scale.value, scale.head_width}] : q + k;
    while (q + k > most || scoreShift(static_cast<int>(q + k), scale) > kLargestScoreShift)
      --(q >= k ? q : k);
  });
}

void Chooser::shareActivations() {
  std::map<std::string, std::pair<int64_t, int64_t>> shared;
  auto forEach = [&](auto visit) {
    for (size_t site = 0; site < values_.size(); ++site) {
      if (is(site, "tensor.activation"))
        visit(site, values_[site]->definingOp()->stringAttr("function"));
    }
  };
  forEach([&](size_t site, const std::string& function) {
    const std::pair own(at(site, "exponent"), at(site, "key_exponent"));
    const auto it = shared.try_emplace(function, own).first;
    it->second.first = std::min(it->second.first, own.first);
    it->second.second = std::min(it->second.second, own.second);
  });
  forEach([&](size_t site, const std::string& function) {
    at(site, "exponent") = shared[function].first;
    at(site, "key_exponent") = shared[function].second;
  });
}

// The accumulator of a linear has one unit, so that all functions of it have keys of one exponent;
// with shared tables, so have then all others of the same functions. Exponents only fall, to values
// that are there: this ends.
void Chooser::alignKeys() {
  for (bool changed = true; changed;) {
    changed = false;
    std::map<std::string, int64_t> least;
    auto forEach = [&](auto visit) {
      for (size_t site = 0; site < values_.size(); ++site) {
        if (!is(site, "tensor.activation")) continue;
        const Op& op = *values_[site]->definingOp();
        int64_t& exponent = at(site, "key_exponent");
        visit(absl::StrCat("x", siteOf(rootOf(op.operand(0)))), exponent);
        if (options_.share_tables) visit(op.stringAttr("function"), exponent);
      }
    };
    forEach([&](const std::string& key, int64_t exponent) {
      const auto it = least.try_emplace(key, exponent).first;
      it->second = std::min(it->second, exponent);
    });
    forEach([&](const std::string& key, int64_t& exponent) {
      changed |= least[key] < exponent;
      exponent = std::min(exponent, least[key]);
    });
  }
}

std::optional<Chooser::Width> Chooser::widthOf(const Value* value) {
  auto& values = exponents_.sites[siteOf(rootOf(value))].values;
  const bool copied = values.contains("copy_exponent");
  const auto exponent = values.find(copied ? "copy_exponent" : "exponent"),
             bits = values.find(copied ? "copy_bits" : "bits");
  if (exponent == values.end() || bits == values.end()) return std::nullopt;
  return Width{exponent->second, bits->second};
}

// The requantization of P V shifts by P + fv - fo, which is 1 to 16, and less for results of 16
// bits: V is no finer than the result needs it, and the result no finer than V and P are. Returns
// whether that lowers one.
bool Chooser::limitMix(size_t site) {
  int64_t &value = at(siteOf(values_[site]->definingOp()->operand(2)), "exponent"),
          &out = at(site, "exponent");
  const int64_t before = value + out, most = std::min<int64_t>(16, 31 - at(site, "bits"));
  value = std::min(value, out + most - options_.probability_bits);
  const int64_t dropped = exponents_.sites[site].values.contains("input_bits")
                              ? options_.residual_bits - at(site, "input_bits")
                              : 0;
  out = std::min(out, value - dropped + options_.probability_bits - 1);
  return value + out < before;
}

// An elementwise product is rounded by 1 to 16 bits: factors no finer than its result needs them,
// and a result no finer than they are. Factors have 31 bits together (lowerMultiply). Returns
// whether that lowers one.
bool Chooser::limitProduct(size_t site) {
  const Op& op = *values_[site]->definingOp();
  if (standsAlone(op)) return false;  // by a constant
  std::optional<Width> factors[] = {widthOf(op.operand(0)), widthOf(op.operand(1))};
  if (!factors[0] || !factors[1]) return false;
  int64_t &a = factors[0]->exponent, &b = factors[1]->exponent, &out = at(site, "exponent");
  const int64_t before = a + b + out;
  // The factor that is no table's result, which others may share, and no probability.
  const size_t first = siteOf(rootOf(op.operand(0)));
  const unsigned second = is(first, "tensor.activation") || is(first, "tensor.softmax");
  Width& coarser = *factors[second];
  const int64_t wide = std::max<int64_t>(0, factors[0]->bits + factors[1]->bits - 31);
  // A copy keeps the bits of what it copies: the product's own rounding must drop them.
  const Op* maker = rootOf(op.operand(second))->definingOp();
  const bool copied = maker != nullptr && isCopy(*maker);
  if (!copied) {
    coarser.bits -= wide;
    coarser.exponent -= wide;
  }
  const int64_t most = std::min<int64_t>(16, 30 - at(site, "bits"));
  coarser.exponent -= std::max<int64_t>(0, a + b - out - most);
  out = std::min(out, a + b - 1 - (copied ? wide : 0));
  return a + b + out < before;
}

// A factor may be the result of a product or of an attention. Exponents only fall, until all fit.
void Chooser::limitProducts() {
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t site = 0; site < values_.size(); ++site) {
      if (is(site, "tensor.mul")) changed |= limitProduct(site);
      if (is(site, "tensor.attention")) changed |= limitMix(site);
    }
  }
}

absl::StatusOr<Exponents> Chooser::run() {
  if (calibration_.ranges.size() != values_.size()) {
    return absl::InvalidArgumentError("the calibration is of another function");
  }
  if (absl::Status status = checkOperands(function_); !status.ok()) return status;
  exponents_.weight_bits = options_.weight_bits;
  exponents_.least_weight_bits = options_.least_weight_bits;
  if (absl::Status status = classifyOps(); !status.ok()) return status;
  for (size_t site = 0; site < values_.size(); ++site) {
    if (is(site, "tensor.layernorm")) continue;
    if (is(site, "tensor.activation")) {
      if (absl::Status status = chooseActivation(site); !status.ok()) return status;
    } else if (absl::Status status = chooseStored(site); !status.ok()) {
      return status;
    }
  }
  holdWhole();
  chooseNormalizations();
  limitAddends();
  widened_ = widenStreams(function_, calibration_, residual_, options_, exponents_);
  limitScores();
  if (absl::Status status = chooseVariances(); !status.ok()) return status;
  if (options_.share_tables) shareActivations();
  chooseReaders();
  alignKeys();
  limitProducts();
  if (llvm::none_of(function_.body().ops(), standsAlone)) return std::move(exponents_);
  // Exponents only fall, and not below what is possible: this ends.
  do {
    limitNorms();
    limitAddends();
    limitScores();
    limitKeys();
    alignKeys();
    limitProducts();
  } while (limitGeneral(function_, exponents_));
  return std::move(exponents_);
}

}  // namespace

QuantizeOptions preciseOptions() {
  QuantizeOptions options;
  options.normalized_bits = options.activation_bits = 16;
  options.value_bits = 14;  // P V is below 2^30
  options.key_bits = 15;
  options.least_weight_bits = 14;
  options.least_row_units = 2048;
  options.share_tables = false;
  return options;
}

absl::StatusOr<Exponents> chooseExponents(const ir::Function& function,
                                          const Calibration& calibration,
                                          const QuantizeOptions& options) {
  const Calibration held = withWholeRanges(function, calibration);
  return Chooser(function, held, options).run();
}

}  // namespace lindero::passes

#include "passes/quantize/compare.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ir/integer/interpreter.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Format.h"
#include "passes/quantize/general.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

using ir::Value;
using ir::integer::IntArray;
using ir::tensor::Array;

// Real values of one run, by site or by integer value.
class FloatRecorder : public ir::tensor::Observer {
 public:
  explicit FloatRecorder(const ir::Function& function) {
    for (const Value* value : exponentSites(function)) sites_.try_emplace(value, sites_.size());
    values.resize(sites_.size());
  }
  void observe(const Value& value, const Array& array) override {
    const auto it = sites_.find(&value);
    if (it != sites_.end()) values[it->second] = array.reals;
  }
  std::vector<std::vector<double>> values;

 private:
  llvm::DenseMap<const Value*, size_t> sites_;
};

class IntegerRecorder : public ir::integer::Observer {
 public:
  explicit IntegerRecorder(llvm::ArrayRef<TensorRecord> records) {
    for (const TensorRecord& record : records) {
      if (record.site >= 0) values.try_emplace(record.value);
    }
  }
  void observe(const Value& value, const IntArray& array) override {
    const auto it = values.find(&value);
    if (it != values.end()) it->second = array.values;
  }
  llvm::DenseMap<const Value*, std::vector<int64_t>> values;
};

struct ErrorSum {
  double squares = 0, reference = 0, largest = 0;
  int64_t count = 0;
};

double readValue(const TensorRecord& record, size_t column, int64_t value) {
  double real = std::ldexp(static_cast<double>(value), -record.exponents[column]);
  if (!record.gamma.empty()) real *= record.gamma[column];
  if (!record.beta.empty()) real += record.beta[column];
  return real;
}

void addErrors(const TensorRecord& record, llvm::ArrayRef<double> reference,
               llvm::ArrayRef<int64_t> values, bool scores, ErrorSum& sum) {
  const size_t width = record.exponents.size();
  if (reference.size() != values.size() || width == 0) return;
  for (size_t i = 0; i < values.size(); ++i) {
    if (scores && reference[i] <= kMasked) continue;
    const double error = readValue(record, i % width, values[i]) - reference[i];
    sum.squares += error * error;
    sum.reference += reference[i] * reference[i];
    sum.largest = std::max(sum.largest, std::abs(error));
    ++sum.count;
  }
}

// log softmax, in place.
void normalizeLogits(std::vector<double>& row) {
  const double largest = *std::max_element(row.begin(), row.end());
  double total = 0;
  for (double logit : row) total += std::exp(logit - largest);
  for (double& logit : row) logit -= largest + std::log(total);
}

struct Totals {
  double divergence = 0, float_entropy = 0, integer_entropy = 0, cosines = 0;
  int64_t agreeing = 0, targets = 0;
};

void compareRow(std::vector<double> expected, std::vector<double> actual,
                std::optional<int64_t> target, Totals& totals, Comparison& comparison) {
  double dot = 0, left = 0, right = 0;
  for (size_t j = 0; j < expected.size(); ++j) {
    dot += expected[j] * actual[j];
    left += expected[j] * expected[j];
    right += actual[j] * actual[j];
    comparison.largest_error =
        std::max(comparison.largest_error, std::abs(expected[j] - actual[j]));
  }
  const double cosine = left > 0 && right > 0 ? dot / std::sqrt(left * right) : 1.0;
  totals.cosines += cosine;
  comparison.least_cosine = std::min(comparison.least_cosine, cosine);
  const auto best = [](const std::vector<double>& row) {
    return std::max_element(row.begin(), row.end()) - row.begin();
  };
  totals.agreeing += best(expected) == best(actual);
  normalizeLogits(expected);
  normalizeLogits(actual);
  for (size_t j = 0; j < expected.size(); ++j) {
    totals.divergence += std::exp(expected[j]) * (expected[j] - actual[j]);
  }
  if (target && *target >= 0 && *target < static_cast<int64_t>(expected.size())) {
    totals.float_entropy -= expected[*target];
    totals.integer_entropy -= actual[*target];
    ++totals.targets;
  }
  ++comparison.rows;
}

// The output that is compared: its index, or nothing.
std::optional<unsigned> comparedOutput(const ir::Function& source) {
  const ir::Op* end = source.body().terminator();
  for (unsigned i = 0; end != nullptr && i < end->numOperands(); ++i) {
    const ir::Type& type = end->operand(i)->type();
    if (type.element == ir::Element::kFloat && type.shape.size() == 2) return i;
  }
  return std::nullopt;
}

// The compared output by the reference, as many rows as the function has.
absl::StatusOr<Array> referenceRows(const ir::Function& source, unsigned output,
                                    const Sample& inputs, Reference reference) {
  const ir::Op* end = source.body().terminator();
  const auto* names =
      end->has("names") ? std::get_if<std::vector<std::string>>(end->find("names")) : nullptr;
  absl::StatusOr<Array> whole = reference(inputs, names ? (*names)[output] : std::string());
  if (!whole.ok()) return whole.status();
  const size_t elements = end->operand(output)->type().elements();
  if (whole->reals.size() < elements)
    return absl::InternalError("the reference's output has fewer elements than the function's");
  whole->reals.resize(elements);
  return whole;
}

absl::StatusOr<std::vector<IntArray>> runInteger(const ir::Function& integer, const Sample& inputs,
                                                 ir::integer::Observer* observer) {
  std::vector<IntArray> converted;
  for (size_t i = 0; i < inputs.size(); ++i) {
    absl::StatusOr<IntArray> one = toIntegerInput(inputs[i], *integer.body().arguments()[i]);
    if (!one.ok()) return one.status();
    converted.push_back(*std::move(one));
  }
  return ir::integer::interpret(integer, converted, observer);
}

}  // namespace

absl::StatusOr<IntArray> toIntegerInput(const Array& input, const Value& argument) {
  IntArray array{input.shape, input.integers};
  const ir::Type& type = argument.type();
  if (!input.isReal()) return array;
  for (double x : input.reals) {
    const double value = std::floor(std::ldexp(x, type.exponent) + 0.5);
    if (!(value >= static_cast<double>(type.low) && value <= static_cast<double>(type.high))) {
      return absl::OutOfRangeError(
          absl::StrCat("input ", argument.name().str(), ": ", x,
                       " is outside of the range that it was calibrated for, [",
                       std::ldexp(static_cast<double>(type.low), -type.exponent), ", ",
                       std::ldexp(static_cast<double>(type.high), -type.exponent), "]"));
    }
    array.values.push_back(static_cast<int64_t>(value));
  }
  return array;
}

std::vector<ComparisonSample> textSamples(llvm::ArrayRef<int64_t> ids, int64_t length) {
  std::vector<ComparisonSample> samples;
  for (; static_cast<int64_t>(ids.size()) > length; ids = ids.drop_front(length + 1)) {
    ComparisonSample sample;
    sample.inputs = {Array::integer({length}, ids.take_front(length).vec())};
    sample.targets = ids.slice(1, length).vec();
    samples.push_back(std::move(sample));
    if (static_cast<int64_t>(ids.size()) == length + 1) break;
  }
  return samples;
}

absl::Status checkSameReals(llvm::ArrayRef<double> expected, llvm::ArrayRef<double> actual) {
  if (expected.size() != actual.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(actual.size(), " elements instead of ", expected.size()));
  }
  double largest = 0;
  for (double x : expected) largest = std::isfinite(x) ? std::max(largest, std::abs(x)) : largest;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double a = expected[i], b = actual[i];
    const bool same = a == b || (std::isnan(a) && std::isnan(b)) ||
                      (std::isfinite(a) && std::abs(a - b) <= 1e-3 * largest);
    if (same) continue;
    return absl::InvalidArgumentError(absl::StrCat("element ", i, " is ", b, " instead of ", a));
  }
  return absl::OkStatus();
}

absl::StatusOr<Comparison> compareWithFloat(const ir::Function& source, const ir::Function& integer,
                                            llvm::ArrayRef<TensorRecord> records,
                                            llvm::ArrayRef<ComparisonSample> samples,
                                            Reference reference) {
  const std::optional<unsigned> output = comparedOutput(source);
  if (!output)
    return absl::InvalidArgumentError("the function has no float output with two axes to compare");
  const int exponent = integer.body().terminator()->operand(*output)->type().exponent;
  ir::tensor::Interpreter interpreter(source);
  Comparison comparison;
  Totals totals;
  std::vector<ErrorSum> errors(records.size());
  const std::vector<const Value*> sites = exponentSites(source);
  for (const ComparisonSample& sample : samples) {
    ++comparison.samples;
    FloatRecorder floats(source);
    absl::StatusOr<std::vector<Array>> expected = interpreter.run(sample.inputs, &floats);
    if (!expected.ok()) return expected.status();
    if (reference) {
      absl::StatusOr<Array> whole = referenceRows(source, *output, sample.inputs, reference);
      if (!whole.ok()) return whole.status();
      (*expected)[*output].reals = std::move(whole->reals);
    }
    IntegerRecorder integers(records);
    absl::StatusOr<std::vector<IntArray>> actual = runInteger(integer, sample.inputs, &integers);
    if (actual.status().code() == absl::StatusCode::kOutOfRange) {
      if (comparison.rejected++ == 0)
        comparison.first_rejection = std::string(actual.status().message());
      continue;
    }
    if (!actual.ok()) return actual.status();
    const Array& logits = (*expected)[*output];
    const int64_t rows = logits.shape[0], width = logits.shape[1];
    for (int64_t i = 0; i < rows; ++i) {
      const auto first = logits.reals.begin() + i * width;
      std::vector<double> real;
      for (int64_t j = 0; j < width; ++j) {
        real.push_back(
            std::ldexp(static_cast<double>((*actual)[*output].values[i * width + j]), -exponent));
      }
      const bool has_target = sample.targets.size() == static_cast<size_t>(rows);
      compareRow({first, first + width}, std::move(real),
                 has_target ? std::optional(sample.targets[i]) : std::nullopt, totals, comparison);
    }
    for (size_t i = 0; i < records.size(); ++i) {
      if (records[i].site < 0) continue;
      addErrors(records[i], floats.values[records[i].site], integers.values[records[i].value],
                isScores(*sites[records[i].site]), errors[i]);
    }
  }
  const double rows = static_cast<double>(std::max<int64_t>(comparison.rows, 1));
  comparison.top1_agreement = static_cast<double>(totals.agreeing) / rows;
  comparison.divergence = totals.divergence / rows;
  comparison.mean_cosine = totals.cosines / rows;
  if (totals.targets > 0) {
    comparison.float_perplexity =
        std::exp(totals.float_entropy / static_cast<double>(totals.targets));
    comparison.integer_perplexity =
        std::exp(totals.integer_entropy / static_cast<double>(totals.targets));
  }
  for (size_t i = 0; i < records.size(); ++i) {
    if (errors[i].count == 0) continue;
    const double count = static_cast<double>(errors[i].count);
    comparison.tensors.push_back(
        {records[i].role, records[i].node, std::sqrt(errors[i].squares / count),
         std::sqrt(errors[i].squares / std::max(errors[i].reference, 1e-300)), errors[i].largest});
  }
  return comparison;
}

void print(const Comparison& comparison, llvm::raw_ostream& os) {
  os << comparison.rows << " rows of " << comparison.samples - comparison.rejected
     << " samples compared";
  if (comparison.rejected > 0) {
    os << "; " << comparison.rejected << " refused, the first because of "
       << comparison.first_rejection;
  }
  os << llvm::format("\ntop-1 agreement   %.3f %%\n", 100 * comparison.top1_agreement);
  if (comparison.float_perplexity > 0) {
    os << llvm::format("perplexity        %.4f -> %.4f (%+.3f %%)\n", comparison.float_perplexity,
                       comparison.integer_perplexity, 100 * comparison.perplexityChange());
  }
  os << llvm::format("divergence        %.2e nats\n", comparison.divergence);
  os << llvm::format("cosine            mean %.6f, least %.6f\n", comparison.mean_cosine,
                     comparison.least_cosine);
  os << llvm::format("largest error     %.4g\n\n", comparison.largest_error);
  os << "relative error  largest error  role          node\n";
  for (const TensorError& tensor : comparison.tensors) {
    os << llvm::format("%14.2e  %13.2e  %-12s  ", tensor.relative_rms, tensor.largest,
                       tensor.role.c_str())
       << tensor.node << '\n';
  }
}

}  // namespace lindero::passes

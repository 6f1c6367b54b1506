#include "passes/quantize/compare.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "ir/integer/interpreter.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/quantize/choices.h"
#include "passes/quantize/masks.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

using ir::Value;
using ir::integer::IntArray;
using ir::tensor::Array;

// Real values of one run, by site.
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

struct ErrorSum {
  double squares = 0, reference = 0, largest = 0, masks = 0;
  int64_t count = 0;
  std::vector<RowFigures> rows;
};

double readValue(const TensorRecord& record, size_t column, int64_t value) {
  double real = std::ldexp(static_cast<double>(value), -record.exponents[column]);
  if (!record.gamma.empty()) real *= record.gamma[column];
  if (!record.beta.empty()) real += record.beta[column];
  return real;
}

void addErrors(const TensorRecord& record, llvm::ArrayRef<double> reference,
               llvm::ArrayRef<int64_t> values, bool scores, llvm::ArrayRef<double> masks,
               ErrorSum& sum) {
  const size_t width = record.exponents.size();
  if (reference.size() != values.size() || width == 0) return;
  std::vector<double> expected, actual;  // of a row, but for its masked scores
  for (size_t i = 0; i < values.size(); ++i) {
    const bool masked = (scores && reference[i] <= kMasked) || (!masks.empty() && masks[i] < 0);
    if (!masked) {
      const double value = readValue(record, i % width, values[i]);
      expected.push_back(reference[i]), actual.push_back(value);
      const double error = value - reference[i];
      sum.squares += error * error;
      sum.reference += reference[i] * reference[i];
      sum.largest = std::max(sum.largest, std::abs(error));
      ++sum.count;
    }
    if ((i + 1) % width != 0) continue;
    sum.rows.push_back(measureBelowMasks(expected, actual));
    if (const double level = maskLevel(expected); std::isfinite(level))
      sum.masks = std::max(sum.masks, level);
    expected.clear(), actual.clear();
  }
}

// Rows with masks in which two or more elements are open, and hardly anything is left of these.
int64_t lostRows(const TensorRecord& record, llvm::ArrayRef<double> reference,
                 llvm::ArrayRef<int64_t> values, llvm::ArrayRef<double> masks) {
  constexpr double kLost = 0.5;
  const size_t width = record.exponents.size();
  if (reference.size() != values.size() || width == 0 || !masks.empty()) return 0;
  int64_t lost = 0;
  for (size_t first = 0; first + width <= values.size(); first += width) {
    const llvm::ArrayRef<double> row = reference.slice(first, width);
    const double level = maskLevel(row);
    if (std::isinf(level)) continue;
    double squares = 0, errors = 0;
    int64_t open = 0;
    for (size_t i = 0; i < width; ++i) {
      if (!(std::abs(row[i]) < level)) continue;
      const double error = readValue(record, i, values[first + i]) - row[i];
      ++open, squares += row[i] * row[i], errors += error * error;
    }
    lost += open > 1 && squares > 0 && errors >= kLost * kLost * squares;
  }
  return lost;
}

// Is the choice one of the value, perhaps of its negative, between bounds, or in other places?
bool comesFrom(const Value* choice, const Value& value) {
  while (choice != nullptr && choice != &value) {
    const ir::Op* op = choice->definingOp();
    const bool follows =
        op != nullptr && (op->is("tensor.neg") || op->is("tensor.min") || op->is("tensor.max") ||
                          op->is("tensor.activation") || op->is("tensor.within") || copiesOne(*op));
    choice = follows ? op->operand(0) : nullptr;
  }
  return choice != nullptr;
}

// log softmax, in place.
void normalizeLogits(std::vector<double>& row) {
  const double largest = *std::max_element(row.begin(), row.end());
  double total = 0;
  for (double logit : row) total += std::exp(logit - largest);
  for (double& logit : row) logit -= largest + std::log(total);
}

struct Totals {
  double divergence = 0, float_entropy = 0, integer_entropy = 0;
  int64_t agreeing = 0, targets = 0;
};

// A row of scores of which one is chosen.
void comparePrediction(std::vector<double> expected, std::vector<double> actual,
                       std::optional<int64_t> target, Totals& totals, Comparison& comparison) {
  for (size_t j = 0; j < expected.size(); ++j) {
    comparison.largest_error =
        std::max(comparison.largest_error, std::abs(expected[j] - actual[j]));
  }
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

std::vector<std::string> namesOf(const ir::Function& function) {
  const ir::Op* end = function.body().terminator();
  if (end->has("names")) return std::get<std::vector<std::string>>(*end->find("names"));
  std::vector<std::string> names;
  for (unsigned i = 0; i < end->numOperands(); ++i) names.push_back(absl::StrCat("output", i));
  return names;
}

// Integers and truth values that lower-logic computes are whole reals.
void makeReal(Array& array) {
  array.reals.assign(array.integers.begin(), array.integers.end());
  array.integers.clear();
  array.element = ir::Element::kFloat;
}

// The outputs by the reference, as many elements of each as the function has, all of its kind.
absl::Status takeReference(const ir::Function& source, std::vector<Array> whole,
                           std::vector<Array>& outputs, std::vector<bool>& were_integers) {
  const std::vector<std::string> names = namesOf(source);
  for (size_t i = 0; i < outputs.size(); ++i) {
    Array& one = whole[i];
    const size_t wanted = outputs[i].elements();
    const size_t given = one.isReal() ? one.reals.size() : one.integers.size();
    were_integers[i] = outputs[i].isReal() && !one.isReal();
    if (were_integers[i]) makeReal(one);
    if (one.isReal() != outputs[i].isReal() || given < wanted) {
      return absl::InternalError(
          absl::StrCat("output '", names[i], "' is another one by the reference"));
    }
    if (given > wanted) one.shape = outputs[i].shape;
    (one.isReal() ? (void)one.reals.resize(wanted) : (void)one.integers.resize(wanted));
    outputs[i] = std::move(one);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<IntArray>> toIntegerInputs(const Sample& inputs,
                                                      const ir::Function& integer) {
  std::vector<IntArray> converted;
  for (auto [input, argument] : llvm::zip(inputs, integer.body().arguments())) {
    absl::StatusOr<IntArray> one = toIntegerInput(input, *argument);
    if (!one.ok()) return one.status();
    converted.push_back(*std::move(one));
  }
  return converted;
}

// What ArgMax chose from, for each output that is its indices; null for the others.
class ChoiceRecorder : public FloatRecorder {
 public:
  ChoiceRecorder(const ir::Function& function, llvm::ArrayRef<const Value*> choices)
      : FloatRecorder(function), choices_(choices), scores(choices.size()) {}
  void observe(const Value& value, const Array& array) override {
    FloatRecorder::observe(value, array);
    for (size_t i = 0; i < choices_.size(); ++i)
      if (choices_[i] == &value) scores[i] = array;
  }

 private:
  llvm::ArrayRef<const Value*> choices_;

 public:
  std::vector<Array> scores;
};

class Comparer {
  // The integers of one run, as they are computed, against the reals of the same.
  class ErrorObserver : public ir::integer::Observer {
   public:
    ErrorObserver(Comparer& comparer, llvm::ArrayRef<std::vector<double>> reals)
        : comparer_(comparer), reals_(reals) {}
    void observe(const Value& value, const IntArray& array) override {
      for (size_t i : comparer_.records_of_.lookup(&value)) {
        const TensorRecord& record = comparer_.records_[i];
        const Value& site = *comparer_.sites_[record.site];
        Masks& masks = comparer_.masks_;
        addErrors(record, reals_[record.site], array.values, masks.hides(site), masks.of(site),
                  comparer_.errors_[i]);
        for (auto [output, choice] : llvm::zip(comparer_.found_.outputs, comparer_.choices_))
          if (comesFrom(choice, site))
            output.lost_rows += lostRows(record, reals_[record.site], array.values, masks.of(site));
      }
    }

   private:
    Comparer& comparer_;
    llvm::ArrayRef<std::vector<double>> reals_;
  };

 public:
  Comparer(const ir::Function& source, const ir::Function& integer,
           llvm::ArrayRef<TensorRecord> records, Reference reference, Reference rounded)
      : source_(source),
        integer_(integer),
        records_(records),
        reference_(reference),
        rounded_(rounded),
        interpreter_(source),
        sites_(exponentSites(source)),
        errors_(records.size()) {
    const ir::Op* end = source.body().terminator();
    for (const std::string& name : namesOf(source)) {
      const Value* output = end->operand(found_.outputs.size());
      found_.outputs.push_back({.name = name});
      choices_.push_back(choiceOf(*output));
    }
    rows_.resize(found_.outputs.size());
    if (rounded_) found_.rounded = found_.outputs;
    rounded_rows_.resize(found_.outputs.size());
    for (size_t i = 0; i < records.size(); ++i)
      if (records[i].site >= 0) records_of_[records[i].value].push_back(i);
  }

  // What each keeps of the float model lives until the integers are compared with it.
  size_t atATime() const {
    int64_t kept = 0;
    for (const Value* site : sites_) kept += site->type().elements();
    return samplesAtATime(source_, kept);
  }

  // Samples that go through the programs together. Where the integers refuse one, each goes alone,
  // so that the others count.
  absl::Status add(llvm::ArrayRef<ComparisonSample> samples) {
    std::vector<ChoiceRecorder> floats(samples.size(), ChoiceRecorder(source_, choices_));
    IR_ASSIGN_OR_RETURN(std::vector<std::vector<Array>> expected, runFloats(samples, floats));
    std::vector<ErrorSum> before = errors_;
    const auto actual = runIntegers(samples, floats);
    if (actual.status().code() == absl::StatusCode::kOutOfRange) {
      errors_ = std::move(before);
      return samples.size() == 1 ? reject(actual.status()) : addEach(samples);
    }
    if (!actual.ok()) return actual.status();
    found_.samples += static_cast<int64_t>(samples.size());
    std::vector<std::vector<bool>> whole(samples.size());
    for (auto [outputs, flags] : llvm::zip(expected, whole)) flags.resize(outputs.size());
    if (reference_) {
      IR_ASSIGN_OR_RETURN(auto given, reference_(samples, namesOf(source_)));
      for (size_t i = 0; i < samples.size(); ++i)
        IR_RETURN_IF_ERROR(takeReference(source_, std::move(given[i]), expected[i], whole[i]));
    }
    if (rounded_) {
      IR_ASSIGN_OR_RETURN(auto single, rounded_(samples, namesOf(source_)));
      for (size_t i = 0; i < samples.size(); ++i)
        IR_RETURN_IF_ERROR(addRounded(expected[i], std::move(single[i]), floats[i].scores));
    }
    for (size_t i = 0; i < samples.size(); ++i)
      addOutputs(expected[i], (*actual)[i], whole[i], floats[i].scores, samples[i]);
    return absl::OkStatus();
  }

  Comparison finish() {
    std::vector<RowFigures> all;
    double cosines = 0;
    int64_t rows = 0;
    for (auto [output, figures] : llvm::zip(found_.outputs, rows_)) {
      output.rows = summarize(figures);
      if (output.rows.rows == 0) continue;
      rows += output.rows.rows;
      cosines += output.rows.mean_cosine * static_cast<double>(output.rows.rows);
      found_.least_cosine = std::min(found_.least_cosine, output.rows.least_cosine);
      found_.largest_row_error = std::max(found_.largest_row_error, output.rows.largest_error);
    }
    for (auto [output, figures] : llvm::zip(found_.rounded, rounded_rows_)) {
      output.rows = summarize(figures);
      output.rows.other_rows = 0;  // in double precision, too
    }
    if (rows > 0) found_.mean_cosine = cosines / static_cast<double>(rows);
    finishPredictions();
    for (size_t i = 0; i < records_.size(); ++i) {
      const ErrorSum& sum = errors_[i];
      if (sum.count == 0) continue;
      const double count = static_cast<double>(sum.count);
      found_.tensors.push_back({records_[i].role, records_[i].node, std::sqrt(sum.squares / count),
                                std::sqrt(sum.squares / std::max(sum.reference, 1e-300)),
                                sum.largest, summarize(sum.rows), sum.masks});
    }
    return std::move(found_);
  }

 private:
  absl::Status addEach(llvm::ArrayRef<ComparisonSample> samples) {
    for (const ComparisonSample& sample : samples) IR_RETURN_IF_ERROR(add(sample));
    return absl::OkStatus();
  }

  absl::Status reject(const absl::Status& refusal) {
    ++found_.samples;
    if (found_.rejected++ == 0) found_.first_rejection = std::string(refusal.message());
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::vector<Array>>> runFloats(
      llvm::ArrayRef<ComparisonSample> samples, std::vector<ChoiceRecorder>& recorders) {
    std::vector<llvm::ArrayRef<Array>> inputs;
    for (const ComparisonSample& sample : samples) inputs.push_back(sample.inputs);
    std::vector<ir::tensor::Observer*> observers;
    for (ChoiceRecorder& recorder : recorders) observers.push_back(&recorder);
    return interpreter_.runAll(inputs, observers);
  }

  // Errors are added up as the values are computed: those of a tensor sample by sample.
  absl::StatusOr<std::vector<std::vector<IntArray>>> runIntegers(
      llvm::ArrayRef<ComparisonSample> samples, llvm::ArrayRef<ChoiceRecorder> floats) {
    std::vector<std::vector<IntArray>> inputs;
    std::vector<ErrorObserver> errors;
    for (auto [sample, reals] : llvm::zip(samples, floats)) {
      IR_ASSIGN_OR_RETURN(inputs.emplace_back(), toIntegerInputs(sample.inputs, integer_));
      errors.emplace_back(*this, reals.values);
    }
    std::vector<ir::integer::Observer*> observers;
    for (ErrorObserver& one : errors) observers.push_back(&one);
    std::vector<std::vector<IntArray>> outputs;
    for (auto& run : ir::integer::interpretAll(integer_, inputs, observers)) {
      if (!run.ok()) return run.status();
      outputs.push_back(*std::move(run));
    }
    return outputs;
  }

  void addOutputs(llvm::ArrayRef<Array> expected, llvm::ArrayRef<IntArray> actual,
                  const std::vector<bool>& whole, llvm::ArrayRef<Array> scores,
                  const ComparisonSample& sample) {
    for (size_t i = 0; i < expected.size(); ++i) {
      const Array& output = expected[i];
      found_.outputs[i].shape.assign(output.shape.begin(), output.shape.end());
      found_.outputs[i].real = output.isReal() && !whole[i];
      if (whole[i]) {
        addWhole(i, output, actual[i], scores[i]);
      } else {
        output.isReal() ? addReals(i, output, actual[i], sample)
                        : addIntegers(i, output, actual[i], scores[i]);
      }
    }
  }

  void addReals(size_t index, const Array& expected, const IntArray& actual,
                const ComparisonSample& sample) {
    const int exponent = integer_.body().terminator()->operand(index)->type().exponent;
    const int64_t width = rowWidth(expected.shape), rows = expected.elements() / width;
    OutputComparison& output = found_.outputs[index];
    output.rows_per_sample = rows;
    if (predictions_ < 0 && width > 1) predictions_ = static_cast<int64_t>(index);
    const bool predicts = predictions_ == static_cast<int64_t>(index);
    const bool has_targets = sample.targets.size() == static_cast<size_t>(rows);
    for (int64_t i = 0; i < rows; ++i) {
      const auto first = expected.reals.begin() + i * width;
      std::vector<double> real(width);
      for (int64_t j = 0; j < width; ++j)
        real[j] = std::ldexp(static_cast<double>(actual.values[i * width + j]), -exponent);
      rows_[index].push_back(measureBelowMasks({&*first, static_cast<size_t>(width)}, real));
      if (!predicts || !rows_[index].back().finite) continue;
      comparePrediction({first, first + width}, std::move(real),
                        has_targets ? std::optional(sample.targets[i]) : std::nullopt, totals_,
                        found_);
    }
  }

  void addIntegers(size_t index, const Array& expected, const IntArray& actual,
                   const Array& scores) {
    OutputComparison& output = found_.outputs[index];
    const auto count = static_cast<int64_t>(expected.integers.size());
    for (int64_t i = 0; i < count; ++i) {
      const int64_t got = actual.values[i];
      if (got != expected.integers[i]) addOther(output, i, asGood(scores, i, got));
    }
    output.elements += count;
    output.rows_per_sample = count;
  }

  // The reference in single precision against the same in double.
  absl::Status addRounded(llvm::ArrayRef<Array> expected, std::vector<Array> whole,
                          llvm::ArrayRef<Array> scores) {
    std::vector<Array> rounded(expected.begin(), expected.end());
    std::vector<bool> were_integers(expected.size());
    IR_RETURN_IF_ERROR(takeReference(source_, std::move(whole), rounded, were_integers));
    for (size_t i = 0; i < expected.size(); ++i) {
      const Array &exact = expected[i], &single = rounded[i];
      OutputComparison& output = found_.rounded[i];
      output.real = exact.isReal() && !were_integers[i];
      const int64_t count = exact.elements();
      if (output.real) {
        const int64_t width = rowWidth(exact.shape);
        output.rows_per_sample = width == 0 ? 0 : count / width;
        for (int64_t first = 0; first < count; first += width)
          rounded_rows_[i].push_back(
              measureBelowMasks(llvm::ArrayRef<double>(exact.reals).slice(first, width),
                                llvm::ArrayRef<double>(single.reals).slice(first, width)));
        continue;
      }
      for (int64_t j = 0; j < count; ++j) {
        if (exact.isReal() ? exact.reals[j] == single.reals[j]
                           : exact.integers[j] == single.integers[j])
          continue;
        addOther(output, j,
                 exact.isReal() ? isClose(scores[i], j) : asGood(scores[i], j, single.integers[j]));
      }
      output.elements += count;
      output.rows_per_sample = count;
    }
    return absl::OkStatus();
  }

  // Before the sample's elements are counted.
  static void addOther(OutputComparison& output, int64_t element, bool as_good) {
    if (as_good) {
      ++output.close;
    } else if (output.unequal++ == 0) {
      output.first_unequal = output.elements + element;
    }
  }

  // Integers and truth values of the graph, which the program holds as reals.
  void addWhole(size_t index, const Array& expected, const IntArray& actual,
                const Array& differences) {
    const int exponent = integer_.body().terminator()->operand(index)->type().exponent;
    OutputComparison& output = found_.outputs[index];
    const auto count = static_cast<int64_t>(expected.reals.size());
    for (int64_t i = 0; i < count; ++i) {
      const double got = std::ldexp(static_cast<double>(actual.values[i]), -exponent);
      if (got != expected.reals[i]) addOther(output, i, isClose(differences, i));
    }
    output.elements += count;
    output.rows_per_sample = count;
  }

  void finishPredictions() {
    if (found_.rows > 0) {
      const double rows = static_cast<double>(found_.rows);
      found_.top1_agreement = static_cast<double>(totals_.agreeing) / rows;
      found_.divergence = totals_.divergence / rows;
    }
    if (totals_.targets == 0) return;
    const double targets = static_cast<double>(totals_.targets);
    found_.float_perplexity = std::exp(totals_.float_entropy / targets);
    found_.integer_perplexity = std::exp(totals_.integer_entropy / targets);
  }

  const ir::Function& source_;
  const ir::Function& integer_;
  llvm::ArrayRef<TensorRecord> records_;
  Reference reference_, rounded_;
  ir::tensor::Interpreter interpreter_;
  std::vector<const Value*> choices_;
  Comparison found_;
  Totals totals_;
  int64_t predictions_ = -1;  // the output that comparePrediction looks at
  std::vector<std::vector<RowFigures>> rows_, rounded_rows_;
  const std::vector<const Value*> sites_;
  llvm::DenseMap<const Value*, llvm::SmallVector<size_t, 1>> records_of_;
  std::vector<ErrorSum> errors_;  // by record
  Masks masks_;
};

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
                                            Reference reference, Reference rounded) {
  Comparer comparer(source, integer, records, reference, rounded);
  const size_t most = comparer.atATime();
  for (size_t first = 0; first < samples.size(); first += most)
    IR_RETURN_IF_ERROR(comparer.add(samples.slice(first).take_front(most)));
  return comparer.finish();
}

}  // namespace lindero::passes

#include "passes/quantize/calibrate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ir/core/live_values.h"
#include "ir/core/op_table.h"
#include "ir/core/problems.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/expression.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Parallel.h"
#include "passes/quantize/general.h"
#include "passes/quantize/masks.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

const Op* layerNormReader(const Value& value) {
  const auto it =
      llvm::find_if(value.users(), [](const Op* op) { return op->is("tensor.layernorm"); });
  return it == value.users().end() ? nullptr : *it;
}

void raise(std::vector<double>& largest, size_t column, double value) {
  largest[column] = std::max(largest[column], std::abs(value));
}

void measureRow(llvm::ArrayRef<double> row, const Op& norm, TensorRange& range) {
  const double n = static_cast<double>(row.size());
  const bool has_mean = !norm.has("has_mean") || norm.boolAttr("has_mean");
  const double mean = has_mean ? std::accumulate(row.begin(), row.end(), 0.0) / n : 0.0;
  double squares = 0, largest = 0;
  for (double x : row) {
    squares += (x - mean) * (x - mean);
    largest = std::max(largest, std::abs(x - mean));
  }
  range.square_sum = std::max(range.square_sum, squares);
  const double deviation = std::sqrt(squares / n + norm.floatAttr("epsilon"));
  // What rounding leaves of equal elements is not a deviation.
  if (largest > 1e-12 * std::abs(mean)) {
    range.least_deviation = std::min(range.least_deviation, deviation);
    range.largest_crest = std::max(range.largest_crest, squares / (largest * largest));
  }
  range.deviations.resize(row.size());
  range.normalized.resize(row.size());
  for (size_t i = 0; i < row.size(); ++i) {
    raise(range.deviations, i, row[i] - mean);
    raise(range.normalized, i, (row[i] - mean) / deviation);
  }
}

class RangeObserver : public ir::tensor::Observer {
 public:
  RangeObserver(const ir::Function& function, Calibration& calibration)
      : calibration_(calibration) {
    for (const Value* value : exponentSites(function)) sites_.try_emplace(value, sites_.size());
    calibration_.ranges.resize(sites_.size());
  }

  void observe(const Value& value, const Array& array) override {
    const auto it = sites_.find(&value);
    if (it == sites_.end() || !array.isReal() || array.elements() == 0) return;
    TensorRange& range = calibration_.ranges[it->second];
    const size_t width = array.shape.empty() ? 1 : array.shape.back();
    const bool scores = masks_.hides(value);
    const std::vector<double>& masks = masks_.of(value);
    const Op* norm = layerNormReader(value);
    range.channels.resize(width);
    for (size_t first = 0; first < array.reals.size(); first += width) {
      const llvm::ArrayRef<double> row(array.reals.data() + first, width);
      for (size_t i = 0; i < width; ++i) {
        if (!masks.empty() && masks[first + i] < 0) continue;
        if (scores && row[i] <= kMasked) continue;  // however little it is
        finite_ &= std::isfinite(row[i]);
        raise(range.channels, i, row[i]);
        if (first == 0)
          range.first_row_largest = std::max(range.first_row_largest, std::abs(row[i]));
      }
      if (norm != nullptr) measureRow(row, *norm, range);
    }
    for (double largest : range.channels) range.largest = std::max(range.largest, largest);
    if (!finite_ && offender_ == nullptr) offender_ = &value;
  }

  // The first value that was infinite or not a number, if any.
  const Value* offender() const { return offender_; }

 private:
  Calibration& calibration_;
  Masks masks_;
  llvm::DenseMap<const Value*, size_t> sites_;
  bool finite_ = true;
  const Value* offender_ = nullptr;
};

// SplitMix64: the same stream everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

 private:
  uint64_t state_;
};

// An integer input that is computed with, if the argument is one.
const Op* numberReader(const Value& argument) {
  const auto it = llvm::find_if(argument.users(), [](const Op* op) { return isNumber(*op); });
  return it == argument.users().end() ? nullptr : *it;
}

// Small ones.
void fillNumbers(const Op& reader, Random& random, Array& numbers) {
  constexpr int64_t kMost = 100;
  const int64_t low = std::max(-kMost, reader.intAttr("low")),
                high = std::min(kMost, reader.intAttr("high"));
  for (int64_t& x : numbers.integers)
    x = low + static_cast<int64_t>(random.next() % static_cast<uint64_t>(high - low + 1));
}

// How many ids there are: the rows of the smallest table that the argument looks up.
absl::StatusOr<int64_t> vocabulary(const Value& ids) {
  std::optional<int64_t> least;
  for (const Op* op : ids.users()) {
    if (!op->is("tensor.embedding") || op->operand(0) != &ids) continue;
    const int64_t rows = op->operand(1)->type().shape[0];
    least = std::min(rows, least.value_or(rows));
  }
  if (least) return *least;
  return absl::InvalidArgumentError(
      absl::StrCat("argument ", ids.name().str(),
                   " is not looked up in an embedding: give inputs to calibrate with"));
}

// Ones, as a mask that hides nothing; then, where the sample is an odd one, zeros to the end of
// each row from a random element on, as a mask of padding does. The first element is one. Where one
// hides, the other way round.
void fillMask(bool whole, bool one_hides, Random& random, Array& mask) {
  std::vector<int64_t> elements(mask.elements(), one_hides ? 0 : 1);
  const auto width = static_cast<uint64_t>(mask.shape.empty() ? 1 : mask.shape.back());
  for (size_t first = 0; first < elements.size() && !whole && width > 1; first += width) {
    for (size_t i = 1 + random.next() % width; i < width; ++i)
      elements[first + i] = one_hides ? 1 : 0;
  }
  if (mask.isReal()) {
    mask.reals.assign(elements.begin(), elements.end());
  } else {
    mask.integers = std::move(elements);
  }
}

// Counts what masks leave open.
class OpenElements : public ir::tensor::Observer {
 public:
  void observe(const Value& value, const Array& array) override {
    const bool opens = llvm::any_of(value.users(), [&](const Op* op) {
      return op->is("tensor.mask") && op->operand(1) == &value;
    });
    const bool scores =
        llvm::any_of(value.users(), [](const Op* op) { return op->is("tensor.softmax"); });
    for (double x : array.reals) count_ += (opens && x > 0) || (scores && x > kMasked);
  }
  int64_t count() const { return count_; }

 private:
  int64_t count_ = 0;
};

// The masks that hide where they are one: zeros leave more open than ones.
std::set<size_t> hidingByOne(const ir::Function& function, Sample sample,
                             const std::vector<size_t>& masks) {
  Random unused(0);
  auto open = [&](size_t mask, bool one_hides) {
    fillMask(/*whole=*/true, one_hides, unused, sample[mask]);
    OpenElements elements;
    const bool runs = ir::tensor::interpret(function, sample, &elements).ok();
    return runs ? elements.count() : -1;
  };
  std::set<size_t> hiding;
  for (size_t mask : masks) {
    const int64_t by_ones = open(mask, false), by_zeros = open(mask, true);
    if (by_zeros > by_ones) {
      hiding.insert(mask);
    } else {
      fillMask(/*whole=*/true, false, unused, sample[mask]);
    }
  }
  return hiding;
}

// Do all that read the reals only tell numbers around 0 from numbers around 1?
bool tellsZeroFromOne(const Value& argument) {
  const auto tells = [](const Op* op) {
    if (!op->is("tensor.activation")) return false;
    const auto function = ir::tensor::Expression::parse(op->stringAttr("function"));
    if (!function.ok()) return false;
    const std::vector<double> x = {0, 1, -2, 0.25, 0.75, 3.5};
    std::vector<double> y(x.size());
    function->evaluate(x, y);
    return y[0] != y[1] && llvm::all_of(y, [&](double z) { return z == y[0] || z == y[1]; });
  };
  return argument.type().element == ir::Element::kFloat && !argument.users().empty() &&
         llvm::all_of(argument.users(), tells);
}

// Is the input one of 0 and 1?
bool isMask(const Value& argument) {
  if (argument.type().element == ir::Element::kFloat) return tellsZeroFromOne(argument);
  if (argument.users().empty() || numberReader(argument) != nullptr) return false;
  const absl::StatusOr<int64_t> ids = vocabulary(argument);
  return ids.ok() && *ids == 2;
}

// What an input that is no mask may be.
absl::StatusOr<Array> drawInput(const Value& argument, Random& random) {
  Array array = Array::zeros(argument.type().element, argument.type().shape);
  for (double& x : array.reals) x = random.normal();
  if (array.isReal()) return array;
  if (argument.users().empty()) {
    fillMask(/*whole=*/true, /*one_hides=*/false, random, array);
  } else if (const Op* reader = numberReader(argument); reader != nullptr) {
    fillNumbers(*reader, random, array);
  } else {
    IR_ASSIGN_OR_RETURN(const int64_t ids, vocabulary(argument));
    for (int64_t& id : array.integers)
      id = static_cast<int64_t>(random.next() % static_cast<uint64_t>(ids));
  }
  return array;
}

// An index drawn with the probabilities softmax(logits).
int64_t draw(llvm::ArrayRef<double> logits, double uniform) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (double logit : logits) total += std::exp(logit - largest);
  double rest = uniform * total;
  for (size_t i = 0; i < logits.size(); ++i) {
    rest -= std::exp(logits[i] - largest);
    if (rest < 0) return static_cast<int64_t>(i);
  }
  return static_cast<int64_t>(logits.size()) - 1;
}

// The output that predicts the next id at every position, if the function has one: [T, vocabulary].
std::optional<size_t> predictionOf(const ir::Function& function, int64_t positions, int64_t ids) {
  const Op* end = function.body().terminator();
  for (unsigned i = 0; i < end->numOperands(); ++i) {
    const ir::Type& type = end->operand(i)->type();
    if (type.element == ir::Element::kFloat && type.shape.size() == 2 &&
        type.shape[0] == positions && type.shape[1] == ids) {
      return i;
    }
  }
  return std::nullopt;
}

bool readsReals(const ir::Function& function) {
  return llvm::any_of(function.body().arguments(), [](const auto& argument) {
    return argument->type().element == ir::Element::kFloat;
  });
}

bool isDefinedFor(const ir::Function& function, const Sample& sample) {
  const absl::StatusOr<std::vector<Array>> outputs = ir::tensor::interpret(function, sample);
  return outputs.ok() && llvm::all_of(*outputs, [](const Array& output) {
           return llvm::all_of(output.reals, [](double x) { return std::isfinite(x); });
         });
}

// Does the function refuse masks that leave fewer than some elements open, two or more (TopK)?
bool needsOpen(const ir::Function& function) {
  constexpr llvm::StringLiteral kEnough = "reciprocal(where(greater(x, ";
  return llvm::any_of(function.body().ops(), [&](const Op& op) {
    if (!op.is("tensor.activation")) return false;
    llvm::StringRef text = op.stringAttr("function");
    return text.consume_front(kEnough) && !text.starts_with("0)");
  });
}

bool givesNumbers(const ir::Function& function, const Sample& sample) {
  Calibration scratch;
  RangeObserver observer(function, scratch);
  return ir::tensor::interpret(function, sample, &observer).ok() && observer.offender() == nullptr;
}

// Of roots and logarithms, they may be what the function is for.
void takeMagnitudes(std::vector<Sample>& samples) {
  for (Sample& sample : samples) {
    for (Array& array : sample)
      for (double& x : array.reals) x = std::abs(x);
  }
}

absl::StatusOr<std::vector<std::vector<Array>>> runAll(ir::tensor::Interpreter& interpreter,
                                                       llvm::ArrayRef<Sample> samples,
                                                       ir::tensor::Observer* observer = nullptr) {
  const std::vector<llvm::ArrayRef<Array>> inputs(samples.begin(), samples.end());
  const std::vector<ir::tensor::Observer*> observers(observer == nullptr ? 0 : samples.size(),
                                                     observer);
  return interpreter.runAll(inputs, observers);
}

// Of weights with elements: some seconds' work.
constexpr int64_t kAffordable = int64_t{1} << 35;

// Replaces the ids of all samples but their first quarter by what is drawn from the predictions.
absl::Status drawPredictions(const ir::Function& function, size_t prediction, Random& random,
                             int rounds, std::vector<Sample>& samples) {
  const llvm::ArrayRef<int64_t> shape =
      function.body().terminator()->operand(prediction)->type().shape;
  const int64_t positions = shape[0], ids = shape[1], first_drawn = positions / 4 + 1;
  const size_t drawn = static_cast<size_t>(std::max<int64_t>(positions - first_drawn, 0));
  // Sample by sample, so that they do not depend on what runs side by side.
  std::vector<double> uniform(samples.size() * rounds * drawn);
  for (double& number : uniform) number = random.uniform();
  ir::tensor::Interpreter interpreter(function);
  const size_t most = samplesAtATime(function);
  for (size_t first = 0; first < samples.size(); first += most) {
    const auto some = llvm::MutableArrayRef<Sample>(samples).slice(first).take_front(most);
    for (int round = 0; round < rounds; ++round) {
      auto outputs = runAll(interpreter, some);
      if (!outputs.ok()) return outputs.status();
      llvm::parallelFor(0, some.size(), [&](size_t i) {
        const double* numbers = uniform.data() + ((first + i) * rounds + round) * drawn;
        const double* logits = (*outputs)[i][prediction].reals.data();
        for (size_t k = 0; k < drawn; ++k) {
          const int64_t position = first_drawn + static_cast<int64_t>(k);
          some[i][0].integers[position] =
              draw({logits + (position - 1) * ids, static_cast<size_t>(ids)}, numbers[k]);
        }
      });
    }
  }
  return absl::OkStatus();
}

// The error of the first sample from this one on that has any: one by one, side by side the samples
// are not told apart.
absl::Status nameOffender(const ir::Function& function, llvm::ArrayRef<Sample> samples,
                          size_t first) {
  Calibration unused;
  RangeObserver observer(function, unused);
  ir::tensor::Interpreter interpreter(function);
  for (size_t i = first; i < samples.size(); ++i) {
    const absl::Status status = interpreter.run(samples[i], &observer).status();
    if (!status.ok()) {
      return ir::withPrefix(status, absl::StrCat("calibration sample ", i, ": "));
    }
    if (const Value* value = observer.offender()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "calibration sample ", i, " makes ",
          value->definingOp() ? ir::describe(*value->definingOp()) : value->name().str(),
          " infinite or not a number"));
    }
  }
  return absl::InternalError("calibration: samples fail together, but not each on its own");
}

}  // namespace

size_t samplesAtATime(const ir::Function& function, int64_t kept) {
  constexpr int64_t kElements = int64_t{1} << 25;
  const int64_t each = std::max<int64_t>(ir::mostLiveElements(function) + kept, 1);
  return static_cast<size_t>(std::clamp<int64_t>(kElements / each, 1, 64));
}

int64_t productsOfRun(const ir::Function& function) {
  int64_t weights = 1, rows = 1;
  for (const ir::Constant* constant : function.module()->constants().constants())
    weights += constant->elements();
  for (const auto& argument : function.body().arguments()) {
    const ir::Type& type = argument->type();
    const bool ids = type.element == ir::Element::kInt;
    rows = std::max(rows, ids || type.shape.empty()
                              ? type.elements()
                              : type.elements() / std::max<int64_t>(1, type.shape.back()));
  }
  return weights * rows;
}

int64_t affordableSamples(const ir::Function& function, int64_t most, int64_t least,
                          int64_t runs_of_each) {
  return std::min(most, std::max(least, kAffordable / (productsOfRun(function) * runs_of_each)));
}

absl::StatusOr<Calibration> calibrate(const ir::Function& function, llvm::ArrayRef<Sample> samples,
                                      size_t outputs) {
  if (samples.empty()) return absl::InvalidArgumentError("calibration needs at least one sample");
  Calibration calibration;
  RangeObserver observer(function, calibration);
  ir::tensor::Interpreter interpreter(function);
  const size_t most = samplesAtATime(function);
  for (size_t first = 0; first < samples.size(); first += most) {
    const llvm::ArrayRef<Sample> some = samples.slice(first).take_front(most);
    auto results = runAll(interpreter, some, &observer);
    if (!results.ok() || observer.offender() != nullptr)
      return nameOffender(function, samples, first);
    for (size_t i = 0; i < some.size() && calibration.outputs.size() < outputs; ++i)
      calibration.outputs.push_back(std::move((*results)[i]));
  }
  for (const Sample& sample : samples) {
    ++calibration.samples;
    if (!sample.empty() && !sample.front().shape.empty())
      calibration.rows += sample.front().shape.front();
  }
  return calibration;
}

absl::StatusOr<std::vector<Sample>> defaultSamples(const ir::Function& function, int64_t count,
                                                   uint64_t seed, int rounds) {
  const llvm::ArrayRef<std::unique_ptr<Value>> arguments = function.body().arguments();
  Random random(seed);
  std::vector<Sample> samples(count);
  bool needs_open = needsOpen(function);
  std::set<size_t> hiding;
  for (size_t i = 0; i < samples.size(); ++i) {
    Sample& sample = samples[i];
    std::vector<size_t> masks;
    for (const auto& argument : arguments) {
      IR_ASSIGN_OR_RETURN(Array array, drawInput(*argument, random));
      sample.push_back(std::move(array));
      if (!isMask(*argument)) continue;
      const size_t mask = sample.size() - 1;
      masks.push_back(mask);
      fillMask(/*whole=*/i % 2 == 0, hiding.contains(mask), random, sample[mask]);
    }
    if (i == 0 && !masks.empty()) {
      hiding = hidingByOne(function, sample, masks);
      for (size_t mask : hiding) fillMask(/*whole=*/true, true, random, sample[mask]);
    }
    // The first one that hides something tells.
    if ((!needs_open && i != 1) || masks.empty() || givesNumbers(function, sample)) continue;
    needs_open = true;
    for (size_t mask : masks) fillMask(/*whole=*/true, hiding.contains(mask), random, sample[mask]);
  }
  if (readsReals(function) && !samples.empty() && !isDefinedFor(function, samples[0]))
    takeMagnitudes(samples);
  if (arguments.size() != 1 || arguments[0]->type().element == ir::Element::kFloat ||
      numberReader(*arguments[0]) != nullptr)
    return samples;
  const int64_t positions = arguments[0]->type().elements(), ids = *vocabulary(*arguments[0]);
  const std::optional<size_t> prediction = predictionOf(function, positions, ids);
  if (!prediction || samples.empty()) return samples;
  const int64_t affordable = kAffordable / (productsOfRun(function) * count);
  rounds = static_cast<int>(std::min<int64_t>(rounds, std::max<int64_t>(1, affordable)));
  const absl::Status drawn = drawPredictions(function, *prediction, random, rounds, samples);
  if (!drawn.ok()) return drawn;
  return samples;
}

}  // namespace lindero::passes

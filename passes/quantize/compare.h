// How far the integer program is from the float model: both run over the same inputs, outputs and
// every stored tensor are compared.
//
// This is a measurement in floating point, for people and tests; nothing that is proven depends on
// it. Cost: one float and one integer pass per sample; weights are read once for some samples
// together (samplesAtATime).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/integer/kernels.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/raw_ostream.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/quantize.h"
#include "passes/quantize/row_figures.h"

namespace lindero::passes {

struct ComparisonSample {
  Sample inputs;
  // The next id after each row of the logits, for the perplexity; or empty.
  std::vector<int64_t> targets;
};

// Error of one stored tensor, over all samples: integer value, read with its exponents, minus float
// value.
struct TensorError {
  std::string role, node;
  double rms = 0;           // of the error
  double relative_rms = 0;  // the same over the root mean square of the float value
  double largest = 0;
  RowSummary rows = {};
  double masks = 0;  // magnitude of numbers beside which others of their row are next to nothing
};

// Of one graph output. Reals have rows; integers and booleans are to be equal.
struct OutputComparison {
  std::string name;
  std::vector<int64_t> shape = {};  // in the graph
  bool real = true;
  int64_t rows_per_sample = 0;
  RowSummary rows = {};       // over all samples
  int64_t elements = 0;       // integers that were compared
  int64_t close = 0;          // of these, others that are as good (choices.h)
  int64_t unequal = 0;        // others that are not
  int64_t first_unequal = 0;  // its index, over all samples
  // Rows that they are chosen from in which what a mask leaves open is lost beside it: they are
  // equal by chance.
  int64_t lost_rows = 0;
};

struct Comparison {
  int64_t samples = 0;
  // Samples that the integer program refused, as a value left its range: such an input cannot be
  // proven. They are not compared.
  int64_t rejected = 0;
  std::string first_rejection;

  std::vector<OutputComparison> outputs;  // all, in order
  // The reference in single precision in place of the integers; empty without one.
  std::vector<OutputComparison> rounded;
  double mean_cosine = 1;  // of the rows of all real outputs
  double least_cosine = 1;
  double largest_row_error = 0;  // over the row's norm

  // Of the first real output with an axis of two or more, which a language model's logits are: rows
  // are tokens, columns the vocabulary.
  int64_t rows = 0;
  double top1_agreement = 1;      // fraction of rows with the same argmax
  double divergence = 0;          // mean KL(float || integer) in nats
  double float_perplexity = 0;    // exp of the mean cross entropy of the targets; 0 without targets
  double integer_perplexity = 0;  // the same by the integer program
  double largest_error = 0;       // of an entry
  std::vector<TensorError> tensors;

  // Was anything compared?
  bool measured() const {
    return llvm::any_of(outputs, [](const OutputComparison& output) {
      return output.rows.rows + output.rows.zero_rows + output.elements > 0;
    });
  }
  // integer over float, minus 1
  double perplexityChange() const {
    return float_perplexity > 0 ? integer_perplexity / float_perplexity - 1 : 0;
  }
};

// What the outputs of these names should be, for each sample. They have the elements of the
// function's outputs, or more: rows of a longer run.
using Reference = llvm::function_ref<absl::StatusOr<std::vector<std::vector<ir::tensor::Array>>>(
    llvm::ArrayRef<ComparisonSample>, llvm::ArrayRef<std::string> outputs)>;

// `records` are those of quantize(source, ..., integer). Outputs are compared with the reference,
// or with `source` where there is none; stored tensors with `source`, whose values they hold. An
// index of ArgMax counts as equal where the float value there is within 1 % of the largest one.
// `rounded` is the reference in single precision: how far that alone is from the reference.
absl::StatusOr<Comparison> compareWithFloat(const ir::Function& source, const ir::Function& integer,
                                            llvm::ArrayRef<TensorRecord> records,
                                            llvm::ArrayRef<ComparisonSample> samples,
                                            Reference reference = nullptr,
                                            Reference rounded = nullptr);

// How much precision an integer program may lose.
struct PrecisionLimits {
  double least_cosine = 0.99;  // of a row
  double row_error = 0.05;     // of a row, over its norm
};

// What of the outputs is beyond the limits, a sentence each; empty: nothing.
std::vector<std::string> beyondLimits(llvm::ArrayRef<OutputComparison> outputs,
                                      const PrecisionLimits& limits);

// The stored tensors of which a row loses half of its norm or more, in the order of the program.
std::vector<const TensorError*> lostTensors(const Comparison& comparison);

// Are two computations of the same reals equal up to rounding in single precision? To 1e-3 of the
// largest one; infinities and what is not a number must be in the same places.
absl::Status checkSameReals(llvm::ArrayRef<double> expected, llvm::ArrayRef<double> actual);

// The summary, then one line per tensor.
void print(const Comparison& comparison, llvm::raw_ostream& os);

// Cuts a text into samples of `length` ids, each with its successors as targets; length + 1 ids
// apiece, without overlap.
std::vector<ComparisonSample> textSamples(llvm::ArrayRef<int64_t> ids, int64_t length);

// The integers that a float input becomes, with the exponent and range of the integer function's
// argument.
absl::StatusOr<ir::integer::IntArray> toIntegerInput(const ir::tensor::Array& input,
                                                     const ir::Value& argument);

}  // namespace lindero::passes

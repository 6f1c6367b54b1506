// How far the integer program is from the float model: both run over the same inputs, outputs and
// every stored tensor are compared.
//
// This is a measurement in floating point, for people and tests; nothing that is proven depends on
// it. Cost: one float and one integer pass per sample.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/integer/kernels.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/raw_ostream.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/quantize.h"

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
};

// Of one output over all samples: the first float output with two axes, rows being tokens and
// columns the vocabulary.
struct Comparison {
  int64_t samples = 0;
  int64_t rows = 0;  // compared; rows of rejected samples are not
  // Samples that the integer program refused, as a value left its range: such an input cannot be
  // proven.
  int64_t rejected = 0;
  std::string first_rejection;

  double top1_agreement = 0;      // fraction of rows with the same argmax
  double divergence = 0;          // mean KL(float || integer) in nats
  double float_perplexity = 0;    // exp of the mean cross entropy of the targets; 0 without targets
  double integer_perplexity = 0;  // the same by the integer program
  double mean_cosine = 0;         // of the rows
  double least_cosine = 1;
  double largest_error = 0;  // of an entry
  std::vector<TensorError> tensors;

  // integer over float, minus 1
  double perplexityChange() const {
    return float_perplexity > 0 ? integer_perplexity / float_perplexity - 1 : 0;
  }
};

// What the output of that name should be; its rows are those of the samples, or more.
using Reference =
    llvm::function_ref<absl::StatusOr<ir::tensor::Array>(const Sample&, const std::string& output)>;

// `records` are those of quantize(source, ..., integer). The output is compared with the reference,
// or with `source` where there is none; stored tensors with `source`, whose values they hold.
absl::StatusOr<Comparison> compareWithFloat(const ir::Function& source, const ir::Function& integer,
                                            llvm::ArrayRef<TensorRecord> records,
                                            llvm::ArrayRef<ComparisonSample> samples,
                                            Reference reference = nullptr);

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

// What a comparison says: against limits, and in words.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "llvm/Support/Format.h"
#include "passes/quantize/compare.h"

namespace lindero::passes {
namespace {

constexpr double kLost = 0.5;  // of a row's norm: its signal is gone

}  // namespace

std::vector<std::string> beyondLimits(llvm::ArrayRef<OutputComparison> outputs,
                                      const PrecisionLimits& limits) {
  std::vector<std::string> problems;
  for (const OutputComparison& output : outputs) {
    const RowSummary& rows = output.rows;
    const auto where = [&](int64_t index) {
      const int64_t each = std::max<int64_t>(output.rows_per_sample, 1);
      return absl::StrFormat("output '%s', %s %d of sample %d", output.name,
                             output.real ? "row" : "element", index % each, index / each);
    };
    if (rows.other_rows > 0) {
      problems.push_back(absl::StrCat(where(rows.other_row),
                                      ": the float model gives values that are not finite"));
    }
    if (rows.rows > 0 && !(rows.least_cosine >= limits.least_cosine)) {
      problems.push_back(absl::StrFormat("%s: cosine %.4f, below %g", where(rows.least_row),
                                         rows.least_cosine, limits.least_cosine));
    }
    if (rows.rows > 0 && !(rows.largest_error <= limits.row_error)) {
      problems.push_back(absl::StrFormat("%s: an error of %.1f %%, beyond %g %%",
                                         where(rows.worst_row), 100 * rows.largest_error,
                                         100 * limits.row_error));
    }
    if (!(rows.zero_error <= limits.row_error)) {
      problems.push_back(absl::StrFormat(
          "%s: zero in the float model, but %.1f %% of the largest row, beyond %g %%",
          where(rows.worst_zero_row), 100 * rows.zero_error, 100 * limits.row_error));
    }
    if (output.unequal == 0 && output.lost_rows > 0) {
      problems.push_back(absl::StrCat("output '", output.name, "': in ", output.lost_rows,
                                      " rows that it is chosen from, what a mask leaves open is "
                                      "lost beside it"));
    }
    if (output.unequal > 0) {
      problems.push_back(absl::StrCat(where(output.first_unequal), ": another integer, as are ",
                                      output.unequal, " of ", output.elements));
    }
  }
  return problems;
}

std::vector<const TensorError*> lostTensors(const Comparison& comparison) {
  std::vector<const TensorError*> lost;
  for (const TensorError& tensor : comparison.tensors) {
    if (tensor.rows.rows > 0 && !(tensor.rows.largest_error < kLost)) lost.push_back(&tensor);
  }
  return lost;
}

void print(const Comparison& comparison, llvm::raw_ostream& os) {
  os << comparison.samples - comparison.rejected << " samples compared";
  if (comparison.rejected > 0) {
    os << "; " << comparison.rejected << " refused, the first because of "
       << comparison.first_rejection;
  }
  os << '\n';
  for (const OutputComparison& output : comparison.outputs) {
    os << "output            " << output.name << ": ";
    if (!output.real) {
      os << output.elements - output.unequal - output.close << " of " << output.elements
         << " integers equal";
      if (output.close > 0) os << "; " << output.close << " others as good";
      os << '\n';
      continue;
    }
    const RowSummary& rows = output.rows;
    os << rows.rows << " rows, "
       << llvm::format("cosine %.6f, row error %.2e", rows.least_cosine, rows.largest_error);
    if (rows.zero_rows > 0)
      os << "; " << rows.zero_rows << llvm::format(" that are zero, error %.2e", rows.zero_error);
    if (rows.other_rows > 0) os << "; " << rows.other_rows << " that are not finite";
    os << '\n';
  }
  os << llvm::format("top-1 agreement   %.3f %%\n", 100 * comparison.top1_agreement);
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

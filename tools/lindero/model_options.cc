#include "tools/lindero/model_options.h"

#include "absl/strings/str_cat.h"

namespace lindero::cli {
namespace {

constexpr char kModelGroup[] = "Compiling an ONNX file";
constexpr int64_t kMostPositions = int64_t{1} << 28;  // rows of a table, at most

}  // namespace

void addModelOptions(CLI::App& app, ModelOptions& options) {
  addPlacedModelOptions(app, options);
  app.add_option("--boundaries", options.boundaries,
                 absl::StrCat("Where proofs begin and end, linked and verified as one file: ",
                              kPolicies, "; fused is the default"))
      ->type_name("POLICY")
      ->group(kModelGroup);
}

void addPlacedModelOptions(CLI::App& app, ModelOptions& options) {
  const std::string group = app.option_defaults()->get_group();
  app.add_option("--tokenizer", options.tokenizer,
                 "The model's tokenizer (default: tokenizer.json beside it)");
  app.option_defaults()->group(kModelGroup);
  app.add_option("--dim", options.dims,
                 "Size of a symbolic dimension, as in seq=64; of all others, *=64")
      ->type_name("NAME=SIZE");
  app.add_option("--calibrate", options.calibrate,
                 "Typical inputs: a text, or arrays (.json, .npz) with any number of runs");
  app.add_option("--samples", options.samples, "Runs to calibrate with, at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--exponents", options.exponents,
                 "Use this exponents.json instead of calibrating");
  app.add_option("--output-name", options.outputs,
                 "An output to prove, by name; give it once for each (default: all)")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  app.add_option("--min-cosine", options.precision.least_cosine,
                 "Refuse a model if its integers give an output row with a lower cosine on a "
                 "calibration sample; -1 allows all")
      ->check(CLI::Range(-1.0, 1.0))
      ->capture_default_str();
  app.add_option("--max-error", options.precision.row_error,
                 "Refuse it also if a row's error is more than this part of the row's norm")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--argmax", options.argmax,
               "Prove the index of the largest value (the next token), not all values");
  app.add_flag("--decode", options.lower.decode,
               "Prove decode runs: any prompt and number of chosen tokens that fit")
      ->excludes("--argmax");
  app.add_option("--buckets", options.buckets,
                 "Lengths to make circuits of decode runs for: 16,64 (default: 16, 32, 64, ... and "
                 "the model's context)")
      ->delimiter(',')
      ->check(CLI::Range(int64_t{1}, kMostPositions));
  app.add_option(
         "--context", options.context,
         "What a step of a decode run has from the steps before it. recompute: tokens, in one "
         "proof of all positions; carry: keys and values, in a proof of each block of steps, "
         "in memory that does not grow with the run")
      ->check(CLI::IsMember({"recompute", "carry"}))
      ->capture_default_str();
  app.add_option("--block", options.block,
                 absl::StrCat("Steps of a block, with --context=carry (default: ",
                              compiler::kBlockSteps, "); divides the model's context"))
      ->check(CLI::Range(int64_t{1}, kMostPositions));
  app.add_option("--load-pass-plugin", options.plugins,
                 "A library with placement policies of its own; give it once for each")
      ->type_name("LIBRARY")
      ->check(CLI::ExistingFile)
      ->expected(1)
      ->take_all();
  app.add_option("--positions", options.positions, "all, last:N, or a list like 3,7,9")
      ->capture_default_str();
  app.add_option("--compare", options.compare,
                 "Measure agreement with the float model on this text, or on arrays (.json, .npz)");
  app.add_option("--windows", options.windows, "Windows of that text to compare on, at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_flag_callback(
      "--precise", [&options] { options.quantize = passes::preciseOptions(); },
      "More bits for what linear layers and norms read, wider sums, and weights of two parts where "
      "one has too few bits: up to twice the cells");
  app.add_option("--activation-bits", options.quantize.activation_bits,
                 "Bits of the inputs of linear layers")
      ->check(CLI::Range(4, 16))
      ->capture_default_str();
  app.add_option("--weight-bits", options.quantize.weight_bits, "Bits of weights, at most")
      ->check(CLI::Range(4, 24))
      ->capture_default_str();
  app.add_option("--lanes", options.lower.lanes,
                 "Tokens per table row, a power of two: more lanes, fewer cells, larger proof")
      ->check(CLI::IsMember(compiler::laneCounts()))
      ->capture_default_str();
  app.option_defaults()->group(group);
}

void layOutFor(const runtime::ProverOptions& prover, ModelOptions& options) {
  options.lower.prefer = passes::preferNamed(prover.prefer).value_or(options.lower.prefer);
}

std::string givenModelOption(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() == kModelGroup && option->count() > 0) return option->get_name();
  }
  return "";
}

}  // namespace lindero::cli

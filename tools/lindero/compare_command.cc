// lindero compare: placements of one model's proof boundaries, proven and measured side by side.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "compiler/compare/compare_placements.h"
#include "compiler/estimate/estimate.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "runtime/version/version.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"
#include "tools/lindero/prover_options.h"
#include "tools/lindero/show_comparison.h"

namespace lindero::cli {
namespace {

using compiler::PlacedModel;
using compiler::Transcript;

// Below this many, a note says that medians mean little.
constexpr int64_t kLeastTranscripts = 5;

struct CompareArguments {
  SourceOptions source;
  std::vector<std::string> policies;
  int64_t transcripts = kLeastTranscripts;
  std::string csv;
  ProverOptions prover;
};

absl::Status checkArguments(const CompareArguments& arguments) {
  if (arguments.source.model.lower.decode) {
    return failure(Error::kUsage,
                   "--decode: a decode run is one proof, or one for each block of its steps, and "
                   "has no boundaries to compare");
  }
  if (arguments.csv.empty()) return absl::OkStatus();
  return withError(runtime::checkFileDestination(arguments.csv), Error::kFile);
}

// Before the proofs: how many, and how long that will take.
void showEstimate(const std::vector<PlacedModel>& placed, int64_t transcripts, Context& context) {
  double seconds = 0;
  for (const PlacedModel& one : placed) seconds += one.placement.predicted.seconds;
  seconds *= static_cast<double>(transcripts);
  const auto proofs = transcripts * static_cast<int64_t>(placed.size());
  Summary estimate;
  estimate.add("proofs", "proofs", proofs,
               absl::StrCat(proofs, ", ", transcripts, " of each of ", placed.size(),
                            " placements, in turn"));
  estimate.add("seconds", "expected prove time", seconds,
               absl::StrCat("about ", formatSeconds(seconds)));
  context.estimate(estimate);
}

// Name, version and commit.
absl::StatusOr<std::string> describeProver(const Prover& prover, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(const std::string text, prover.version(context.monitor()));
  return std::string(*absl::StrSplit(text, '\n').begin());
}

// The model is gone before the proofs.
absl::StatusOr<std::vector<PlacedModel>> place(const CompareArguments& arguments,
                                               const Prover& prover, const Scratch& scratch,
                                               Context& context, Summary& summary) {
  LINDERO_ASSIGN_OR_RETURN(PreparedRun run, importRun(arguments.source, context));
  LINDERO_RETURN_IF_ERROR(compiler::checkPolicies(arguments.policies));
  LINDERO_RETURN_IF_ERROR(calibrateRun(arguments.source, run, context, summary));
  return compiler::placeModel(arguments.source.model, arguments.policies, prover, run.model,
                              run.inputs, scratch.path("."), context.monitor());
}

absl::StatusOr<ComparedPlacements> measure(const CompareArguments& arguments, const Prover& prover,
                                           const Scratch& scratch, Context& context,
                                           Summary& summary) {
  LINDERO_ASSIGN_OR_RETURN(const std::vector<PlacedModel> placed,
                           place(arguments, prover, scratch, context, summary));
  ComparedPlacements compared{.commit = std::string(runtime::commit()),
                              .threads = compiler::threadsOf(arguments.prover.threads)};
  LINDERO_ASSIGN_OR_RETURN(compared.prover, describeProver(prover, context));
  for (const PlacedModel& one : placed) compared.placements.push_back(one.placement);
  showEstimate(placed, arguments.transcripts, context);
  auto show = [&](const Transcript& transcript) {
    context.data("transcript", transcriptJson(compared, transcript));
  };
  LINDERO_ASSIGN_OR_RETURN(compared.transcripts,
                           compiler::proveInRounds(placed, arguments.transcripts, prover,
                                                   scratch.path("."), show, context.monitor()));
  return compared;
}

absl::Status writeRows(const ComparedPlacements& compared, const std::string& path) {
  std::vector<Json> rows;
  for (const Transcript& transcript : compared.transcripts)
    rows.push_back(transcriptJson(compared, transcript));
  return withError(runtime::writeFile(path, csvOf(rows)), Error::kFile);
}

absl::Status compare(const CompareArguments& arguments, Context& context) {
  LINDERO_RETURN_IF_ERROR(checkArguments(arguments));
  LINDERO_ASSIGN_OR_RETURN(const Prover prover, Prover::find(arguments.prover));
  LINDERO_ASSIGN_OR_RETURN(const Scratch scratch, Scratch::temporary(context.monitor()));
  Stopwatch watch;
  Summary summary;
  LINDERO_ASSIGN_OR_RETURN(const ComparedPlacements compared,
                           measure(arguments, prover, scratch, context, summary));
  if (arguments.transcripts < kLeastTranscripts) {
    context.note(absl::StrCat("medians of ", countOf(arguments.transcripts, "transcript"),
                              ": other nonces move proof sizes and times by percents; ",
                              kLeastTranscripts, " or more tell small differences"));
  }
  summary.add("transcripts", "transcripts", arguments.transcripts,
              absl::StrCat(arguments.transcripts,
                           " of each placement, each verified, all with the same integers"));
  summary.add("security_bits", "security", arguments.prover.security_bits,
              absl::StrCat("at least ", arguments.prover.security_bits, " bits (",
                           arguments.prover.regime, ") for each"));
  summary.add("threads", "threads", compared.threads, absl::StrCat(compared.threads));
  for (size_t i = 0; i < compared.placements.size(); ++i)
    context.data("placement", placementJson(compared, i));
  addComparison(compared, summary);
  if (!arguments.csv.empty()) {
    LINDERO_RETURN_IF_ERROR(writeRows(compared, arguments.csv));
    summary.add("csv", "rows", arguments.csv, arguments.csv);
  }
  summary.addSeconds("seconds", "time", watch.seconds());
  context.result("compare", summary);
  return absl::OkStatus();
}

}  // namespace

void addCompare(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<CompareArguments>();
  CLI::App* command = app.add_subcommand(
      "compare", "Prove one model under several proof boundaries, and show what each costs");
  command->add_option("model", arguments->source.source, "ONNX file")->required();
  command
      ->add_option("--boundaries", arguments->policies,
                   absl::StrCat("A placement to compare; give it once for each (default: all "
                                "policies that the model fits): ",
                                kPolicies))
      ->type_name("POLICY")
      ->expected(1)
      ->take_all();
  command
      ->add_option("--transcripts", arguments->transcripts,
                   "Proofs of each placement, whose medians are shown")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--csv", arguments->csv, "Write a row for each proof to this file");
  // Without one, an input of our own making.
  addInputOptions(*command, arguments->source.input)->require_option(0, 1);
  addPlacedModelOptions(*command, arguments->source.model);
  addSecurityOptions(*command, arguments->prover);
  command->callback([arguments, &chosen] {
    layOutFor(arguments->prover, arguments->source.model);
    chosen = [arguments](Context& context) { return compare(*arguments, context); };
  });
}

}  // namespace lindero::cli

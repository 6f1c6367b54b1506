// lindero check: runs the model in integers and checks every constraint, without any prover.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "runtime/prove/prove_run.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"
#include "tools/lindero/prover_options.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;

struct CheckArguments {
  SourceOptions source;
  int threads = 0;
  uint64_t seed = 1;
  std::string save_trace;
};

Json failuresJson(const runtime::CheckReport& report) {
  Json list = Json::array();
  for (const runtime::Failure& failure : report.failures) {
    list.push_back({{"table", failure.table},
                    {"name", failure.name},
                    {"rows", failure.rows},
                    {"text", failure.toString()}});
  }
  return list;
}

// In one line; the summary has all of them, with the values of cells.
std::string firstFailure(const runtime::CheckReport& report) {
  std::string text = absl::StrCat("the check found ", report.failure_count,
                                  report.failure_count == 1 ? " failure: " : " failures, first: ");
  runtime::Failure first = report.failures.at(0);
  first.detail.resize(std::min(first.detail.size(), first.detail.find('\n')));
  if (!first.examples.empty()) {
    first.examples.resize(1);
    first.examples[0].cells.clear();
  }
  return absl::StrCat(text, first.toString());
}

absl::Status keep(const std::string& made, const std::string& folder) {
  const std::string kept = fs::path(folder) / fs::path(made).filename();
  std::error_code code;
  fs::remove_all(kept, code);
  return withError(runtime::renamePath(made, kept), Error::kFile);
}

// A folder that a prover needs nothing else for: also the key and the package, if there were none.
absl::StatusOr<runtime::TracedRun> save(const std::string& folder, const Source& source,
                                        runtime::TracedRun traced, const Scratch& scratch,
                                        Context& context) {
  const OpenedPackage& opened = source.run.opened;
  std::string key = runtime::packageKey(opened);
  const bool make = key.empty();
  absl::StatusOr<Prover> prover = Prover::find({});
  if (make && prover.ok()) {
    key = scratch.path(runtime::kKeyFile);
    LINDERO_RETURN_IF_ERROR(prover->setup(opened.path, key, context.monitor()).status());
  } else if (make) {
    context.note(absl::StrCat("no claim.json, which is about a key: the package has none, and ",
                              prover.status().message()));
  }
  LINDERO_ASSIGN_OR_RETURN(traced,
                           runtime::saveRun(source.run, std::move(traced), {}, key, folder));
  if (make && !key.empty()) LINDERO_RETURN_IF_ERROR(keep(key, folder));
  if (source.compiled) LINDERO_RETURN_IF_ERROR(keep(scratch.path("package"), folder));
  return traced;
}

absl::Status check(const CheckArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Scratch scratch,
                           arguments.save_trace.empty()
                               ? Scratch::temporary(context.monitor())
                               : Scratch::beside(arguments.save_trace, context.monitor()));
  Summary summary;
  LINDERO_ASSIGN_OR_RETURN(
      Source source, bindSource(arguments.source, arguments.threads, scratch, context, summary));
  Stopwatch watch;
  LINDERO_ASSIGN_OR_RETURN(
      runtime::TracedRun traced,
      runtime::traceRun(source.run, scratch.path("."), arguments.threads, context.monitor()));
  summary.addSeconds("trace_seconds", "model run in", watch.seconds());
  if (!arguments.save_trace.empty()) {
    LINDERO_ASSIGN_OR_RETURN(
        traced, save(arguments.save_trace, source, std::move(traced), scratch, context));
  }
  Stopwatch check;
  LINDERO_ASSIGN_OR_RETURN(
      runtime::CheckReport report,
      runtime::checkRun(source.run, traced, arguments.threads, arguments.seed, context.monitor()));
  summary.addSeconds("check_seconds", "checked in", check.seconds());
  summary.addCount("constraints", "constraints", static_cast<int64_t>(report.constraints));
  summary.addCount("rows", "rows", static_cast<int64_t>(report.rows));
  summary.addCount("cells", "cells", static_cast<int64_t>(report.cells));
  summary.add("ok", "all hold", report.ok(), report.ok() ? "yes" : "no");
  summary.addData("failures", failuresJson(report));
  LINDERO_RETURN_IF_ERROR(addRun(source, traced.statement, summary));
  if (!report.ok()) summary.addText(absl::StrCat("\n", report.toString()));
  context.result("check", summary);
  if (report.ok()) return absl::OkStatus();
  return failure(Error::kCheckFailed, firstFailure(report));
}

}  // namespace

void addCheck(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<CheckArguments>();
  CLI::App* command =
      app.add_subcommand("check", "Run a model and check every constraint, without a prover");
  addSourceOptions(*command, arguments->source);
  addThreadsOption(*command, arguments->threads);
  command->add_option("--seed", arguments->seed, "Seed of the test challenges");
  command->add_option("--save-trace", arguments->save_trace,
                      "Keep the run in this folder, for provers and other checkers: the trace of "
                      "each block, statement.pb, claim.json, and a key and the package if these "
                      "are made on the way");
  command->callback([arguments, command, &chosen] {
    completeSourceOptions(*command, arguments->source);
    chosen = [arguments](Context& context) { return check(*arguments, context); };
  });
}

}  // namespace lindero::cli

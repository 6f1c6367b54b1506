// lindero check: runs the model in integers and checks every constraint, without any prover.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/check/checker.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/files.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;

struct CheckArguments {
  std::string source;
  ModelOptions options;
  InputOptions input;
  int threads = 0;
  uint64_t seed = 1;
  std::string save_trace;
};

// Moves the files of a run into a folder of the user's, made where it is missing.
absl::Status saveRun(const std::vector<std::string>& files, const std::string& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) {
    return withExit(runtime::systemError(absl::StrCat("cannot make ", folder), code.value()),
                    Exit::kFile);
  }
  for (const std::string& file : files) {
    std::string saved = fs::path(folder) / fs::path(file).filename();
    LINDERO_RETURN_IF_ERROR(withExit(runtime::renamePath(file, saved), Exit::kFile));
  }
  return absl::OkStatus();
}

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

absl::Status check(const CheckArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Scratch scratch, arguments.save_trace.empty()
                                                ? Scratch::temporary()
                                                : Scratch::beside(arguments.save_trace));
  Summary summary;
  LINDERO_ASSIGN_OR_RETURN(Source source,
                           openSource(arguments.source, arguments.options, arguments.input,
                                      arguments.threads, scratch, context, summary));
  const OpenedPackage& opened = source.opened;
  Stopwatch watch;
  LINDERO_ASSIGN_OR_RETURN(TracedRun run, runTrace(opened, source.inputs.statement, scratch,
                                                   arguments.threads, context));
  summary.addSeconds("trace_seconds", "model run in", watch.seconds());
  if (!arguments.save_trace.empty()) {
    std::string stated = scratch.path("statement.pb");
    LINDERO_RETURN_IF_ERROR(withExit(runtime::writeStatement(stated, run.statement), Exit::kFile));
    std::vector<std::string> files = run.traces;
    files.push_back(stated);
    LINDERO_RETURN_IF_ERROR(saveRun(files, arguments.save_trace));
    for (std::string& trace : run.traces) {
      trace = fs::path(arguments.save_trace) / fs::path(trace).filename();
    }
  }
  Stopwatch check;
  context.progress("check");
  runtime::CheckOptions options;
  options.seed = arguments.seed;
  options.threads = arguments.threads;
  absl::StatusOr<runtime::CheckReport> report =
      runtime::checkTraces(opened.package, run.statement, run.traces, options);
  if (!report.ok()) return withRunExit(report.status());
  summary.addSeconds("check_seconds", "checked in", check.seconds());
  summary.addCount("constraints", "constraints", static_cast<int64_t>(report->constraints));
  summary.addCount("rows", "rows", static_cast<int64_t>(report->rows));
  summary.addCount("cells", "cells", static_cast<int64_t>(report->cells));
  summary.add("ok", "all hold", report->ok(), report->ok() ? "yes" : "no");
  summary.addData("failures", failuresJson(*report));
  LINDERO_RETURN_IF_ERROR(addRun(source, run.statement, arguments.input.decode, summary));
  if (!report->ok()) summary.addText(absl::StrCat("\n", report->toString()));
  context.result("check", summary);
  if (report->ok()) return absl::OkStatus();
  return failure(Exit::kCheckFailed, firstFailure(*report));
}

}  // namespace

void addCheck(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<CheckArguments>();
  CLI::App* command =
      app.add_subcommand("check", "Run a model and check every constraint, without a prover");
  command->add_option("source", arguments->source, "Package or ONNX file")->required();
  addInputOptions(*command, arguments->input);
  addModelOptions(*command, arguments->options);
  command->add_option("--threads", arguments->threads, "0: one per processor")
      ->check(CLI::Range(0, 1024));
  command->add_option("--seed", arguments->seed, "Of the test challenges");
  command->add_option(
      "--save-trace", arguments->save_trace,
      "Keep the trace of each block and statement.pb in this folder, for other checkers");
  command->callback([arguments, &chosen] {
    arguments->input.tokenizer = arguments->options.tokenizer;
    if (arguments->input.decode.generate > 0) arguments->options.lower.decode = true;
    chosen = [arguments](Context& context) { return check(*arguments, context); };
  });
}

}  // namespace lindero::cli

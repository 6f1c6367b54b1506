// lindero check: runs the model in integers and checks every constraint, without any prover.
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "runtime/check/checker.h"
#include "runtime/package/mapped_file.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"
#include "tools/lindero/public_values.h"
#include "tools/lindero/scratch.h"

namespace lindero::cli {
namespace {

struct CheckArguments {
  std::string source;
  ModelOptions options;
  InputOptions input;
  int threads = 0;
  uint64_t seed = 1;
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

absl::Status check(const CheckArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Scratch scratch, Scratch::temporary());
  Summary summary;
  LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, openSource(arguments.source, arguments.options,
                                                            scratch, context, summary));
  LINDERO_ASSIGN_OR_RETURN(BoundInputs inputs, bindSourceInputs(opened, arguments.input));
  std::string trace = scratch.path("trace.bin");
  Stopwatch run;
  LINDERO_ASSIGN_OR_RETURN(Statement statement,
                           runTrace(opened, inputs.statement, trace, arguments.threads, context));
  summary.addSeconds("trace_seconds", "model run in", run.seconds());
  Stopwatch watch;
  context.progress("check");
  runtime::CheckOptions options;
  options.seed = arguments.seed;
  options.threads = arguments.threads;
  absl::StatusOr<runtime::CheckReport> report =
      runtime::checkTrace(opened.package, statement, trace, options);
  if (!report.ok()) return withRunExit(report.status());
  summary.addSeconds("check_seconds", "checked in", watch.seconds());
  summary.addCount("constraints", "constraints", static_cast<int64_t>(report->constraints));
  summary.addCount("rows", "rows", static_cast<int64_t>(report->rows));
  summary.addCount("cells", "cells", static_cast<int64_t>(report->cells));
  summary.add("ok", "all hold", report->ok(), report->ok() ? "yes" : "no");
  summary.addData("failures", failuresJson(*report));
  addPublicValues(valuesOf(opened.package.circuit(), statement), inputs.tokenizer, summary);
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
  command->callback([arguments, &chosen] {
    arguments->input.tokenizer = arguments->options.tokenizer;
    chosen = [arguments](Context& context) { return check(*arguments, context); };
  });
}

}  // namespace lindero::cli

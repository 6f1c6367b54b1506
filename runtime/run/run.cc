#include "runtime/run/run.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/error/error.h"
#include "runtime/package/files.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"
#include "runtime/trace/generate_trace.h"

namespace lindero::runtime {

int64_t Run::steps() const {
  if (!opened.alone() || inputs.tensors_size() == 0) return 1;
  return blocksOf(opened.package().circuit(), inputs);
}

int64_t Run::blocks() const { return steps() * static_cast<int64_t>(opened.bundle.members.size()); }

absl::StatusOr<int64_t> bucketOfRun(const ModelFacts& facts, const std::vector<InputArray>& arrays,
                                    const DecodeOptions& decode,
                                    const std::vector<int64_t>& buckets) {
  if (buckets.back() == 0) return 0;
  LINDERO_ASSIGN_OR_RETURN(std::vector<int64_t> prompt, promptOf(facts, arrays));
  return chooseBucket(buckets, static_cast<int64_t>(prompt.size()), decode);
}

absl::StatusOr<Run> bindRun(const std::string& home, const std::vector<InputArray>& arrays,
                            const DecodeOptions& decode, int threads, Monitor& monitor) {
  const std::vector<int64_t> buckets = bucketsOf(home);
  LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, openPackage(home, buckets.back()));
  LINDERO_ASSIGN_OR_RETURN(const int64_t bucket,
                           bucketOfRun(opened.facts, arrays, decode, buckets));
  if (bucket != buckets.back()) {
    LINDERO_ASSIGN_OR_RETURN(opened, openPackage(home, bucket));
  }
  return bindRun(std::move(opened), arrays, decode, threads, monitor);
}

absl::StatusOr<Run> bindRun(OpenedPackage opened, const std::vector<InputArray>& arrays,
                            const DecodeOptions& decode, int threads, Monitor& monitor) {
  Run run{.opened = std::move(opened), .inputs = {}, .decode = decode};
  if (!run.opened.alone() || mostSteps(run.opened.package()) == 0) {
    if (decode.generate > 0) {
      return failure(Error::kInput, absl::StrCat("--generate: ", run.opened.facts.file,
                                                 " was compiled without --decode"));
    }
    LINDERO_ASSIGN_OR_RETURN(BoundInputs bound,
                             bindInputs(run.opened.bundle.circuits(), run.opened.facts, arrays));
    run.inputs = std::move(bound.statement);
    run.short_inputs = std::move(bound.short_inputs);
    return run;
  }
  LINDERO_ASSIGN_OR_RETURN(std::vector<int64_t> prompt, promptOf(run.opened.facts, arrays));
  LINDERO_ASSIGN_OR_RETURN(DecodeRun decoded,
                           continueTokens(run.opened.package(), decode, prompt, threads, monitor));
  absl::StatusOr<Statement> inputs = decodeInputs(run.opened.package(), decoded);
  if (!inputs.ok()) return withRunError(inputs.status());
  run.inputs = *std::move(inputs);
  return run;
}

namespace {

// Of a step, the inputs that one of its circuits takes.
Statement inputsOf(const Run& run, const Circuit& circuit, int64_t step) {
  if (run.opened.alone()) return blockOf(circuit, run.inputs, step);
  Statement own;
  own.set_format(run.inputs.format());
  for (const PublicTensor& tensor : circuit.publics()) {
    const PublicValues* values = findValues(run.inputs, tensor.name());
    if (tensor.kind() == PublicTensor::INPUT && values != nullptr) *own.add_tensors() = *values;
  }
  return own;
}

// The program alone, if the trace is there.
absl::StatusOr<Statement> keepTrace(const Package& package, const Statement& inputs,
                                    const std::string& path, const TraceOptions& options) {
  std::error_code code;
  if (std::filesystem::exists(path, code)) return runProgram(package, inputs, options);
  const std::string part = absl::StrCat(path, ".part");
  absl::StatusOr<Statement> statement = generateTrace(package, inputs, part, options);
  if (!statement.ok()) return statement;
  LINDERO_RETURN_IF_ERROR(withError(renamePath(part, path), Error::kFile));
  return statement;
}

}  // namespace

std::string traceName(int64_t block, int64_t blocks) {
  return blocks == 1 ? "trace.bin" : absl::StrCat("trace-", block, ".bin");
}

absl::StatusOr<TracedRun> traceRun(const Run& run, const std::string& folder, int threads,
                                   Monitor& monitor, Traces present) {
  const std::vector<Package>& members = run.opened.bundle.members;
  const int64_t blocks = run.blocks();
  TracedRun traced;
  LinkValues linked;
  Statement step;  // of all members
  for (int64_t block = 0; block < blocks; ++block) {
    const Package& package = members[static_cast<size_t>(block) % members.size()];
    TraceOptions options;
    options.threads = threads;
    options.linked = &linked;
    options.cancelled = [&] { return monitor.cancelled(); };
    options.progress = [&](int done, int total) {
      monitor.progress("run the model",
                       (static_cast<double>(block) + static_cast<double>(done) / total) /
                           static_cast<double>(blocks));
    };
    traced.traces.push_back(absl::StrCat(folder, "/", traceName(block, blocks)));
    const Statement inputs =
        inputsOf(run, package.circuit(), block / static_cast<int64_t>(members.size()));
    const std::string& path = traced.traces.back();
    absl::StatusOr<Statement> statement = present == Traces::kMade
                                              ? generateTrace(package, inputs, path, options)
                                              : keepTrace(package, inputs, path, options);
    if (!statement.ok()) return withRunError(statement.status());
    step.set_format(statement->format());
    step.mutable_tensors()->MergeFrom(statement->tensors());
    if (&package != &members.back()) continue;
    appendBlock(step, traced.statement);
    step.Clear();
  }
  return traced;
}

absl::StatusOr<std::vector<LinkValues>> linksBefore(const Run& run, int threads, Monitor& monitor) {
  const std::vector<Package>& members = run.opened.bundle.members;
  if (run.opened.alone()) {
    auto before = linkBefore(members.front(), run.inputs, run.steps() - 1);
    if (!before.ok()) return withRunError(before.status());
    return std::vector<LinkValues>{*std::move(before)};
  }
  std::vector<LinkValues> before(members.size());
  LinkValues linked;
  for (int64_t block = 0; block < run.blocks(); ++block) {
    const size_t member = static_cast<size_t>(block) % members.size();
    before[member] = linked;
    TraceOptions options;
    options.threads = threads;
    options.linked = &linked;
    options.cancelled = [&] { return monitor.cancelled(); };
    const Statement inputs =
        inputsOf(run, members[member].circuit(), block / static_cast<int64_t>(members.size()));
    const auto outputs = runProgram(members[member], inputs, options);
    if (!outputs.ok()) return withRunError(outputs.status());
  }
  return before;
}

absl::StatusOr<CheckReport> checkRun(const Run& run, const TracedRun& traced, int threads,
                                     uint64_t seed, Monitor& monitor) {
  monitor.progress("check");
  CheckOptions options;
  options.seed = seed;
  options.threads = threads;
  options.cancelled = [&] { return monitor.cancelled(); };
  absl::StatusOr<CheckReport> report =
      checkTraces(run.opened.bundle, traced.statement, traced.traces, options);
  if (!report.ok()) return withRunError(report.status());
  return report;
}

}  // namespace lindero::runtime

#include "compiler/driver/try_circuit.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/driver/errors.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/status_macros.h"
#include "runtime/run/run.h"

namespace lindero::compiler {
namespace {

// A decode run chooses one token more than it is given.
std::vector<runtime::InputArray> arraysOf(const runtime::ModelFacts& facts, int64_t bucket,
                                          const passes::Sample& sample) {
  std::vector<runtime::InputArray> arrays;
  for (size_t i = 0; i < sample.size(); ++i) {
    const ir::tensor::Array& values = sample[i];
    arrays.push_back({.name = facts.inputs[i].name,
                      .shape = {values.shape.begin(), values.shape.end()},
                      .integer = !values.isReal(),
                      .integers = values.integers,
                      .reals = values.reals});
  }
  if (bucket > 0) {
    std::vector<int64_t>& tokens = arrays[0].integers;
    tokens.resize(std::min<size_t>(tokens.size(), std::max<int64_t>(1, bucket - 1)));
    arrays = {{.name = arrays[0].name,
               .shape = {static_cast<int64_t>(tokens.size())},
               .integer = true,
               .integers = tokens}};
  }
  return arrays;
}

absl::Status check(runtime::OpenedPackage opened, const std::vector<runtime::InputArray>& arrays,
                   runtime::Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(runtime::Scratch scratch, runtime::Scratch::temporary(monitor));
  const std::string file = opened.facts.file;
  LINDERO_ASSIGN_OR_RETURN(runtime::Run run,
                           runtime::bindRun(std::move(opened), arrays, {}, 0, monitor));
  LINDERO_ASSIGN_OR_RETURN(runtime::TracedRun traced,
                           runtime::traceRun(run, scratch.path("."), 0, monitor));
  LINDERO_ASSIGN_OR_RETURN(runtime::CheckReport report,
                           runtime::checkRun(run, traced, 0, 1, monitor));
  if (report.ok()) return absl::OkStatus();
  return failure(Error::kInternal,
                 absl::StrCat(file, ": the circuit refuses a run of its own ",
                              "program; please report this model\n", report.toString()));
}

}  // namespace

absl::Status tryCircuit(const std::string& home, int64_t bucket, const passes::Sample& sample,
                        runtime::Monitor& monitor) {
  monitor.progress("try the circuit");
  LINDERO_ASSIGN_OR_RETURN(runtime::OpenedPackage opened, runtime::openPackage(home, bucket));
  const std::vector<runtime::InputArray> arrays = arraysOf(opened.facts, bucket, sample);
  absl::Status status = check(std::move(opened), arrays, monitor);
  if (errorOf(status) != Error::kOutOfRange) return status;
  monitor.note(absl::StrCat("the circuit was not tried: ", status.message()));
  return absl::OkStatus();
}

}  // namespace lindero::compiler

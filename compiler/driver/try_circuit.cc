#include "compiler/driver/try_circuit.h"

#include <algorithm>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/driver/errors.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/status_macros.h"
#include "runtime/run/run.h"

namespace lindero::compiler {
namespace {

// Another input, of values that differ from one another where the sample's may be alike: tokens are
// drawn anew, reals are shrunk, each by a factor of its own, so that they stay in range.
passes::Sample varied(const runtime::ModelFacts& facts, passes::Sample sample) {
  std::mt19937_64 random(1);
  for (size_t i = 0; i < sample.size(); ++i) {
    for (double& x : sample[i].reals) x *= 0.5 + static_cast<double>(random() % 1024) / 2048;
    const auto values = static_cast<uint64_t>(facts.inputs[i].values);
    if (values <= 2) continue;  // not a mask: it may hide all
    for (int64_t& token : sample[i].integers) token = static_cast<int64_t>(random() % values);
  }
  return sample;
}

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
  absl::Status status;
  for (bool vary : {true, false}) {
    LINDERO_ASSIGN_OR_RETURN(runtime::OpenedPackage opened, runtime::openPackage(home, bucket));
    const passes::Sample inputs = vary ? varied(opened.facts, sample) : sample;
    const std::vector<runtime::InputArray> arrays = arraysOf(opened.facts, bucket, inputs);
    status = check(std::move(opened), arrays, monitor);
    if (errorOf(status) != Error::kOutOfRange) return status;
  }
  monitor.note(absl::StrCat("the circuit was not tried: ", status.message()));
  return absl::OkStatus();
}

}  // namespace lindero::compiler

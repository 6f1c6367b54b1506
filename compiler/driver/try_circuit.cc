#include "compiler/driver/try_circuit.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/driver/errors.h"
#include "compiler/driver/samples.h"
#include "ir/integer/interpreter.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/quantize/compare.h"
#include "runtime/decode/decode_options.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/status_macros.h"
#include "runtime/run/run.h"

namespace lindero::compiler {
namespace {

using ir::integer::IntArray;

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

// A decode run is given the first half of its tokens.
std::vector<runtime::InputArray> inputsOf(const runtime::ModelFacts& facts, int64_t bucket,
                                          const passes::Sample& sample) {
  std::vector<runtime::InputArray> arrays = arraysOf(facts, sample);
  if (bucket > 0) {
    std::vector<int64_t>& tokens = arrays[0].integers;
    tokens.resize(std::min<size_t>(tokens.size(), (bucket + 1) / 2));
    arrays = {{.name = arrays[0].name,
               .shape = {static_cast<int64_t>(tokens.size())},
               .integer = true,
               .integers = tokens}};
  }
  return arrays;
}

absl::Status differs(const std::string& file, const std::string& what) {
  return failure(Error::kInternal, absl::StrCat(file, ": the circuit's ", what,
                                                " not the integer program's; please report this "
                                                "model"));
}

// Inputs as the program takes them.
absl::StatusOr<std::vector<IntArray>> integersOf(const ir::Function& integer,
                                                 const passes::Sample& inputs) {
  std::vector<IntArray> integers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    LINDERO_ASSIGN_OR_RETURN(IntArray one,
                             passes::toIntegerInput(inputs[i], *integer.body().arguments()[i]));
    integers.push_back(std::move(one));
  }
  return integers;
}

// The integers of the circuit's public tensors against those of the interpreter.
absl::Status compareValues(const ir::Function& integer, const passes::Sample& inputs,
                           const std::string& file, const Statement& statement) {
  LINDERO_ASSIGN_OR_RETURN(const std::vector<IntArray> given, integersOf(integer, inputs));
  LINDERO_ASSIGN_OR_RETURN(const std::vector<IntArray> computed,
                           ir::integer::interpret(integer, given));
  std::map<std::pair<bool, std::string>, const IntArray*> expected;
  for (auto [argument, array] : llvm::zip(integer.body().arguments(), given))
    expected[{false, argument->name().str()}] = &array;
  const ir::Op* end = integer.body().terminator();
  const auto& names = std::get<std::vector<std::string>>(*end->find("names"));
  for (auto [name, array] : llvm::zip(names, computed)) expected[{true, name}] = &array;
  for (const PublicValues& tensor : statement.tensors()) {
    const bool output = tensor.kind() == PublicValues::OUTPUT;
    const auto found = expected.find({output, tensor.name()});
    if (found == expected.end() || !llvm::equal(tensor.values(), found->second->values)) {
      return differs(file, absl::StrCat(output ? "output '" : "input '", tensor.name(), "' is"));
    }
  }
  return absl::OkStatus();
}

// The tokens that the run chooses against the interpreter's choices.
absl::Status compareChoices(const ir::Function& integer, const runtime::OpenedPackage& opened,
                            const std::vector<int64_t>& prompt,
                            const runtime::DecodeOptions& decode, runtime::Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(const runtime::DecodeRun run,
                           runtime::continueTokens(opened.package(), decode, prompt, 0, monitor));
  const ir::Type& type = integer.body().arguments()[0]->type();
  IntArray tokens{{type.shape.begin(), type.shape.end()}, run.tokens};
  tokens.values.resize(type.elements(), 0);
  LINDERO_ASSIGN_OR_RETURN(const std::vector<IntArray> choices,
                           ir::integer::interpret(integer, {tokens}));
  for (int64_t t = run.prompt; t < static_cast<int64_t>(run.tokens.size()); ++t) {
    if (choices[0].values[t - 1] != run.tokens[t])
      return differs(opened.facts.file, absl::StrCat("choice at position ", t, " is"));
  }
  return absl::OkStatus();
}

absl::Status check(runtime::OpenedPackage opened, const std::vector<runtime::InputArray>& arrays,
                   int64_t bucket, const ir::Function& integer, const passes::Sample& inputs,
                   runtime::Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(runtime::Scratch scratch, runtime::Scratch::temporary(monitor));
  runtime::DecodeOptions decode;
  decode.generate = bucket / 2;
  const std::string file = opened.facts.file;
  LINDERO_ASSIGN_OR_RETURN(runtime::Run run,
                           runtime::bindRun(std::move(opened), arrays, decode, 0, monitor));
  LINDERO_ASSIGN_OR_RETURN(runtime::TracedRun traced,
                           runtime::traceRun(run, scratch.path("."), 0, monitor));
  LINDERO_ASSIGN_OR_RETURN(runtime::CheckReport report,
                           runtime::checkRun(run, traced, 0, 1, monitor));
  if (!report.ok()) {
    return failure(Error::kInternal,
                   absl::StrCat(file, ": the circuit refuses a run of its own ",
                                "program; please report this model\n", report.toString()));
  }
  if (runtime::mostSteps(run.opened.package()) > 0)
    return compareChoices(integer, run.opened, arrays[0].integers, decode, monitor);
  return compareValues(integer, inputs, file, traced.statement);
}

}  // namespace

absl::Status tryCircuit(const std::string& home, int64_t bucket, const passes::Sample& sample,
                        const ir::Function& integer, runtime::Monitor& monitor) {
  monitor.progress("try the circuit");
  absl::Status status;
  for (bool vary : {true, false}) {
    LINDERO_ASSIGN_OR_RETURN(runtime::OpenedPackage opened, runtime::openPackage(home, bucket));
    const passes::Sample inputs = vary ? varied(opened.facts, sample) : sample;
    const std::vector<runtime::InputArray> arrays = inputsOf(opened.facts, bucket, inputs);
    status = check(std::move(opened), arrays, bucket, integer, inputs, monitor);
    if (errorOf(status) != Error::kOutOfRange) return status;
  }
  monitor.note(absl::StrCat("the circuit was not tried: ", status.message()));
  return absl::OkStatus();
}

}  // namespace lindero::compiler

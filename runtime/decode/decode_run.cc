#include "runtime/decode/decode_run.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

const PublicTensor* findInput(const Circuit& circuit, absl::string_view name) {
  for (const PublicTensor& tensor : circuit.publics()) {
    if (tensor.kind() == PublicTensor::INPUT && tensor.name() == name) return &tensor;
  }
  return nullptr;
}

PublicValues& addTensor(Statement& statement, const PublicTensor& tensor) {
  PublicValues& values = *statement.add_tensors();
  values.set_name(tensor.name());
  values.set_kind(PublicValues::INPUT);
  values.set_rows(tensor.rows());
  values.set_columns(tensor.columns());
  return values;
}

const PublicValues& choicesOf(const Statement& statement) {
  return *std::find_if(statement.tensors().begin(), statement.tensors().end(),
                       [](const PublicValues& v) { return v.kind() == PublicValues::OUTPUT; });
}

}  // namespace

bool StopRule::stops(int64_t token) const {
  return std::find(stop.begin(), stop.end(), token) != stop.end();
}

int64_t mostSteps(const Circuit& circuit) {
  const PublicTensor* tape = findInput(circuit, kTape);
  return tape == nullptr || findInput(circuit, kLengths) == nullptr ? 0 : int64_t{tape->rows()} - 1;
}

absl::StatusOr<Statement> decodeInputs(const Circuit& circuit, const DecodeRun& run) {
  const int64_t most = mostSteps(circuit);
  if (run.prompt < 1 || run.generated() < 0 || run.steps() < 1 || run.steps() > most) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a prompt of ", run.prompt, " tokens and ", run.generated(), " more do not fit: ", most,
        " steps are compiled for, and every token but the last needs one"));
  }
  Statement statement;
  statement.set_format(1);
  for (const PublicTensor& tensor : circuit.publics()) {
    if (tensor.kind() != PublicTensor::INPUT) continue;
    PublicValues& values = addTensor(statement, tensor);
    if (tensor.name() == kTape) {
      values.mutable_values()->Assign(run.tokens.begin(), run.tokens.end());
      values.mutable_values()->Resize(static_cast<int>(most) + 1, 0);
    } else {
      values.add_values(run.steps());
      values.add_values(run.prompt - 1);
    }
    LINDERO_RETURN_IF_ERROR(checkValues(tensor, values));
  }
  return statement;
}

absl::StatusOr<DecodeRun> readDecodeRun(absl::Span<const int64_t> tape,
                                        absl::Span<const int64_t> lengths) {
  const auto rows = static_cast<int64_t>(tape.size()) - 1;
  if (lengths.size() != 2 || lengths[0] < 1 || lengths[0] > rows || lengths[1] < 0 ||
      lengths[1] > lengths[0]) {
    return absl::InvalidArgumentError("the lengths are none of a decode run");
  }
  const int64_t steps = lengths[0];
  if (std::any_of(tape.begin() + steps + 1, tape.end(), [](int64_t v) { return v != 0; })) {
    return absl::InvalidArgumentError("a token stands behind the decode run");
  }
  return DecodeRun{{tape.begin(), tape.begin() + steps + 1}, lengths[1] + 1};
}

absl::StatusOr<DecodeRun> decodeGreedily(const Package& package, absl::Span<const int64_t> prompt,
                                         const StopRule& rule, const TraceOptions& options,
                                         absl::FunctionRef<void(int64_t generated)> progress) {
  const auto given = static_cast<int64_t>(prompt.size());
  const int64_t most = mostSteps(package.circuit());
  if (given < 1 || rule.most < 1 || rule.most > most + 1 - given) {
    return absl::InvalidArgumentError(absl::StrCat(given, " tokens of the prompt and ", rule.most,
                                                   " more are more than the ", most + 1,
                                                   " that the model was compiled for"));
  }
  DecodeRun run{{prompt.begin(), prompt.end()}, given};
  while (run.generated() < rule.most) {
    // All tokens so far are taken for given, and a zero behind them.
    DecodeRun so_far = run;
    so_far.tokens.push_back(0);
    so_far.prompt = static_cast<int64_t>(so_far.tokens.size());
    LINDERO_ASSIGN_OR_RETURN(Statement inputs, decodeInputs(package.circuit(), so_far));
    LINDERO_ASSIGN_OR_RETURN(Statement outputs, runProgram(package, inputs, options));
    run.tokens.push_back(choicesOf(outputs).values(static_cast<int>(so_far.steps()) - 1));
    progress(run.generated());
    if (rule.stops(run.tokens.back())) break;
  }
  return run;
}

absl::Status checkStop(const DecodeRun& run, const StopRule& rule) {
  for (int64_t i = run.prompt; i < run.steps(); ++i) {
    if (!rule.stops(run.tokens[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the run goes on behind the stop token ", run.tokens[i], " at position ", i));
  }
  if (run.generated() == rule.most) return absl::OkStatus();
  if (run.generated() > 0 && run.generated() < rule.most && rule.stops(run.tokens.back())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("the run has ", run.generated(),
                                                 " chosen tokens, not ", rule.most,
                                                 ", and does not end in a stop token"));
}

}  // namespace lindero::runtime

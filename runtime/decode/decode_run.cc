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

// Per block: steps before and after, given tokens before and after.
constexpr int64_t kLengthCount = 4;

// The values of tape and lengths, of all blocks.
struct Tensors {
  std::vector<int64_t> tape, lengths;
};

Tensors tensorsOf(const DecodeRun& run, int64_t block, int64_t blocks) {
  Tensors out;
  for (int64_t b = 0; b < blocks; ++b) {
    for (int64_t t = b * block; t <= (b + 1) * block; ++t) {
      out.tape.push_back(t <= run.steps() ? run.tokens[t] : 0);
    }
    const int64_t before = b * block, after = std::min(before + block, run.steps());
    for (int64_t most : {run.steps(), run.prompt - 1}) {
      out.lengths.push_back(std::min(before, most));
      out.lengths.push_back(std::min(after, most));
    }
  }
  return out;
}

PublicValues& addTensor(Statement& statement, const PublicTensor& tensor, int64_t blocks) {
  PublicValues& values = *statement.add_tensors();
  values.set_name(tensor.name());
  values.set_kind(PublicValues::INPUT);
  values.set_rows(tensor.rows() * static_cast<uint32_t>(blocks));
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

int64_t blockSteps(const Circuit& circuit) {
  const PublicTensor* tape = findInput(circuit, kTape);
  return tape == nullptr || findInput(circuit, kLengths) == nullptr ? 0 : int64_t{tape->rows()} - 1;
}

int64_t mostSteps(const Circuit& circuit, int64_t most_blocks) {
  return blockSteps(circuit) * most_blocks;
}

int64_t mostSteps(const Package& package) {
  return mostSteps(package.circuit(), package.bundle().most_steps());
}

absl::StatusOr<Statement> decodeInputs(const Package& package, const DecodeRun& run) {
  return decodeInputs(package.circuit(), package.bundle().most_steps(), run);
}

absl::StatusOr<Statement> decodeInputs(const Circuit& circuit, int64_t most_blocks,
                                       const DecodeRun& run) {
  const int64_t most = mostSteps(circuit, most_blocks), block = blockSteps(circuit);
  if (run.prompt < 1 || run.generated() < 0 || run.steps() < 1 || run.steps() > most) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a prompt of ", run.prompt, " tokens and ", run.generated(), " more do not fit: ", most,
        " steps are compiled for, and every token but the last needs one"));
  }
  const int64_t blocks = (run.steps() + block - 1) / block;
  const Tensors tensors = tensorsOf(run, block, blocks);
  Statement statement;
  statement.set_format(1);
  for (const PublicTensor& tensor : circuit.publics()) {
    if (tensor.kind() != PublicTensor::INPUT) continue;
    PublicValues& values = addTensor(statement, tensor, blocks);
    if (tensor.name() == kTape) {
      values.mutable_values()->Assign(tensors.tape.begin(), tensors.tape.end());
    } else if (tensor.name() == kLengths) {
      values.mutable_values()->Assign(tensors.lengths.begin(), tensors.lengths.end());
    } else {
      for (int64_t i = 0; i < values.rows(); ++i) values.add_values(i / tensor.rows());
    }
    LINDERO_RETURN_IF_ERROR(checkValues(tensor, values, blocks));
  }
  return statement;
}

absl::StatusOr<DecodeRun> readDecodeRun(absl::Span<const int64_t> tape,
                                        absl::Span<const int64_t> lengths) {
  const auto blocks = static_cast<int64_t>(lengths.size()) / kLengthCount,
             rows = static_cast<int64_t>(tape.size());
  const absl::Status none = absl::InvalidArgumentError("tape and lengths are none of a decode run");
  if (blocks < 1 || lengths.size() % kLengthCount != 0 || rows % blocks != 0) return none;
  const int64_t block = rows / blocks - 1, steps = lengths[(blocks - 1) * kLengthCount + 1],
                given = lengths[(blocks - 1) * kLengthCount + 3];
  if (block < 1 || steps <= (blocks - 1) * block || steps > blocks * block || given < 0 ||
      given > steps) {
    return none;
  }
  DecodeRun run{{tape[0]}, given + 1};
  for (int64_t t = 0; t < steps; ++t) {
    run.tokens.push_back(tape[t / block * (block + 1) + t % block + 1]);
  }
  const Tensors expected = tensorsOf(run, block, blocks);
  if (absl::MakeConstSpan(expected.tape) != tape ||
      absl::MakeConstSpan(expected.lengths) != lengths) {
    return none;
  }
  return run;
}

std::string tooManyTokens(int64_t given, int64_t chosen, int64_t steps) {
  return absl::StrCat(given, " tokens of the prompt and ", chosen, " more are more than the ",
                      steps + 1, " of a run: one for each position, and the choice after the last");
}

absl::StatusOr<DecodeRun> decodeGreedily(const Package& package, absl::Span<const int64_t> prompt,
                                         const StopRule& rule, const TraceOptions& options,
                                         absl::FunctionRef<void(int64_t generated)> progress) {
  const Circuit& circuit = package.circuit();
  const auto given = static_cast<int64_t>(prompt.size());
  const int64_t most = mostSteps(package), block = blockSteps(circuit);
  if (given < 1 || rule.most < 1 || rule.most > most + 1 - given) {
    return absl::InvalidArgumentError(tooManyTokens(given, rule.most, most));
  }
  DecodeRun run{{prompt.begin(), prompt.end()}, given};
  // What the blocks before `done` leave.
  LinkValues linked;
  int64_t done = 0;
  while (run.generated() < rule.most) {
    // All tokens so far are taken for given, and a zero after them.
    DecodeRun so_far = run;
    so_far.tokens.push_back(0);
    so_far.prompt = static_cast<int64_t>(so_far.tokens.size());
    LINDERO_ASSIGN_OR_RETURN(Statement inputs, decodeInputs(package, so_far));
    const int64_t last = (so_far.steps() - 1) / block;
    for (;; ++done) {
      LinkValues after = linked;
      TraceOptions block_options = options;
      block_options.linked = &after;
      LINDERO_ASSIGN_OR_RETURN(Statement outputs,
                               runProgram(package, blockOf(circuit, inputs, done), block_options));
      if (done == last) {
        run.tokens.push_back(
            choicesOf(outputs).values(static_cast<int>(so_far.steps() - 1 - last * block)));
        break;
      }
      linked = std::move(after);
    }
    progress(run.generated());
    if (rule.stops(run.tokens.back())) break;
  }
  return run;
}

absl::StatusOr<LinkValues> linkBefore(const Package& package, const Statement& inputs,
                                      int64_t block, const TraceOptions& options) {
  LinkValues linked;
  TraceOptions block_options = options;
  block_options.linked = &linked;
  for (int64_t b = 0; b < block; ++b) {
    LINDERO_RETURN_IF_ERROR(
        runProgram(package, blockOf(package.circuit(), inputs, b), block_options).status());
  }
  return linked;
}

absl::Status checkStop(const DecodeRun& run, const StopRule& rule) {
  for (int64_t i = run.prompt; i < run.steps(); ++i) {
    if (!rule.stops(run.tokens[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the run goes on after the stop token ", run.tokens[i], " at position ", i));
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

// Decode runs: a prompt and the tokens after it, each the model's choice, the argmax of the
// position before (of equal logits, the one of the lowest id).
//
// A circuit with a step table (passes/lower_air/gadgets/steps/README.md) of T rows has the public
// inputs
//   decode/tape     T + 1 tokens: the first one, what each step leaves, zeros after the run
//   decode/lengths  the run's steps before the first row and up to the last, and how many of the
//                   tokens that these leave were given: those of the prompt but for the first one
// and proves that the other tokens are the choices; its output is the choice of every step. In a
// circuit with carries (--context=carry) that is a block of the run; the blocks after it go on
// where it ends, and decode/block says how many were before.
#ifndef LINDERO_RUNTIME_DECODE_DECODE_RUN_H_
#define LINDERO_RUNTIME_DECODE_DECODE_RUN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.pb.h"
#include "runtime/trace/generate_trace.h"

namespace lindero::runtime {

inline constexpr char kTape[] = "decode/tape";
inline constexpr char kLengths[] = "decode/lengths";
inline constexpr char kBlock[] = "decode/block";

struct DecodeRun {
  std::vector<int64_t> tokens;  // two at least
  int64_t prompt = 0;           // how many of them were given, from 1 to all
  int64_t steps() const { return static_cast<int64_t>(tokens.size()) - 1; }
  int64_t generated() const { return static_cast<int64_t>(tokens.size()) - prompt; }
};

// What is said of a run that does not fit: of so many tokens given and chosen, where there are at
// most `steps` steps.
std::string tooManyTokens(int64_t given, int64_t chosen, int64_t steps);

// When a run ends: after a token of `stop`, or after `most` chosen ones.
struct StopRule {
  int64_t most = 1;
  std::vector<int64_t> stop = {};
  bool stops(int64_t token) const;
};

// Most steps of a run in bundles of up to `most_blocks`; 0: the circuit has no step table.
int64_t mostSteps(const Circuit& circuit, int64_t most_blocks);
int64_t mostSteps(const Package& package);

// Steps of a block.
int64_t blockSteps(const Circuit& circuit);

// The inputs of the circuit, of all blocks. Fails if the run does not fit or has a token that is
// none.
absl::StatusOr<Statement> decodeInputs(const Circuit& circuit, int64_t most_blocks,
                                       const DecodeRun& run);
absl::StatusOr<Statement> decodeInputs(const Package& package, const DecodeRun& run);

// The run that proven values of the two inputs stand for; fails if they stand for none.
absl::StatusOr<DecodeRun> readDecodeRun(absl::Span<const int64_t> tape,
                                        absl::Span<const int64_t> lengths);

// The model's continuation of a prompt, by the package's own integer program: a pass over the
// positions of its block per token. Fails if there is no room.
absl::StatusOr<DecodeRun> decodeGreedily(const Package& package, absl::Span<const int64_t> prompt,
                                         const StopRule& rule, const TraceOptions& options,
                                         absl::FunctionRef<void(int64_t generated)> progress);

// What the blocks before this one leave, in a run with these inputs (decodeInputs).
absl::StatusOr<LinkValues> linkBefore(const Package& package, const Statement& inputs,
                                      int64_t block, const TraceOptions& options = {});

// That a run of chosen tokens ended where the rule says.
absl::Status checkStop(const DecodeRun& run, const StopRule& rule);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_DECODE_DECODE_RUN_H_

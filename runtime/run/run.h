// A run of a compiled model: its inputs bound to a circuit that it fits in, and its traces.
//
//     std::vector<InputArray> arrays = …;  // runtime/inputs
//     Monitor monitor;
//     LINDERO_ASSIGN_OR_RETURN(
//         Run run, bindRun("gpt.lindero", arrays, {.generate = 8}, 0, monitor));
//     LINDERO_ASSIGN_OR_RETURN(TracedRun traced, traceRun(run, folder, 0, monitor));
//
// `threads`: 0 is one per processor; results never depend on it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/check/checker.h"
#include "runtime/decode/decode_options.h"
#include "runtime/inputs/inputs.h"
#include "runtime/model/opened_package.h"
#include "runtime/monitor/monitor.h"
#include "runtime/package/statement.pb.h"
#include "runtime/trace/generate_trace.h"

namespace lindero::runtime {

struct Run {
  OpenedPackage opened;
  Statement inputs;      // of all blocks; of a decode run, with the chosen tokens
  DecodeOptions decode;  // as they were asked for
  std::vector<ShortInput> short_inputs = {};  // but of decode runs
  // Of the bundle: one of most circuits.
  int64_t steps() const;
  // Of all members in all steps, those of a step in the order of the members: each has a trace.
  int64_t blocks() const;
};

// `home` is a package's folder; of its buckets, the shortest that fits is taken. A decode run is
// continued here, by the package's integer program. Errors: kInput, kToken and kOutOfRange name the
// input; kPackage, kFile; kCancelled.
absl::StatusOr<Run> bindRun(const std::string& home, const std::vector<InputArray>& arrays,
                            const DecodeOptions& decode, int threads, Monitor& monitor);
// The same for a circuit that is open already.
absl::StatusOr<Run> bindRun(OpenedPackage opened, const std::vector<InputArray>& arrays,
                            const DecodeOptions& decode, int threads, Monitor& monitor);

// Which of the buckets (ascending; {0} of a package without) the run takes.
absl::StatusOr<int64_t> bucketOfRun(const ModelFacts& facts, const std::vector<InputArray>& arrays,
                                    const DecodeOptions& decode,
                                    const std::vector<int64_t>& buckets);

// A run with its traces, one for each of its blocks.
struct TracedRun {
  Statement statement;  // inputs and outputs
  std::vector<std::string> traces;
};

// Of the traces that the folder has already, of the same run: they are made anew, or kept, and only
// what they hand on is computed. Then each appears whole or not at all.
enum class Traces { kMade, kKept };

// trace.bin, or trace-0.bin, ... if there are several.
std::string traceName(int64_t block, int64_t blocks);

// Traces go to files of these names in the folder. Memory: see
// generateTrace, of one block.
absl::StatusOr<TracedRun> traceRun(const Run& run, const std::string& folder, int threads,
                                   Monitor& monitor, Traces present = Traces::kMade);

// Of each member, what the blocks before it left when it runs in the last step.
absl::StatusOr<std::vector<LinkValues>> linksBefore(const Run& run, int threads, Monitor& monitor);

// Every constraint, lookup and claimed sum of the traces, without any prover. A report with
// failures is no error.
absl::StatusOr<CheckReport> checkRun(const Run& run, const TracedRun& traced, int threads,
                                     uint64_t seed, Monitor& monitor);

}  // namespace lindero::runtime

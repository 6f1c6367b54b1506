// Computes the witness of a run: the columns of phase 1, in a memory-mapped file, and the outputs.
//
// Needs the package and the inputs alone. The result depends on nothing else: not on the number of
// threads, not on the machine. Memory: the buffers that live at the same time
// (ProgramInfo.peak_elements, 4 bytes each), the counts of bus providers once per thread, and the
// pages of the two mapped files, which the kernel may write back.
#ifndef LINDERO_RUNTIME_TRACE_GENERATE_TRACE_H_
#define LINDERO_RUNTIME_TRACE_GENERATE_TRACE_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.pb.h"
#include "runtime/parallel/thread_pool.h"
#include "runtime/trace/buffers.h"
#include "runtime/trace/run_step.h"

namespace lindero::runtime {

struct TraceOptions {
  int threads = 0;  // 0: as many as the machine has
  // Called after every step and once more when multiplicities are counted; from the calling thread.
  std::function<void(int done, int total)> progress;
  // Asked after every step, from the calling thread: true ends the run with kCancelled.
  std::function<bool()> cancelled;
  // For soundness experiments: called after every step, before what it wrote is placed or read, and
  // free to change that. Later steps follow the changed values; lookups that find nothing are left
  // out of the multiplicities, as a cheating prover would, and are no error.
  std::function<void(const Step& step, Buffers& buffers)> revise;
  bool multiplicities = true;  // else their columns stay zero
  // Of a bundle: what the blocks before left, by slot (empty: this is the first one); what this one
  // leaves takes its place.
  LinkValues* linked = nullptr;
};

// `inputs` names every public tensor of kind INPUT; further entries are refused. The statement that
// is returned has all public tensors in the circuit's order. Errors name node, value and range; no
// file is left behind then.
absl::StatusOr<Statement> generateTrace(const Package& package, const Statement& inputs,
                                        const std::string& trace_path,
                                        const TraceOptions& options = {});

// The same into memory: `main` has the layout of trace.bin and holds zeros.
absl::StatusOr<Statement> generateTrace(const Package& package, const Statement& inputs,
                                        absl::Span<uint32_t> main,
                                        const TraceOptions& options = {});

// The outputs alone, without a witness: the same steps, and the same errors where a value leaves
// its range.
absl::StatusOr<Statement> runProgram(const Package& package, const Statement& inputs,
                                     const TraceOptions& options = {});

// Counts the lookups of every bus into the multiplicity columns of its providers. `main` holds the
// columns of phase 1 in the layout of trace.bin, multiplicity columns excepted. A looked-up tuple
// that stands nowhere is an error that names node, lookup, row and values; or is left out, with
// `allow_missing`.
absl::Status fillMultiplicities(const Package& package, absl::Span<uint32_t> main, ThreadPool& pool,
                                bool allow_missing = false);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TRACE_GENERATE_TRACE_H_

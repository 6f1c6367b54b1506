// A run of the trace program that starts again in the middle.
//
// All buffers of the honest run are kept. A rerun changes what one step wrote, runs the later steps
// that read something changed, and no others. Cost: those steps, and a comparison of what they
// wrote; memory: twice the buffers.
#ifndef LINDERO_RUNTIME_TAMPER_PROGRAM_RUN_H_
#define LINDERO_RUNTIME_TAMPER_PROGRAM_RUN_H_

#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "runtime/check/recheck.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.pb.h"
#include "runtime/parallel/thread_pool.h"
#include "runtime/trace/buffers.h"
#include "runtime/trace/run_step.h"

namespace lindero::runtime {

class ProgramRun {
 public:
  // `inputs` as for generateTrace, and what the block before left. Unimplemented when a step
  // overwrites what an earlier one read: programs that no pass emits. The package must outlive
  // this.
  static absl::StatusOr<std::unique_ptr<ProgramRun>> create(const Package& package,
                                                            const Statement& inputs,
                                                            LinkValues before = {});

  // Of the honest run.
  const std::vector<uint32_t>& cells() const { return cells_; }
  const Statement& statement() const { return honest_statement_; }

  // Lets `revise` change what step `index` wrote, and runs all that depends on it. An error when a
  // later step refuses the values. The next call starts from the honest run again.
  absl::Status rerun(int index, absl::FunctionRef<void(const Step&, Buffers&)> revise);

  // Of the last rerun: cells that differ from the honest run, multiplicities left out, and the
  // statement.
  std::vector<CellChange> changes() const;
  const Statement& revisedStatement() const { return statement_; }

 private:
  explicit ProgramRun(const Package& package);
  absl::Status checkOrder() const;
  absl::Status runHonestly(const Statement& inputs);
  bool differs(uint32_t buffer) const;

  const Package& package_;
  LinkValues before_, after_;
  ThreadPool pool_;
  std::vector<uint32_t> cells_;
  Statement honest_statement_, statement_;
  std::vector<std::vector<int32_t>> honest_;  // by buffer
  std::vector<std::vector<int>> placements_;  // by buffer
  std::vector<StepBuffers> steps_;            // by step
  Buffers buffers_;
  std::vector<bool> dirty_;  // by buffer: not the honest values
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_PROGRAM_RUN_H_

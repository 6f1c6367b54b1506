#include "runtime/trace/generate_trace.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/package/files.h"
#include "runtime/package/mapped_file.h"
#include "runtime/package/placement.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"
#include "runtime/trace/buffers.h"
#include "runtime/trace/in_place.h"
#include "runtime/trace/step_context.h"

namespace lindero::runtime {
namespace {

// The public tensors in the circuit's order, with the inputs' values filled in.
absl::StatusOr<Statement> startStatement(const Circuit& circuit, const Statement& inputs) {
  Statement statement;
  statement.set_format(1);
  int used = 0;
  for (const PublicTensor& tensor : circuit.publics()) {
    PublicValues* values = statement.add_tensors();
    values->set_name(tensor.name());
    values->set_kind(tensor.kind() == PublicTensor::INPUT ? PublicValues::INPUT
                                                          : PublicValues::OUTPUT);
    values->set_rows(tensor.rows());
    values->set_columns(tensor.columns());
    if (tensor.kind() != PublicTensor::INPUT) continue;
    const PublicValues* given = findValues(inputs, tensor.name());
    if (given == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("input \"", tensor.name(), "\" is missing"));
    }
    LINDERO_RETURN_IF_ERROR(checkValues(tensor, *given));
    *values->mutable_values() = given->values();
    ++used;
  }
  if (inputs.tensors_size() == used) return statement;
  for (const PublicValues& given : inputs.tensors()) {
    bool known = std::any_of(
        circuit.publics().begin(), circuit.publics().end(), [&](const PublicTensor& tensor) {
          return tensor.kind() == PublicTensor::INPUT && tensor.name() == given.name();
        });
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("the circuit has no input \"", given.name(), "\""));
    }
  }
  return absl::InvalidArgumentError("an input is given twice");
}

// A file that disappears unless it is kept.
class PendingFile {
 public:
  explicit PendingFile(std::string path) : path_(std::move(path)) {}
  ~PendingFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  const std::string& path() const { return path_; }
  absl::Status keepAs(const std::string& final_path) {
    LINDERO_RETURN_IF_ERROR(renamePath(path_, final_path));
    path_.clear();
    return absl::OkStatus();
  }

 private:
  std::string path_;
};

// `main` may be empty: nothing is placed then.
class Executor {
 public:
  Executor(const Package& package, const TraceOptions& options, Statement& statement,
           absl::Span<uint32_t> main, ThreadPool& pool)
      : package_(package),
        options_(options),
        before_(options.linked ? *options.linked : none_),
        statement_(statement),
        main_(main),
        pool_(pool),
        // Whoever revises values may want any of them.
        buffers_(package.program(), options.revise ? std::map<uint32_t, FixedMatrix>()
                                                   : matricesInPlace(package.program())) {}

  absl::Status run(int index) {
    const Step& step = package_.program().steps(index);
    for (uint32_t buffer : buffersOf(step).writes)
      LINDERO_RETURN_IF_ERROR(buffers_.allocate(buffer));
    LINDERO_RETURN_IF_ERROR(
        runStep({package_, step, buffers_, pool_, {&statement_, &before_, &after_}}));
    if (options_.revise) options_.revise(step, buffers_);
    const ProgramInfo& info = package_.programInfo();
    for (uint32_t placement : info.placements_after[index]) {
      if (!main_.empty()) place(package_.program().placements(static_cast<int>(placement)));
    }
    for (uint32_t buffer : info.frees_after[index]) buffers_.free(buffer);
    return absl::OkStatus();
  }

  LinkValues& after() { return after_; }

 private:
  void place(const Placement& placement) {
    absl::Span<const int32_t> buffer = buffers_.at(placement.buffer());
    pool_.parallelFor(placement.lanes(), [&](uint64_t lane, int) {
      uint32_t column = placement.column() + static_cast<uint32_t>(lane);
      storeLane(placement, lane, buffer,
                package_.traceLayout().column(main_, placement.table(), column));
    });
  }

  const Package& package_;
  const TraceOptions& options_;
  const LinkValues none_;
  const LinkValues& before_;
  Statement& statement_;
  absl::Span<uint32_t> main_;
  ThreadPool& pool_;
  Buffers buffers_;
  LinkValues after_;
};

// Members take what others left, so that slots stay until something else is left there.
void replaceSlots(LinkValues& left, LinkValues& slots) {
  slots.resize(std::max(slots.size(), left.size()));
  for (size_t slot = 0; slot < left.size(); ++slot) {
    if (!left[slot].empty()) slots[slot] = std::move(left[slot]);
  }
}

absl::StatusOr<Statement> runSteps(const Package& package, const Statement& inputs,
                                   absl::Span<uint32_t> main, const TraceOptions& options,
                                   ThreadPool& pool) {
  LINDERO_ASSIGN_OR_RETURN(Statement statement, startStatement(package.circuit(), inputs));
  const int steps = package.program().steps_size();
  Executor executor(package, options, statement, main, pool);
  for (int i = 0; i < steps; ++i) {
    LINDERO_RETURN_IF_ERROR(executor.run(i));
    if (options.progress) options.progress(i + 1, steps + 1);
    if (options.cancelled && options.cancelled()) return absl::CancelledError("cancelled");
  }
  if (options.linked) replaceSlots(executor.after(), *options.linked);
  return statement;
}

}  // namespace

absl::StatusOr<Statement> runProgram(const Package& package, const Statement& inputs,
                                     const TraceOptions& options) {
  ThreadPool pool(options.threads);
  return runSteps(package, inputs, {}, options, pool);
}

absl::StatusOr<Statement> generateTrace(const Package& package, const Statement& inputs,
                                        absl::Span<uint32_t> main, const TraceOptions& options) {
  ThreadPool pool(options.threads);
  LINDERO_ASSIGN_OR_RETURN(Statement statement, runSteps(package, inputs, main, options, pool));
  if (options.multiplicities) {
    LINDERO_RETURN_IF_ERROR(fillMultiplicities(package, main, pool, bool(options.revise)));
  }
  const int steps = package.program().steps_size();
  if (options.progress) options.progress(steps + 1, steps + 1);
  return statement;
}

absl::StatusOr<Statement> generateTrace(const Package& package, const Statement& inputs,
                                        const std::string& trace_path,
                                        const TraceOptions& options) {
  PendingFile pending(temporaryPath(trace_path));
  LINDERO_ASSIGN_OR_RETURN(MappedFile file,
                           MappedFile::create(pending.path(), package.traceLayout().bytes()));
  LINDERO_ASSIGN_OR_RETURN(Statement statement,
                           generateTrace(package, inputs, file.mutableWords(), options));
  file = MappedFile();
  LINDERO_RETURN_IF_ERROR(pending.keepAs(trace_path));
  return statement;
}

}  // namespace lindero::runtime

#include "runtime/tamper/program_run.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/package/placement.h"
#include "runtime/package/status_macros.h"
#include "runtime/trace/generate_trace.h"
#include "runtime/trace/run_step.h"

namespace lindero::runtime {

ProgramRun::ProgramRun(const Package& package)
    : package_(package),
      pool_(1),
      honest_(package.program().buffers_size()),
      placements_(package.program().buffers_size()),
      buffers_(package.program()),
      dirty_(package.program().buffers_size(), false) {
  const Program& program = package.program();
  for (const Step& step : program.steps()) steps_.push_back(buffersOf(step));
  for (int i = 0; i < program.placements_size(); ++i) {
    placements_[program.placements(i).buffer()].push_back(i);
  }
}

absl::StatusOr<std::unique_ptr<ProgramRun>> ProgramRun::create(const Package& package,
                                                               const Statement& inputs,
                                                               LinkValues before) {
  auto run = std::unique_ptr<ProgramRun>(new ProgramRun(package));
  run->before_ = std::move(before);
  LINDERO_RETURN_IF_ERROR(run->checkOrder());
  LINDERO_RETURN_IF_ERROR(run->runHonestly(inputs));
  return run;
}

// A rerun finds what a step read as it was when the step ran.
absl::Status ProgramRun::checkOrder() const {
  std::vector<bool> read(honest_.size(), false);
  for (size_t i = 0; i < steps_.size(); ++i) {
    for (uint32_t buffer : steps_[i].reads) read[buffer] = true;
    for (uint32_t buffer : steps_[i].writes) {
      if (!read[buffer]) continue;
      const Step& step = package_.program().steps(static_cast<int>(i));
      return absl::UnimplementedError(
          absl::StrCat("node \"", step.node(), "\" writes the buffer \"",
                       package_.program().buffers(static_cast<int>(buffer)).name(),
                       "\" after it was read; such a program cannot be run from the middle"));
    }
  }
  return absl::OkStatus();
}

absl::Status ProgramRun::runHonestly(const Statement& inputs) {
  cells_.assign(package_.traceLayout().cells(), 0);
  TraceOptions options;
  LinkValues linked = before_;
  options.linked = &linked;
  options.revise = [&](const Step& step, Buffers& buffers) {
    for (uint32_t buffer : buffersOf(step).writes) {
      absl::Span<const int32_t> values = buffers.at(buffer);
      honest_[buffer].assign(values.begin(), values.end());
    }
  };
  LINDERO_ASSIGN_OR_RETURN(honest_statement_,
                           generateTrace(package_, inputs, absl::MakeSpan(cells_), options));
  statement_ = honest_statement_;
  for (uint32_t buffer = 0; buffer < honest_.size(); ++buffer) {
    if (honest_[buffer].empty()) continue;
    LINDERO_RETURN_IF_ERROR(buffers_.allocate(buffer));
    std::copy(honest_[buffer].begin(), honest_[buffer].end(), buffers_.at(buffer).begin());
  }
  return absl::OkStatus();
}

bool ProgramRun::differs(uint32_t buffer) const {
  return !std::equal(honest_[buffer].begin(), honest_[buffer].end(), buffers_.at(buffer).begin());
}

absl::Status ProgramRun::rerun(int index, absl::FunctionRef<void(const Step&, Buffers&)> revise) {
  for (uint32_t buffer = 0; buffer < honest_.size(); ++buffer) {
    if (!dirty_[buffer]) continue;
    std::copy(honest_[buffer].begin(), honest_[buffer].end(), buffers_.at(buffer).begin());
    dirty_[buffer] = false;
  }
  statement_ = honest_statement_;
  const Program& program = package_.program();
  for (int i = index; i < program.steps_size(); ++i) {
    const Step& step = program.steps(i);
    const StepBuffers& use = steps_[i];
    if (i > index && std::none_of(use.reads.begin(), use.reads.end(),
                                  [&](uint32_t buffer) { return dirty_[buffer]; })) {
      continue;
    }
    // Whatever happens from here on, the next rerun starts from the honest values.
    for (uint32_t buffer : use.writes) dirty_[buffer] = true;
    if (i == index) {
      revise(step, buffers_);
    } else {
      LINDERO_RETURN_IF_ERROR(
          runStep({package_, step, buffers_, pool_, {&statement_, &before_, &after_}}));
    }
    for (uint32_t buffer : use.writes) dirty_[buffer] = differs(buffer);
  }
  return absl::OkStatus();
}

std::vector<CellChange> ProgramRun::changes() const {
  std::vector<CellChange> changes;
  for (uint32_t buffer = 0; buffer < honest_.size(); ++buffer) {
    if (!dirty_[buffer]) continue;
    absl::Span<const int32_t> now = buffers_.at(buffer);
    const std::vector<int32_t>& before = honest_[buffer];
    for (int p : placements_[buffer]) {
      const Placement& placement = package_.program().placements(p);
      for (uint32_t lane = 0; lane < placement.lanes(); ++lane) {
        forEachRun(placement, lane, now.size(), [&](const PlacementRun& run) {
          uint64_t value = run.value, row = run.row;
          for (uint64_t i = 0; i < run.count; ++i) {
            if (now[value] != before[value]) {
              changes.push_back({placement.table(), placement.column() + lane, row,
                                 M31::fromSigned(now[value]).value()});
            }
            value += static_cast<uint64_t>(run.value_stride);
            row += static_cast<uint64_t>(run.row_stride);
          }
        });
      }
    }
  }
  return changes;
}

}  // namespace lindero::runtime

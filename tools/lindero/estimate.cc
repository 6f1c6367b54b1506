#include "tools/lindero/estimate.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"

namespace lindero::cli {
namespace {

// Per thread: online cells through all stages, fixed cells through loading and commitment.
constexpr double kOnlineCellsPerSecond = 12e6;
constexpr double kFixedCellsPerSecond = 30e6;
constexpr double kOverheadSeconds = 0.3;  // grinding, mostly
constexpr double kBytesPerCell = 16;
constexpr double kOverheadBytes = 60e6;
// Openings grow with columns and security, Merkle paths and FRI with security.
constexpr double kBytesPerColumnAndBit = 3.7;
constexpr double kBytesPerBit = 600;

double proofBytes(const compiler::CostReport& cost, int64_t bits) {
  return static_cast<double>(bits) *
         (kBytesPerBit + kBytesPerColumnAndBit * static_cast<double>(cost.columns));
}

}  // namespace

Estimate estimateProof(const compiler::CostReport& cost, const ProverOptions& options) {
  Estimate estimate;
  estimate.online_cells = cost.online;
  estimate.fixed_cells = cost.fixed;
  unsigned threads = options.threads > 0 ? options.threads : std::thread::hardware_concurrency();
  double workers = std::max(1u, threads);
  auto online = static_cast<double>(cost.online);
  auto fixed = static_cast<double>(cost.fixed);
  estimate.seconds = kOverheadSeconds + online / (kOnlineCellsPerSecond * workers) +
                     fixed / (kFixedCellsPerSecond * workers);
  estimate.memory_bytes = kOverheadBytes + kBytesPerCell * (online + fixed);
  estimate.proof_bytes = proofBytes(cost, options.security_bits);
  for (const compiler::TableCost& table : cost.tables) {
    estimate.scratch_bytes += 4.0 * static_cast<double>(table.cells(1));
  }
  return estimate;
}

void addEstimate(const Estimate& estimate, Summary& summary) {
  summary.addCount("online_cells", "cells to prove", estimate.online_cells);
  summary.addCount("fixed_cells", "cells of the model", estimate.fixed_cells);
  summary.add("seconds", "expected prove time", estimate.seconds,
              absl::StrCat("about ", formatSeconds(estimate.seconds)));
  summary.add("memory_bytes", "expected memory", estimate.memory_bytes,
              absl::StrCat("about ", formatBytes(estimate.memory_bytes)));
  summary.add("proof_bytes", "expected proof size", estimate.proof_bytes,
              absl::StrCat("about ", formatBytes(estimate.proof_bytes)));
  summary.addData("scratch_bytes", estimate.scratch_bytes);
}

}  // namespace lindero::cli

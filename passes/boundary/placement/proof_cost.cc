#include "passes/boundary/placement/proof_cost.h"

#include <algorithm>
#include <cmath>

namespace lindero::passes {
namespace {

// Of time on one thread and of memory: per cell, per cell of the extended columns, and per row of
// the evaluation domain, which all trees are as tall as.
constexpr double kSecondsPerCell = 26e-9, kSecondsPerExtendedCell = 5e-9, kSecondsPerRow = 0.7e-6;
constexpr double kBytesPerCell = 9, kBytesPerExtendedCell = 4.7, kBytesPerRow = 320;
constexpr double kOverheadSeconds = 0.01;

constexpr double kHash = 32, kBase = 4, kExtension = 16;

// `leaves` of a Merkle tree share the upper parts of their paths.
double pathBytes(double leaves, double log_size) {
  return kHash * leaves * std::max(0.0, log_size - std::log2(leaves));
}

// Openings of all columns, FRI's layers and its last polynomial.
double proofBytes(const ProofSize& size, const ProofParameters& parameters) {
  const auto blowup = static_cast<double>(parameters.log_blowup);
  double height = std::log2(static_cast<double>(size.height));
  double domain = height + blowup;
  double queries = std::min(static_cast<double>(parameters.queries), std::exp2(domain));
  auto columns = static_cast<double>(size.columns);
  // A few columns are opened at two or three points; the five trees are the four phases' and that
  // of the composition polynomial.
  double bytes =
      1.1 * kExtension * columns + kBase * queries * columns + 5 * pathBytes(queries, domain);
  // One value of each folded group is known, and its leaves hold four values.
  auto step = static_cast<double>(parameters.fold_step);
  auto last = static_cast<double>(parameters.log_last_layer_degree);
  for (double degree = height; degree > last; degree -= step) {
    bytes +=
        kExtension * queries * (std::exp2(step) - 1) + pathBytes(queries, degree - step + blowup);
  }
  return bytes + kExtension * std::exp2(last);
}

}  // namespace

ProofCost proofCost(const ProofSize& size, const ProofParameters& parameters, int64_t threads) {
  auto cells = static_cast<double>(size.online + size.fixed);
  double blowup = std::exp2(parameters.log_blowup);
  double extended = cells * blowup, rows = static_cast<double>(size.height) * blowup;
  double work = cells * kSecondsPerCell + extended * kSecondsPerExtendedCell;
  ProofCost cost;
  cost.seconds = kOverheadSeconds + (work + rows * kSecondsPerRow) / static_cast<double>(threads);
  cost.memory_bytes = cells * kBytesPerCell + extended * kBytesPerExtendedCell;
  cost.memory_bytes += rows * kBytesPerRow;
  cost.proof_bytes = proofBytes(size, parameters);
  return cost;
}

}  // namespace lindero::passes

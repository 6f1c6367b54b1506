#include "passes/boundary/placement/proof_cost.h"

#include <algorithm>
#include <cmath>

namespace lindero::passes {
namespace {

// Of time on one thread and of memory: per online cell, per cell of the extended online columns,
// per fixed cell, which a proof sums up and does not commit, and per row of the evaluation domain,
// which all trees are as tall as.
constexpr double kSecondsPerCell = 31e-9, kSecondsPerExtendedCell = 6e-9;
constexpr double kSecondsPerFixedCell = 8e-9, kSecondsPerRow = 0.9e-6;
constexpr double kBytesPerCell = 4, kBytesPerExtendedCell = 4;
constexpr double kBytesPerFixedCell = 5.5, kBytesPerRow = 444;
constexpr double kOverheadSeconds = 0.01, kOverheadBytes = 45e6;

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
  auto online = static_cast<double>(size.online), fixed = static_cast<double>(size.fixed);
  double blowup = std::exp2(parameters.log_blowup);
  double extended = online * blowup, rows = static_cast<double>(size.height) * blowup;
  double work = online * kSecondsPerCell + extended * kSecondsPerExtendedCell;
  work += fixed * kSecondsPerFixedCell + rows * kSecondsPerRow;
  ProofCost cost;
  cost.seconds = kOverheadSeconds + work / static_cast<double>(threads);
  cost.memory_bytes = kOverheadBytes + online * kBytesPerCell + extended * kBytesPerExtendedCell;
  cost.memory_bytes += fixed * kBytesPerFixedCell + rows * kBytesPerRow;
  cost.proof_bytes = proofBytes(size, parameters);
  return cost;
}

}  // namespace lindero::passes

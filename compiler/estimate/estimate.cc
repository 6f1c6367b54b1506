#include "compiler/estimate/estimate.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "compiler/driver/errors.h"
#include "runtime/claim/key_file.h"
#include "runtime/package/status_macros.h"

namespace lindero::compiler {

using runtime::Report;

namespace {

int64_t tallest(const CostReport& cost) {
  int64_t height = 1;
  for (const TableCost& table : cost.tables) height = std::max(height, table.height);
  return height;
}

}  // namespace

StwoParameters expectedParameters(const runtime::ProverOptions& options) {
  constexpr double kGrinding = 18;  // at most, where proving takes long enough
  StwoParameters parameters;
  parameters.set_log_blowup(runtime::logBlowup(options));
  parameters.set_fold_step(3);
  parameters.set_log_last_layer_degree(5);
  // What a query passes with: up to unique decoding, or the Elias radius over the base field.
  const double rate = std::exp2(-static_cast<double>(parameters.log_blowup()));
  const double entropy = -rate * std::log2(rate) - (1 - rate) * std::log2(1 - rate);
  const double passes = options.regime == "proven" ? (1 + rate) / 2 : rate + entropy / 31;
  double bits_per_query = -std::log2(passes);
  double queries = (static_cast<double>(options.security_bits) - kGrinding) / bits_per_query;
  parameters.set_queries(static_cast<uint32_t>(std::max(1.0, std::ceil(queries))));
  return parameters;
}

absl::StatusOr<StwoParameters> parametersOf(const Report& json) {
  StwoParameters parameters;
  auto number = [&](const char* member, uint32_t most) -> uint32_t {
    auto found = json.find(member);
    if (found == json.end() || !found->is_number_unsigned()) return most + 1;
    return found->get<uint32_t>();
  };
  // As far as costs depend on them.
  parameters.set_log_blowup(number("log_blowup", 16));
  parameters.set_queries(number("queries", 1 << 16));
  parameters.set_fold_step(number("fold_step", 16));
  parameters.set_log_last_layer_degree(number("log_last_layer_degree", 16));
  if (parameters.log_blowup() <= 16 && parameters.queries() <= 1 << 16 &&
      parameters.fold_step() > 0 && parameters.fold_step() <= 16 &&
      parameters.log_last_layer_degree() <= 16) {
    return parameters;
  }
  return failure(Error::kProverFailed, "the prover does not say which parameters it takes");
}

StwoParameters keyParameters(const std::string& path, const std::vector<runtime::Digest>& circuits,
                             const runtime::Digest& bundle, const runtime::ProverOptions& options) {
  absl::StatusOr<runtime::KeySet> keys = runtime::readKeys(path);
  const runtime::Key* key = keys.ok() ? keys->find(circuits, bundle) : nullptr;
  return key != nullptr ? key->message.stwo() : expectedParameters(options);
}

passes::ProofParameters costParameters(const StwoParameters& parameters) {
  return {parameters.log_blowup(), parameters.queries(), parameters.fold_step(),
          parameters.log_last_layer_degree()};
}

int threadsOf(int threads) {
  return threads > 0 ? threads
                     : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

Estimate estimateProof(const CostReport& cost, const StwoParameters& parameters, int threads,
                       int64_t blocks) {
  Estimate estimate;
  estimate.blocks = blocks;
  for (const TableCost& table : cost.tables) estimate.rows += table.height;
  estimate.online_cells = cost.online;
  estimate.fixed_cells = cost.fixed;
  const passes::ProofCost proof =
      passes::proofCost({cost.online, cost.fixed, cost.columns, tallest(cost)},
                        costParameters(parameters), threadsOf(threads));
  estimate.seconds = proof.seconds;
  estimate.memory_bytes = proof.memory_bytes;
  estimate.proof_bytes = proof.proof_bytes;
  for (const TableCost& table : cost.tables) {
    estimate.scratch_bytes += 4.0 * static_cast<double>(table.cells(1));
  }
  // One after the other.
  const auto times = static_cast<double>(blocks);
  estimate.online_cells *= blocks;
  estimate.seconds *= times;
  estimate.proof_bytes *= times;
  estimate.scratch_bytes *= times;
  return estimate;
}

Estimate estimateBundle(const std::vector<CostReport>& members, const StwoParameters& parameters,
                        int threads, int64_t steps) {
  Estimate all;
  all.blocks = steps;
  for (const CostReport& cost : members) {
    const Estimate member = estimateProof(cost, parameters, threads, steps);
    all.rows += member.rows;
    all.online_cells += member.online_cells;
    all.fixed_cells += member.fixed_cells;
    all.seconds += member.seconds;
    all.memory_bytes = std::max(all.memory_bytes, member.memory_bytes);
    all.proof_bytes += member.proof_bytes;
    all.scratch_bytes += member.scratch_bytes;
  }
  return all;
}

Estimate estimateBundle(const runtime::BundlePackage& package, const StwoParameters& parameters,
                        int threads, int64_t steps) {
  return estimateBundle(memberCosts(package), parameters, threads, steps);
}

absl::StatusOr<std::vector<BucketCost>> estimateModel(const ModelOptions& options,
                                                      const runtime::ProverOptions& prover,
                                                      PreparedModel& model,
                                                      runtime::Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(const std::vector<int64_t> buckets, chooseBuckets(options, model));
  const StwoParameters parameters = expectedParameters(prover);
  std::vector<BucketCost> costs;
  // A model can only get shorter.
  for (auto bucket = buckets.rbegin(); bucket != buckets.rend(); ++bucket) {
    LINDERO_RETURN_IF_ERROR(lowerModel(options, *bucket, model, monitor));
    const Compilation& compilation = model.compilation;
    costs.insert(costs.begin(),
                 {*bucket, estimateBundle(compilation.memberCosts(), parameters, prover.threads),
                  compilation.cost()});
  }
  return costs;
}

}  // namespace lindero::compiler

#include "compiler/compare/compare_placements.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "compiler/driver/errors.h"
#include "compiler/estimate/estimate.h"
#include "passes/boundary/placement/policy.h"
#include "runtime/claim/key_file.h"
#include "runtime/package/files.h"
#include "runtime/package/package.h"
#include "runtime/package/status_macros.h"
#include "runtime/prove/prove_run.h"
#include "runtime/verify/verification.h"

namespace lindero::compiler {
namespace {

using runtime::Report;

constexpr char kFused[] = "fused", kBudget[] = "budget-memory";

// What follows from a policy and the model; other errors are no reason to go on without a policy.
bool refuses(const absl::Status& status) {
  const Error error = errorOf(status);
  return error == Error::kUnsupported || error == Error::kOverBound;
}

void noteLeftOut(const std::string& policy, absl::string_view why, runtime::Monitor& monitor) {
  monitor.note(absl::StrCat(policy, " is left out: ", why));
}

// Those that are registered, fused first, as far as their names say all.
std::vector<std::string> registeredPolicies(runtime::Monitor& monitor) {
  std::vector<std::string> names = {kFused};
  for (const passes::PolicyInfo* info : passes::allPlacementPolicies()) {
    if (info->name == kFused) continue;
    const absl::Status made = passes::makePlacementPolicy(info->name).status();
    if (info->name == kBudget || made.ok()) {
      names.push_back(info->name);
    } else {
      noteLeftOut(info->name, made.message(), monitor);
    }
  }
  return names;
}

template <typename Number>
Named<Number> numbersOf(const Report& report) {
  Named<Number> numbers;
  if (!report.is_object()) return numbers;
  for (const auto& [name, value] : report.items()) {
    if (value.is_number()) numbers.emplace_back(name, value.template get<Number>());
  }
  return numbers;
}

double numberOf(const Report& report, const char* member) {
  const auto found = report.find(member);
  return found != report.end() && found->is_number() ? found->get<double>() : 0;
}

Report memberOf(const Report& report, const char* member) {
  Report found = report.is_object() ? report.value(member, Report::object()) : Report::object();
  return found.is_object() ? found : Report::object();
}

absl::StatusOr<std::string> keyDigest(const std::string& path) {
  LINDERO_ASSIGN_OR_RETURN(const runtime::KeySet keys, runtime::readKeys(path));
  return runtime::toHex(keys.keys.front().digest);
}

// What is known of a placement before it is proven. The model was lowered for it last.
absl::StatusOr<Placement> describe(const std::string& policy, const ModelOptions& options,
                                   const runtime::Prover& prover, const PreparedModel& model,
                                   const CompiledPackage& compiled, const std::string& key) {
  const runtime::BundlePackage& bundle = compiled.circuits.front().bundle;
  Placement placement;
  placement.policy = policy;
  LINDERO_ASSIGN_OR_RETURN(placement.key_digest, keyDigest(key));
  const Report security = memberOf(compiled.setup.front(), "security");
  placement.promised_bits = static_cast<int64_t>(numberOf(security, "promised_bits"));
  placement.regime = security.value("regime", "");
  placement.security_bits = numberOf(security, "bits");
  const StwoParameters parameters = keyParameters(
      key, bundle.circuitDigests(), runtime::bundleDigest(bundle.bundle), prover.options());
  absl::StatusOr<passes::PlacementCost> predicted = model.compilation.predict(
      {options.lower, costParameters(parameters), threadsOf(prover.options().threads)});
  if (!predicted.ok()) return withModelError(predicted.status(), model.compilation.file());
  placement.segments = static_cast<int64_t>(bundle.members.size());
  placement.links = bundle.bundle.links_size();
  placement.crossing_values = predicted->crossing_elements;
  const CostReport cost = bundleCosts(bundle);
  placement.online_cells = cost.online;
  placement.fixed_cells = cost.fixed;
  placement.columns = cost.columns;
  placement.predicted = {predicted->online, predicted->fixed, predicted->proof.seconds,
                         predicted->proof.memory_bytes, predicted->proof.proof_bytes};
  return placement;
}

absl::StatusOr<PlacedModel> placeOnce(const std::string& policy, ModelOptions options,
                                      const runtime::Prover& prover, PreparedModel& model,
                                      const std::vector<runtime::InputArray>& inputs,
                                      const std::string& home, runtime::Monitor& monitor) {
  options.boundaries = policy;
  LINDERO_ASSIGN_OR_RETURN(CompiledPackage compiled,
                           writePackage(options, {0}, &prover, model, home, monitor));
  const std::string key = absl::StrCat(home, "/", runtime::kKeyFile);
  LINDERO_ASSIGN_OR_RETURN(Placement placement,
                           describe(policy, options, prover, model, compiled, key));
  LINDERO_ASSIGN_OR_RETURN(runtime::Run run,
                           runtime::bindRun(std::move(compiled.circuits.front()), inputs, {},
                                            prover.options().threads, monitor));
  return PlacedModel{std::move(placement), std::move(run), key};
}

// Half of what one proof is predicted to take.
std::string halfOf(const Placement& fused) {
  return absl::StrCat(
      kBudget, "=",
      std::max<int64_t>(1, std::llround(std::ldexp(fused.predicted.memory_bytes, -21))), "MiB");
}

Named<int64_t> partsOf(const Report& report, int64_t proof_bytes) {
  Named<int64_t> parts = numbersOf<int64_t>(memberOf(report, "bytes"));
  int64_t named = 0;
  for (const auto& [name, bytes] : parts) named += bytes;
  if (!parts.empty()) parts.emplace_back("other", proof_bytes - named);
  return parts;
}

Transcript transcriptOf(const runtime::ProvenRun& proven,
                        const runtime::Verification& verification) {
  const Report time = memberOf(proven.report, "time");
  Transcript transcript;
  transcript.nonce = runtime::toHex(verification.claim.nonce);
  transcript.key_digest = runtime::toHex(verification.key.digest);
  transcript.proof_digest = runtime::toHex(verification.proof);
  transcript.trace_seconds = proven.trace_seconds;
  transcript.prove_seconds = numberOf(time, "seconds");
  transcript.processor_seconds = numberOf(time, "processor_seconds");
  for (auto& [stage, seconds] : numbersOf<double>(memberOf(time, "stages"))) {
    if (stage == "verify") {
      transcript.prove_seconds -= seconds;
    } else {
      transcript.stages.emplace_back(stage, seconds);
    }
  }
  transcript.verify_seconds = verification.seconds;
  transcript.peak_memory_bytes = static_cast<int64_t>(numberOf(time, "peak_memory_bytes"));
  transcript.proof_bytes = static_cast<int64_t>(numberOf(proven.report, "proof_bytes"));
  transcript.parts = partsOf(proven.report, transcript.proof_bytes);
  return transcript;
}

// What all proofs must agree in with the first one.
struct Stated {
  std::string policy;
  runtime::Digest model;
  std::vector<runtime::PublicTensorValues> values;
};

absl::Status checkStated(const Stated& stated, std::optional<Stated>& first) {
  if (!first) first = stated;
  if (stated.model != first->model) {
    return failure(Error::kInternal, absl::StrCat("the proofs of ", first->policy, " and ",
                                                  stated.policy, " are of other models"));
  }
  return checkSameValues(first->values, stated.values, first->policy, stated.policy);
}

}  // namespace

absl::Status checkPolicies(const std::vector<std::string>& policies) {
  for (const std::string& policy : policies) {
    absl::Status status = passes::makePlacementPolicy(policy).status();
    if (!status.ok()) return withError(std::move(status), Error::kUsage);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PlacedModel>> placeModel(const ModelOptions& options,
                                                    const std::vector<std::string>& policies,
                                                    const runtime::Prover& prover,
                                                    PreparedModel& model,
                                                    const std::vector<runtime::InputArray>& inputs,
                                                    const std::string& folder,
                                                    runtime::Monitor& monitor) {
  const bool all = policies.empty();
  std::vector<PlacedModel> placed;
  std::vector<Placement> placements;
  int64_t tried = 0;
  for (std::string policy : all ? registeredPolicies(monitor) : policies) {
    if (all && policy == kBudget) policy = halfOf(placements.front());
    // Of its own also where the one before is left out.
    const std::string home = absl::StrCat(folder, "/", tried++, ".lindero");
    absl::StatusOr<PlacedModel> one =
        placeOnce(policy, options, prover, model, inputs, home, monitor);
    if (all && policy != kFused && refuses(one.status())) {
      noteLeftOut(policy, one.status().message(), monitor);
      continue;
    }
    if (!one.ok()) return one.status();
    const auto same = std::find_if(placements.begin(), placements.end(), [&](const Placement& p) {
      return p.key_digest == one->placement.key_digest;
    });
    if (same != placements.end()) {
      noteLeftOut(policy, absl::StrCat("it places as ", same->policy, " does"), monitor);
      continue;
    }
    placements.push_back(one->placement);
    placed.push_back(*std::move(one));
  }
  if (placed.size() < 2) {
    return failure(
        Error::kUsage,
        absl::StrCat("nothing to compare: ", model.compilation.file(), " has one placement here, ",
                     placements.front().policy, "; give several different --boundaries"));
  }
  LINDERO_RETURN_IF_ERROR(
      checkEqualSecurity(placements, prover.options().security_bits, prover.options().regime));
  return placed;
}

absl::StatusOr<std::vector<Transcript>> proveInRounds(
    const std::vector<PlacedModel>& placed, int64_t rounds, const runtime::Prover& prover,
    const std::string& folder, const std::function<void(const Transcript&)>& made,
    runtime::Monitor& monitor) {
  const auto count = static_cast<int64_t>(placed.size());
  const std::string proof = absl::StrCat(folder, "/run.proof");
  runtime::SecurityDemand demand;
  demand.min_bits = prover.options().security_bits;
  demand.regime = prover.options().regime;
  std::vector<Transcript> transcripts;
  std::optional<Stated> first;
  for (int64_t turn = 0; turn < rounds * count; ++turn) {
    const int64_t round = turn / count, index = (round + turn) % count;
    const PlacedModel& one = placed[index];
    const std::string& policy = one.placement.policy;
    monitor.progress(absl::StrCat("transcript ", round + 1, " of ", rounds, ": ", policy),
                     static_cast<double>(turn) / static_cast<double>(rounds * count));
    LINDERO_ASSIGN_OR_RETURN(
        const runtime::ProvenRun proven,
        runtime::proveRun(one.run, prover, {}, {.key = one.key, .proof = proof}, monitor));
    LINDERO_ASSIGN_OR_RETURN(
        const runtime::Verification verification,
        runtime::verifyProof({.proof = proof, .key = one.key, .demand = demand}, prover, monitor));
    LINDERO_RETURN_IF_ERROR(
        checkStated({policy, verification.claim.model.id, verification.values()}, first));
    Transcript transcript = transcriptOf(proven, verification);
    transcript.placement = static_cast<size_t>(index);
    transcript.round = round + 1;
    made(transcript);
    transcripts.push_back(std::move(transcript));
  }
  return transcripts;
}

}  // namespace lindero::compiler

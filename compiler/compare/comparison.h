// Placements of one model's proof boundaries, measured: plain numbers, what becomes of them, and
// the conditions under which they may stand side by side.
//
// A *transcript* is one proof. Each has a nonce of its own, and with it other queries: paths of a
// Merkle tree that share more or fewer nodes change a proof's size by about a percent, and grinding
// its time by more. So a placement is judged by medians over several.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "runtime/values/public_values.h"

namespace lindero::compiler {

// By name, in the order of the prover's report.
template <typename Number>
using Named = std::vector<std::pair<std::string, Number>>;

struct Transcript {
  size_t placement = 0;                                        // its index
  int64_t round = 0;                                           // from 1
  std::string nonce = {}, key_digest = {}, proof_digest = {};  // hexadecimal
  double trace_seconds = 0;                                    // to run the model
  double prove_seconds = 0;       // without the prover's own check of what it made
  double processor_seconds = 0;   // of the prover, on all threads, with that check
  double verify_seconds = 0;      // all of it, as `lindero verify` counts
  Named<double> stages = {};      // of the prover, seconds
  int64_t peak_memory_bytes = 0;  // of the prover
  int64_t proof_bytes = 0;
  Named<int64_t> parts = {};  // of the proof, bytes; "other" is what the report names nowhere

  double grindingSeconds() const;
  bool operator==(const Transcript&) const = default;
};

// What is predicted, or known before any proof, is of the integer function and the key alone.
struct Placement {
  std::string policy = {};
  std::string key_digest = {};
  int64_t segments = 1, links = 0;
  int64_t crossing_values = 0;  // elements of all links
  int64_t online_cells = 0, fixed_cells = 0, columns = 0;
  int64_t promised_bits = 0;
  std::string regime = {};
  double security_bits = 0;  // by that regime
  struct Prediction {
    int64_t online_cells = 0, fixed_cells = 0;
    double seconds = 0;  // without grinding
    double memory_bytes = 0, proof_bytes = 0;
  };
  Prediction predicted = {};
};

// Of several numbers, at least one.
struct Spread {
  double median = 0, least = 0, most = 0;
  // How far apart they are, as a part of the median.
  double width() const { return median > 0 ? (most - least) / median : 0; }
};
Spread spreadOf(std::vector<double> numbers);

struct Measured {
  Spread trace_seconds, prove_seconds, seconds_without_grinding, processor_seconds, verify_seconds;
  Spread peak_memory_bytes, proof_bytes;
  // Medians of each; they need not add up to the median of the sum.
  Named<double> stages, parts;
};
// Of the transcripts of one placement, of which there is one at least.
Measured measuredOf(size_t placement, absl::Span<const Transcript> transcripts);

struct Forecast {
  const char* quantity;  // "peak_memory_bytes"
  double predicted = 0, measured = 0;
  double errorPercent() const { return 100 * (predicted - measured) / measured; }
};
// All that the cost model predicts, and nothing else.
std::vector<Forecast> forecastsOf(const Placement& placement, const Measured& measured);

// Fails with kPackage, naming two placements, unless all keys promise `bits` by one regime, have
// them, and none has a whole bit more than another: queries and grinding come in steps of less.
absl::Status checkEqualSecurity(absl::Span<const Placement> placements, int64_t bits,
                                const std::string& regime);

// Fails with kInternal, naming the value, unless two proofs state the same inputs and outputs; in
// whatever order, which is that of a bundle's members.
absl::Status checkSameValues(std::vector<runtime::PublicTensorValues> ours,
                             std::vector<runtime::PublicTensorValues> theirs,
                             const std::string& our_policy, const std::string& their_policy);

}  // namespace lindero::compiler

// The claim: what a proof is about, in the one form that can be hashed and compared (CLAIM.md).
//
// Decoding is strict: bytes that are not the canonical encoding of a complete claim are refused, so
// one claim has one digest. Linear in the number of values.
#ifndef LINDERO_RUNTIME_CLAIM_CLAIM_H_
#define LINDERO_RUNTIME_CLAIM_CLAIM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/claim/model_record.h"
#include "runtime/package/digest.h"

namespace lindero::runtime {

inline constexpr char kClaimFormat[] = "lindero/claim/3";
inline constexpr char kProofProtocol[] = "lindero/proof/1";

// What is proven in each step: a circuit with its fixed columns.
struct ClaimMember {
  std::string name;
  Digest circuit = {};
  Digest fixed_root = {};
  bool operator==(const ClaimMember&) const = default;
};

struct ModelIdentity {
  Digest onnx = {};
  std::vector<ExternalFile> external;    // by name
  Digest id = {};                        // the same for all lengths
  int64_t bucket = 0;                    // positions that the circuit was compiled for
  std::vector<ClaimMember> members;      // of the bundle, in the order of the key
  Digest bundle = {};                    // its members, links and steps
  std::vector<std::string> unread = {};  // inputs of the graph that no output depends on
};

// Values of a public tensor, or what they hash to.
struct ClaimTensor {
  std::string name;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t low = 0;
  int64_t high = 0;
  int64_t exponent = 0;  // real value = v / 2^exponent
  // In the ONNX graph, where it is known; else [rows, columns]. As many elements either way.
  std::vector<int64_t> shape = {};
  // Exactly one of the two.
  std::optional<std::vector<int64_t>> values = {};  // row-major
  std::optional<Digest> digest = {};                // of an Opening
};

enum class DecodeKind {
  kForward,        // one pass; the outputs are whatever the circuit publishes
  kGreedy,         // each token after the prompt is the argmax of the position before
  kTeacherForced,  // somebody else chose the tokens; proven is the argmax at each position
};

struct DecodePolicy {
  DecodeKind kind = DecodeKind::kForward;
  std::vector<int64_t> stop;  // tokens that end a greedy run, ascending
};

struct Limits {
  int64_t context = 0;  // most positions that the model can have
  int64_t steps = 0;    // most tokens that the run was to choose
};

struct Policy {
  std::string arithmetic;
  std::string boundary;
  DecodePolicy decode = {};
  std::vector<std::string> digests;  // of the tensors that are given by digest, inputs first
  Limits limits = {};
};

// The decode steps that the proof covers: first .. first + count - 1.
struct Steps {
  int64_t first = 0;
  int64_t count = 0;
};

// The state between two steps.
struct Frontier {
  int64_t position = 0;  // tokens before it
  Digest digest = {};    // of the carried context
};

struct FrontierPair {
  std::optional<Frontier> start;
  std::optional<Frontier> end;
};

struct ProofParameters {
  int64_t batching_pow_bits = 0;
  int64_t challenge_pow_bits = 0;
  int64_t composition_pow_bits = 0;
  int64_t fold_pow_bits = 0;
  int64_t fold_step = 0;
  int64_t log_blowup = 0;
  int64_t log_last_layer_degree = 0;
  int64_t out_of_domain_pow_bits = 0;
  int64_t pow_bits = 0;
  int64_t queries = 0;
};

struct ClaimedSecurity {
  int64_t bits = 0;
  std::string regime;  // "proven" or "list-decoding"
};

struct VerifierDomain {
  std::string protocol;
  std::string backend;
  ProofParameters parameters;
  ClaimedSecurity security;
};

// Free text; bound by the proof, proven by nothing.
struct Labels {
  std::string input;
  std::string model;
  std::string output;
};

struct Claim {
  std::string format = kClaimFormat;
  ModelIdentity model;
  std::vector<ClaimTensor> inputs;
  std::vector<ClaimTensor> outputs;
  Policy policy;
  Steps steps;
  FrontierPair frontier;
  VerifierDomain verifier;
  Labels labels;
  Digest nonce = {};
};

// The tensor of that name, or null.
ClaimTensor* findTensor(Claim& claim, absl::string_view name);

// The canonical bytes. Fails on a string that is no UTF-8 and on an integer beyond 2^53 - 1.
absl::StatusOr<std::string> encodeClaim(const Claim& claim);

// Refuses whatever encodeClaim does not write; the error names the member.
absl::StatusOr<Claim> decodeClaim(absl::string_view bytes);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_CLAIM_H_

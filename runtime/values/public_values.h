// What a run says in public, in plain words: its inputs and outputs, as the integers that are
// proven and as the reals that those stand for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "runtime/claim/claim.h"
#include "runtime/decode/decode_run.h"
#include "runtime/package/circuit.pb.h"
#include "runtime/package/statement.pb.h"

namespace lindero::runtime {

struct PublicTensorValues {
  std::string name;
  bool output = false;
  int64_t rows = 0;
  int64_t columns = 0;
  int exponent = 0;  // real value = v / 2^exponent
  // Row-major; none if all that is known is a digest.
  std::optional<std::vector<int64_t>> values;

  // The same divided by 2^exponent: exact, where |v| < 2^53. Empty where there are no values.
  std::vector<double> reals() const;
  // One integer a row, as token ids are.
  bool isTokens() const { return values && columns == 1 && exponent == 0; }

  friend bool operator==(const PublicTensorValues&, const PublicTensorValues&) = default;
};

// Of a statement that fits the circuit; inputs come first, here and below.
std::vector<PublicTensorValues> valuesOf(absl::Span<const Circuit* const> circuits,
                                         const Statement& statement);
std::vector<PublicTensorValues> valuesOf(const Claim& claim);
// Of what a backend's verifier printed, under "statement".
absl::StatusOr<std::vector<PublicTensorValues>> valuesOf(const nlohmann::ordered_json& verdict);

// The decode run that they stand for; nothing if the circuit had no step table.
absl::StatusOr<std::optional<DecodeRun>> findDecodeRun(
    const std::vector<PublicTensorValues>& tensors);

// What the name of an output of `select-outputs` says: "logits_argmax[32:64]". No argmax if it says
// something else.
struct OutputName {
  bool argmax = false;
  std::vector<int64_t> positions;  // empty: all
};
OutputName parseOutputName(absl::string_view name);

// An argmax output beside the tokens shows where the input goes on as the model would have.
struct Continuation {
  int64_t positions = 0;  // that have an output and a next token
  int64_t same = 0;       // where that token is the output
};
// Nothing if `chosen` is no argmax by its name, or says nothing of the tokens of `input`.
std::optional<Continuation> continuationOf(const PublicTensorValues& chosen,
                                           const PublicTensorValues& input);

}  // namespace lindero::runtime

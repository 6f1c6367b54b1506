// The values of public inputs and outputs, in plain words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/claim/claim.h"
#include "runtime/package/circuit.pb.h"
#include "runtime/package/statement.pb.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

struct PublicTensorValues {
  std::string name;
  bool output = false;
  int64_t rows = 0;
  int64_t columns = 0;
  int exponent = 0;                            // real value = v / 2^exponent
  std::optional<std::vector<int64_t>> values;  // unless all that is known is a digest

  friend bool operator==(const PublicTensorValues&, const PublicTensorValues&) = default;
};

// Of a statement that fits the circuit; inputs come first, here and below.
std::vector<PublicTensorValues> valuesOf(const Circuit& circuit, const Statement& statement);
std::vector<PublicTensorValues> valuesOf(const runtime::Claim& claim);
// Of what a backend's verifier printed.
absl::StatusOr<std::vector<PublicTensorValues>> valuesOf(const Json& verdict);

// What the name of an output of `select-outputs` says: "logits_argmax[32:64]". No argmax if it says
// something else.
struct OutputName {
  bool argmax = false;
  std::vector<int64_t> positions;  // empty: all
};
OutputName parseOutputName(absl::string_view name);

// The tokenizer, if there is one, adds texts. JSON holds all values; text, with `lines`, the first
// of them.
void addPublicValues(const std::vector<PublicTensorValues>& tensors,
                     const std::optional<Tokenizer>& tokenizer, Summary& summary,
                     bool lines = true);

}  // namespace lindero::cli

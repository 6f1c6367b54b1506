// What a key's parameters are worth, as the backend computes it: per regime the bits of the whole
// and of every term; and what a verifier asks of a key.
#pragma once

#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "runtime/claim/key.h"
#include "tools/lindero/context.h"
#include "tools/lindero/prover.h"

namespace lindero::cli {

// Without --min-bits, a key of less is refused.
inline constexpr double kFloorBits = 80;
inline constexpr char kFloorRegime[] = "list-decoding";

struct SecurityDemand {
  std::optional<int64_t> min_bits;  // none: the floor
  std::string regime = kDefaultRegime;
  std::string key_digest;  // 64 hexadecimal digits; empty: any key
};

void addDemandOptions(CLI::App& app, SecurityDemand& demand);

// Of a key that a proof names, with what the backend says of its security. `file` is the SHA-256 of
// the file that holds the key: no demand, but a likely mistake for one. Fails with kInvalidArgument
// and the reason, or with kDataLoss if the backend does not say it.
absl::Status checkDemand(const SecurityDemand& demand, const runtime::Key& key,
                         const runtime::Digest& file, const Json& security);

// One line: the bits by the key's regime, then by the other ones; in JSON all of it.
void addSecurity(const Json& security, Summary& summary);
// And in text, too, a table of all terms.
void addSecurityTable(const Json& security, Summary& summary);

}  // namespace lindero::cli

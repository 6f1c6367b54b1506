// What a claim says, and what a key's security is worth, in plain words.
#pragma once

#include <optional>

#include "runtime/tokenizer/tokenizer.h"
#include "runtime/values/proof_values.h"
#include "runtime/verify/security.h"
#include "runtime/verify/verification.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

using runtime::Tokenizer;
using runtime::Verification;

// The claim and the security of a proof that holds.
void addClaim(const Verification& verification, const std::optional<Tokenizer>& tokenizer,
              Summary& summary);
// The claim of one that nobody verified.
void addUnverifiedClaim(const runtime::UnverifiedProof& proof,
                        const std::optional<Tokenizer>& tokenizer, Summary& summary);

// One line: the bits by the key's regime, then by the other ones; in JSON all of it.
void addSecurity(const Json& security, Summary& summary);
// And in text, too, a table of all terms.
void addSecurityTable(const Json& security, Summary& summary);

}  // namespace lindero::cli

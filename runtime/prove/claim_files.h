// What a prover may say in a claim on its own account, and the claim of a run, as files for the
// prover's program.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/claim/claim.h"
#include "runtime/decode/decode_run.h"
#include "runtime/model/opened_package.h"
#include "runtime/package/statement.pb.h"

namespace lindero::runtime {

struct ClaimOptions {
  Labels labels;                     // no model: the name of its file
  std::string nonce;                 // hexadecimal; empty: a fresh one
  std::vector<std::string> digests;  // tensors to give by digest
};

struct ClaimFiles {
  std::string key;       // that the claim is about
  std::string claim;     // to be written
  std::string openings;  // to be written; empty where no value is given by digest
};

// `rule` says when a decode run was to end. Errors: kUsage for options that do not fit the model,
// kPackage for a key that has none of this circuit, kFile.
absl::Status writeClaim(const ClaimOptions& options, const OpenedPackage& opened,
                        const Statement& statement, const StopRule& rule, const ClaimFiles& files);

}  // namespace lindero::runtime

// What a prover may say in a claim on its own account, and the claim of a run.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "runtime/claim/claim.h"
#include "runtime/package/statement.pb.h"
#include "tools/lindero/package_source.h"

namespace lindero::cli {

struct ClaimOptions {
  runtime::Labels labels;
  std::string nonce;                 // hexadecimal; empty: a fresh one
  std::vector<std::string> digests;  // tensors to give by digest
  std::string openings;              // where their values go
};

void addClaimOptions(CLI::App& app, ClaimOptions& options);

struct ClaimFiles {
  std::string key;       // that the claim is about
  std::string claim;     // to be written
  std::string openings;  // to be written; empty where no value is given by digest
};

// `rule` says when a decode run was to end.
absl::Status writeClaim(const ClaimOptions& options, const OpenedPackage& opened,
                        const Statement& statement, const runtime::StopRule& rule,
                        const ClaimFiles& files);

}  // namespace lindero::cli

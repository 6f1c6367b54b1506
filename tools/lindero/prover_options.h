// Options of whatever calls the prover.
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "runtime/prove/prover.h"
#include "runtime/verify/verification.h"

namespace lindero::cli {

using runtime::Prover;
using runtime::ProverOptions;

void addThreadsOption(CLI::App& app, int& threads);
void addBackendOption(CLI::App& app, ProverOptions& options);
void addSecurityOptions(CLI::App& app, ProverOptions& options);
// "proven" or "list-decoding", with an error that says what became of "conjectured".
CLI::Option* addRegimeOption(CLI::App& app, std::string& regime, const std::string& description);
// Whether one of these options that go into a key was given.
bool securityGiven(const CLI::App& app);
// The proof, --key, and what is asked of it.
void addVerificationOptions(CLI::App& app, runtime::VerificationFiles& files);

}  // namespace lindero::cli

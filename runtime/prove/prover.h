// The prover: a program of its own, found beside this one or in LINDERO_PROVER_DIR, that knows no
// models. It reads the package and the trace, and prints one JSON object when it is done.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

// What the bits of a key count on, unless another regime is asked for.
inline constexpr char kDefaultRegime[] = "proven";

struct ProverOptions {
  std::string backend = "stwo";
  int64_t security_bits = 96;
  std::string regime = kDefaultRegime;
  std::string prefer = "balance";
  int threads = 0;  // 0: one per processor
};

void addBackendOption(CLI::App& app, ProverOptions& options);
void addSecurityOptions(CLI::App& app, ProverOptions& options);
// "proven" or "list-decoding", with an error that says what became of "conjectured".
CLI::Option* addRegimeOption(CLI::App& app, std::string& regime, const std::string& description);
// Whether one of these options that go into a key was given.
bool securityGiven(const CLI::App& app);

// log2 of FRI's blowup, which `prefer` stands for.
int logBlowup(const ProverOptions& options);

class Prover {
 public:
  // Fails, with the remedy, if the program is not there.
  static absl::StatusOr<Prover> find(const ProverOptions& options);

  // Each returns what the program printed; its errors are tagged kProverFailed, a proof that does
  // not hold kRejected. A proof with values that are not opened is one that holds: its verdict says
  // so. `traces`: one per block of the run. Output files appear whole or not at
  // all. `openings`: a file with the values that the claim gives by digest, empty if there is none.
  absl::StatusOr<Json> setup(const std::string& package, const std::string& key,
                             Context& context) const;
  // What setup would choose for the package, under "parameters", and what that gives.
  absl::StatusOr<Json> parameters(const std::string& package, Context& context) const;
  // What each key of the file gives, under "keys".
  absl::StatusOr<Json> describe(const std::string& key, Context& context) const;
  absl::StatusOr<Json> prove(const std::string& package, const std::string& key,
                             const std::vector<std::string>& traces, const std::string& claim,
                             const std::string& openings, const std::string& proof,
                             Context& context) const;
  absl::StatusOr<Json> verify(const std::string& key, const std::string& proof,
                              const std::string& openings, Context& context) const;
  // Verifies `count` changed copies of the proof and of the key, each of which must be rejected.
  absl::StatusOr<Json> tamper(const std::string& key, const std::string& proof, uint64_t count,
                              uint64_t seed, Context& context) const;

 private:
  // The options of the security, as setup takes them.
  std::vector<std::string> security() const;
  absl::StatusOr<Json> run(absl::string_view verb, std::vector<std::string> arguments,
                           Context& context) const;
  // The same for a verb that writes `output`.
  absl::StatusOr<Json> make(const std::string& output, absl::string_view verb,
                            std::vector<std::string> arguments, Context& context) const;

  std::string program_;
  ProverOptions options_;
};

}  // namespace lindero::cli

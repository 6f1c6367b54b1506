// The prover: a program of its own that knows no models. It reads the package and the trace, and
// prints one JSON object when it is done.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "runtime/monitor/monitor.h"
#include "runtime/prove/subprocess.h"

namespace lindero::runtime {

// What the bits of a key count on, unless another regime is asked for.
inline constexpr char kDefaultRegime[] = "proven";

struct ProverOptions {
  std::string backend = "stwo";  // the program lindero-prover-<backend>
  // Where that program is. Empty: the folder that the environment names in LINDERO_PROVER_DIR, else
  // the one of the running program, else those of PATH.
  std::string folder = {};
  // What goes into a key, and counts for `setup` and `parameters` alone.
  int64_t security_bits = 96;           // of the whole protocol
  std::string regime = kDefaultRegime;  // "proven" or "list-decoding"
  std::string prefer = "balance";       // "speed", "balance" or "size", at the same security
  int threads = 0;                      // 0: one per processor
};

// What the program printed (tools/provers/README.md); its `time` gets `processor_seconds`, too.
using Report = nlohmann::ordered_json;

// What the proof of a run is made from, and where it goes.
struct RunFiles {
  std::vector<std::string> traces;  // one per block of the run
  std::string claim;
  std::string openings;    // the values that the claim gives by digest; empty if there are none
  std::string proof;       // to be written
  std::string parts = {};  // a folder: what is done of the proof is kept there; empty: nowhere
};

// A block of a proof in the making, with its trace.
struct BlockFiles {
  std::string package, key, claim, openings, parts;  // as in RunFiles
  int64_t block = 0;
  std::string trace;
};

// A program that proves runs of one package under one key, one after the other: what they have in
// common is made once. It ends with its object; the monitor that it was opened with must outlive
// it.
class ProverSession {
 public:
  const std::string& key() const { return key_; }
  int threads() const { return threads_; }

  // As Prover::prove. After an error that is not of the run's files the program is gone, and so are
  // all later proofs.
  absl::StatusOr<Report> prove(const RunFiles& files);

 private:
  friend class Prover;
  ProverSession() = default;

  std::string program_, package_, key_;
  int threads_ = 0;
  Monitor* monitor_ = nullptr;
  std::unique_ptr<Process> process_;
};

// log2 of FRI's blowup, which `prefer` stands for.
int logBlowup(const ProverOptions& options);

class Prover {
 public:
  // Fails, with the remedy, if the program is not there.
  static absl::StatusOr<Prover> find(const ProverOptions& options);

  const std::string& program() const { return program_; }
  const ProverOptions& options() const { return options_; }

  // The program's name, version, formats and commit, as it prints them.
  absl::StatusOr<std::string> version(Monitor& monitor) const;

  // Each returns what the program printed. Errors: kProverFailed with the program's own words;
  // kPackage or kFile for what it was given; kCancelled; of a proof that does not hold, kRejected.
  // A proof with values that are not opened is one that holds: its verdict says so. Output files
  // appear whole or not at all.
  absl::StatusOr<Report> setup(const std::string& package, const std::string& key,
                               Monitor& monitor) const;
  // The fixed columns, and what setup left beside them, must be those of the key.
  absl::StatusOr<Report> checkFixed(const std::string& package, const std::string& key,
                                    Monitor& monitor) const;
  // What setup would choose for the package, under "parameters", and what that gives.
  absl::StatusOr<Report> parameters(const std::string& package, Monitor& monitor) const;
  // What each key of the file gives, under "keys".
  absl::StatusOr<Report> describe(const std::string& key, Monitor& monitor) const;
  absl::StatusOr<Report> prove(const std::string& package, const std::string& key,
                               const RunFiles& files, Monitor& monitor) const;
  // What is wrong with package or key is an error of the first proof.
  absl::StatusOr<ProverSession> session(const std::string& package, const std::string& key,
                                        Monitor& monitor) const;
  // Commits the block, and proves it if the parts have the commitments of all blocks.
  absl::StatusOr<Report> proveBlock(const BlockFiles& files, Monitor& monitor) const;
  // `openings`: as in RunFiles.
  absl::StatusOr<Report> verify(const std::string& key, const std::string& proof,
                                const std::string& openings, Monitor& monitor) const;
  // Verifies `count` changed copies of the proof and of the key, each of which must be rejected.
  absl::StatusOr<Report> tamper(const std::string& key, const std::string& proof, uint64_t count,
                                uint64_t seed, Monitor& monitor) const;

 private:
  // The options of the security, as setup takes them.
  std::vector<std::string> security() const;
  absl::StatusOr<Report> run(absl::string_view verb, std::vector<std::string> arguments,
                             Monitor& monitor) const;
  // The same for a verb that writes `output`.
  absl::StatusOr<Report> make(const std::string& output, absl::string_view verb,
                              std::vector<std::string> arguments, Monitor& monitor) const;

  std::string program_;
  ProverOptions options_;
};

}  // namespace lindero::runtime

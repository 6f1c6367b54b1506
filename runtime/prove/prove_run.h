// From a bound run to its proof, in one call: run the model, make a key if there is none, write the
// claim, prove.
//
//     LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find({}));
//     LINDERO_ASSIGN_OR_RETURN(ProvenRun proven,
//                              proveRun(run, prover, {}, {.key = packageKey(run.opened),
//                                                         .proof = "run.proof"}, monitor));
//
// Memory and time are those of the prover's program; disk: the trace and the prover's files, in a
// folder beside the proof that goes when the call returns, or in that of the job.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/monitor/monitor.h"
#include "runtime/package/statement.pb.h"
#include "runtime/prove/claim_files.h"
#include "runtime/prove/prover.h"
#include "runtime/run/run.h"

namespace lindero::runtime {

// Outputs appear whole or not at all.
struct ProveFiles {
  std::string key = {};       // to use; empty: one is made, as the prover's options say
  std::string key_out = {};   // a copy of the key; empty: none. A key that is made needs it.
  std::string openings = {};  // the values that the claim gives by digest; needed if it gives any
  std::string proof = {};     // of a job: empty, if only its traces are to be made
  // A folder that keeps what is done (job.h), of a run with a key: the same call goes on with it.
  // Empty: all that is made on the way goes.
  std::string job = {};
};

struct ProvenRun {
  Statement statement;  // inputs and outputs
  Report report;        // of the prover
  bool key_made = false;
  double trace_seconds = 0;
  double setup_seconds = 0;  // if a key was made
};

// Errors: as in traceRun, writeClaim and Prover.
absl::StatusOr<ProvenRun> proveRun(const Run& run, const Prover& prover, const ClaimOptions& claim,
                                   const ProveFiles& files, Monitor& monitor);

// The same by a session, which the run's package is of, for many runs in a row:
//
//     LINDERO_ASSIGN_OR_RETURN(ProverSession session,
//                              prover.session(opened.path, packageKey(opened), monitor));
//
// It has the key, and there is no job.
absl::StatusOr<ProvenRun> proveRun(const Run& run, ProverSession& session,
                                   const ClaimOptions& claim, const ProveFiles& files,
                                   Monitor& monitor);

// What a prover needs beside the package and the key, to be proven elsewhere or later: the traces,
// statement.pb and, with a key, claim.json (and run.openings). The folder is made if it is missing.
// Returns the run with its traces there.
absl::StatusOr<TracedRun> saveRun(const Run& run, TracedRun traced, const ClaimOptions& claim,
                                  const std::string& key, const std::string& folder);

}  // namespace lindero::runtime

// Stwo's prover and verifier of a toy's circuit, for traces that nobody should be able to prove.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.pb.h"
#include "runtime/prove/prover.h"

namespace lindero::test {

class Backend {
 public:
  // Makes a key. The package must outlive this; files go beside it.
  static absl::StatusOr<Backend> of(const runtime::Package& package);

  // A proof of the trace, or of a bundle of several blocks' traces, which it leaves behind. Of the
  // statement, public tensors that the circuit has not are left out.
  absl::Status prove(const Statement& statement, const std::vector<std::vector<uint32_t>>& traces);
  absl::Status verify();
  // Another circuit's proof that says it is one of this circuit.
  absl::Status verifyProofOf(const Backend& other);

 private:
  Backend(const runtime::Package& package, runtime::Prover prover)
      : package_(package), prover_(std::move(prover)) {}
  std::string file(const std::string& name) const { return package_.path() + "." + name; }

  const runtime::Package& package_;
  runtime::Prover prover_;
  std::unique_ptr<runtime::Monitor> monitor_ = std::make_unique<runtime::Monitor>();
};

}  // namespace lindero::test

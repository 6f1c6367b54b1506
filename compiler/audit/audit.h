// Whether a key is that of a model. The key says how it was made; making it again must give the
// same bytes.
//
// Any exponents make a key, also absurd ones, and what is proven is still what they say: so an
// audit also measures how far the key's integers are from the float model. Cost: compiling the
// model, and some runs of its interpreter.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "compiler/driver/compile_model.h"
#include "runtime/claim/key.h"
#include "runtime/monitor/monitor.h"
#include "runtime/prove/prover.h"

namespace lindero::compiler {

struct AuditFiles {
  std::string model;  // ONNX file
  std::string key;
  std::string compare;  // inputs to measure on: a text or arrays; empty: of the model's own making
  std::string tokenizer;  // for a text; empty: tokenizer.json beside the model
};

struct Audit {
  runtime::KeySet keys;
  ModelFacts facts;
  passes::Exponents exponents;                   // of the key
  std::optional<passes::Comparison> comparison;  // none where it could not be measured
};

// Fails with kRejected, and the reason, unless the key is the model's, byte for byte. Of the
// prover's options backend, folder and threads count: the rest is what the key says. Notes
// (Monitor) say what of the calibration is doubtful.
absl::StatusOr<Audit> auditKey(const AuditFiles& files, const runtime::ProverOptions& prover,
                               runtime::Monitor& monitor);

}  // namespace lindero::compiler

// A program that uses the library: compiles an ONNX model, proves a run of it, verifies the proof.
//
//     consumer model.onnx folder folder-of-the-prover
#include <filesystem>
#include <iostream>

#include "compiler/driver/compile_model.h"
#include "runtime/error/error.h"
#include "runtime/prove/prove_run.h"
#include "runtime/verify/verification.h"

namespace compiler = lindero::compiler;
namespace runtime = lindero::runtime;

absl::Status run(const std::string& model, const std::string& folder, const std::string& programs) {
  std::filesystem::create_directories(folder);
  const std::string package = folder + "/model.lindero", proof = folder + "/run.proof";
  runtime::Monitor monitor([](absl::string_view stage, double) { std::cerr << stage << "\n"; });
  absl::StatusOr<runtime::Prover> prover =
      runtime::Prover::find({.folder = programs, .security_bits = 80, .regime = "list-decoding"});
  if (!prover.ok()) return prover.status();

  compiler::ModelOptions options;
  options.positions = "last:2";
  auto compiled = compiler::compileModel(model, options, &*prover, package, monitor);
  if (!compiled.ok()) return compiled.status();
  std::cout << compiled->facts.parameters << " parameters\n";

  runtime::InputArray tokens{.name = compiled->facts.inputs[0].name, .shape = {3}, .integer = true};
  tokens.integers = {1, 2, 3};
  auto bound = runtime::bindRun(package, {tokens}, {}, /*threads=*/0, monitor);
  if (!bound.ok()) return bound.status();
  const std::string key = runtime::packageKey(bound->opened);
  auto proven = runtime::proveRun(*bound, *prover, {}, {.key = key, .proof = proof}, monitor);
  if (!proven.ok()) return proven.status();

  auto verified = runtime::verifyProof({.proof = proof, .key = key}, *prover, monitor);
  if (!verified.ok()) return verified.status();
  for (const runtime::PublicTensorValues& tensor : verified->values()) {
    std::cout << tensor.name << ": " << tensor.values->front() << " stands for "
              << tensor.reals().front() << "\n";
  }
  std::cout << "accepted\n";

  runtime::VerificationFiles files{.proof = proof, .key = key};
  files.demand.key_digest = std::string(64, '0');
  const absl::Status refused = runtime::verifyProof(files, *prover, monitor).status();
  if (runtime::errorOf(refused) == runtime::Error::kRejected)
    std::cout << "rejected: another key\n";
  return absl::OkStatus();
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const absl::Status status = run(argv[1], argv[2], argv[3]);
  if (!status.ok())
    std::cerr << runtime::nameOf(runtime::errorOf(status)) << ": " << status << "\n";
  return status.ok() ? 0 : 1;
}

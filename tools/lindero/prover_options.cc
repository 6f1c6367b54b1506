#include "tools/lindero/prover_options.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lindero::cli {
namespace {

void addDemandOptions(CLI::App& app, runtime::SecurityDemand& demand) {
  CLI::Option* bits =
      app.add_option("--min-bits", demand.min_bits,
                     absl::StrFormat("Refuse a key of less security (default: %.0f bits %s)",
                                     runtime::kFloorBits, runtime::kFloorRegime))
          ->check(CLI::Range(0, 256));
  addRegimeOption(app, demand.regime, "By what --min-bits counts: proven or list-decoding")
      ->needs(bits);
  app.add_option("--key-digest", demand.key_digest,
                 "Refuse any key but the one of this digest, as verify and audit print it (the "
                 "file's own SHA-256 is another: it may hold keys for several lengths)")
      ->check([](const std::string& text) -> std::string {
        const bool hex = text.find_first_not_of("0123456789abcdef") == std::string::npos;
        return hex && text.size() == 64 ? "" : "a digest has 64 lower-case hexadecimal digits";
      });
}

}  // namespace

void addThreadsOption(CLI::App& app, int& threads) {
  app.add_option("--threads", threads, "0: one per processor")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

void addBackendOption(CLI::App& app, ProverOptions& options) {
  app.add_option("--backend", options.backend, "The prover: lindero-prover-<backend>")
      ->capture_default_str();
}

void addSecurityOptions(CLI::App& app, ProverOptions& options) {
  addBackendOption(app, options);
  app.add_option("--security-bits", options.security_bits, "Bits of security of the whole protocol")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  addRegimeOption(
      app, options.regime,
      "What the bits count on: proven, or list-decoding, a conjecture that allows smaller "
      "proofs");
  app.add_option("--prefer", options.prefer,
                 "Faster proving, smaller proofs, or a balance of both, at the same security")
      ->check(CLI::IsMember({"speed", "balance", "size"}))
      ->capture_default_str();
  addThreadsOption(app, options.threads);
}

CLI::Option* addRegimeOption(CLI::App& app, std::string& regime, const std::string& description) {
  return app.add_option("--regime", regime, description)
      ->check([](const std::string& name) -> std::string {
        if (name == "proven" || name == "list-decoding") return "";
        if (name == "conjectured") {
          return "conjectured is gone, the conjecture it stood on is refuted: take proven, or "
                 "list-decoding, which counts on the conjecture that is left";
        }
        return absl::StrCat(name, " is none of proven, list-decoding");
      })
      ->capture_default_str();
}

bool securityGiven(const CLI::App& app) {
  return app.count("--security-bits") > 0 || app.count("--regime") > 0 || app.count("--prefer") > 0;
}

void addVerificationOptions(CLI::App& app, runtime::VerificationFiles& files) {
  app.add_option("proof", files.proof, "Proof")->required();
  app.add_option("--key", files.key, "Verifying key of the model")->required();
  addDemandOptions(app, files.demand);
}

}  // namespace lindero::cli

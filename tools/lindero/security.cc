#include "tools/lindero/security.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace lindero::cli {
namespace {

constexpr char kTransfer[] = "circle transfer: SOUNDNESS.md, lemma 1";

std::string textOf(const Json& json, const char* member) {
  auto found = json.find(member);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<double> numberOf(const Json& json, const char* member) {
  auto found = json.find(member);
  if (found == json.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

struct RegimeBits {
  std::string name;
  double bits = 0;
  Json report;
};

// In the order of the report; what is malformed is left out.
std::vector<RegimeBits> regimesOf(const Json& security) {
  std::vector<RegimeBits> regimes;
  if (!security.is_object()) return regimes;
  for (const Json& report : security.value("regimes", Json::array())) {
    if (!report.is_object()) continue;
    std::optional<double> bits = numberOf(report, "bits");
    if (bits) regimes.push_back({textOf(report, "regime"), *bits, report});
  }
  return regimes;
}

std::optional<double> bitsOf(const Json& security, absl::string_view regime) {
  for (const RegimeBits& found : regimesOf(security)) {
    if (found.name == regime) return found.bits;
  }
  return std::nullopt;
}

// What the bits count on, besides the argument: where the circuit declares lengths of folds, that
// they are right.
std::string onFolds(const Json& security) {
  const Json folds = security.value("fold_lengths", Json::object());
  const std::optional<double> declared = numberOf(folds, "challenges"),
                              whole = numberOf(folds, "challenges_of_whole_tables");
  if (declared && whole && *whole >= *declared) return "";
  return "; fold lengths as the key says (`lindero audit` confirms them)";
}

std::string describe(const RegimeBits& regime) {
  return absl::StrFormat("%.1f bits %s%s", regime.bits, regime.name,
                         regime.name == "proven" ? absl::StrCat(" (", kTransfer, ")") : "");
}

}  // namespace

void addDemandOptions(CLI::App& app, SecurityDemand& demand) {
  CLI::Option* bits =
      app.add_option("--min-bits", demand.min_bits,
                     absl::StrFormat("Refuse a key of less security (default: %.0f bits %s)",
                                     kFloorBits, kFloorRegime))
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

absl::Status checkDemand(const SecurityDemand& demand, const runtime::Key& key,
                         const runtime::Digest& file, const Json& security) {
  const std::string digest = runtime::toHex(key.digest);
  if (!demand.key_digest.empty() && digest != demand.key_digest) {
    const bool of_file = runtime::toHex(file) == demand.key_digest;
    return absl::InvalidArgumentError(
        absl::StrCat("the key is ", digest, ", not ", demand.key_digest,
                     of_file ? ", which is the SHA-256 of the file that holds it" : ""));
  }
  const std::string regime = demand.min_bits ? demand.regime : kFloorRegime;
  const double least = demand.min_bits ? static_cast<double>(*demand.min_bits) : kFloorBits;
  const std::optional<double> bits = bitsOf(security, regime);
  if (!bits) {
    return absl::DataLossError(
        absl::StrCat("the verifier does not say how many bits (", regime, ") the key has"));
  }
  if (*bits >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "the key has %.1f bits of security (%s), asked for are %.0f%s", *bits, regime, least,
      demand.min_bits ? "" : "; --min-bits with --regime asks for something else"));
}

void addSecurity(const Json& security, Summary& summary) {
  const std::vector<RegimeBits> regimes = regimesOf(security);
  if (regimes.empty()) return;
  const std::string own = textOf(security, "regime");
  std::vector<std::string> parts;
  for (const RegimeBits& regime : regimes) {
    if (regime.name == own) parts.insert(parts.begin(), describe(regime));
    if (regime.name != own && regime.name != "best known attack") parts.push_back(describe(regime));
  }
  summary.add("security", "security", security,
              absl::StrCat(absl::StrJoin(parts, ", "), onFolds(security)));
}

void addSecurityTable(const Json& security, Summary& summary) {
  addSecurity(security, summary);
  const std::vector<RegimeBits> regimes = regimesOf(security);
  if (regimes.empty()) return;
  std::vector<std::string> header = {"bits"};
  Summary::Rows rows;
  const Json all = regimes.front().report.value("terms", Json::object());
  for (const auto& [name, value] : all.items()) {
    rows.push_back({absl::StrReplaceAll(name, {{"_", " "}})});
    for (const RegimeBits& regime : regimes) {
      const Json terms = regime.report.value("terms", Json::object());
      const std::string mark = textOf(regime.report, "binding") == name ? "* " : "";
      rows.back().push_back(
          absl::StrFormat("%s%.1f", mark, numberOf(terms, name.c_str()).value_or(0)));
    }
  }
  rows.push_back({"all together"});
  for (const RegimeBits& regime : regimes) {
    header.push_back(regime.name);
    rows.back().push_back(absl::StrFormat("%.1f", regime.bits));
  }
  summary.addTable("regimes", "Security (* binds; the best known attack is information only)",
                   std::move(header), std::move(rows), security.value("regimes", Json::array()));
  for (const RegimeBits& regime : regimes) {
    summary.addText(absl::StrCat("  ", regime.name, ": ", textOf(regime.report, "radius"), "; ",
                                 textOf(regime.report, "rests_on")));
  }
  const Json folds = security.value("fold_lengths", Json::object());
  if (std::optional<double> whole = numberOf(folds, "challenges_of_whole_tables")) {
    summary.addText(absl::StrFormat(
        "  fold lengths: %s; were they false, challenges would still have %.1f bits",
        textOf(folds, "rests_on"), *whole));
  }
}

}  // namespace lindero::cli

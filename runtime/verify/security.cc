#include "runtime/verify/security.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lindero::runtime {
namespace {

std::string textOf(const Report& json, const char* member) {
  auto found = json.find(member);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<double> numberOf(const Report& json, const char* member) {
  auto found = json.find(member);
  if (found == json.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::optional<double> bitsOf(const Report& security, absl::string_view regime) {
  for (const RegimeBits& found : regimesOf(security)) {
    if (found.name == regime) return found.bits;
  }
  return std::nullopt;
}

}  // namespace

std::vector<RegimeBits> regimesOf(const Report& security) {
  std::vector<RegimeBits> regimes;
  if (!security.is_object()) return regimes;
  for (const Report& report : security.value("regimes", Report::array())) {
    if (!report.is_object()) continue;
    std::optional<double> bits = numberOf(report, "bits");
    if (bits) regimes.push_back({textOf(report, "regime"), *bits, report});
  }
  return regimes;
}

absl::Status checkDemand(const SecurityDemand& demand, const Key& key, const Digest& file,
                         const Report& security) {
  const std::string digest = toHex(key.digest);
  if (!demand.key_digest.empty() && digest != demand.key_digest) {
    const bool of_file = toHex(file) == demand.key_digest;
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

}  // namespace lindero::runtime

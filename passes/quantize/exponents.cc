#include "passes/quantize/exponents.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

using nlohmann::json;

constexpr int64_t kFormat = 1;
constexpr int64_t kLimit = 1 << 20;                // of exponents
constexpr int64_t kLeastBits = 2, kMostBits = 31;  // of whatever ends in "bits"

absl::Status malformed(llvm::StringRef what) {
  return absl::InvalidArgumentError(absl::StrCat("exponents file: ", what.str()));
}

absl::StatusOr<int64_t> integer(const json& object, const char* key, int64_t low, int64_t high) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number_integer())
    return malformed(absl::StrCat("\"", key, "\" is not an integer"));
  // Unsigned ones of 2^63 and above would come out negative.
  const bool beyond = it->is_number_unsigned() && it->get<uint64_t>() >> 63 != 0;
  const int64_t value = it->get<int64_t>();
  if (beyond || value < low || value > high)
    return malformed(absl::StrCat("\"", key, "\" = ", it->dump(), " is out of range"));
  return value;
}

absl::StatusOr<ExponentSite> readSite(const json& object) {
  if (!object.is_object()) return malformed("a site is not an object");
  ExponentSite site;
  for (const auto& [key, value] : object.items()) {
    if (key == "op" || key == "node") {
      if (!value.is_string()) return malformed(absl::StrCat("\"", key, "\" of a site is not text"));
      (key == "op" ? site.op : site.node) = value.get<std::string>();
      continue;
    }
    const bool bits = llvm::StringRef(key).ends_with("bits");
    absl::StatusOr<int64_t> number =
        integer(object, key.c_str(), bits ? kLeastBits : -kLimit, bits ? kMostBits : kLimit);
    if (!number.ok()) return number.status();
    site.values[key] = *number;
  }
  if (site.op.empty()) return malformed("a site has no \"op\"");
  return site;
}

}  // namespace

absl::StatusOr<int> ExponentSite::get(llvm::StringRef name) const {
  const auto it = values.find(name.str());
  if (it == values.end()) {
    return malformed(absl::StrCat("the site of ", op, " ", node, " has no \"", name.str(), "\""));
  }
  return static_cast<int>(it->second);
}

absl::StatusOr<int> Exponents::get(size_t site, llvm::StringRef name) const {
  if (site >= sites.size()) return malformed(absl::StrCat("there is no site ", site));
  return sites[site].get(name);
}

absl::Status checkSites(const Exponents& exponents, const ir::Function& function) {
  const std::vector<const ir::Value*> values = exponentSites(function);
  if (values.size() != exponents.sites.size()) {
    return malformed(absl::StrCat("it has ", exponents.sites.size(), " sites, the function @",
                                  function.name(), " has ", values.size(),
                                  ": it was made for another model"));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const ir::Op* op = values[i]->definingOp();
    const std::string name = op != nullptr ? op->name().str() : "argument";
    if (name != exponents.sites[i].op) {
      return malformed(absl::StrCat("site ", i, " is of ", exponents.sites[i].op,
                                    ", the function has ", name,
                                    " there: it was made for another model"));
    }
  }
  return absl::OkStatus();
}

std::string toJson(const Exponents& exponents) {
  json sites = json::array();
  for (const ExponentSite& site : exponents.sites) {
    json object = site.values;
    if (site.values.empty()) object = json::object();
    object["op"] = site.op;
    object["node"] = site.node;
    sites.push_back(std::move(object));
  }
  json document = {
      {"format", kFormat}, {"weight_bits", exponents.weight_bits}, {"sites", std::move(sites)}};
  if (exponents.least_weight_bits > 0) document["least_weight_bits"] = exponents.least_weight_bits;
  // Node names may hold any bytes: what is not UTF-8 is replaced.
  return document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Exponents> exponentsFromJson(llvm::StringRef text) {
  const json document = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return malformed("it is not a JSON object");
  absl::StatusOr<int64_t> format = integer(document, "format", kFormat, kFormat);
  if (!format.ok()) return format.status();
  Exponents exponents;
  absl::StatusOr<int64_t> weight_bits = integer(document, "weight_bits", kLeastBits, kMostBits);
  if (!weight_bits.ok()) return weight_bits.status();
  exponents.weight_bits = *weight_bits;
  if (document.contains("least_weight_bits")) {
    absl::StatusOr<int64_t> least = integer(document, "least_weight_bits", kLeastBits, kMostBits);
    if (!least.ok()) return least.status();
    exponents.least_weight_bits = *least;
  }
  const auto sites = document.find("sites");
  if (sites == document.end() || !sites->is_array()) return malformed("\"sites\" is not a list");
  for (const json& object : *sites) {
    absl::StatusOr<ExponentSite> site = readSite(object);
    if (!site.ok()) return site.status();
    exponents.sites.push_back(*std::move(site));
  }
  return exponents;
}

}  // namespace lindero::passes

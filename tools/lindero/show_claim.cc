#include "tools/lindero/show_claim.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tools/lindero/show_values.h"

namespace lindero::cli {
namespace {

using runtime::Claim;
using runtime::RegimeBits;
using runtime::toHex;

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

std::string quoted(const std::string& text) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\"");
}

std::string describeDecode(const Claim& claim) {
  switch (claim.policy.decode.kind) {
    case runtime::DecodeKind::kForward:
      return "a forward pass";
    case runtime::DecodeKind::kGreedy:
      return absl::StrCat("greedy decoding, at most ", claim.policy.limits.steps, " tokens");
    case runtime::DecodeKind::kTeacherForced:
      return "the model's choices for given tokens";
  }
  return "";
}

void addClaimDocument(const Claim& claim, const std::string& bytes, const Circuit* circuit,
                      Summary& summary) {
  summary.addData("claim", Json::parse(bytes));
  summary.addLine("model", absl::StrCat("ONNX file ", toHex(claim.model.onnx),
                                        " (as the key says; `lindero audit` confirms it)"));
  for (const runtime::ExternalFile& file : claim.model.external) {
    summary.addLine("", absl::StrCat("with ", quoted(file.name), " ", toHex(file.sha256)));
  }
  summary.addLine("", absl::StrCat("id        ", toHex(claim.model.id)));
  const bool blocks =
      circuit != nullptr && claim.model.members.size() == 1 && runtime::exportsGroups(*circuit);
  for (const runtime::ClaimMember& member : claim.model.members) {
    if (claim.model.members.size() > 1) summary.addLine("member", member.name);
    summary.addLine(
        "circuit",
        absl::StrCat(toHex(member.circuit), ", for ", countOf(claim.model.bucket, "position"),
                     blocks ? absl::StrCat(" in blocks of ", runtime::blockSteps(*circuit)) : ""));
    summary.addLine("weights", toHex(member.fixed_root));
  }
  if (blocks || claim.model.members.size() > 1) {
    summary.addLine("bundle", toHex(claim.model.bundle));
  }
  summary.addLine("run", absl::StrCat(describeDecode(claim), ", in integers as ",
                                      claim.policy.arithmetic, " defines them"));
}

void addClaimEnd(const Claim& claim, Summary& summary) {
  const runtime::Labels& labels = claim.labels;
  for (const auto& [what, label] :
       {std::pair{"model", &labels.model}, {"input", &labels.input}, {"output", &labels.output}}) {
    if (label->empty()) continue;
    summary.addLine("label", absl::StrCat("the prover calls the ", what, " ", quoted(*label)));
  }
  summary.addLine("nonce", toHex(claim.nonce));
  summary.addLine("verifier", absl::StrCat(claim.verifier.protocol, ", ", claim.verifier.backend));
}

}  // namespace

void addClaim(const Verification& verification, const std::optional<Tokenizer>& tokenizer,
              Summary& summary) {
  const Claim& claim = verification.claim;
  const Circuit& circuit = verification.key.circuit();
  addClaimDocument(claim, verification.claim_bytes, &circuit, summary);
  const std::vector<PublicTensorValues> tensors = verification.values();
  addPublicValues(tensors, tokenizer, summary, verification.run ? 0 : SIZE_MAX);
  if (verification.run) {
    const runtime::StopRule rule{claim.policy.limits.steps, claim.policy.decode.stop};
    addDecodeRun(*verification.run, circuit, tensors, rule, tokenizer, summary);
  }
  addClaimEnd(claim, summary);
  const std::string key = toHex(verification.key.digest);
  summary.add("key_digest", "key", key, key);
  addSecurity(verification.security(), summary);
}

void addUnverifiedClaim(const runtime::UnverifiedProof& proof,
                        const std::optional<Tokenizer>& tokenizer, Summary& summary) {
  addClaimDocument(proof.claim, proof.claim_bytes, nullptr, summary);
  addPublicValues(runtime::valuesOf(proof.claim), tokenizer, summary);
  addClaimEnd(proof.claim, summary);
  summary.add("key_digest", "key", proof.key_digest, proof.key_digest);
}

void addSecurity(const Json& security, Summary& summary) {
  const std::vector<RegimeBits> regimes = runtime::regimesOf(security);
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
  const std::vector<RegimeBits> regimes = runtime::regimesOf(security);
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

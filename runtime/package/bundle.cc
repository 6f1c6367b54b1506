#include "runtime/package/bundle.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "runtime/package/circuit_reads.h"
#include "runtime/package/field_path.h"
#include "runtime/package/formats.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

constexpr size_t kMaxName = 64;
// Tables, challenges and sum groups, those of a circuit counted with each member.
constexpr int64_t kMaxParts = int64_t{1} << 24;
constexpr char kWhole[] = "whole";

absl::Status checkMembers(const Bundle& bundle, absl::Span<const Circuit* const> circuits) {
  const FieldPath file("bundle");
  if (bundle.members_size() < 1 || bundle.members_size() > static_cast<int>(kMaxBlocks)) {
    return file.error(FormatRule::kMembers, bundle.members_size(), " members; it may have 1 to ",
                      kMaxBlocks);
  }
  std::set<std::string> names, tensors;
  size_t seen = 0;
  int64_t parts = 0;
  for (int i = 0; i < bundle.members_size(); ++i) {
    const Member& member = bundle.members(i);
    const FieldPath field = file.at("members", i, member.name());
    if (!isMemberName(member.name())) {
      return field.error(FormatRule::kMembers, "that cannot be the name of a member");
    }
    if (!names.insert(member.name()).second) {
      return field.error(FormatRule::kMembers, "two members have this name");
    }
    if (member.circuit() > seen || member.circuit() >= circuits.size()) {
      return field.error(FormatRule::kMembers, "circuit ", member.circuit(),
                         " does not exist or is out of order");
    }
    seen = std::max<size_t>(seen, member.circuit() + 1);
    const Circuit& circuit = *circuits[member.circuit()];
    parts += int64_t{circuit.tables_size()} + circuit.challenges_size() + circuit.sum_groups_size();
    if (parts > kMaxParts) {
      return file.error(FormatRule::kMembers,
                        "tables, challenges and sum groups of all members are ", "more than ",
                        kMaxParts);
    }
    for (const PublicTensor& tensor : circuit.publics()) {
      if (tensors.insert(tensor.name()).second) continue;
      return field.error(FormatRule::kMembers, "public tensor \"", tensor.name(),
                         "\" is another member's, too");
    }
  }
  if (seen == circuits.size()) return absl::OkStatus();
  return file.error(FormatRule::kMembers, circuits.size() - seen, " circuits are of no member");
}

absl::Status checkLinks(const Bundle& bundle, absl::Span<const Circuit* const> circuits) {
  std::set<std::pair<uint32_t, uint32_t>> linked;
  for (int i = 0; i < bundle.links_size(); ++i) {
    const FieldPath field = FieldPath("bundle").at("links", i);
    bool now = false;
    for (const LinkEnd& end : bundle.links(i).ends()) {
      const auto groups = [&]() -> const auto& {
        const Member& member = bundle.members(static_cast<int>(end.member()));
        return circuits[member.circuit()]->sum_groups();
      };
      if (end.member() >= static_cast<uint32_t>(bundle.members_size()) ||
          end.group() >= static_cast<uint32_t>(groups().size()) ||
          !groups().Get(static_cast<int>(end.group())).exported()) {
        return field.error(FormatRule::kLinks, "group ", end.group(), " of member ", end.member(),
                           " does not exist or is not exported");
      }
      if (!linked.insert({end.member(), end.group()}).second) {
        return field.error(FormatRule::kLinks, "group ", end.group(), " of member ", end.member(),
                           " is an end of two links, or twice of one");
      }
      now = now || !end.before();
    }
    if (bundle.links(i).ends_size() != 2) {
      return field.error(FormatRule::kLinks, bundle.links(i).ends_size(), " ends; it has two");
    }
    if (!now) {
      return field.error(FormatRule::kLinks, "all of its ends are of the step before");
    }
  }
  return absl::OkStatus();
}

bool isCarried(const Link& link) {
  return std::any_of(link.ends().begin(), link.ends().end(),
                     [](const LinkEnd& end) { return end.before(); });
}

absl::Status checkSteps(const Bundle& bundle) {
  const bool carried = std::any_of(bundle.links().begin(), bundle.links().end(), isCarried);
  const uint32_t most = kMaxBlocks / static_cast<uint32_t>(bundle.members_size());
  const uint32_t steps = bundle.most_steps();
  if (carried ? steps >= 2 && steps <= most : steps == 1) return absl::OkStatus();
  return FieldPath("bundle").error(FormatRule::kBundleSteps, "up to ", steps, " steps of ",
                                   bundle.members_size(), " members, ",
                                   carried ? "with" : "without", " links between steps");
}

}  // namespace

Bundle bundleOfOne() {
  Bundle bundle;
  bundle.set_format(kBundleFormat);
  bundle.add_members()->set_name(kWhole);
  bundle.set_most_steps(1);
  return bundle;
}

Bundle bundleOfSteps(uint32_t in, uint32_t out, uint32_t most_steps) {
  Bundle bundle = bundleOfOne();
  Link& link = *bundle.add_links();
  link.add_ends()->set_group(in);
  link.add_ends()->set_group(out);
  link.mutable_ends(1)->set_before(true);
  bundle.set_most_steps(most_steps);
  return bundle;
}

bool isMemberName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' ||
                  c == '-';
         });
}

std::vector<bool> linkedGroups(const Bundle& bundle, uint32_t member, const Circuit& circuit) {
  std::vector<bool> linked(circuit.sum_groups_size(), false);
  for (const Link& link : bundle.links()) {
    for (const LinkEnd& end : link.ends()) {
      if (end.member() == member) linked[end.group()] = true;
    }
  }
  return linked;
}

Digest bundleDigest(const Bundle& bundle) { return sha256(serializeProto(bundle)); }

absl::Status CircuitWork::count(const CircuitInfo& info) {
  work_ += info.work;
  if (work_ <= kMaxVisits) return absl::OkStatus();
  return FieldPath("bundle").error(FormatRule::kWork, "what columns and constraints of its ",
                                   "circuits read has more than ", kMaxVisits, " nodes");
}

absl::Status checkBundle(const Bundle& bundle, absl::Span<const Circuit* const> circuits) {
  if (bundle.format() != kBundleFormat) {
    return FieldPath("bundle").error(FormatRule::kEncoding, "format ", bundle.format(),
                                     " is not known (known: ", kBundleFormat, ")");
  }
  LINDERO_RETURN_IF_ERROR(checkMembers(bundle, circuits));
  LINDERO_RETURN_IF_ERROR(checkLinks(bundle, circuits));
  return checkSteps(bundle);
}

}  // namespace lindero::runtime

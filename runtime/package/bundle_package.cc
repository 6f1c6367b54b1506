#include "runtime/package/bundle_package.h"

#include <map>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/package/field_path.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {

std::vector<const Circuit*> BundlePackage::circuits() const {
  std::vector<const Circuit*> result;
  for (const Package& member : members) result.push_back(&member.circuit());
  return result;
}

std::vector<Digest> BundlePackage::circuitDigests() const {
  std::vector<Digest> result;
  for (const Package& member : members) result.push_back(member.circuitDigest());
  return result;
}

absl::Status checkSlots(absl::Span<const Program* const> programs) {
  std::set<std::pair<uint32_t, uint64_t>> taken;
  for (const Program* program : programs) {
    for (const Step& step : program->steps()) {
      if (!step.has_link_in()) continue;
      const LinkIn& in = step.link_in();
      taken.insert({in.slot(), program->buffers(static_cast<int>(in.out())).size()});
    }
  }
  for (const Program* program : programs) {
    for (int i = 0; i < program->steps_size(); ++i) {
      const Step& step = program->steps(i);
      const LinkOut& out = step.link_out();
      if (!step.has_link_out() || taken.contains({out.slot(), out.elements()})) continue;
      return FieldPath("program.pb")
          .at("steps", i, step.node())
          .error(FormatRule::kSlots, "link_out: no link_in has slot ", out.slot(), " and ",
                 out.elements(), " elements");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<BundlePackage> openBundle(const std::string& path, const PackageOptions& options) {
  BundlePackage opened;
  LINDERO_ASSIGN_OR_RETURN(opened.bundle, readBundle(path));
  const bool alone = opened.bundle.members_size() == 1;
  // Each once, as they first appear.
  std::map<Digest, uint32_t> known;
  std::vector<size_t> first;
  CircuitWork work;
  for (const Member& member : opened.bundle.members()) {
    const FieldPath field =
        FieldPath(kBundleFile).at("members", opened.members.size(), member.name());
    if (!isMemberName(member.name())) {
      return field.error(FormatRule::kMembers, "that cannot be the name of a member");
    }
    const std::string folder = alone ? path : absl::StrCat(path, "/members/", member.name());
    if (!alone && isThere(absl::StrCat(folder, "/", kBundleFile))) {
      return field.error(FormatRule::kMembers, "its folder has a ", kBundleFile, " of its own");
    }
    LINDERO_ASSIGN_OR_RETURN(Package package, Package::open(folder, options));
    const auto [it, fresh] =
        known.try_emplace(package.circuitDigest(), static_cast<uint32_t>(known.size()));
    if (member.circuit() != it->second) {
      return field.error(FormatRule::kMembers, "circuit ", member.circuit(),
                         "; by its files it is ", it->second);
    }
    if (fresh) {
      LINDERO_RETURN_IF_ERROR(work.count(package.circuitInfo()));
      first.push_back(opened.members.size());
    }
    opened.members.push_back(std::move(package));
  }
  std::vector<const Circuit*> circuits;
  for (size_t index : first) circuits.push_back(&opened.members[index].circuit());
  if (absl::Status status = checkBundle(opened.bundle, circuits); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  }
  for (size_t m = 0; m < opened.members.size(); ++m) {
    opened.members[m].joinBundle(opened.bundle, static_cast<uint32_t>(m));
  }
  std::vector<const Program*> programs;
  for (const Package& member : opened.members) programs.push_back(&member.program());
  if (absl::Status status = checkSlots(programs); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  }
  return opened;
}

}  // namespace lindero::runtime

#include "runtime/package/bundle_package.h"

#include <map>
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
  return opened;
}

}  // namespace lindero::runtime

// A package of several members: a folder with a bundle.pb, and members/NAME with the files of each.
#ifndef LINDERO_RUNTIME_PACKAGE_BUNDLE_PACKAGE_H_
#define LINDERO_RUNTIME_PACKAGE_BUNDLE_PACKAGE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/package/package.h"

namespace lindero::runtime {

struct BundlePackage {
  Bundle bundle;
  std::vector<Package> members;  // in the order of the bundle

  std::vector<const Circuit*> circuits() const;
  std::vector<Digest> circuitDigests() const;
};

// Of a package of one member, that one. Refuses a bundle that breaks a rule of FORMAT.md, members
// whose circuits are not the ones that it says, and what Package::open refuses.
absl::StatusOr<BundlePackage> openBundle(const std::string& path,
                                         const PackageOptions& options = {});

// F31: what a member leaves in a slot has a step that takes it. The programs are checked ones, of
// all members.
absl::Status checkSlots(absl::Span<const Program* const> programs);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_BUNDLE_PACKAGE_H_

// A package to work with: one of its circuits, and what is known of the model.
//
//     LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, openPackage("gpt.lindero", 0));
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/model/model_facts.h"
#include "runtime/package/bundle_package.h"

namespace lindero::runtime {

// What is proven together: all of a package, or of a bucket.
struct OpenedPackage {
  std::string home;  // the package's folder, with key and tokenizer
  std::string path;  // the folder of its circuits: a bucket's, or the same
  BundlePackage bundle;
  ModelFacts facts;
  // The first member: the only one, but of packages with proof boundaries.
  const Package& package() const { return bundle.members.front(); }
  bool alone() const { return bundle.members.size() == 1; }
};

// Bucket 0: of a package without buckets. Errors: kFile where there is nothing to read, kPackage
// for what is no circuit package.
absl::StatusOr<OpenedPackage> openPackage(const std::string& home, int64_t bucket);

// The buckets of a package, ascending: listBuckets; {0} of one without.
std::vector<int64_t> bucketsOf(const std::string& home);

// Its verifying key; empty if it has none.
std::string packageKey(const OpenedPackage& opened);

// The path of the tokenizer to use, empty if there is none: as given, or beside the model. A
// package "x" has its own: it is beside "x/".
std::string findTokenizer(const std::string& given, const std::string& model);

}  // namespace lindero::runtime

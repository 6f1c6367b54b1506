#include "runtime/error/error.h"

#include <set>

#include "gtest/gtest.h"

namespace lindero::runtime {
namespace {

TEST(Error, AllHaveANameOfTheirOwnAndComeBackFromAStatus) {
  int next = 0;
  std::set<absl::string_view> names;
  for (Error kind : allErrors()) {
    EXPECT_EQ(static_cast<int>(kind), next++);
    EXPECT_TRUE(names.insert(nameOf(kind)).second) << nameOf(kind);
    EXPECT_EQ(errorOf(failure(kind, "why")), kind) << nameOf(kind);
    EXPECT_EQ(failure(kind, "why").ok(), kind == Error::kOk);
  }
}

TEST(Error, TheFirstKindStays) {
  absl::Status status = withError(failure(Error::kToken, "token 7"), Error::kFile);
  EXPECT_EQ(errorOf(status), Error::kToken);
  EXPECT_EQ(errorOf(withRunError(status)), Error::kToken);
  EXPECT_EQ(errorOf(absl::InternalError("no kind")), Error::kInternal);
  EXPECT_EQ(errorOf(withError(absl::OkStatus(), Error::kFile)), Error::kOk);
}

TEST(Error, CodesGiveKinds) {
  struct Case {
    absl::Status status;
    Error package, run;
  };
  for (const Case& c : {Case{absl::NotFoundError(""), Error::kFile, Error::kFile},
                        {absl::OutOfRangeError(""), Error::kPackage, Error::kOutOfRange},
                        {absl::ResourceExhaustedError(""), Error::kFile, Error::kFile},
                        {absl::InvalidArgumentError(""), Error::kPackage, Error::kPackage},
                        {absl::CancelledError(""), Error::kCancelled, Error::kCancelled},
                        {absl::InternalError(""), Error::kInternal, Error::kInternal}}) {
    EXPECT_EQ(errorOf(withPackageError(c.status)), c.package) << c.status;
    EXPECT_EQ(errorOf(withRunError(c.status)), c.run) << c.status;
  }
}

}  // namespace
}  // namespace lindero::runtime

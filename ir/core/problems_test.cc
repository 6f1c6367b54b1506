#include "ir/core/problems.h"

#include "absl/strings/cord.h"
#include "gtest/gtest.h"

namespace lindero::ir {
namespace {

TEST(Problems, KeepsEach) {
  Problems problems;
  EXPECT_TRUE(problems.status().ok());
  problems.add(absl::OkStatus());
  problems.add(absl::DataLossError("a"));
  EXPECT_EQ(problems.status(), absl::DataLossError("a"));
  problems.add(absl::UnimplementedError("b c"));
  const absl::Status status = withPrefix(problems.status(), "file: ");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "file: a; b c");
  EXPECT_EQ(problemsOf(status),
            (std::vector<absl::Status>{absl::DataLossError("a"), absl::UnimplementedError("b c")}));
}

TEST(Problems, TakesListsApart) {
  Problems inner, outer;
  inner.add(absl::DataLossError("a"));
  inner.add(absl::DataLossError("b"));
  outer.add(inner.status());
  EXPECT_EQ(outer.count(), 2u);
}

TEST(Problems, HasRoomForSome) {
  Problems problems;
  for (int i = 0; i < 20; ++i) problems.add(absl::DataLossError("x"));
  EXPECT_NE(problems.status().message().find("; and 4 more"), absl::string_view::npos);
  EXPECT_EQ(problemsOf(problems.status()).size(), 20u);
}

TEST(Problems, PrefixesKeepPayloads) {
  absl::Status status = absl::DataLossError("a");
  status.SetPayload("tag", absl::Cord("value"));
  EXPECT_TRUE(withPrefix(status, "b ").GetPayload("tag"));
  EXPECT_TRUE(withPrefix(absl::OkStatus(), "b ").ok());
  EXPECT_TRUE(problemsOf(absl::OkStatus()).empty());
}

}  // namespace
}  // namespace lindero::ir

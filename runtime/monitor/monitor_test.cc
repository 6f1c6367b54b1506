#include "runtime/monitor/monitor.h"

#include <filesystem>

#include "gtest/gtest.h"
#include "runtime/error/error.h"
#include "runtime/monitor/scratch.h"

namespace lindero::runtime {
namespace {

TEST(Monitor, CancelledStaysCancelled) {
  Monitor monitor;
  EXPECT_TRUE(monitor.checkCancelled().ok());
  monitor.cancel();
  EXPECT_EQ(errorOf(monitor.checkCancelled()), Error::kCancelled);
}

TEST(Monitor, FoldersGoWithTheirScratchAndWhenAbandoned) {
  auto* monitor = new Monitor;  // an abandoned one is never destroyed
  std::string gone;
  {
    absl::StatusOr<Scratch> scratch = Scratch::temporary(*monitor);
    ASSERT_TRUE(scratch.ok()) << scratch.status();
    gone = scratch->path("");
    EXPECT_TRUE(std::filesystem::exists(gone));
  }
  EXPECT_FALSE(std::filesystem::exists(gone));
  auto* left = new absl::StatusOr<Scratch>(Scratch::temporary(*monitor));
  ASSERT_TRUE(left->ok());
  monitor->abandon();
  EXPECT_FALSE(std::filesystem::exists((*left)->path("")));
}

}  // namespace
}  // namespace lindero::runtime

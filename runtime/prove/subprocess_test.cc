#include "runtime/prove/subprocess.h"

#include <signal.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/error/error.h"

namespace lindero::runtime {
namespace {

using ::testing::ElementsAre;

TEST(Subprocess, ReportsProgressErrorsAndExitCode) {
  Monitor monitor;
  std::vector<std::string> lines;
  auto result = runProcess(
      "/bin/sh",
      {"-c", "echo one >&$0; echo two >&$0; echo out; echo trouble >&2; exit 3", "{progress}"},
      [&](absl::string_view line) { lines.emplace_back(line); }, monitor);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(lines, ElementsAre("one", "two"));
  EXPECT_EQ(result->output, "out\n");
  EXPECT_EQ(result->errors, "trouble\n");
  EXPECT_EQ(result->exit_code, 3);
}

TEST(Subprocess, CountsProcessorTimeAndNoOther) {
  Monitor monitor;
  auto seconds = [&](const char* work) {
    auto result = runProcess("/bin/sh", {"-c", work}, [](absl::string_view) {}, monitor);
    return result.ok() ? result->processor_seconds : -1;
  };
  EXPECT_GT(seconds("i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done"), 0.01);
  EXPECT_LT(seconds("sleep 0.3"), 0.2);
}

TEST(Subprocess, ReportsSignalsAndMissingPrograms) {
  Monitor monitor;
  auto killed = runProcess("/bin/sh", {"-c", "kill -9 $$"}, [](absl::string_view) {}, monitor);
  ASSERT_TRUE(killed.ok());
  EXPECT_EQ(killed->signal, 9);
  EXPECT_FALSE(runProcess("/no/such/program", {}, [](absl::string_view) {}, monitor).ok());
}

TEST(Subprocess, EndsTheProgramWhenItsMonitorIsCancelled) {
  Monitor monitor;
  auto cancelled = runProcess(
      "/bin/sh", {"-c", "echo on >&$0; exec sleep 60", "{progress}"},
      [&](absl::string_view) { monitor.cancel(); }, monitor);
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_EQ(cancelled->signal, SIGTERM);
  EXPECT_EQ(errorOf(runProcess(
                        "/bin/true", {}, [](absl::string_view) {}, monitor)
                        .status()),
            Error::kCancelled);
}

TEST(Subprocess, AnswersLineByLine) {
  Monitor monitor;
  std::vector<std::string> lines;
  auto process = Process::start(
      "/bin/sh",
      {"-c", "while read -r n; do echo asked >&$0; echo $((n + 1)); done; echo end", "{progress}"},
      [&](absl::string_view line) { lines.emplace_back(line); }, monitor);
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ((*process)->ask("1"), "2");
  EXPECT_EQ((*process)->ask("41"), "42");
  auto result = (*process)->finish();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->output, "end\n");
  EXPECT_EQ(result->exit_code, 0);
  EXPECT_THAT(lines, ElementsAre("asked", "asked"));
}

// Nobody reads what it is asked, or answers.
TEST(Subprocess, EndsWhereItShouldAnswer) {
  Monitor monitor;
  auto process =
      Process::start("/bin/sh", {"-c", "read -r n; exit 7"}, [](absl::string_view) {}, monitor);
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ((*process)->ask("1"), std::nullopt);
  EXPECT_EQ((*process)->ask("2"), std::nullopt);
  auto result = (*process)->finish();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit_code, 7);
}

TEST(Subprocess, EndsWithItsObject) {
  Monitor monitor;
  auto process = Process::start(
      "/bin/sh", {"-c", "echo on >&$0; exec sleep 60", "{progress}"}, [](absl::string_view) {},
      monitor);
  ASSERT_TRUE(process.ok()) << process.status();
}

}  // namespace
}  // namespace lindero::runtime

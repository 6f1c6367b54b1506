#include "passes/pass.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lindero::passes {
namespace {

using ::testing::HasSubstr;

struct ProbeOptions {
  bool flag = false;
  int64_t count = 7;
  int32_t small = 1;
  double ratio = 0.5;
  std::string name = "none";
};
ProbeOptions last_options;

class Probe : public Pass {
 public:
  llvm::StringRef name() const override { return "probe"; }
  llvm::StringRef summary() const override { return "Keeps its options"; }
  absl::StatusOr<bool> run(ir::Module&) override { return false; }
};

class PassTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(
        registerPass("probe", "Keeps its options",
                     [](const PassOptions& options) -> absl::StatusOr<std::unique_ptr<Pass>> {
                       ProbeOptions probe;
                       OptionReader reader("probe", options);
                       reader.read("flag", probe.flag);
                       reader.read("count", probe.count);
                       reader.read("small", probe.small);
                       reader.read("ratio", probe.ratio);
                       reader.read("name", probe.name);
                       if (absl::Status s = reader.finish(); !s.ok()) return s;
                       last_options = probe;
                       return std::make_unique<Probe>();
                     })
            .ok());
    registerAllPasses();
    registerAllPasses();
  }
};

TEST_F(PassTest, PipelinesNamePassesAndOptions) {
  auto passes =
      parsePipeline(" eliminate-dead-ops , probe{flag count=-3 ratio=1e-3 name=\"a b\"} ");
  ASSERT_TRUE(passes.ok()) << passes.status();
  ASSERT_EQ(passes->size(), 2u);
  EXPECT_EQ((*passes)[0]->name(), "eliminate-dead-ops");
  EXPECT_TRUE(last_options.flag);
  EXPECT_EQ(last_options.count, -3);
  EXPECT_EQ(last_options.small, 1);
  EXPECT_EQ(last_options.ratio, 1e-3);
  EXPECT_EQ(last_options.name, "a b");
  EXPECT_TRUE(parsePipeline("probe{name=a=b}").ok());
  EXPECT_EQ(last_options.name, "a=b");
  EXPECT_TRUE(parsePipeline("  ")->empty());
}

TEST_F(PassTest, PipelineErrorsSayWhere) {
  struct Case {
    std::string text, message;
  };
  const Case cases[] = {
      {"probe,", "pipeline, column 7: expected the name of a pass"},
      {"probe;probe", "pipeline, column 6: expected ',' or the end"},
      {"prob", "column 1: no pass is named 'prob'; did you mean 'probe'?"},
      {"probe, nothing-like-it", "column 8: no pass is named 'nothing-like-it'; --help lists them"},
      {"probe{", "column 7: expected an option 'key=value' or '}'"},
      {"probe{=3}", "column 7: expected an option 'key=value' or '}'"},
      {"probe{count=1 count=2}", "column 15: option 'count' is given twice"},
      {"probe{name=\"a}", "column 12: this quote is not closed"},
      {"probe{flag=yes}", "probe: option 'flag' expects true or false, not 'yes'"},
      {"probe{count=1.5}", "probe: option 'count' expects a 64-bit integer, not '1.5'"},
      {"probe{small=3000000000}",
       "probe: option 'small' expects a 32-bit integer, not '3000000000'"},
      {"probe{ratio=}", "probe: option 'ratio' expects a number, not ''"},
      {"probe{other=1}",
       "probe: no option is named 'other'; known are flag, count, small, ratio, name"},
      {"eliminate-dead-ops{x=1}", "eliminate-dead-ops: no option is named 'x'; the pass has none"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(parsePipeline(c.text).status().ToString(), HasSubstr(c.message)) << c.text;
  }
}

TEST_F(PassTest, NamesAreCheckedAndUnique) {
  EXPECT_EQ(registerPass([] { return std::make_unique<Probe>(); }).code(),
            absl::StatusCode::kAlreadyExists);
  for (const char* name : {"", "Probe", "a_b", "a-", "-a", "a b"}) {
    EXPECT_EQ(registerPass(name, "", nullptr).code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST_F(PassTest, EveryPassHasASummary) {
  for (const PassInfo* info : allPasses()) EXPECT_FALSE(info->summary.empty()) << info->name;
}

}  // namespace
}  // namespace lindero::passes

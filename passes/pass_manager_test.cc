#include "passes/pass_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/core/text.h"
#include "ir/dialects.h"

namespace lindero::passes {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A pass that does what a test says.
class Lambda : public Pass {
 public:
  explicit Lambda(std::function<absl::StatusOr<bool>(ir::Module&)> body) : body_(std::move(body)) {}
  llvm::StringRef name() const override { return "lambda"; }
  llvm::StringRef summary() const override { return "Does what a test says"; }
  absl::StatusOr<bool> run(ir::Module& module) override { return body_(module); }

 private:
  std::function<absl::StatusOr<bool>(ir::Module&)> body_;
};

absl::StatusOr<bool> addConstant(ir::Module& module) {
  ir::Block& body = module.functions()[0]->body();
  ir::Builder(&body).value("air.constant", {}, ir::Type::base(), {{"value", 1}});
  return true;
}

class PassManagerTest : public ::testing::Test {
 protected:
  PassManagerTest() {
    ir::registerAllDialects();
    module_ = *ir::parse("func @f() { %a = air.constant {value = 5} : base }");
    options_.out = &os_;
  }

  absl::StatusOr<bool> run(std::function<absl::StatusOr<bool>(ir::Module&)> body) {
    PassManager manager(options_);
    manager.add(std::make_unique<Lambda>(std::move(body)));
    return manager.run(*module_);
  }

  std::unique_ptr<ir::Module> module_;
  PassManagerOptions options_;
  std::string output_;
  llvm::raw_string_ostream os_{output_};
};

TEST_F(PassManagerTest, ReportsWhetherAnyPassChanged) {
  EXPECT_EQ(*run(addConstant), true);
  EXPECT_EQ(*run([](ir::Module&) { return false; }), false);
  EXPECT_EQ(output_, "");
}

TEST_F(PassManagerTest, ErrorsNameThePass) {
  EXPECT_EQ(run([](ir::Module&) { return absl::NotFoundError("no scale"); }).status(),
            absl::NotFoundError("pass lambda: no scale"));
}

TEST_F(PassManagerTest, VerifiesAfterEachChange) {
  auto breakIt = [](ir::Module& module) {
    module.functions()[0]->body().ops().front().remove("value");
    return true;
  };
  EXPECT_THAT(run(breakIt).status().ToString(),
              HasSubstr("pass lambda left a module that does not verify: func @f: air.constant: "
                        "attribute 'value'"));
  EXPECT_THAT(run(addConstant).status().ToString(), HasSubstr("before any pass: func @f"));
  options_.verify_each = false;
  EXPECT_TRUE(run(addConstant).ok());
}

TEST_F(PassManagerTest, CatchesAPassThatHidesAChange) {
  options_.check_unchanged = true;
  auto hide = [](ir::Module& module) {
    module.functions()[0]->body().ops().front().set("value", 6);
    return false;
  };
  EXPECT_THAT(
      run(hide).status().ToString(),
      HasSubstr("pass lambda says that it changed nothing, but '%a = air.constant {value = 5} "
                ": base' became '%a = air.constant {value = 6} : base'"));
}

TEST_F(PassManagerTest, PrintsOnRequest) {
  options_.print_after_change = true;
  ASSERT_TRUE(run([](ir::Module&) { return false; }).ok());
  EXPECT_EQ(output_, "");
  ASSERT_TRUE(run(addConstant).ok());
  EXPECT_THAT(output_, HasSubstr("// ---- after lambda\nfunc @f() {\n  %a = air.constant"));

  output_.clear();
  options_.print_before_all = options_.print_after_all = options_.time_passes = true;
  ASSERT_TRUE(run([](ir::Module&) { return false; }).ok());
  EXPECT_THAT(output_, HasSubstr("// ---- before lambda\n"));
  EXPECT_THAT(output_, HasSubstr("// ---- after lambda (unchanged)\n"));
  EXPECT_THAT(output_, HasSubstr("  lambda (unchanged)\n"));
  EXPECT_THAT(output_, HasSubstr("  total\n"));
}

}  // namespace
}  // namespace lindero::passes

// A circuit that refuses its own program, or is that of another one, gets no key.
#include "compiler/driver/try_circuit.h"

#include <algorithm>
#include <optional>

#include "compiler/driver/compilation.h"
#include "compiler/driver/compile_model.h"
#include "compiler/driver/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "passes/quantize/exponents.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/files.h"
#include "tests/soundness/edited_run.h"

namespace lindero::compiler {
namespace {

using ::testing::HasSubstr;

class TryCircuitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto scratch = runtime::Scratch::temporary(monitor_);
    ASSERT_EQ(scratch.status(), absl::OkStatus());
    scratch_.emplace(*std::move(scratch));
    home_ = scratch_->path("toy.lindero");
    ASSERT_EQ(compileModel(LINDERO_TOY, {}, nullptr, home_, monitor_).status(), absl::OkStatus());
    auto text = runtime::readFile(home_ + "/" + runtime::kExponentsFile, 1 << 20);
    ASSERT_EQ(text.status(), absl::OkStatus());
    auto exponents = passes::exponentsFromJson(*text);
    ASSERT_EQ(exponents.status(), absl::OkStatus());
    auto loaded = Compilation::load(LINDERO_TOY, {});
    ASSERT_EQ(loaded.status(), absl::OkStatus());
    compilation_.emplace(*std::move(loaded));
    ASSERT_EQ(compilation_->quantize(*exponents), absl::OkStatus());
  }

  absl::Status tryIt(const std::string& home) {
    const passes::Sample sample = {
        ir::tensor::Array::integer({1, 8}, {3, 1, 4, 1, 5, 9, 2, 6}),
    };
    return tryCircuit(home, 0, sample, compilation_->integerFunction(), monitor_);
  }

  runtime::Monitor monitor_;
  std::optional<runtime::Scratch> scratch_;
  std::string home_;
  std::optional<Compilation> compilation_;
};

TEST_F(TryCircuitTest, RefusesACircuitThatRefusesItsProgram) {
  EXPECT_EQ(tryIt(home_), absl::OkStatus());

  // A row of results that an edge does not give: what takes it would be zero (LINDERO-2026-2).
  auto edited = test::EditedPackage::create(home_, [](test::Edit& edit) {
    absl::Span<uint32_t> on = edit.fixedColumn("results", "out0.on");
    *std::find(on.begin(), on.end(), 1) = 0;
  });
  ASSERT_EQ(edited.status(), absl::OkStatus());
  const absl::Status refused = tryIt((*edited)->path());
  EXPECT_EQ(errorOf(refused), Error::kInternal);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("toy_gpt.onnx: the circuit refuses a run of its own program"));
}

// The trace has its weights from the circuit: one that is another is right by both.
TEST_F(TryCircuitTest, RefusesACircuitOfAnotherProgram) {
  auto edited = test::EditedPackage::create(home_, [](test::Edit& edit) {
    for (uint32_t& weight : edit.fixedColumn("weights", "w.0").first(64)) weight = 1;
  });
  ASSERT_EQ(edited.status(), absl::OkStatus());
  const absl::Status refused = tryIt((*edited)->path());
  EXPECT_EQ(errorOf(refused), Error::kInternal);
  EXPECT_THAT(
      std::string(refused.message()),
      HasSubstr("toy_gpt.onnx: the circuit's output 'logits' is not the integer program's"));
}

}  // namespace
}  // namespace lindero::compiler

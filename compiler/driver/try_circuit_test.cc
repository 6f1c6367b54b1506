// A circuit that refuses its own program gets no key.
#include "compiler/driver/try_circuit.h"

#include <algorithm>

#include "compiler/driver/compile_model.h"
#include "compiler/driver/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/monitor/scratch.h"
#include "tests/soundness/edited_run.h"

namespace lindero::compiler {
namespace {

using ::testing::HasSubstr;

TEST(TryCircuitTest, RefusesACircuitOfAnotherProgram) {
  runtime::Monitor monitor;
  auto scratch = runtime::Scratch::temporary(monitor);
  ASSERT_EQ(scratch.status(), absl::OkStatus());
  const std::string home = scratch->path("toy.lindero");
  ASSERT_EQ(compileModel(LINDERO_TOY, {}, nullptr, home, monitor).status(), absl::OkStatus());
  const passes::Sample sample = {
      ir::tensor::Array::integer({1, 8}, {3, 1, 4, 1, 5, 9, 2, 6}),
  };
  EXPECT_EQ(tryCircuit(home, 0, sample, monitor), absl::OkStatus());

  // A row of results that an edge does not give: what takes it would be zero (LINDERO-2026-2).
  auto edited = test::EditedPackage::create(home, [](test::Edit& edit) {
    absl::Span<uint32_t> on = edit.fixedColumn("results", "out0.on");
    *std::find(on.begin(), on.end(), 1) = 0;
  });
  ASSERT_EQ(edited.status(), absl::OkStatus());
  const absl::Status refused = tryCircuit((*edited)->path(), 0, sample, monitor);
  EXPECT_EQ(errorOf(refused), Error::kInternal);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("toy_gpt.onnx: the circuit refuses a run of its own program"));
}

}  // namespace
}  // namespace lindero::compiler

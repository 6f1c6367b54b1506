// What is refused of options before a file is read, of outputs, and of numbers too far apart.
#include "compiler/driver/compile_model.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "runtime/error/error.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero::compiler {
namespace {

TEST(CompileModel, RefusesOptionsThatItDoesNotHave) {
  struct Case {
    std::string error;
    ModelOptions options;
  };
  auto lanes = [](int64_t count) {
    ModelOptions options;
    options.lower.lanes = count;
    return options;
  };
  auto with = [](auto change) {
    ModelOptions options;
    change(options);
    return options;
  };
  const std::string counts = ": it is one of 1, 2, 4, 8, 16, 32, 64";
  for (const Case& c :
       std::initializer_list<Case>{{"--lanes 0" + counts, lanes(0)},
                                   {"--lanes 3" + counts, lanes(3)},
                                   {"--lanes 128" + counts, lanes(128)},
                                   {"--block: only decode runs have it: give --decode",
                                    with([](ModelOptions& o) { o.block = 4; })},
                                   {"--dim seq: write name=size, as in seq=64",
                                    with([](ModelOptions& o) { o.dims = {"seq"}; })}}) {
    runtime::Monitor monitor;
    const absl::Status status = importModel("none.onnx", c.options, monitor).status();
    EXPECT_EQ(status.message(), c.error);
    EXPECT_EQ(runtime::errorOf(status), runtime::Error::kUsage) << c.error;
  }
  // A good one is refused for its file only.
  runtime::Monitor monitor;
  EXPECT_EQ(runtime::errorOf(importModel("none.onnx", lanes(64), monitor).status()),
            runtime::Error::kFile);
}

TEST(CompileModel, RefusesAnOutputThatIsAnInput) {
  testing::ScratchFolder folder;
  const std::string path =
      folder.write("model.onnx",
                   testing::parseModel("g (float[2] x) => (float[2] x, float[2] y) { y = Relu(x) }")
                       .SerializeAsString());
  runtime::Monitor monitor;
  const absl::Status status = importModel(path, {}, monitor).status();
  EXPECT_EQ(runtime::errorOf(status), runtime::Error::kUnsupported);
  EXPECT_NE(status.message().find("output 'x' is an input"), std::string::npos) << status;
  ModelOptions options;
  options.outputs = {"y"};
  EXPECT_TRUE(importModel(path, options, monitor).ok());
}

// Which may be larger than all else.
TEST(CompileModel, ComputesNoReferenceOfOutputsThatAreLeftOut) {
  testing::ScratchFolder folder;
  const std::string path =
      folder.write("model.onnx", testing::parseModel("g (float[2] x) => (float[2] y, float[4] z)"
                                                     "{ y = Relu(x) z = Concat<axis = 0>(x, x) }")
                                     .SerializeAsString());
  runtime::Monitor monitor;
  ModelOptions options;
  options.outputs = {"y"};
  const auto model = importModel(path, options, monitor);
  ASSERT_TRUE(model.ok()) << model.status();
  const passes::Sample sample = {ir::tensor::Array::real({2}, {1, -1})};
  EXPECT_TRUE(model->compilation.reference(sample, {"y"}).ok());
  EXPECT_FALSE(model->compilation.reference(sample, {"z"}).ok());
}

// Of fewer tokens it is another model, unless its length is what the file says.
TEST(CompileModel, TakesNoFewerTokensWhereTheModelComputesWithTheirNumber) {
  // y of "rows", [length, 2], and of the number n, [1].
  constexpr char kRows[] = "y = Identity(rows)";
  constexpr char kDivided[] = "f = Cast<to = 1>(n) y = Div(rows, f)";
  constexpr char kEverySecond[] = "r = Mod(n, two) f = Cast<to = 1>(r) y = Add(rows, f)";
  constexpr char kAddedToLate[] =
      "r = Range(none, length, unit) t = Sub(n, two) l = Less(t, r) i = Cast<to = 1>(l) "
      "c = Unsqueeze(i, ones) y = Add(rows, c)";
  constexpr char kMasked[] =
      "f = Cast<to = 1>(n) s = Mul(f, small) d = Add(rows, s) y = Add(d, mask)";
  struct Case {
    const char *length, *nodes;
    bool causal;
  };
  for (const Case& one :
       {Case{"n", kRows, true}, Case{"n", kDivided, false}, Case{"n", kEverySecond, false},
        Case{"n", kMasked, false}, Case{"n", kAddedToLate, false}, Case{"8", kDivided, true}}) {
    testing::ScratchFolder folder;
    const std::string text = absl::StrCat(
        "g (int64[", one.length, "] ids) => (float[", one.length,
        ", 2] y) <float[3, 2] table = {1, 2, 3, 4, 5, 6}, int64[1] two = {2}, int64 none = {0}, "
        "int64 unit = {1}, int64[1] ones = {1}, float small = {0.1}, float[2] mask = {0, -10000}> {"
        "rows = Gather(table, ids) n = Shape(ids) length = Squeeze(n) ",
        one.nodes, " }");
    const std::string path =
        folder.write("model.onnx", testing::parseModel(text).SerializeAsString());
    runtime::Monitor monitor;
    ModelOptions options;
    if (one.length == std::string("n")) options.dims = {"n=8"};
    const auto model = importModel(path, options, monitor);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->compilation.facts().causal, one.causal) << text;
    if (one.causal) continue;
    options.lower.decode = true;
    const absl::Status status = chooseBuckets(options, *model).status();
    EXPECT_NE(status.message().find("output 'y' is not the beginning"), std::string::npos)
        << status;
  }
}

// Whole numbers that a type of 16 bits does not hold are others afterwards.
TEST(CompileModel, RefusesCastsThatChangeWholeNumbers) {
  testing::ScratchFolder folder;
  runtime::Monitor monitor;
  const auto imported = [&](const char* text) {
    return importModel(folder.write("model.onnx", testing::parseModel(text).SerializeAsString()),
                       {}, monitor)
        .status();
  };
  const absl::Status numbers =
      imported("g (int64[4] x) => (int64[4] y) { h = Cast<to = 10>(x) y = Cast<to = 7>(h) }");
  EXPECT_NE(numbers.message().find("Cast 'Cast_0': it casts whole numbers"), std::string::npos)
      << numbers;
  EXPECT_EQ(imported("g (int64[4] m, float[4] x) => (float[4] y) <float one = {1}, float large = "
                     "{-10000}> { h = Cast<to = 10>(m) f = Cast<to = 1>(h) i = Sub(one, f) "
                     "t = Mul(i, large) s = Add(x, t) y = Softmax<axis = 0>(s) }"),
            absl::OkStatus());
}

// Ids that are a mask, too, of which most are no truth values: the mask overflows.
TEST(CompileModel, RefusesModelsThatGiveNoNumbers) {
  testing::ScratchFolder folder;
  const std::string path = folder.write("model.onnx", testing::parseModel(R"(
    g (int64[4] m, float[4] x) => (float[4] y, float[4] z)
      <float[8] table = {1, 2, 3, 4, 5, 6, 7, 8}, float one = {1}, float least = {-3.4028235e38}> {
      z = Gather(table, m)
      reals = Cast<to = 1>(m)
      hidden = Sub(one, reals)
      masked = Mul(hidden, least)
      scores = Add(x, masked)
      y = Softmax<axis = 0>(scores)
    })")
                                                          .SerializeAsString());
  runtime::Monitor monitor;
  ModelOptions options;
  options.measured = 0;
  const absl::Status status = prepareModel(path, options, monitor).status();
  EXPECT_EQ(runtime::errorOf(status), runtime::Error::kImprecise) << status;
  EXPECT_NE(status.message().find("output 'y': the float model gives values that are not numbers"),
            std::string::npos)
      << status;
}

// A choice between a number and one that is far larger takes their difference: nothing is left of
// the first.
TEST(CompileModel, NamesWhatLeavesNothingOfTheOthers) {
  testing::ScratchFolder folder;
  const std::string path = folder.write("model.onnx", testing::parseModel(R"(
    g (float[2] x, float[2] z) => (float[2] y) <float[2] far = {3e38, 3e38}> {
      a = Tanh(x)
      b = Add(z, far)
      c = Less(x, b)
      y = Where(c, a, b)
    })")
                                                          .SerializeAsString());
  runtime::Monitor monitor;
  const absl::Status status = prepareModel(path, {}, monitor).status();
  EXPECT_EQ(runtime::errorOf(status), runtime::Error::kOverBound) << status;
  EXPECT_NE(
      status.message().find("its values reach 3e+38, beside which those of output 'y' vanish"),
      std::string::npos)
      << status;
}

// The sine of millions, of which single precision holds no more than the first digits.
TEST(CompileModel, RefusesWhatSinglePrecisionDoesNotDetermine) {
  testing::ScratchFolder folder;
  const std::string path = folder.write("model.onnx", testing::parseModel(R"(
    g (float[2,3] x) => (float[2,2] y)
      <float[3,2] w = {0.1, 0.2, 0.3, 0.7, 0.9, 1.1}, float many = {3e6}> {
      sums = MatMul(x, w)
      large = Mul(sums, many)
      y = Sin(large)
    })")
                                                          .SerializeAsString());
  runtime::Monitor monitor;
  const absl::Status status = prepareModel(path, {}, monitor).status();
  EXPECT_EQ(runtime::errorOf(status), runtime::Error::kImprecise) << status;
  EXPECT_NE(status.message().find("output 'y': single precision does not determine it"),
            std::string::npos)
      << status;
}

// Beside the numbers that a mask adds, 16 bits hold nothing of the other logits: what it hides is
// measured. (Choices of them: masked_choices_test.cc.)
TEST(CompileModel, RefusesOutputsThatAMaskHides) {
  testing::ScratchFolder folder;
  const std::string path = folder.write(
      "model.onnx", testing::parseModel("g (float[4,8] x) => (float[4,8] y) <float[8] mask = {0, "
                                        "0, -1e9, 0, 0, 0, 0, 0}> { y = Add(x, mask) }")
                        .SerializeAsString());
  runtime::Monitor monitor;
  const absl::Status status = prepareModel(path, {}, monitor).status();
  EXPECT_EQ(runtime::errorOf(status), runtime::Error::kImprecise) << status;
  for (const char* words : {"lost at Add_0", "beside numbers of 1e+09", "leave the mask out"})
    EXPECT_NE(status.message().find(words), std::string::npos) << status;
}

// Weights of a softmax that no integer holds are greater than zero: other answers are counted, by
// row.
TEST(CompileModel, CountsAnswersThatAreAsGood) {
  testing::ScratchFolder folder;
  const std::string path = folder.write("model.onnx", testing::parseModel(R"(
    g (float[4,8] x) => (bool[4,8] y) <float zero = {0}, float far = {20}> {
      scores = Mul(x, far)
      p = Softmax<axis = 1>(scores)
      y = Greater(p, zero)
    })")
                                                          .SerializeAsString());
  runtime::Monitor monitor;
  const absl::StatusOr<PreparedModel> model = prepareModel(path, {}, monitor);
  ASSERT_TRUE(model.ok()) << model.status();
  const passes::OutputComparison& output = model->measured->outputs.front();
  EXPECT_EQ(output.unequal, 0);
  EXPECT_GT(output.close, 0);
  EXPECT_LT(output.close, output.elements);
}

// Runtimes warn, or choose an order of their own.
TEST(CompileModel, NotesWhatTheFileSaysOtherwise) {
  testing::ScratchFolder folder;
  const std::string path = folder.write("model.onnx", testing::parseModel(R"(
    g (float[4,8] x) => (float[4,9] y, float[N,3] v, int64[4,3] i) <int64[1] three = {3}> {
      y = Tanh(x)
      v, i = TopK<axis = 1, sorted = 0>(x, three)
    })")
                                                          .SerializeAsString());
  std::string notes;
  runtime::Monitor monitor(nullptr, [&](absl::string_view note) { absl::StrAppend(&notes, note); });
  const absl::StatusOr<PreparedModel> model = importModel(path, {}, monitor);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_NE(notes.find("output 'y' has shape [4, 8]; the file says [4, 9]"), std::string::npos)
      << notes;
  EXPECT_NE(notes.find("TopK 'TopK_1': with sorted = 0"), std::string::npos) << notes;
  EXPECT_EQ(notes.find("output 'v'"), std::string::npos) << notes;
}

// Products of quantized integers are kept as reals, which are rounded: none of them is an integer.
TEST(CompileModel, RefusesIntegersThatAreKeptAsReals) {
  testing::ScratchFolder folder;
  const std::string path = folder.write("model.onnx", testing::parseModel(R"(
    g (float[2,3] x) => (int32[2,2] y)
      <float s = {0.02}, uint8 z = {120}, uint8[3,2] w = {1, 200, 3, 4, 90, 6}> {
      q = QuantizeLinear(x, s, z)
      y = MatMulInteger(q, w, z)
    })")
                                                          .SerializeAsString());
  runtime::Monitor monitor;
  const absl::Status status = prepareModel(path, {}, monitor).status();
  EXPECT_EQ(runtime::errorOf(status), runtime::Error::kUnsupported) << status;
  EXPECT_NE(status.message().find("MatMulInteger_1"), std::string::npos) << status;
}

}  // namespace
}  // namespace lindero::compiler

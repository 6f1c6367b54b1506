#include "ir/integer/interpreter.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"

namespace lindero::ir::integer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A function under construction, with one op per call.
class Program {
 public:
  Program() : builder_(&function_->body()) { registerAllDialects(); }

  Value* argument(llvm::StringRef name, Type type) {
    return function_->body().addArgument(std::move(type), name);
  }

  template <typename T>
  Value* constant(llvm::StringRef name, llvm::ArrayRef<int64_t> shape, std::vector<T> values,
                  int64_t low, int64_t high, int exponent = 0) {
    const Constant& added = module_.constants().addOwned(name, shape, std::move(values));
    return builder_.value("integer.constant", {}, Type::fixed(shape, exponent, low, high),
                          {{"value", Symbol{added.name}}});
  }

  Value* op(llvm::StringRef name, llvm::ArrayRef<Value*> operands, Type type,
            llvm::ArrayRef<NamedAttribute> attributes = {}, Location location = {}) {
    builder_.setLocation(std::move(location));
    return builder_.value(name, operands, std::move(type), attributes);
  }

  void finish(llvm::ArrayRef<Value*> outputs) { builder_.create("integer.return", outputs, {}); }
  Builder& builder() { return builder_; }
  Module& module() { return module_; }
  const Function& function() const { return *function_; }

 private:
  Module module_;
  Function* function_ = module_.addFunction("main");
  Builder builder_;
};

class Recorder : public Observer {
 public:
  void observe(const Value& value, const IntArray& array) override {
    names.push_back(value.name().str());
    arrays.push_back(array);
  }
  std::vector<std::string> names;
  std::vector<IntArray> arrays;
};

TEST(Interpreter, RunsEmbeddingLinearRequantizeAndLookup) {
  Program p;
  Value* ids = p.argument("ids", Type::tensor(Element::kInt, {3}));
  Value* table = p.constant<int16_t>("wte", {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}, 1, 8);
  Value* positions = p.constant<int16_t>("wpe", {3, 2}, {10, 20, 30, 40, 50, 60}, 10, 60);
  Value* x = p.op("integer.embedding", {ids, table, positions}, Type::fixed({3, 2}, 0, 11, 68));
  Value* w = p.constant<int32_t>("w", {2, 2}, {1, -1, 100, 2}, -1, 100);
  Value* b = p.constant<int32_t>("b", {2}, {1000, 0}, 0, 1000);
  Value* acc = p.op("integer.linear", {x, w, b}, Type::fixed({3, 2}, 0, -100, 8000));
  Value* q = p.op("integer.requantize", {acc, x}, Type::fixed({3, 2}, 0, -2048, 2047),
                  {{"shift", int64_t{2}}, {"bits", int64_t{12}}, {"addend_shift", int64_t{1}}});
  Value* entries = p.constant<int32_t>("f", {4}, {-5, 0, 70, 9}, -5, 70);
  Value* y = p.op("integer.lookup", {acc, entries}, Type::fixed({3, 2}, 0, -5, 70),
                  {{"shift", int64_t{13}}, {"bits", int64_t{2}}, {"function", std::string("f")}});
  p.finish({q, y});

  Recorder recorder;
  auto out = interpret(p.function(), IntArray{{1, 3}, {3, 0, 1}}, &recorder);
  ASSERT_TRUE(out.ok()) << out.status();
  // x = [17 28; 31 42; 53 64]; acc = x w + b; q = (acc + 2 x + 2) >> 2; y = f[(acc + 4096) >> 13]
  EXPECT_EQ((*out)[0], (IntArray{{3, 2}, {963, 24, 1323, 34, 1890, 51}}));
  EXPECT_EQ((*out)[1], (IntArray{{3, 2}, {70, 70, 9, 70, 9, 70}}));
  ASSERT_EQ(recorder.arrays.size(), 5u);  // ids, x, acc, q, y
  EXPECT_EQ(recorder.arrays[1], (IntArray{{3, 2}, {17, 28, 31, 42, 53, 64}}));
  EXPECT_EQ(recorder.arrays[2].values[0], 17 + 2800 + 1000);
}

TEST(Interpreter, RunsAttentionInARegion) {
  Program p;
  const Type type = Type::fixed({2, 1}, 0, -100, 100);
  Value* q = p.argument("q", type);
  Op* region = p.builder().create(
      "region.region", {}, {Type::fixed({2, 1}, 4, -1600, 1600)},
      {{"kind", std::string("attention")}, {"label", std::string("layer0/attention")}});
  Value* exp = p.constant<int32_t>("exp", {7}, {16, 8, 4, 2, 1, 0, 0}, 0, 16);
  Builder inner(region->block());
  Value* s = inner.value("integer.scores", {q, q}, Type::fixed({1, 2, 2}, 0, -10000, 10000),
                         {{"heads", int64_t{1}}});
  Value* probabilities = inner.value("integer.softmax", {s, exp}, Type::fixed({1, 2, 2}, 4, 0, 16),
                                     {{"score_shift", int64_t{1}},
                                      {"probability_bits", int64_t{4}},
                                      {"causal", true},
                                      {"live_rows", int64_t{7}},
                                      {"dead_width", int64_t{4}},
                                      {"dead_rows", int64_t{10}},
                                      {"normalizer_low", int64_t{-6000}},
                                      {"normalizer_bits", int64_t{14}},
                                      {"exp_at_minus_one", int64_t{32}}});
  Value* mixed = inner.value("integer.mix", {probabilities, q}, Type::fixed({2, 1}, 4, -1600, 1600),
                             {{"heads", int64_t{1}}});
  inner.create("region.yield", {mixed}, {});
  p.finish({region->result()});

  Recorder recorder;
  auto out = interpret(p.function(), IntArray{{2, 1}, {1, 2}}, &recorder);
  ASSERT_TRUE(out.ok()) << out.status();
  // Scores 1; 2 4, keys 1; 1 2 (halves up), L = 1 for the first row, and from L = 3 on
  // EXP(L - 1) + EXP(L - 2) <= 16.
  EXPECT_EQ(recorder.arrays[2], (IntArray{{1, 2, 2}, {16, 0, 4, 8}}));
  EXPECT_EQ((*out)[0], (IntArray{{2, 1}, {16, 4 + 16}}));
}

// Weights, a region, and a value out of range in the middle run.
TEST(Interpreter, RunsSideBySideGiveWhatEachGivesAlone) {
  Program p;
  Value* x = p.argument("x", Type::fixed({2, 3}, 0, -9, 9));
  Value* w = p.constant<int8_t>("w", {3, 2}, {1, -1, 2, 3, 0, 5}, -1, 5);
  Value* b = p.constant<int32_t>("b", {2}, {7, 0}, 0, 7);
  Op* region = p.builder().create("region.region", {}, {Type::fixed({2, 2}, 0, -45, 45)},
                                  {{"kind", std::string("linear")}, {"label", std::string("l")}});
  Builder inner(region->block());
  Value* y = inner.value("integer.linear", {x, w, b}, Type::fixed({2, 2}, 0, -45, 45));
  inner.create("region.yield", {y}, {});
  p.finish({region->result(), x});

  const std::vector<std::vector<IntArray>> inputs = {{{{2, 3}, {1, 2, 3, 4, 5, 6}}},
                                                     {{{2, 3}, {1, 2, 9, 4, 5, 6}}},
                                                     {{{2, 3}, {0, -2, 3, -4, 5, -6}}}};
  Recorder first, others;
  const auto together = interpretAll(p.function(), inputs, {&first, &others, &others});
  ASSERT_EQ(together.size(), inputs.size());
  for (size_t run = 0; run < inputs.size(); ++run) {
    const auto alone = interpret(p.function(), inputs[run]);
    EXPECT_EQ(together[run].status(), alone.status()) << run;
    if (alone.ok()) {
      EXPECT_EQ(*together[run], *alone) << run;
    }
  }
  EXPECT_THAT(together[1].status().message(), HasSubstr("value 50 at [0, 1]"));
  EXPECT_EQ(first.arrays.size(), 2u);   // x, y
  EXPECT_EQ(others.arrays.size(), 3u);  // x twice, and y of the run that has one
  EXPECT_EQ(others.arrays.back(), (*together[2])[0]);
  EXPECT_TRUE(interpretAll(p.function(), {}).empty());
}

struct BadCase {
  const char* what;
  std::vector<int64_t> input;
  const char* message;
};

// Rank 3, with a constant for each element, for each of the last axis, and for all; a transpose and
// a broadcast; rows along the last axis.
TEST(Interpreter, RunsOpsOfAnyRank) {
  Program p;
  const std::vector<int64_t> shape = {2, 2, 3};
  Value* x = p.argument("x", Type::fixed(shape, 4, -100, 100));
  Value* m = p.constant<int32_t>("m", {3}, {1, -2, 3}, -2, 3);
  Value* c = p.constant<int32_t>("c", {1}, {5}, 5, 5, 4);
  Value* n = p.constant<int32_t>("n", shape, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 0, 11);
  p.module().constants().addOwned<int32_t>(
      "transposed", {2, 3, 2}, std::vector<int32_t>{0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11});
  p.module().constants().addOwned<int64_t>("spread", {4}, std::vector<int64_t>{12, 12, 0, 12});
  auto sized = [](int64_t shift, int64_t bits) {
    return std::vector<NamedAttribute>{{"shift", shift}, {"bits", bits}};
  };
  Value* affine =
      p.op("integer.affine", {x, m, c, x, n}, Type::fixed(shape, 3, -2048, 2047), sized(1, 12));
  Value* exact =
      p.op("integer.affine", {x, m, c}, Type::fixed(shape, 4, -2048, 2047), sized(0, 12));
  Value* moved = p.op("integer.copy", {x}, Type::fixed({2, 3, 2}, 4, -100, 100),
                      {{"indices", Symbol{"transposed"}}});
  Value* spread =
      p.op("integer.copy", {x, c}, Type::fixed({4}, 4, -100, 100), {{"indices", Symbol{"spread"}}});
  Value* largest = p.op("integer.argmax", {x}, Type::tensor(Element::kInt, {2, 2}));
  Value* kept = p.op("integer.argmax", {x}, Type::tensor(Element::kInt, {2, 2, 1}));
  p.finish({affine, exact, moved, spread, largest, kept});
  ASSERT_EQ(verify(p.function()), absl::OkStatus());
  const IntArray input{{2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  auto out = interpret(p.function(), {input});
  ASSERT_EQ(out.status(), absl::OkStatus());
  EXPECT_THAT((*out)[0].values, ElementsAre(3, 2, 10, 11, 8, 27, 27, 23, 52, 53, 47, 87));
  EXPECT_THAT((*out)[1].values, ElementsAre(6, 1, 14, 9, -5, 23, 12, -11, 32, 15, -17, 41));
  EXPECT_THAT((*out)[2].values, ElementsAre(1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12));
  EXPECT_THAT((*out)[2].shape, ElementsAre(2, 3, 2));
  EXPECT_THAT((*out)[3].values, ElementsAre(5, 5, 1, 5));
  EXPECT_THAT((*out)[4].values, ElementsAre(2, 2, 2, 2));
  EXPECT_THAT((*out)[5].values, ElementsAre(2, 2, 2, 2));
  EXPECT_THAT((*out)[5].shape, ElementsAre(2, 2, 1));
}

// Halves are rounded up, below zero, too.
TEST(Interpreter, RunsProducts) {
  Program p;
  const Type type = Type::fixed({1, 4}, 3, -32768, 32767);
  Value *a = p.argument("a", type), *b = p.argument("b", type);
  const auto product = [&](Value* x, Value* y, int64_t shift) {
    return p.op("integer.multiply", {x, y},
                Type::fixed({1, 4}, static_cast<int>(6 - shift), -32768, 32767),
                {{"shift", shift}, {"bits", int64_t{16}}}, {"/Mul"});
  };
  p.finish({product(a, b, 16), product(a, a, 16)});
  const auto run = [&](std::vector<int64_t> x, std::vector<int64_t> y) {
    return interpret(p.function(),
                     {IntArray{{1, 4}, std::move(x)}, IntArray{{1, 4}, std::move(y)}});
  };
  auto out = run({-32768, -32768, 256, -256}, {-32768, 32767, 128, 128});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0], (IntArray{{1, 4}, {16384, -16383, 1, 0}}));
  EXPECT_EQ((*out)[1], (IntArray{{1, 4}, {16384, 16384, 1, 1}}));
}

// Halves are rounded up, of quotients by either sign; a quotient by 0 is an error.
TEST(Interpreter, RunsQuotients) {
  Program p;
  const Type type = Type::fixed({1, 5}, 3, -128, 127);
  Value *a = p.argument("a", type), *b = p.argument("b", type);
  p.finish({p.op("integer.divide", {a, b}, Type::fixed({1, 5}, 1, -32, 31),
                 {{"shift", int64_t{1}}, {"bits", int64_t{6}}}, {"/Div"})});
  const auto run = [&](std::vector<int64_t> x, std::vector<int64_t> y) {
    return interpret(p.function(),
                     {IntArray{{1, 5}, std::move(x)}, IntArray{{1, 5}, std::move(y)}});
  };
  auto out = run({5, -5, 5, -5, 127}, {4, 4, -4, -4, -128});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0], (IntArray{{1, 5}, {3, -2, -2, 3, -2}}));
  out = run({1, 1, 1, 1, 1}, {1, 1, 0, 1, 1});
  EXPECT_EQ(out.status().message(), "integer.divide (/Div): denominator 2 is 0");
}

TEST(Interpreter, ErrorsNameNodeValueAndRange) {
  Program p;
  Value* x = p.argument("x", Type::fixed({2, 2}, 0, -1000, 1000));
  Value* w = p.constant<int16_t>("w", {2, 2}, {1, 0, 0, 3}, 0, 3);
  Value* acc = p.op("integer.linear", {x, w}, Type::fixed({2, 2}, 0, -1000, 2000), {},
                    {"/h.0/fc/MatMul", "/h.0/fc/Add"});
  Value* q = p.op("integer.requantize", {acc}, Type::fixed({2, 2}, 0, -128, 127),
                  {{"shift", int64_t{3}}, {"bits", int64_t{8}}}, {"/h.0/fc/Add"});
  p.finish({q});
  for (const BadCase& c :
       {BadCase{"argument", {0, 0, 0, 1001}, "input x 1001 at [1, 1] is outside [-1000, 1000]"},
        BadCase{"accumulator",
                {0, 0, 0, 1000},
                "integer.linear (/h.0/fc/MatMul + /h.0/fc/Add): value 3000 at [1, 1] is "
                "outside [-1000, 2000]"},
        BadCase{"quotient",
                {0, 0, 0, 500},
                "integer.requantize (/h.0/fc/Add): value 188 at [1, 1] is outside [-128, 127]"}}) {
    auto out = interpret(p.function(), IntArray{{2, 2}, c.input});
    EXPECT_EQ(out.status().code(), absl::StatusCode::kOutOfRange) << c.what;
    EXPECT_EQ(out.status().message(), c.message) << c.what;
  }
  EXPECT_EQ(interpret(p.function(), IntArray{{2, 2}, {0, 0, 0, 333}}).value()[0].values[3], 125);
  EXPECT_THAT(interpret(p.function(), IntArray{{3}, {0, 0, 0}}).status().message(),
              HasSubstr("3 elements, not 4"));
  EXPECT_THAT(interpret(p.function(), {}).status().message(), HasSubstr("takes 1 inputs, not 0"));
}

TEST(Interpreter, ChecksConstantsAndIds) {
  Program p;
  Value* ids = p.argument("ids", Type::tensor(Element::kInt, {1}));
  Value* table = p.constant<int16_t>("wte", {2, 1}, {5, 9}, 0, 8);
  p.finish({p.op("integer.embedding", {ids, table}, Type::fixed({1, 1}, 0, 0, 8), {}, {"/wte"})});
  EXPECT_EQ(interpret(p.function(), IntArray{{1}, {0}}).status().message(),
            "integer.embedding (/wte): constant @wte 9 at [1, 0] is outside [0, 8]");
  Program good;
  ids = good.argument("ids", Type::tensor(Element::kInt, {1}));
  table = good.constant<int16_t>("wte", {2, 1}, {5, 9}, 0, 9);
  good.finish(
      {good.op("integer.embedding", {ids, table}, Type::fixed({1, 1}, 0, 0, 9), {}, {"/wte"})});
  EXPECT_EQ(interpret(good.function(), IntArray{{1}, {2}}).status().message(),
            "integer.embedding (/wte): id 2 at [0] is outside [0, 1]");
}

}  // namespace
}  // namespace lindero::ir::integer

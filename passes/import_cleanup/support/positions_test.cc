#include "passes/import_cleanup/support/positions.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "ir/core/text.h"
#include "ir/dialects.h"

namespace lindero::passes {
namespace {

// Of tokens [8] that are looked up: h [8, 4].
bool isCausalWith(const std::string& body, const std::string& arguments = "",
                  const std::string& mask = "", const std::string& result = "8x4") {
  ir::registerAllDialects();
  auto module = ir::parse(absl::StrCat(
      R"ir(
constant @table : f32[6x4] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]
constant @w : f32[4x4] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
constant @ones : f32[4] = [1, 1, 1, 1]
constant @half : f32[1] = [0.5]
constant @bias : f32[8] = [0, 1, 2, 3, 4, 5, 6, 7]
)ir",
      mask, R"ir(
func @main(%ids: tensor<8xi64>)ir",
      arguments, ") -> tensor<", result, R"ir(xf32> {
  %table = tensor.constant {value = @table} : tensor<6x4xf32>
  %w = tensor.constant {value = @w} : tensor<4x4xf32>
  %ones = tensor.constant {value = @ones} : tensor<4xf32>
  %half = tensor.constant {value = @half} : tensor<1xf32>
  %bias = tensor.constant {value = @bias} : tensor<8xf32>
)ir",
      mask.empty() ? "" : "  %mask = tensor.constant {value = @mask} : tensor<8x8xf32>\n", R"ir(
  %h = tensor.embedding(%ids, %table) : tensor<8x4xf32>
)ir",
      body, "  tensor.return(%y) {names = [\"y\"]}\n}\n"));
  EXPECT_TRUE(module.ok()) << module.status();
  return module.ok() && Positions(**(*module)->functions().begin()).causal();
}

TEST(PositionsTest, KnowWhatKeepsPositionsApart) {
  const std::string sum = "  %s = tensor.add(%h, %ones) : tensor<8x4xf32>\n";
  EXPECT_TRUE(isCausalWith(
      sum + "  %y = tensor.layernorm(%s, %ones, %ones) {epsilon = 0.1} : tensor<8x4xf32>\n"));
  EXPECT_TRUE(isCausalWith("  %y = tensor.linear(%h, %w) : tensor<8x4xf32>\n"));
  EXPECT_TRUE(
      isCausalWith("  %s = tensor.within(%h) {most = 5000.0} : tensor<8x4xf32>\n"
                   "  %y = tensor.mask(%s, %ones) {masked = -1e9} : tensor<8x4xf32>\n"));
  EXPECT_TRUE(
      isCausalWith("  %t = tensor.transpose(%h) {perm = [1, 0]} : tensor<4x8xf32>\n"
                   "  %r = tensor.relu(%t) : tensor<4x8xf32>\n"
                   "  %y = tensor.transpose(%r) {perm = [1, 0]} : tensor<8x4xf32>\n"));
  EXPECT_TRUE(
      isCausalWith("  %t = tensor.reshape(%h) {shape = [1, 8, 2, 2]} : tensor<1x8x2x2xf32>\n"
                   "  %r = tensor.softmax(%t) {axis = 3} : tensor<1x8x2x2xf32>\n"
                   "  %y = tensor.reshape(%r) {shape = [8, 4]} : tensor<8x4xf32>\n"));
  EXPECT_TRUE(
      isCausalWith("  %y = tensor.attention(%h, %h, %h) {causal = true, heads = 2, scale = 1.0}"
                   " : tensor<8x4xf32>\n"));
}

TEST(PositionsTest, DoNotKnowWhatMixesThem) {
  EXPECT_FALSE(
      isCausalWith("  %y = tensor.attention(%h, %h, %h) {causal = false, heads = 2, scale = 1.0}"
                   " : tensor<8x4xf32>\n"));
  EXPECT_FALSE(isCausalWith("  %y = tensor.softmax(%h) {axis = 0} : tensor<8x4xf32>\n"));
  EXPECT_FALSE(
      isCausalWith("  %m = tensor.reduce_mean(%h) {axes = [0], keepdims = true} : tensor<1x4xf32>\n"
                   "  %y = tensor.add(%h, %m) : tensor<8x4xf32>\n"));
  EXPECT_FALSE(
      isCausalWith("  %t = tensor.slice(%h) {axis = 0, size = 1, start = 7} : tensor<1x4xf32>\n"
                   "  %y = tensor.add(%h, %t) : tensor<8x4xf32>\n"));
  EXPECT_FALSE(
      isCausalWith("  %t = tensor.transpose(%h) {perm = [1, 0]} : tensor<4x8xf32>\n"
                   "  %p = tensor.matmul(%h, %t) : tensor<8x8xf32>\n"
                   "  %y = tensor.matmul(%p, %h) : tensor<8x4xf32>\n"));
  // Each position sees that of its mirror image: what clean-up makes of a slice by -1.
  EXPECT_FALSE(isCausalWith(R"ir(
  %t = tensor.select_rows(%h) {rows = [7, 6, 5, 4, 3, 2, 1, 0]} : tensor<8x4xf32>
  %y = tensor.add(%h, %t) : tensor<8x4xf32>
)ir"));
  // The position of a maximum over all of them.
  EXPECT_FALSE(isCausalWith(R"ir(
  %t = tensor.argmax(%h) {axis = 0} : tensor<4xi64>
  %r = tensor.cast(%t) {to = "float"} : tensor<4xf32>
  %y = tensor.add(%h, %r) : tensor<8x4xf32>
)ir"));
  EXPECT_FALSE(
      isCausalWith("  %y = tensor.add(%h, %x) : tensor<8x4xf32>\n", ", %x: tensor<8x4xf32>"));
}

// Attention as products and a softmax, with what closes scores between.
bool isCausalAttention(const std::string& between, const std::string& mask = "") {
  return isCausalWith(absl::StrCat(R"ir(
  %k = tensor.transpose(%h) {perm = [1, 0]} : tensor<4x8xf32>
  %s = tensor.matmul(%h, %k) : tensor<8x8xf32>
)ir",
                                   between, R"ir(
  %p = tensor.softmax(%m) {axis = 1} : tensor<8x8xf32>
  %y = tensor.matmul(%p, %h) : tensor<8x4xf32>
)ir"),
                      "", mask);
}

// As text, [8, 8]: what `mask` gives for query i and key j.
std::string matrix(llvm::function_ref<std::string(int, int)> mask) {
  std::string text;
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < 8; ++j) absl::StrAppend(&text, i + j == 0 ? "" : ", ", mask(i, j));
  }
  return absl::StrCat("constant @mask : f32[8x8] = [", text, "]\n");
}

constexpr char kAdd[] = "  %m = tensor.add(%s, %mask) : tensor<8x8xf32>\n";

TEST(PositionsTest, KnowAttentionThatIsSpelledOut) {
  const std::string causal = matrix([](int i, int j) { return j > i ? "-1e9" : "0"; });
  EXPECT_TRUE(isCausalAttention(kAdd, causal));
  EXPECT_TRUE(isCausalAttention(kAdd, matrix([](int i, int j) { return j > i ? "-inf" : "0"; })));
  // A window, with a bias for each distance.
  EXPECT_TRUE(isCausalAttention(kAdd, matrix([](int i, int j) {
                                  return j > i || j + 3 < i ? "-1e9" : absl::StrCat(-0.5 * (i - j));
                                })));
  // Scaled, capped, biased twice; masked weights that are scaled.
  EXPECT_TRUE(isCausalAttention(R"ir(
  %c = tensor.tanh(%s) : tensor<8x8xf32>
  %b = tensor.add(%bias, %c) : tensor<8x8xf32>
  %m = tensor.add(%b, %mask) : tensor<8x8xf32>
)ir",
                                causal));
  EXPECT_TRUE(isCausalAttention(R"ir(
  %a = tensor.add(%s, %mask) : tensor<8x8xf32>
  %m = tensor.mul(%a, %half) : tensor<8x8xf32>
)ir",
                                causal));
}

TEST(PositionsTest, DoNotKnowOfScoresThatLaterKeysStayOpen) {
  EXPECT_FALSE(isCausalAttention("  %m = tensor.neg(%s) : tensor<8x8xf32>\n"));
  // An ordinary bias; the key after the query open; one pair open.
  for (const std::string& mask :
       {matrix([](int i, int j) { return j > i ? "-50" : "0"; }),
        matrix([](int i, int j) { return j > i + 1 ? "-1e9" : "0"; }),
        matrix([](int i, int j) { return j > i && i + j != 9 ? "-1e9" : "0"; })}) {
    EXPECT_FALSE(isCausalAttention(kAdd, mask));
  }
  // All of a row closed: its weights are the same for all keys, the later ones too.
  EXPECT_FALSE(isCausalAttention(kAdd, matrix([](int i, int j) { return j >= i ? "-1e9" : "0"; })));
  EXPECT_FALSE(
      isCausalAttention(kAdd, matrix([](int i, int j) { return j > i || i == 3 ? "-1e9" : "0"; })));
  // Closed the other way round, or bounded after that.
  const std::string causal = matrix([](int i, int j) { return j > i ? "-1e9" : "0"; });
  EXPECT_FALSE(isCausalAttention("  %m = tensor.sub(%s, %mask) : tensor<8x8xf32>\n", causal));
  EXPECT_FALSE(isCausalAttention(R"ir(
  %a = tensor.add(%s, %mask) : tensor<8x8xf32>
  %m = tensor.tanh(%a) : tensor<8x8xf32>
)ir",
                                 causal));
  // The softmax over queries.
  EXPECT_FALSE(isCausalWith(R"ir(
  %k = tensor.transpose(%h) {perm = [1, 0]} : tensor<4x8xf32>
  %s = tensor.matmul(%h, %k) : tensor<8x8xf32>
  %m = tensor.add(%s, %mask) : tensor<8x8xf32>
  %p = tensor.softmax(%m) {axis = 0} : tensor<8x8xf32>
  %y = tensor.matmul(%p, %h) : tensor<8x4xf32>
)ir",
                            "", causal));
  // Scores as an output: those of later keys depend on them.
  EXPECT_FALSE(isCausalWith(R"ir(
  %k = tensor.transpose(%h) {perm = [1, 0]} : tensor<4x8xf32>
  %y = tensor.matmul(%h, %k) : tensor<8x8xf32>
)ir",
                            "", "", "8x8"));
  // The weights added to one: none is zero.
  EXPECT_FALSE(isCausalWith(R"ir(
  %k = tensor.transpose(%h) {perm = [1, 0]} : tensor<4x8xf32>
  %s = tensor.matmul(%h, %k) : tensor<8x8xf32>
  %m = tensor.add(%s, %mask) : tensor<8x8xf32>
  %p = tensor.softmax(%m) {axis = 1} : tensor<8x8xf32>
  %q = tensor.add(%p, %half) : tensor<8x8xf32>
  %y = tensor.matmul(%q, %h) : tensor<8x4xf32>
)ir",
                            "", causal));
}

TEST(PositionsTest, SayWhyAModelIsNotKnownToBeCausal) {
  ir::registerAllDialects();
  auto module = ir::parse(R"ir(
constant @table : f32[2x2] = [0, 1, 2, 3]
func @main(%ids: tensor<2x3xi64>) -> tensor<2x3x2xf32> {
  %table = tensor.constant {value = @table} : tensor<2x2xf32>
  %h = tensor.embedding(%ids, %table) : tensor<2x3x2xf32>
  tensor.return(%h)
}
)ir");
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ(Positions(**(*module)->functions().begin()).obstacle(), "its tokens are not one row");
}

}  // namespace
}  // namespace lindero::passes

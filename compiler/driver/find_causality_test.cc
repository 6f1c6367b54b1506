#include "compiler/driver/find_causality.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "ir/core/text.h"
#include "ir/dialects.h"

namespace lindero::compiler {
namespace {

// Of tokens [8] that are looked up: h [8, 4].
bool isCausalWith(const std::string& body, const std::string& arguments = "") {
  ir::registerAllDialects();
  auto module = ir::parse(absl::StrCat(R"ir(
constant @table : f32[6x4] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]
constant @w : f32[4x4] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
constant @ones : f32[4] = [1, 1, 1, 1]
func @main(%ids: tensor<8xi64>)ir",
                                       arguments, R"ir() -> tensor<8x4xf32> {
  %table = tensor.constant {value = @table} : tensor<6x4xf32>
  %w = tensor.constant {value = @w} : tensor<4x4xf32>
  %ones = tensor.constant {value = @ones} : tensor<4xf32>
  %h = tensor.embedding(%ids, %table) : tensor<8x4xf32>
)ir",
                                       body, "  tensor.return(%y) {names = [\"y\"]}\n}\n"));
  EXPECT_TRUE(module.ok()) << module.status();
  return module.ok() && isCausal(**(*module)->functions().begin());
}

TEST(Causality, IsKnownOfWhatKeepsPositionsApart) {
  const std::string sum = "  %s = tensor.add(%h, %ones) : tensor<8x4xf32>\n";
  EXPECT_TRUE(isCausalWith(
      sum + "  %y = tensor.layernorm(%s, %ones, %ones) {epsilon = 0.1} : tensor<8x4xf32>\n"));
  EXPECT_TRUE(isCausalWith("  %y = tensor.linear(%h, %w) : tensor<8x4xf32>\n"));
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

TEST(Causality, IsUnknownOfWhatMixesThem) {
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

}  // namespace
}  // namespace lindero::compiler

#include "ir/core/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "ir/core/op_table.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"

namespace lindero::ir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kDigest[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

// One of everything that the grammar knows, as it is printed.
const std::string& everything() {
  static const std::string text = std::string("constant @wte : f32[50257x768] sha256:") + kDigest +
                                  R"(
constant @"a b" : i64[] sha256:)" +
                                  kDigest +
                                  R"(

func @main(%ids: tensor<16xi64>, %"input.0/x": tensor<f32>) -> (tensor<16x768xf32>, tensor<f32>) {
  %wte = tensor.constant {value = @wte} : tensor<50257x768xf32>
  %0 = tensor.gather(%wte, %ids) {axis = 0} : tensor<16x768xf32> loc("/wte/Gather", "say \"hi\"\0A")
  %1, %2 = trace.requantize(%ids) {bits = 8, shift = 3} : tensor<16xi64>, tensor<16xi64>
  %r = integer.select_rows(%0) {rows = [3, 84]} : tensor<2x768xf32>
  %"0" = tensor.layernorm(%0, %1) {epsilon = 1e-05, has_mean = true} : tensor<16x768xf32>
  %3 = tensor.constant {value = @"a b"} : tensor<i64>
  tensor.return(%0, %"input.0/x") {names = ["hidden", "größe"]}
}

func @"integer program"(%x: fixed<16x64, 2^-7, [-2048, 2047]>) -> fixed<16x1, 2^3, [0, 1]> {
  %y = region.region {kind = "linear", label = "layer0/mlp"} {
    %z = integer.slice(%x) {size = 1, start = 0} : fixed<16x1, 2^0, [-9223372036854775808, 9223372036854775807]>
    region.yield(%z)
  } : fixed<16x1, 2^3, [0, 1]> loc("/mlp")
  %y_1 = region.region {
  } : tensor<0xi1>
  integer.return(%y)
}

func @circuit() {
  %rho = air.challenge {after = 1, name = "rho"} : ext
  air.table {log_height = 4, name = "range"} {
    %a = air.column {name = "a", phase = 0} : base
    %0 = air.mul(%a, %rho) : ext
  }
}
)";
  return text;
}

class TextTest : public ::testing::Test {
 protected:
  TextTest() { registerAllDialects(); }
  std::string error(llvm::StringRef text) {
    auto module = parse(text, {.file = "f.lir"});
    return module.ok() ? "parses" : std::string(module.status().message());
  }
};

TEST_F(TextTest, EverythingRoundTrips) {
  auto module = parse(everything());
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ(toText(**module), everything());
}

TEST_F(TextTest, TypesRoundTrip) {
  for (const char* text :
       {"tensor<64x128xf32>", "tensor<64xi64>", "tensor<i1>", "tensor<0xf32>", "base", "ext",
        "fixed<64x128, 2^-7, [-2048, 2047]>", "fixed<2^0, [0, 0]>", "fixed<2, 2^2, [-1, 5]>",
        "fixed<1, 2^12, [0, 1]>"}) {
    auto type = parseType(text);
    ASSERT_TRUE(type.ok()) << type.status();
    EXPECT_EQ(toText(*type), text);
  }
}

TEST_F(TextTest, AttributesPrintExactly) {
  struct Case {
    Attribute attribute;
    std::string text;
  };
  const Case cases[] = {
      {true, "true"},
      {3, "3"},
      {0.5, "0.5"},
      {100000.0, "1e+05"},
      {12.0, "12.0"},
      {-0.0, "-0.0"},
      {1e300, "1e+300"},
      {5e-324, "5e-324"},
      {0.1, "0.1"},
      {std::numeric_limits<double>::infinity(), "inf"},
      {"a\"\\\n", "\"a\\\"\\\\\\0A\""},
      {Symbol{"w17"}, "@w17"},
      {Symbol{"/w 17"}, "@\"/w 17\""},
      {std::vector<int64_t>{1, -2}, "[1, -2]"},
      {std::vector<double>{0.5, 1}, "[0.5, 1.0]"},
      {std::vector<std::string>{"a", "b"}, "[\"a\", \"b\"]"},
      {std::vector<std::string>{}, "[]"},
  };
  for (const Case& c : cases) EXPECT_EQ(toText(c.attribute), c.text);
}

TEST_F(TextTest, ClashingHintsGetSuffixes) {
  Module module;
  Function* function = module.addFunction("main");
  Type type = Type::tensor(Element::kFloat, {});
  Value* x = function->body().addArgument(type, "x");
  Builder builder(&function->body());
  for (const char* hint : {"x", "x_1", "x", "", "0", "%0"}) {
    builder.value("tensor.neg", {x}, type)->setName(hint);
  }
  std::string text = toText(module);
  EXPECT_THAT(text, HasSubstr("%x: "));
  for (const char* name : {"%x_1 =", "%x_1_1 =", "%x_2 =", "%0 =", "%\"0\" =", "%\"%0\" ="}) {
    EXPECT_THAT(text, HasSubstr(name));
  }
  auto module2 = parse(text);
  ASSERT_TRUE(module2.ok()) << module2.status();
  EXPECT_EQ(toText(**module2), text);
}

TEST_F(TextTest, OptionsLeaveOut) {
  auto module = parse(std::string("constant @w : f32[2] sha256:") + kDigest + R"(
    func @f() {
      %0 = tensor.constant {value = @w} : tensor<2xf32> loc("/w")
      tensor.return
    })");
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ(toText(**module, {.locations = false, .digests = false}),
            "constant @w : f32[2]\n\nfunc @f() {\n  %0 = tensor.constant {value = @w} : "
            "tensor<2xf32>\n  tensor.return\n}\n");
}

TEST_F(TextTest, ConstantsComeFromValuesOrALoader) {
  auto inline_values = parse("constant @t : i16[2x2] = [1, -2, 3, 4]");
  ASSERT_TRUE(inline_values.ok()) << inline_values.status();
  EXPECT_THAT((*inline_values)->constants().find("t")->as<int16_t>(), ElementsAre(1, -2, 3, 4));

  std::string text = std::string("constant @w : u8[3] sha256:") + kDigest;
  ParseOptions options;
  options.load = [](const Constant& declared) -> absl::StatusOr<Constant> {
    ConstantPool pool;
    EXPECT_EQ(declared.sha256(), kDigest);
    return pool.addOwned<uint8_t>(declared.name, declared.shape, {'a', 'b', 'c'});
  };
  auto loaded = parse(text, options);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT((*loaded)->constants().find("w")->as<uint8_t>(), ElementsAre('a', 'b', 'c'));

  options.load = [](const Constant&) { return absl::NotFoundError("no file holds it"); };
  EXPECT_EQ(parse(text, options).status().message(), "<text>:1:10: no file holds it");
}

TEST_F(TextTest, ErrorsSayWhereAndWhatWasExpected) {
  struct Case {
    std::string text, message;
  };
  const Case cases[] = {
      {"fun @f()", "f.lir:1:1: expected 'func', found 'fun'"},
      {"func @f() {", "f.lir:1:12: expected an op or '}', found the end of the text"},
      {"func f() {}", "f.lir:1:6: expected '@', found 'f'"},
      {"func @f() {} func @f() {}", "f.lir:1:19: @f is defined twice"},
      {"func @f(%a: int) {}", "f.lir:1:13: no type is named 'int'"},
      {"func @f(%a: base, %a: base) {}", "f.lir:1:19: %a is defined twice"},
      {"func @f() {\n  tensor.nge(%x)\n}",
       "f.lir:2:3: no op is named 'tensor.nge'; did you mean 'tensor.neg'?"},
      {"func @f() {\n  fancy.op(%x)\n}", "f.lir:2:3: no op is named 'fancy.op'"},
      {"func @f() {\n  %0 = tensor.neg(%x) : base\n}",
       "f.lir:2:19: %x is not defined before its use"},
      {"func @f() { %0 = tensor.neg(%0) : base }", "f.lir:1:29: %0 is not defined before its use"},
      {"func @f() { region.region { %a = air.first : base } tensor.return(%a) }",
       "f.lir:1:67: %a is defined in a nested block and cannot be seen here"},
      {"func @f() { %a = air.first : base %a = air.last : base }",
       "f.lir:1:35: %a is defined twice"},
      {"func @f() { %a = air.first }", "f.lir:1:28: expected ':', found '}'"},
      {"func @f() { %a, %b = air.first : base }", "f.lir:1:39: expected ',', found '}'"},
      {"func @f() { %a = air.constant {valeu = 3} : base }",
       "f.lir:1:32: air.constant has no attribute 'valeu'; it has value"},
      {"func @f() { %a = air.constant {value = 3, value = 3} : base }",
       "f.lir:1:43: attribute 'value' is given twice"},
      {"func @f() { %a = air.constant {value = 0.5} : base }",
       "f.lir:1:40: expected an integer, found '0.5'"},
      {"func @f() { %a = air.constant {value = 99999999999999999999} : base }",
       "f.lir:1:40: the integer 99999999999999999999 does not fit 64 bits"},
      {"func @f() { %a = tensor.softmax {axis = true} : base }",
       "f.lir:1:41: expected an integer, found 'true'"},
      {"func @f() { %a = tensor.constant {value = @w} : tensor<f32> }",
       "f.lir:1:43: no constant is declared as @w; constants are listed at the head of the module"},
      {"func @f() { air.group {name = \"a\nb\"} }", "f.lir:1:31: this string has no closing quote"},
      {"func @f() { air.group {name = \"\\q\"} }", "f.lir:1:32: expected \\\""},
      {"func @f() -> base { tensor.return }",
       "f.lir:1:11: @f is declared to return (base), but its body returns ()"},
      {"constant @w : f16[2] sha256:00", "f.lir:1:15: no scalar type is named 'f16'"},
      {"constant @w : f32[2] sha256:00", "expected 64 lower-case hexadecimal digits"},
      {"constant @w : u8[2] = [1, 256]", "f.lir:1:27: 256 is not in the range of u8, [0, 255]"},
      {"constant @w : u8[2] = [1]", "@w has 2 elements, but 1 are listed"},
      {"constant @w : u8[1] = [1] constant @w : u8[1] = [1]", "f.lir:1:36: @w is declared twice"},
      {"func @f(%a: tensor<4x>) {}", "f.lir:1:22: expected a size or an element type, found '>'"},
      {"func @f(%a: tensor<4f32>) {}", "expected 'x' after a size"},
      {"func @f(%a: tensor<99999999x99999999xf32>) {}", "a shape has more than 2^48 elements"},
      {"func @f(%a: fixed<4, 2^9999, [0, 1]>) {}", "the exponent 9999 is not in [-1024, 1024]"},
      {"func @f(%a: fixed<4, [0, 1]>) {}", "expected '2^', found '['"},
  };
  for (const Case& c : cases) EXPECT_THAT(error(c.text), HasSubstr(c.message)) << c.text;
}

TEST_F(TextTest, DeepNestingIsRefused) {
  std::string text = "func @f() {";
  for (int i = 0; i < 100000; ++i) text += "region.region {";
  EXPECT_THAT(error(text), HasSubstr("blocks nest deeper than 64"));
}

// Whatever is done to the text: an error, or a module that prints and parses as itself.
TEST_F(TextTest, MutatedTextNeverCrashes) {
  std::mt19937 random(1);
  auto below = [&](size_t n) { return random() % n; };
  const std::string& original = everything();
  const std::string alphabet = "(){}[]<>,=:@%\"\\/-x0129ab. \n\xff";
  size_t parsed = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = original;
    for (size_t edits = 1 + below(3); edits > 0; --edits) {
      size_t at = below(text.size()), length = below(12);
      switch (below(4)) {
        case 0:
          text[at] = alphabet[below(alphabet.size())];
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, text.substr(below(text.size()), length));
          break;
        case 3:
          text.insert(at, 1, alphabet[below(alphabet.size())]);
          break;
      }
    }
    auto module = parse(text);
    if (!module.ok()) continue;
    ++parsed;
    (void)verify(**module);
    std::string printed = toText(**module);
    auto again = parse(printed);
    ASSERT_TRUE(again.ok()) << again.status() << "\n" << printed;
    ASSERT_EQ(toText(**again), printed);
  }
  EXPECT_GT(parsed, 100u);
}

TEST_F(TextTest, LargeModulesTakeLinearTime) {
  constexpr int kOps = 50000;
  Module module;
  Builder top(&module.addFunction("circuit")->body());
  Op* table = top.create("air.table", {}, {}, {{"name", "t"}, {"log_height", 4}});
  Builder builder(table->block());
  builder.setLocation({"/h.0/attn/MatMul"});
  Value* column = builder.value("air.column", {}, Type::base(), {{"name", "c"}, {"phase", 1}});
  Value* sum = column;
  for (int i = 0; i < kOps; ++i) sum = builder.value("air.add", {sum, column}, Type::base());
  EXPECT_EQ(column->users().size(), kOps + 1u);

  auto start = std::chrono::steady_clock::now();
  std::string text = toText(module);
  auto parsed = parse(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_TRUE(verify(**parsed).ok());
  EXPECT_EQ(toText(**parsed), text);
  std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  RecordProperty("seconds", std::to_string(elapsed.count()));
  // About 0.15 s; a quadratic step would take many seconds.
  EXPECT_LT(elapsed.count(), 3.0);
}

}  // namespace
}  // namespace lindero::ir

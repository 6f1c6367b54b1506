// Models whose results single precision does not determine are refused; others are not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/driver/compile_model.h"
#include "runtime/error/error.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero::compiler {
namespace {

using ::testing::HasSubstr;

// `nodes` make y of x, [2, 4], and of the mask m, [2, 4].
absl::Status compile(const std::string& type, const std::string& nodes) {
  testing::ScratchFolder folder;
  const std::string text = absl::StrCat(
      "g (float[2,4] x, int64[2,4] m) => (", type,
      "[2,4] y) <float one = {1}, float far = {-1e9}, "
      "float huge = {1e30}, float tiny = {1e-25}, float back = {1e25}, float many = {1e7}, float "
      "little = {1e-4}, float large = {1000}, float lowest = {-3.4028235e38}, float steep = {50}, "
      "float seven = {7}, float last = {-150}, float cliff = {100}, int64[1] axis = {1}, "
      "int64[2] whole = {2, 4}> { f = Cast <to = 1> (m) closed = Sub(one, f) p = Mul(closed, far) ",
      nodes, " }");
  const std::string path =
      folder.write("model.onnx", testing::parseModel(text, 18).SerializeAsString());
  runtime::Monitor monitor;
  ModelOptions options;
  options.calibrate = folder.write(
      "inputs.json",
      R"({"x": [[[1, 2, -1, 0.5], [0.5, 0.25, 3, 2]]], "m": [[[1, 0, 1, 0], [0, 1, 0, 1]]]})");
  return prepareModel(path, options, monitor).status();
}

TEST(SinglePrecision, IsToDetermineTheResult) {
  struct Case {
    std::string type, nodes, first;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"float", "a = Add(x, p) y = Sub(a, p)", "Sub"},
           {"bool", "n = Neg(x) a = Add(x, p) b = Add(n, p) y = Greater(a, b)", "Greater"},
           {"float", "a = Mul(x, huge) y = Mul(a, huge)", "Mul"},
           {"float", "a = Mul(x, huge) b = Mul(a, huge) i = IsInf(b) y = Where(i, seven, x)",
            "Mul"},
           {"float", "a = Mul(x, tiny) b = Mul(a, a) c = Sqrt(b) y = Mul(c, back)", "Mul"},
           {"float", "a = Add(x, many) y = Sub(a, many)", "Sub"},
           {"float", "a = Mul(x, little) b = Add(a, large) y = Sub(b, large)", "Sub"},
           {"float",
            "a = Mul(x, steep) b = Exp(a) c = ReduceSum(b, axis) d = Log(c) y = Expand(d, whole)",
            "Exp"},
           {"float", "a = Mul(x, cliff) b = Exp(a) c = Add(b, one) y = Log(c)", "Exp"},
           {"float", "a = Mul(x, last) b = Sigmoid(a) y = Log(b)", ""},
           {"float",
            "a = Mul(x, steep) n = Neg(a) b = Exp(a) c = Exp(n) d = Sub(b, c) e = Add(b, c) "
            "y = Div(d, e)",
            "Exp"}}) {
    const absl::Status status = compile(c.type, c.nodes);
    EXPECT_EQ(runtime::errorOf(status), runtime::Error::kImprecise) << c.nodes << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("single precision")) << c.nodes;
    if (c.first.empty()) continue;
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("model.onnx: ", c.first)));
  }
}

TEST(SinglePrecision, DoesForOrdinaryModels) {
  for (const std::string nodes :
       {"a = Add(x, p) y = Softmax(a)", "a = Mul(closed, lowest) b = Add(x, a) y = Softmax(b)",
        "a = Mul(x, steep) y = Softplus(a)", "a = Mul(x, steep) y = Mish(a)",
        "a = Mul(x, steep) b = ReduceLogSumExp(a, axis) y = Expand(b, whole)", "y = LogSoftmax(x)",
        "a = Mul(x, steep) y = Tanh(a)",
        "a = Exp(x) b = ReduceSum(a, axis) c = Log(b) y = Expand(c, whole)"})
    EXPECT_TRUE(compile("float", nodes).ok()) << nodes << compile("float", nodes);
}

}  // namespace
}  // namespace lindero::compiler

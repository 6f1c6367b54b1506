// What the importer promises beyond single ops: names, sharing, dimensions, weights left in place,
// and errors that say what to do.

#include "compiler/onnx_import/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "compiler/onnx_import/wire_scan.h"
#include "ir/core/text.h"
#include "ir/dialects.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero::compiler {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ImportTest : public ::testing::Test {
 protected:
  ImportTest() { ir::registerAllDialects(); }

  absl::StatusOr<std::unique_ptr<ir::Module>> import(const onnx::ModelProto& model,
                                                     const ImportOptions& options = {}) {
    return importOnnx(folder_.write("model.onnx", model.SerializeAsString()), options);
  }
  absl::StatusOr<std::unique_ptr<ir::Module>> import(const std::string& text,
                                                     const ImportOptions& options = {}) {
    return import(testing::parseModel(text), options);
  }
  // The error's text; a success fails the test.
  std::string errorOf(const absl::StatusOr<std::unique_ptr<ir::Module>>& result) {
    EXPECT_FALSE(result.ok());
    const std::string message(result.status().message());
    EXPECT_THAT(message, Not(HasSubstr("\n"))) << "errors are one line";
    return message;
  }

  testing::ScratchFolder folder_;
};

// y = x W with a W of 64 x 64, large enough to stay in the file.
onnx::ModelProto linearModel() {
  onnx::ModelProto model =
      testing::parseModel("g (float[1,64] x) => (float[1,64] y) { y = MatMul(x, w) }");
  onnx::TensorProto* weight = model.mutable_graph()->add_initializer();
  weight->set_name("w");
  weight->set_data_type(onnx::TensorProto::FLOAT);
  weight->add_dims(64);
  weight->add_dims(64);
  std::vector<float> values(64 * 64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = float(i);
  weight->set_raw_data(values.data(), values.size() * sizeof(float));
  return model;
}

onnx::TensorProto& weightOf(onnx::ModelProto& model) {
  return *model.mutable_graph()->mutable_initializer(0);
}

void makeExternal(onnx::ModelProto& model,
                  const std::vector<std::pair<std::string, std::string>>& entries) {
  onnx::TensorProto& weight = weightOf(model);
  weight.clear_raw_data();
  weight.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto* entry = weight.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
}

TEST_F(ImportTest, OpsCarryNodeNamesAndUnnamedNodesGetOne) {
  onnx::ModelProto model =
      testing::parseModel("g (float[2] x) => (float[2] out) { y = Relu(x) out = Tanh(y) }");
  model.mutable_graph()->mutable_node(0)->set_name("/h.0/Relu");
  auto module = import(model);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(ir::toText(**module),
              AllOf(HasSubstr("loc(\"/h.0/Relu\")"), HasSubstr("loc(\"Tanh_1\")"),
                    HasSubstr("func @main(%x: tensor<2xf32>)"), HasSubstr("names = [\"out\"]")));
}

TEST_F(ImportTest, SeveralInputsAndOutputsKeepTheirOrder) {
  auto module = import(
      "g (float[1] a, int64[1] b) => (float[1] y, int64[1] b, float[1] z) { y = Relu(a) z = "
      "Tanh(a) }");
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(ir::toText(**module), HasSubstr("names = [\"y\", \"b\", \"z\"]"));
}

TEST_F(ImportTest, DeadNodesMayBeAnything) {
  auto module = import(
      "g (float[4] a, float[1] k) => (float[4] y) { y = Relu(a) i = Cast<to = 7>(k) d = Expand(a, "
      "i) }");
  EXPECT_TRUE(module.ok()) << module.status();
}

TEST_F(ImportTest, LargeWeightsStayInTheFile) {
  auto module = import(linearModel());
  ASSERT_TRUE(module.ok()) << module.status();
  const ir::Constant* weight = (*module)->constants().find("w");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->as<float>()[65], 65.0f);
  EXPECT_EQ((*module)->constants().constants().size(), 1u);
}

TEST_F(ImportTest, ReadsExternalData) {
  onnx::ModelProto model = linearModel();
  folder_.write("weights.bin", std::string(64, 'x') + weightOf(model).raw_data());
  makeExternal(model, {{"location", "weights.bin"}, {"offset", "64"}, {"length", "16384"}});
  auto module = import(model);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ((*module)->constants().find("w")->as<float>()[65], 65.0f);
}

TEST_F(ImportTest, ConvertsHalfPrecision) {
  onnx::ModelProto model = testing::parseModel("g () => (float16[4] y) { y = Identity(w) }");
  onnx::TensorProto* weight = model.mutable_graph()->add_initializer();
  weight->set_name("w");
  weight->set_data_type(onnx::TensorProto::FLOAT16);
  weight->add_dims(4);
  // 1, -2, the least subnormal, the greatest finite.
  for (int bits : {0x3c00, 0xc000, 0x0001, 0x7bff}) weight->add_int32_data(bits);
  auto module = import(model);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ((*module)->constants().constants()[0]->as<float>().vec(),
            (std::vector<float>{1, -2, 5.9604644775390625e-08f, 65504}));
}

// Bytes and halves share a field of 32 bits.
TEST_F(ImportTest, ReadsSharedFieldsByType) {
  auto modelOf = [](int type, int value) {
    onnx::ModelProto model = testing::parseModel(
        type == onnx::TensorProto::BOOL ? "g () => (bool[2] y) { y = Identity(w) }"
                                        : "g () => (float16[2] y) { y = Identity(w) }");
    onnx::TensorProto* weight = model.mutable_graph()->add_initializer();
    weight->set_name("w");
    weight->set_data_type(type);
    weight->add_dims(2);
    for (int x : {0, value}) weight->add_int32_data(x);
    return model;
  };
  auto module = import(modelOf(onnx::TensorProto::BOOL, 256));
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ((*module)->constants().constants()[0]->as<uint8_t>().vec(),
            (std::vector<uint8_t>{0, 1}));
  EXPECT_THAT(errorOf(import(modelOf(onnx::TensorProto::FLOAT16, 0x14000))),
              HasSubstr("holds 81920, which is no FLOAT16"));
}

TEST_F(ImportTest, BindsSymbolicDimensions) {
  const char* text = "g (float[batch,seq,2] x) => (float[batch,seq,2] y) { y = Relu(x) }";
  auto module = import(text, {.dims = {{"batch", 1}, {"seq", 3}}});
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(ir::toText(**module), HasSubstr("%x: tensor<1x3x2xf32>"));
  EXPECT_THAT(errorOf(import(text, {.dims = {{"batch", 1}}})), HasSubstr("--dim seq=N"));
  EXPECT_THAT(errorOf(import(text, {.dims = {{"batch", 1}, {"seq", 3}, {"sqe", 3}}})),
              AllOf(HasSubstr("no dimension 'sqe'"), HasSubstr("batch, seq")));
  EXPECT_THAT(errorOf(import(text, {.dims = {{"batch", 1}, {"seq", 0}}})),
              HasSubstr("a size is 1"));
}

TEST_F(ImportTest, BindsDimensionsToNoOtherSizesThanAskedFor) {
  const char* text =
      "g (float[n,2] x, float[m,2] z, float[9,9] w) => (float[n,2] y) { y = Relu(x) }";
  ImportOptions options{.dims = {{"n", 3}, {"m", 4}}, .elements = {{"x", 6}}, .most_elements = 8};
  EXPECT_TRUE(import(text, options).ok());
  options.dims["n"] = 1 << 20;
  EXPECT_THAT(errorOf(import(text, options)),
              HasSubstr("input 'x' would have 2097152 elements, not 6"));
  options.dims = {{"n", 3}, {"m", 5}};
  EXPECT_THAT(errorOf(import(text, options)),
              HasSubstr("input 'z' would have 10 elements, not at most 8"));
}

TEST_F(ImportTest, BindsNamelessDimensionsByPosition) {
  const char* text = "g (float[?,2] x) => (float[?,2] y) { y = Relu(x) }";
  EXPECT_THAT(errorOf(import(text)), HasSubstr("--dim x[0]=N"));
  EXPECT_TRUE(import(text, {.dims = {{"x[0]", 3}}}).ok());
}

// y = x joined to a past of any length, which is an output too.
std::string cachedModel(const std::string& past_shape) {
  return "g (float[batch,seq,2] x, float[" + past_shape +
         "] past) => (float[batch,N,2] y, float[batch,N,2] present) { joined = Concat<axis = "
         "1>(past, x) present = Identity(joined) s = Shape(past) "
         "z = ConstantOfShape(s) other = Concat<axis = 1>(z, x) y = Add(joined, other) }";
}

TEST_F(ImportTest, EmptiesCaches) {
  const ImportOptions options{.dims = {{"batch", 1}, {"seq", 3}}};
  auto module = import(cachedModel("batch,past,2"), options);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(ir::toText(**module),
              AllOf(HasSubstr("func @main(%x: tensor<1x3x2xf32>)"), HasSubstr("tensor.add(%x, %x)"),
                    HasSubstr("names = [\"y\"]")));
}

TEST_F(ImportTest, TakesAnOutputOnce) {
  auto module =
      import("g (float[2] x) => (float[2] y, float[2] z, float[2] y) { y = Relu(x) z = Neg(y) }");
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(ir::toText(**module), HasSubstr("names = [\"y\", \"z\"]"));
}

// The past of attention ops is a cache, too.
TEST_F(ImportTest, EmptiesCachesOfAttentionOps) {
  const ImportOptions options{.dims = {{"batch", 1}, {"seq", 3}, {"total", 3}}};
  onnx::ModelProto model = testing::parseModel(
      "g (float[batch,seq,32] q, float[batch,2,past,8] pk, float[batch,2,past,8] pv, "
      "int32[batch,total] mask) => (float[batch,seq,32] y, float[batch,2,N,8] nk, "
      "float[batch,2,N,8] nv) <int64[1] first = {0}, int64[1] last = {16}, int64[1] two = {2}, "
      "int64[1] one = {1}> { k = Slice(q, first, last, two) "
      "n = ReduceSum<keepdims = 0>(mask, one) s = Shape(mask) t = Gather(s, one) "
      "total = Cast<to = 6>(t) "
      "y, nk, nv = com.microsoft.GroupQueryAttention<num_heads = 4, kv_num_heads = 2>"
      "(q, k, k, pk, pv, n, total) }");
  auto& opset = *model.add_opset_import();
  opset.set_domain("com.microsoft");
  opset.set_version(1);
  auto module = import(model, options);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(ir::toText(**module),
              AllOf(HasSubstr("func @main(%q: tensor<1x3x32xf32>, %mask: tensor<1x3xi64>)"),
                    HasSubstr("names = [\"y\"]")));
}

TEST_F(ImportTest, RefusesCachesThatItCannotEmpty) {
  const ImportOptions options{.dims = {{"batch", 1}, {"seq", 3}}};
  EXPECT_THAT(errorOf(import(cachedModel("batch,seq,2"), options)), HasSubstr("name of its own"));
  EXPECT_THAT(errorOf(import(cachedModel("rows,past,2"), options)),
              HasSubstr("several symbolic dimensions"));
  EXPECT_THAT(
      errorOf(import("g (float[1,seq] x, float[1,past] p) => (float[1,N] present) { present "
                     "= Concat<axis = 1>(p, x) }",
                     {.dims = {{"seq", 3}}})),
      HasSubstr("--dim past=N"));
  EXPECT_THAT(
      errorOf(import("g (int64[1,1] ids, float[1,past] p) => (float[1,1] y, float[1,N] present) "
                     "{ y = Cast<to = 1>(ids) present = Concat<axis = 1>(p, y) }")),
      HasSubstr("one token at a time"));
}

TEST_F(ImportTest, KeepsInputsThatAreNoCaches) {
  const char* const readers[] = {
      "y = Concat<axis = 1>(x, p)",                    // after, not before
      "j = Concat<axis = 1>(p, x) y = Relu(j)",        // not returned
      "k = Relu(p) y = Concat<axis = 1>(k, x)",        // not as it is
      "y = Concat<axis = 1>(p, x) z = ReduceSum(p)"};  // read elsewhere, too
  for (const std::string reader : readers) {
    const bool two = reader.find("z =") != std::string::npos;
    const std::string text = "g (float[1,seq] x, float[1,past] p) => (float[1,N] y" +
                             std::string(two ? ", float[1,1] z" : "") + ") { " + reader + " }";
    EXPECT_THAT(errorOf(import(text, {.dims = {{"seq", 3}}})), HasSubstr("--dim past=N")) << text;
    EXPECT_TRUE(import(text, {.dims = {{"seq", 3}, {"past", 2}}}).ok()) << text;
  }
}

TEST_F(ImportTest, KeepsCachesOfABoundLength) {
  auto module =
      import(cachedModel("batch,past,2"), {.dims = {{"batch", 1}, {"seq", 3}, {"past", 4}}});
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(ir::toText(**module), HasSubstr("%past: tensor<1x4x2xf32>"));
}

// What the file fixes is an input like others, for a single token too, and all outputs stay.
TEST_F(ImportTest, KeepsCachesOfAFixedLength) {
  const ImportOptions options{.dims = {{"batch", 1}, {"seq", 3}}};
  auto module = import(cachedModel("1,7,2"), options);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(ir::toText(**module), AllOf(HasSubstr("%past: tensor<1x7x2xf32>"),
                                          HasSubstr("names = [\"y\", \"present\"]")));
  module = import(
      "g (int64[1,1] ids, float[1,4] p) => (float[1,1] y, float[1,N] present) "
      "{ y = Cast<to = 1>(ids) present = Concat<axis = 1>(p, y) }");
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(ir::toText(**module), HasSubstr("%p: tensor<1x4xf32>"));
}

TEST_F(ImportTest, NamesWhatIsUnsupported) {
  const std::string unknown =
      errorOf(import("g (float[2] x) => (float[2] y) { y = Bernoulli(x) }"));
  EXPECT_THAT(unknown, AllOf(HasSubstr("'Bernoulli_0'"), HasSubstr("op Bernoulli"),
                             HasSubstr("'ai.onnx'"), HasSubstr("onnx_import/README.md")));
  EXPECT_EQ(import("g (float[2] x) => (float[2] y) { y = Bernoulli(x) }").status().code(),
            absl::StatusCode::kUnimplemented);
  onnx::ModelProto old = testing::parseModel("g (float[2] x) => (float[2] y) { y = Add(x, x) }", 6);
  EXPECT_THAT(errorOf(import(old)), AllOf(HasSubstr("opset 6"), HasSubstr("7 to 28")));
  EXPECT_THAT(errorOf(import("g (float[4] a, int64[1] s) => (float[M] y) { y = Expand(a, s) }")),
              AllOf(HasSubstr("Expand_0"), HasSubstr("'s'"), HasSubstr("depends on the data")));
}

TEST_F(ImportTest, NamesTheNodeInWhatItsDefinitionMakes) {
  onnx::ModelProto model = testing::parseModel(
      "g (float[1,3,4] q) => (float[1,3,4] y)"
      "{ y = Attention<q_num_heads = 2, kv_num_heads = 2, is_causal = 1>(q, q, q) }",
      23);
  model.mutable_graph()->mutable_node(0)->set_name("/h.0/attn");
  auto module = import(model);
  ASSERT_TRUE(module.ok()) << module.status();
  const std::string text = ir::toText(**module);
  EXPECT_THAT(text, AllOf(HasSubstr("loc(\"/h.0/attn\")"), HasSubstr("@\"/h.0/attn/")));
}

TEST_F(ImportTest, RejectsModelsThatTheLibraryRejects) {
  EXPECT_THAT(errorOf(import("g (float[2] x) => (float[2] y) { y = Relu(nowhere) }")),
              HasSubstr("ONNX checker"));
  EXPECT_THAT(errorOf(import("g (float[2,3] x) => (float[2,2] y) { y = MatMul(x, x) }")),
              HasSubstr("ONNX shape inference"));
  const char* recursive =
      "g (float[2] a) => (float[2] y) { y = local.f(a) }\n"
      "<domain: \"local\", opset_import: [\"\" : 17, \"local\" : 1]> f (x) => (y) { y = local.f(x) "
      "}";
  EXPECT_THAT(errorOf(import(recursive)), HasSubstr("'f' calls itself"));
}

TEST_F(ImportTest, RefusesCallsThatLeaveOutWhatTheBodyNeeds) {
  const char* model =
      "g (float[2] a) => (float[2] y) { y = local.f(a) }\n"
      "<domain: \"local\", opset_import: [\"\" : 17]> f (a, b) => (y) { y = Add(a, b) }";
  EXPECT_THAT(errorOf(import(model)),
              AllOf(HasSubstr("'Add_0'"), HasSubstr("its input 1, B, is left out")));
  EXPECT_THAT(errorOf(import("g (float[2] a) => (float[2] y) { y = Max(a, , a) }")),
              AllOf(HasSubstr("'Max_0'"), HasSubstr("its input 1, data_0, is left out")));
}

// What a call leaves out has the function's default, not that of the op in the body.
TEST_F(ImportTest, TakesDefaultsOfFunctions) {
  const std::string functions =
      "<domain: \"local\", opset_import: [\"\" : 17, \"local\" : 1]> outer <b: float = 0.25> (x) "
      "=> (y)"
      "{ y = local.f <a: float = @b> (x) }\n"
      "<domain: \"local\", opset_import: [\"\" : 17]> f <a: float = 0.5> (x) => (y)"
      "{ y = LeakyRelu <alpha: float = @a> (x) }";
  auto text = [&](const char* call) {
    auto module =
        import(absl::StrCat("g (float[2] x) => (float[2] y) { y = ", call, " }\n", functions));
    EXPECT_TRUE(module.ok()) << module.status();
    return module.ok() ? ir::toText(**module) : "";
  };
  EXPECT_THAT(text("local.f(x)"), HasSubstr("0.5"));
  EXPECT_THAT(text("local.f <a = 0.125> (x)"), HasSubstr("0.125"));
  EXPECT_THAT(text("local.outer(x)"), HasSubstr("0.25"));
}

TEST_F(ImportTest, RefusesFunctionsWithNamesOfOperators) {
  onnx::ModelProto model = testing::parseModel("g (float[2] x) => (float[2] y) { y = Relu(x) }");
  onnx::FunctionProto& function = *model.add_functions();
  function.set_name("Relu");
  function.add_input("x");
  function.add_output("y");
  *function.add_opset_import() = model.opset_import(0);
  EXPECT_THAT(errorOf(import(model)), HasSubstr("function 'Relu' has the name of an operator"));
}

TEST_F(ImportTest, RefusesTwoOpsets) {
  onnx::ModelProto model = linearModel();
  model.add_opset_import()->set_version(model.opset_import(0).version() - 1);
  EXPECT_THAT(errorOf(import(model)), HasSubstr("imports two opsets of the ONNX domain"));
}

// Also by names that differ in their overload alone, and in branches.
TEST_F(ImportTest, RefusesExplosiveOverloads) {
  onnx::ModelProto model = testing::parseModel(
      "g (float[2] x) => (float[2] y) { y = local.f(x) }\n"
      "<domain: \"local\", opset_import: [\"\" : 17, \"local\" : 1]> f (x) => (y) { z = local.f(x) "
      "y = local.f(z) }");
  model.set_ir_version(10);
  const onnx::FunctionProto body = model.functions(0);
  model.clear_functions();
  model.mutable_graph()->mutable_node(0)->set_overload("20");
  for (int i = 20; i >= 0; --i) {
    onnx::FunctionProto& function = *model.add_functions();
    function = body;
    function.set_overload(std::to_string(i));
    for (onnx::NodeProto& node : *function.mutable_node()) {
      node.set_overload(std::to_string(i - 1));
      if (i > 0) continue;
      node.set_op_type("Relu");
      node.clear_domain();
      node.clear_overload();
    }
  }
  EXPECT_THAT(errorOf(import(model)), HasSubstr("over a million nodes"));
}

TEST_F(ImportTest, RefusesExplosiveFunctions) {
  std::string text = "g (float[2] a) => (float[2] y) { y = local.f20(a) }\n";
  const std::string header = "<domain: \"local\", opset_import: [\"\" : 17, \"local\" : 1]> f";
  for (int i = 20; i > 0; --i) {
    const std::string callee = "local.f" + std::to_string(i - 1);
    text += header + std::to_string(i) + " (x) => (y) { z = " + callee + "(x) y = " + callee +
            "(z) }\n";
  }
  text += header + "0 (x) => (y) { z = Relu(x) y = Relu(z) }\n";
  EXPECT_THAT(errorOf(import(text)), HasSubstr("over a million nodes"));
}

TEST_F(ImportTest, RefusesWeightsThatAreNotFinite) {
  for (float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    onnx::ModelProto model = linearModel();
    std::memcpy(weightOf(model).mutable_raw_data()->data() + 40, &bad, sizeof(bad));
    EXPECT_THAT(errorOf(import(model)), AllOf(HasSubstr("initializer 'w'"), HasSubstr("finite")));
  }
}

TEST_F(ImportTest, AcceptsInfiniteMasks) {
  EXPECT_TRUE(import("g (float[2] x) => (float[2] y) <float[2] m = {0, -inf}, float s = {-inf}>"
                     "{ z = Add(x, m) y = Max(z, s) }")
                  .ok());
}

TEST_F(ImportTest, RefusesDataOfTheWrongSize) {
  onnx::ModelProto model = linearModel();
  weightOf(model).mutable_raw_data()->resize(16380);
  EXPECT_THAT(errorOf(import(model)),
              AllOf(HasSubstr("'w'"), HasSubstr("16380 bytes"), HasSubstr("16384")));
  model = linearModel();
  weightOf(model).set_dims(0, int64_t{1} << 62);
  EXPECT_FALSE(import(model).ok());
}

// The ONNX library copies what it reads of these into memory for as many whole elements.
TEST_F(ImportTest, RefusesShapesOfPartOfAnElement) {
  onnx::TensorProto shape;
  shape.set_name("s");
  shape.set_data_type(onnx::TensorProto::INT64);
  shape.add_dims(1);
  shape.set_raw_data(std::string(9, '\0'));
  const char* text = "g (float[2] x) => (float[M] y) { y = Reshape(x, s) }";
  onnx::ModelProto model = testing::parseModel(text);
  *model.mutable_graph()->add_initializer() = shape;
  EXPECT_THAT(errorOf(import(model)), AllOf(HasSubstr("'s'"), HasSubstr("9 bytes")));
  model =
      testing::parseModel("g (float[2] x) => (float[M] y) { s = Constant() y = Reshape(x, s) }");
  onnx::AttributeProto& value = *model.mutable_graph()->mutable_node(0)->add_attribute();
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  *value.mutable_t() = shape;
  EXPECT_THAT(errorOf(import(model)), HasSubstr("9 bytes"));
}

TEST_F(ImportTest, RefusesExternalDataOutsideOfTheFolder) {
  testing::ScratchFolder elsewhere;
  const std::string secret = elsewhere.write("secret", std::string(16384, 'x'));
  std::filesystem::create_symlink(secret, folder_.file("link"));
  std::filesystem::create_directory(folder_.file("folder"));
  folder_.write("short", "x");
  const std::string up = "../" + elsewhere.path().filename().string() + "/secret";
  const std::pair<std::string, const char*> cases[] = {
      {secret, "not a relative path"},
      {up, "leaves the model's folder"},
      {"link", "leaves the model's folder"},
      {"missing", "not beside"},
      {"folder", "not a regular file"},
      {"", "no location"},
      {"short", "exceed"},
      {std::string("short\0x", 7), "not a relative path"},
  };
  for (const auto& [location, message] : cases) {
    onnx::ModelProto model = linearModel();
    makeExternal(model, {{"location", location}, {"length", "16384"}});
    EXPECT_THAT(errorOf(import(model)), AllOf(HasSubstr("'w'"), HasSubstr(message))) << location;
  }
  for (const char* offset : {"-1", "x", "18446744073709551615"}) {
    onnx::ModelProto model = linearModel();
    makeExternal(model, {{"location", "short"}, {"offset", offset}, {"length", "1"}});
    EXPECT_THAT(errorOf(import(model)), HasSubstr("'w'"));
  }
}

TEST_F(ImportTest, NamesTheFileInEveryError) {
  EXPECT_THAT(errorOf(importOnnx(folder_.file("missing.onnx"))), HasSubstr("missing.onnx"));
  EXPECT_THAT(errorOf(importOnnx(folder_.path().string())), HasSubstr("not a regular file"));
  EXPECT_THAT(errorOf(importOnnx(folder_.write("empty.onnx", ""))), HasSubstr("is empty"));
  EXPECT_THAT(errorOf(importOnnx(folder_.write("text.onnx", "hello, world"))),
              HasSubstr("not an ONNX model"));
}

// Every prefix of a model, and models with flipped bytes: an error or a module, nothing else.
TEST_F(ImportTest, SurvivesDamagedFiles) {
  std::string bytes =
      testing::parseModel(
          "g (float[2,3] x) => (float[2,3] y) <int64[2] s = {3, 2}, float[3] w = {1, 2, 3}>"
          "{ a = Reshape(x, s) b = Transpose<perm = [1, 0]>(a) c = Softmax<axis = -1>(b) d = "
          "Split<axis = 0>(w) y = Mul(c, d) }")
          .SerializeAsString();
  for (size_t size = 0; size < bytes.size(); ++size) {
    auto module = importOnnx(folder_.write("cut.onnx", bytes.substr(0, size)));
    EXPECT_THAT(std::string(module.status().message()), Not(HasSubstr("\n")));
  }
  std::mt19937 random(1);
  for (int round = 0; round < 1000; ++round) {
    std::string damaged = bytes;
    for (unsigned flips = 1 + random() % 3; flips > 0; --flips)
      damaged[random() % damaged.size()] = char(random());
    auto module = importOnnx(folder_.write("damaged.onnx", damaged));
    EXPECT_THAT(std::string(module.status().message()), Not(HasSubstr("\n")));
  }
}

// The list of operators that readers see.
TEST(ReadmeTest, ListsTheSupportedOps) {
  std::ostringstream text;
  text << std::ifstream("compiler/onnx_import/README.md").rdbuf();
  const std::string page = text.str(), start = "<!-- supported ops -->", end = "<!-- end -->";
  const size_t from = page.find(start), to = page.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos);
  const std::vector<std::string> listed =
      absl::StrSplit(page.substr(from + start.size(), to - from - start.size()),
                     absl::ByAnyChar(", \n"), absl::SkipEmpty());
  EXPECT_EQ(listed, supportedOnnxOps()) << absl::StrJoin(supportedOnnxOps(), ", ");
}

TEST(WireScanTest, CutsOnlyLargeRawData) {
  onnx::ModelProto model = linearModel();
  *model.mutable_graph()->add_initializer() = weightOf(model);
  model.mutable_graph()->mutable_initializer(1)->set_raw_data("1234");
  const std::string bytes = model.SerializeAsString();
  auto scanned = scanModel({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, 4096);
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  ASSERT_EQ(scanned->raw_data.size(), 2u);
  EXPECT_EQ(scanned->raw_data[0].size(), 16384u);
  EXPECT_TRUE(scanned->raw_data[1].empty());
  onnx::ModelProto skeleton;
  ASSERT_TRUE(skeleton.ParseFromString(scanned->skeleton));
  EXPECT_FALSE(skeleton.graph().initializer(0).has_raw_data());
  skeleton.mutable_graph()->mutable_initializer(0)->set_raw_data(weightOf(model).raw_data());
  EXPECT_EQ(skeleton.SerializeAsString(), bytes);
}

}  // namespace
}  // namespace lindero::compiler

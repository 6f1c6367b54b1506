#include "runtime/inputs/inputs.h"

#include <cmath>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/error/error.h"

namespace lindero::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A circuit with one public input of four tokens below 5, and one of reals in steps of 1/4.
Circuit testCircuit() {
  Circuit circuit;
  PublicTensor& ids = *circuit.add_publics();
  ids.set_name("ids");
  ids.set_rows(4);
  ids.set_columns(1);
  ids.set_high(4);
  PublicTensor& x = *circuit.add_publics();
  x.set_name("x");
  x.set_rows(1);
  x.set_columns(2);
  x.set_low(-8);
  x.set_high(7);
  x.set_exponent(2);
  return circuit;
}

absl::StatusOr<BoundInputs> bindOne(const Circuit& circuit, const ModelFacts& facts,
                                    const std::vector<InputArray>& arrays) {
  const Circuit* const circuits[] = {&circuit};
  return bindInputs(circuits, facts, arrays);
}

ModelFacts testFacts() {
  ModelFacts facts;
  facts.causal = true;
  facts.vocabulary = 5;
  facts.inputs = {{.name = "ids", .integer = true, .shape = {4}, .values = 5},
                  {.name = "x", .shape = {1, 2}}};
  return facts;
}

TEST(InputJson, ReadsNestedLists) {
  auto arrays = parseInputJson(R"({"ids": [[1, 2], [3, 4]], "x": [0.5, 1]})");
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  ASSERT_EQ(arrays->size(), 2u);
  EXPECT_THAT((*arrays)[0].shape, ElementsAre(2, 2));
  EXPECT_THAT((*arrays)[0].integers, ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE((*arrays)[0].integer);
  EXPECT_THAT((*arrays)[1].reals, ElementsAre(0.5, 1));
  EXPECT_FALSE((*arrays)[1].integer);
}

TEST(InputJson, RefusesWhatIsNoArray) {
  for (const char* text :
       {"", "{", "3", R"({"x": "y"})", R"({"x": [1, [2]]})", R"({"x": [[1], 2]})", R"({"x": []})",
        R"({"x": [null]})", "[[[[[[[[[[1]]]]]]]]]]"}) {
    EXPECT_FALSE(parseInputJson(text).ok()) << text;
  }
}

std::string npy(absl::string_view type, absl::string_view shape, absl::string_view data) {
  std::string header =
      absl::StrCat("{'descr': '", type, "', 'fortran_order': False, 'shape': ", shape, ", }\n");
  return absl::StrCat(std::string("\x93NUMPY\x01\x00", 8),
                      std::string(1, static_cast<char>(header.size())), std::string(1, '\0'),
                      header, data);
}

TEST(Npy, ReadsArrays) {
  auto bytes = parseNpy(npy("|u1", "(2, 2)", "\x01\x02\x03\xff"));
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_THAT(bytes->shape, ElementsAre(2, 2));
  EXPECT_THAT(bytes->integers, ElementsAre(1, 2, 3, 255));
  auto real = parseNpy(npy("<f4", "(1,)", std::string("\x00\x00\xc0\x3f", 4)));
  ASSERT_TRUE(real.ok()) << real.status();
  EXPECT_THAT(real->reals, ElementsAre(1.5));
  EXPECT_TRUE(parseNpy(npy("<i8", "()", std::string(8, '\1'))).ok());
}

TEST(Npy, RefusesDamage) {
  std::string good = npy("|u1", "(2, 2)", "\x01\x02\x03\x04");
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parseNpy(good.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(parseNpy(npy(">i4", "(1,)", "abcd")).ok());
  EXPECT_FALSE(parseNpy(npy("|u1", "(-1,)", "a")).ok());
  EXPECT_FALSE(parseNpy(npy("|u1", "(99999999999, 99999999999)", "a")).ok());
}

TEST(Npz, ComesBackAsItWasWritten) {
  const std::vector<InputArray> arrays = {{"ids", {2, 2}, true, {1, -2, 3, int64_t{1} << 40}, {}},
                                          {"y.real", {1, 3}, false, {}, {0.25, -1e300, 3}},
                                          {"one", {}, true, {7}, {}}};
  const std::string path = testing::TempDir() + "/written.npz";
  ASSERT_EQ(writeNpz(path, arrays), absl::OkStatus());
  auto read = readNpz(path);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), arrays.size());
  for (size_t i = 0; i < arrays.size(); ++i) {
    EXPECT_EQ((*read)[i].name, arrays[i].name);
    EXPECT_EQ((*read)[i].shape, arrays[i].shape) << arrays[i].name;
    EXPECT_EQ((*read)[i].integers, arrays[i].integers) << arrays[i].name;
    EXPECT_EQ((*read)[i].reals, arrays[i].reals) << arrays[i].name;
  }
  EXPECT_EQ(errorOf(writeNpz("/no/such/folder/x.npz", arrays)), Error::kFile);
}

TEST(BindInputs, PadsTokensAndRoundsReals) {
  auto bound = bindOne(testCircuit(), testFacts(),
                       {{"ids", {1, 2}, true, {3, 4}, {}}, {"x", {2}, false, {}, {0.3, -2}}});
  ASSERT_TRUE(bound.ok()) << bound.status();
  ASSERT_EQ(bound->short_inputs.size(), 1);
  EXPECT_EQ(bound->short_inputs[0].name, "ids");
  EXPECT_EQ(bound->short_inputs[0].given, 2);
  EXPECT_EQ(bound->short_inputs[0].length, 4);
  EXPECT_THAT(bound->statement.tensors(0).values(), ElementsAre(3, 4, 0, 0));
  EXPECT_THAT(bound->statement.tensors(1).values(), ElementsAre(1, -8));
}

// A mask that is as long as it should be, beside tokens that are not, and the other way round.
TEST(BindInputs, SaysWhichInputsAreShort) {
  Circuit circuit = testCircuit();
  PublicTensor& mask = *circuit.add_publics();
  mask.set_kind(PublicTensor::INPUT);
  mask.set_name("mask");
  mask.set_rows(6);
  mask.set_columns(1);
  mask.set_high(1);
  ModelFacts facts = testFacts();
  facts.inputs.push_back({.name = "mask", .integer = true, .shape = {6}, .values = 2});
  const InputArray x = {"x", {2}, false, {}, {0, 0}};
  auto shorts = [&](std::vector<int64_t> ids, std::vector<int64_t> open) {
    const auto tokens = static_cast<int64_t>(ids.size()), bits = static_cast<int64_t>(open.size());
    auto bound = bindOne(circuit, facts,
                         {{"ids", {tokens}, true, std::move(ids), {}},
                          {"mask", {bits}, true, std::move(open), {}},
                          x});
    EXPECT_TRUE(bound.ok()) << bound.status();
    std::vector<std::string> names;
    for (const ShortInput& input : bound->short_inputs)
      names.push_back(absl::StrCat(input.name, " ", input.given, " of ", input.length));
    return names;
  };
  EXPECT_THAT(shorts({1, 2, 3, 4}, {1, 1, 1, 1, 1, 1}), ElementsAre());
  EXPECT_THAT(shorts({1, 2, 3}, {1, 1, 1, 1, 1, 1}), ElementsAre("ids 3 of 4"));
  EXPECT_THAT(shorts({1, 2, 3, 4}, {1, 1, 1, 1}), ElementsAre("mask 4 of 6"));
  EXPECT_THAT(shorts({1}, {1, 1}), ElementsAre("ids 1 of 4", "mask 2 of 6"));
}

struct BadInput {
  const char* what;
  InputArray array;
  Error code;
  bool causal = true;
};

TEST(BindInputs, TellsTypeShapeAndNoNumberApart) {
  ModelFacts facts = testFacts();
  facts.inputs[1].onnx_shape = {1, 1, 2};
  const std::pair<InputArray, const char*> cases[] = {
      {{"x", {2}, true, {0, 0}, {}}, "its values are integers"},
      {{"x", {3}, false, {}, {0, 0, 0}},
       "it has the shape [3]; the model wants float [1, 2] (in the ONNX file [1, 1, 2])"},
      {{"x", {2}, false, {}, {0, NAN}}, "element 1 is nan, which is not a number"},
      {{"x", {2}, false, {}, {-INFINITY, 0}}, "element 0 is -inf, which is infinite"},
  };
  for (const auto& [array, message] : cases) {
    absl::Status status = checkInputs(facts, {{"ids", {4}, true, {1, 1, 1, 1}, {}}, array}, false);
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
}

// As masks are kept, say.
TEST(ReadInputFile, TakesWholeRealsForIntegersToo) {
  const std::string path = ::testing::TempDir() + "/whole_reals.json";
  std::ofstream(path) << R"({"mask": [1.0, 0.0], "x": [0.5, 1.0]})";
  absl::StatusOr<std::vector<InputArray>> arrays = readInputFile(path);
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  EXPECT_THAT((*arrays)[0].integers, ElementsAre(1, 0));
  EXPECT_THAT((*arrays)[0].reals, ElementsAre(1, 0));
  EXPECT_TRUE((*arrays)[1].integers.empty());
  ModelFacts facts;
  facts.inputs = {{.name = "mask", .integer = true, .shape = {2}, .values = 2}};
  EXPECT_TRUE(checkInputs(facts, {(*arrays)[0]}, /*decode=*/false).ok());
  absl::Status half = checkInputs(facts, {{"mask", {2}, false, {}, {0.5, 1}}}, false);
  EXPECT_THAT(std::string(half.message()), HasSubstr("the model wants int [2] of 0 and 1"));
}

// The same numbers for every input would be a run that nobody asked for.
TEST(BindInputs, TakesNoNamelessArrayForSeveralInputs) {
  const std::vector<InputArray> tokens = {{"", {4}, true, {1, 1, 1, 1}, {}}};
  ModelFacts facts = testFacts();
  for (bool decode : {false, true}) {
    absl::Status status = checkInputs(facts, tokens, decode);
    EXPECT_EQ(errorOf(status), Error::kInput);
    EXPECT_THAT(std::string(status.message()), HasSubstr("give all by name"));
  }
  EXPECT_EQ(errorOf(bindOne(testCircuit(), facts, tokens).status()), Error::kInput);
  facts.inputs[1].unread = true;
  EXPECT_TRUE(checkInputs(facts, tokens, /*decode=*/false).ok());
}

TEST(BindInputs, NamesWhatIsWrong) {
  const BadInput cases[] = {
      {"wrong name", {"idz", {4}, true, {1, 1, 1, 1}, {}}, Error::kInput},
      {"too long", {"ids", {5}, true, {1, 1, 1, 1, 1}, {}}, Error::kInput},
      {"two rows", {"ids", {2, 2}, true, {1, 1, 1, 1}, {}}, Error::kInput},
      {"not integers", {"ids", {4}, false, {}, {1, 1, 1, 1}}, Error::kInput},
      {"outside of the vocabulary", {"ids", {4}, true, {1, 1, 5, 1}, {}}, Error::kToken},
      {"negative", {"ids", {4}, true, {1, -1, 1, 1}, {}}, Error::kToken},
      {"short, but not causal", {"ids", {2}, true, {1, 1}, {}}, Error::kInput, false},
      {"out of range", {"x", {2}, false, {}, {0, 2}}, Error::kOutOfRange},
      {"not a number", {"x", {2}, false, {}, {0, NAN}}, Error::kOutOfRange},
      {"wrong shape", {"x", {3}, false, {}, {0, 0, 0}}, Error::kInput},
      {"integers for reals", {"x", {2}, true, {0, 0}, {}}, Error::kInput},
  };
  for (const BadInput& bad : cases) {
    ModelFacts facts = testFacts();
    facts.causal = bad.causal;
    std::vector<InputArray> arrays = {{"ids", {4}, true, {1, 1, 1, 1}, {}},
                                      {"x", {2}, false, {}, {0, 0}}};
    arrays[bad.array.name == "x" ? 1 : 0] = bad.array;
    absl::Status status = bindOne(testCircuit(), facts, arrays).status();
    // The range alone is known to the circuit only.
    absl::Status before = checkInputs(facts, arrays, /*decode=*/false);
    EXPECT_EQ(errorOf(before), bad.what == std::string("out of range") ? Error::kOk : bad.code)
        << bad.what << ": " << before;
    EXPECT_EQ(errorOf(status), bad.code) << bad.what << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.array.name)) << bad.what;
  }
}

}  // namespace
}  // namespace lindero::runtime

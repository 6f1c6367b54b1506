#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "compiler/estimate/estimate.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/inputs/inputs.h"
#include "runtime/prove/subprocess.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/values/public_values.h"
#include "tools/lindero/context.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kTokenizer[] = R"({"type": "char", "vocab": ["a", "b", "é", " "]})";

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

compiler::ModelFacts testFacts() {
  compiler::ModelFacts facts;
  facts.causal = true;
  facts.vocabulary = 5;
  facts.inputs = {{"ids", true, {4}}, {"x", false, {1, 2}}};
  return facts;
}

TEST(ExitCodes, TheTableIsCompleteAndOrdered) {
  int next = 0;
  std::set<absl::string_view> names;
  for (const ExitInfo& info : exitTable()) {
    EXPECT_EQ(static_cast<int>(info.code), next++);
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.meaning.empty());
  }
}

TEST(ExitCodes, TheReadmeListsThem) {
  std::ifstream file("tools/lindero/README.md");
  std::stringstream readme;
  readme << file.rdbuf();
  for (const ExitInfo& info : exitTable()) {
    EXPECT_THAT(readme.str(), HasSubstr(absl::StrCat("| ", static_cast<int>(info.code), " | `",
                                                     info.name, "` | ", info.meaning, " |")));
  }
}

TEST(ExitCodes, TheFirstTagStays) {
  absl::Status status = withExit(failure(Exit::kToken, "token 7"), Exit::kFile);
  EXPECT_EQ(exitOf(status), Exit::kToken);
  EXPECT_EQ(exitOf(absl::InternalError("untagged")), Exit::kInternal);
  EXPECT_EQ(exitOf(withExit(absl::OkStatus(), Exit::kFile)), Exit::kOk);
}

// Of a char GPT, as setup chooses them: 186, 113 and 92 queries, and 85, 41 and 28.
TEST(Estimate, ExpectsAboutAsManyQueriesAsSetupChooses) {
  struct Case {
    std::string regime, prefer;
    double queries;
  };
  for (const Case& c : std::initializer_list<Case>{{"proven", "speed", 186},
                                                   {"proven", "balance", 113},
                                                   {"proven", "size", 92},
                                                   {"list-decoding", "speed", 85},
                                                   {"list-decoding", "balance", 41},
                                                   {"list-decoding", "size", 28}}) {
    ProverOptions options;
    options.regime = c.regime;
    options.prefer = c.prefer;
    EXPECT_NEAR(expectedParameters(options).queries(), c.queries, 0.1 * c.queries)
        << c.regime << ", " << c.prefer;
  }
}

TEST(Format, Numbers) {
  EXPECT_EQ(withCommas(0), "0");
  EXPECT_EQ(withCommas(-1234567), "-1,234,567");
  EXPECT_EQ(withCommas(-123), "-123");
  EXPECT_EQ(formatBytes(999), "999 B");
  EXPECT_EQ(formatBytes(1500), "1.5 KB");
  EXPECT_EQ(formatBytes(287e3), "287 KB");
  EXPECT_EQ(formatSeconds(0.23), "230 ms");
  EXPECT_EQ(formatSeconds(1.44), "1.4 s");
  EXPECT_EQ(formatSeconds(600), "10 min");
}

TEST(Format, ShortensNamesOfFusedNodes) {
  EXPECT_EQ(shortenNodes("node \"/a + /b + /c\" (linear): x + y"),
            "node \"/a … /c (3 nodes)\" (linear): x + y");
  EXPECT_EQ(shortenNodes("/a + /b"), "/a + /b");
  EXPECT_EQ(shortenNodes(""), "");
  EXPECT_EQ(shortenNodes("a +"), "a +");
}

TEST(SummaryTest, AlignsLabelsAndTables) {
  Summary summary;
  summary.addCount("cells", "cells", 1000);
  summary.add("model", "model name", "m", "m");
  summary.addTable("tables", "Tables", {"name", "rows"}, {{"norm", "8"}, {"x", "1,024"}},
                   Json::array());
  EXPECT_EQ(summary.text(),
            "cells       1,000\nmodel name  m\n\nTables\n  name   rows\n  norm      8\n"
            "  x     1,024\n");
  EXPECT_EQ(summary.json().dump(), R"({"cells":1000,"model":"m","tables":[]})");
}

std::string shown(const std::string& output_name) {
  Summary summary;
  addPublicValues({{"ids", false, 4, 1, 0, {{1, 2, 3, 4}}}, {output_name, true, 2, 1, 0, {{3, 4}}}},
                  std::nullopt, summary);
  return summary.text();
}

TEST(PublicValues, TellsAContinuationByThePositionsOfAnArgmax) {
  EXPECT_THAT(shown("y_argmax[1:3]"), HasSubstr("at all 2 of these positions"));
  EXPECT_THAT(shown("y_argmax[0,2]"), HasSubstr("at 1 of 2 of these positions"));
}

TEST(PublicValues, NamesThatPretendSayNothing) {
  for (const char* name : {"y", "y_argmax[0:1]", "y_argmax[-5:-3]", "y_argmax[2,9]", "y_argmax[7]",
                           "y_argmax[0:9223372036854775807]", "y_argmax[1:3", "y_argmax[a]"}) {
    EXPECT_THAT(shown(name), ::testing::Not(HasSubstr("positions"))) << name;
  }
}

TEST(PublicValues, NamesCannotPassForOtherLines) {
  std::string text = shown("y\nverdict  REJECTED \x1b[2J");
  EXPECT_THAT(text, HasSubstr("output y\\nverdict  REJECTED \\033[2J"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
}

TEST(TokenizerTest, EncodesAndDecodesCharacters) {
  absl::StatusOr<Tokenizer> tokenizer = Tokenizer::parse(kTokenizer, "t.json");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(*tokenizer->encode("bé a"), ElementsAre(1, 2, 3, 0));
  EXPECT_EQ(tokenizer->decode({1, 2, 3, 0}), "bé a");
  absl::Status missing = tokenizer->encode("abX").status();
  EXPECT_EQ(exitOf(missing), Exit::kToken);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("'X' at position 2"));
}

TEST(TokenizerTest, RefusesOtherFiles) {
  for (const char* text :
       {"", "[]", "{}", R"({"type": "BPE"})", R"({"type": "char"})",
        R"({"type": "char", "vocab": ["ab"]})", R"({"type": "char", "vocab": ["a", "a"]})",
        R"({"type": "char", "vocab": [3]})"}) {
    absl::Status status = Tokenizer::parse(text, "t.json").status();
    EXPECT_EQ(exitOf(status), Exit::kInput) << text;
  }
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

TEST(BindInputs, PadsTokensAndRoundsReals) {
  auto bound = bindInputs(testCircuit(), testFacts(),
                          {{"ids", {1, 2}, true, {3, 4}, {}}, {"x", {2}, false, {}, {0.3, -2}}});
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->given_tokens, 2);
  EXPECT_THAT(bound->statement.tensors(0).values(), ElementsAre(3, 4, 0, 0));
  EXPECT_THAT(bound->statement.tensors(1).values(), ElementsAre(1, -8));
}

struct BadInput {
  const char* what;
  InputArray array;
  Exit code;
  bool causal = true;
};

TEST(BindInputs, NamesWhatIsWrong) {
  const BadInput cases[] = {
      {"wrong name", {"idz", {4}, true, {1, 1, 1, 1}, {}}, Exit::kInput},
      {"too long", {"ids", {5}, true, {1, 1, 1, 1, 1}, {}}, Exit::kInput},
      {"two rows", {"ids", {2, 2}, true, {1, 1, 1, 1}, {}}, Exit::kInput},
      {"not integers", {"ids", {4}, false, {}, {1, 1, 1, 1}}, Exit::kInput},
      {"outside of the vocabulary", {"ids", {4}, true, {1, 1, 5, 1}, {}}, Exit::kToken},
      {"negative", {"ids", {4}, true, {1, -1, 1, 1}, {}}, Exit::kToken},
      {"short, but not causal", {"ids", {2}, true, {1, 1}, {}}, Exit::kInput, false},
      {"out of range", {"x", {2}, false, {}, {0, 2}}, Exit::kOutOfRange},
      {"not a number", {"x", {2}, false, {}, {0, NAN}}, Exit::kOutOfRange},
      {"wrong shape", {"x", {3}, false, {}, {0, 0, 0}}, Exit::kInput},
      {"integers for reals", {"x", {2}, true, {0, 0}, {}}, Exit::kInput},
  };
  for (const BadInput& bad : cases) {
    compiler::ModelFacts facts = testFacts();
    facts.causal = bad.causal;
    std::vector<InputArray> arrays = {{"ids", {4}, true, {1, 1, 1, 1}, {}},
                                      {"x", {2}, false, {}, {0, 0}}};
    arrays[bad.array.name == "x" ? 1 : 0] = bad.array;
    absl::Status status = bindInputs(testCircuit(), facts, arrays).status();
    EXPECT_EQ(exitOf(status), bad.code) << bad.what << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.array.name)) << bad.what;
  }
}

TEST(Subprocess, ReportsProgressErrorsAndExitCode) {
  std::vector<std::string> lines;
  auto result = runProcess(
      "/bin/sh",
      {"-c", "echo one >&$0; echo two >&$0; echo out; echo trouble >&2; exit 3", "{progress}"},
      [&](absl::string_view line) { lines.emplace_back(line); });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(lines, ElementsAre("one", "two"));
  EXPECT_EQ(result->output, "out\n");
  EXPECT_EQ(result->errors, "trouble\n");
  EXPECT_EQ(result->exit_code, 3);
}

TEST(Subprocess, ReportsSignalsAndMissingPrograms) {
  auto killed = runProcess("/bin/sh", {"-c", "kill -9 $$"}, [](absl::string_view) {});
  ASSERT_TRUE(killed.ok());
  EXPECT_EQ(killed->signal, 9);
  EXPECT_FALSE(runProcess("/no/such/program", {}, [](absl::string_view) {}).ok());
}

}  // namespace
}  // namespace lindero::cli

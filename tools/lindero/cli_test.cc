#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/lindero/context.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/show_comparison.h"
#include "tools/lindero/show_values.h"

namespace lindero::cli {
namespace {

using ::testing::HasSubstr;

TEST(ExitCodes, TheTableIsCompleteAndOrdered) {
  int next = 0;
  for (const ExitInfo& info : exitTable()) {
    EXPECT_EQ(info.code, next++);
    EXPECT_FALSE(info.meaning.empty());
  }
  for (Error kind : runtime::allErrors()) {
    if (kind == Error::kCancelled) continue;
    EXPECT_EQ(exitInfo(kind).kind, kind) << runtime::nameOf(kind);
  }
}

TEST(ExitCodes, TheReadmeListsThem) {
  std::ifstream file("tools/lindero/README.md");
  std::stringstream readme;
  readme << file.rdbuf();
  for (const ExitInfo& info : exitTable()) {
    EXPECT_THAT(readme.str(),
                HasSubstr(absl::StrCat("| ", info.code, " | `", runtime::nameOf(info.kind), "` | ",
                                       info.meaning, " |")));
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

TEST(SummaryTest, DetailsAreForVerbose) {
  Summary summary;
  summary.addCount("a", "first", 1);
  summary.details(true);
  summary.addCount("b", "a long label", 2);
  summary.details(false);
  summary.addCount("c", "last", 3);
  EXPECT_EQ(summary.text(/*verbose=*/false), "first  1\nlast   3\n");
  EXPECT_EQ(summary.text(), "first         1\na long label  2\nlast          3\n");
  EXPECT_EQ(summary.json().dump(), R"({"a":1,"b":2,"c":3})");
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

TEST(PublicValues, NamesCannotPassForOtherLines) {
  std::string text = shown("y\nverdict  REJECTED \x1b[2J");
  EXPECT_THAT(text, HasSubstr("output y\\nverdict  REJECTED \\033[2J"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
}

TEST(Csv, HasAColumnForEachNameAndQuotesTexts) {
  const std::vector<Json> rows = {{{"policy", "cut{a=1,b=2}"}, {"stages", {{"fri", 0.5}}}},
                                  {{"policy", "so \"called\""}, {"stages", {{"open", 2}}}}};
  EXPECT_EQ(csvOf(rows),
            "policy,stages.fri,stages.open\n\"cut{a=1,b=2}\",0.5,\n\"so \"\"called\"\"\",,2\n");
  EXPECT_EQ(csvOf({}), "\n");
}

TEST(Comparison, ShowsStagesThatOnlyOnePlacementHas) {
  ComparedPlacements compared;
  compared.placements = {
      {.policy = "fused", .online_cells = 100, .predicted = {.online_cells = 90}},
      {.policy = "by-half", .segments = 2, .online_cells = 10}};
  compared.transcripts = {
      {.placement = 1, .prove_seconds = 2, .stages = {{"open", 2}}, .parts = {{"fri", 1234}}},
      {.placement = 0,
       .prove_seconds = 3,
       .stages = {{"fri", 3}, {"open", 1}},
       .parts = {{"fri", 99}}}};
  Summary summary;
  addComparison(compared, summary);
  EXPECT_THAT(summary.text(), HasSubstr("  stage  fused  by-half\n"
                                        "  fri    3.0 s\n"
                                        "  open   1.0 s    2.0 s\n"));
  EXPECT_THAT(summary.text(), HasSubstr("  part  fused  by-half\n"
                                        "  fri      99    1,234\n"));
  EXPECT_THAT(summary.text(), HasSubstr("90, -10 %"));
  EXPECT_EQ(summary.json()["placements"][1]["prove_seconds"]["median"], 2);
}

}  // namespace
}  // namespace lindero::cli

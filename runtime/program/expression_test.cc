#include "runtime/program/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "runtime/program/program.pb.h"

namespace lindero::program {
namespace {

using ::testing::HasSubstr;

// Numbers by name; sizes are a hundred times the number, so that they are told apart.
class NamedValues : public Values {
 public:
  explicit NamedValues(std::map<std::string, int64_t> numbers, std::vector<int64_t> list = {})
      : numbers_(std::move(numbers)), list_(std::move(list)) {}

  absl::StatusOr<int64_t> number(const Field& field, int element) const override {
    return field.is_repeated() ? list_[static_cast<size_t>(element)] : numbers_.at(field.name());
  }
  absl::StatusOr<int64_t> size(const Field& field) const override {
    return numbers_.at(field.name()) * 100;
  }
  int count(const Field&) const override { return static_cast<int>(list_.size()); }

 private:
  std::map<std::string, int64_t> numbers_;
  std::vector<int64_t> list_;
};

TEST(Expression, Evaluates) {
  const NamedValues values({{"rows", 6}, {"width", 10}, {"lanes", 4}, {"values", 3}});
  const std::pair<const char*, int64_t> cases[] = {
      {"7", 7},
      {"2^31", int64_t{1} << 31},
      {"-2^3", -8},
      {"2^0", 1},
      {"rows * width", 60},
      {"rows + width * lanes", 46},
      {"(rows + width) * lanes", 64},
      {"width - rows - lanes", 0},
      {"rows * width / lanes", 15},
      {"width % lanes", 2},
      {"ceil(width / lanes)", 3},
      {"rows * ceil(width / lanes) * lanes", 72},
      {"ceil((rows * width / lanes) / (lanes - 1))", 5},
      {"size(values) - 1", 299},
      {"-rows + 1", -5},
  };
  for (const auto& [text, wanted] : cases) {
    auto expression = Expression::parse(text, *Argmax::descriptor());
    ASSERT_TRUE(expression.ok()) << expression.status();
    EXPECT_EQ(expression->text(), text);
    EXPECT_EQ(expression->evaluate(values).value_or(-1), wanted) << text;
  }
}

TEST(Expression, CountsLists) {
  auto expression = Expression::parse("count(rows) * width", *CopyRows::descriptor());
  ASSERT_TRUE(expression.ok()) << expression.status();
  EXPECT_EQ(expression->evaluate(NamedValues({{"width", 5}}, {4, 4, 4})).value_or(-1), 15);
}

// Numbers come from whoever wrote the program.
TEST(Expression, RefusesWhatHasNoValue) {
  const int64_t large = int64_t{1} << 32;
  const NamedValues values({{"rows", large}, {"width", large}, {"lanes", 0}, {"values", -5}});
  const std::pair<const char*, const char*> cases[] = {
      {"rows * width", "leaves 64 bits"},
      {"rows * width * lanes", "leaves 64 bits"},
      {"rows * 2^31 - -2^62", "leaves 64 bits"},
      {"-rows * 2^31 - 2", "leaves 64 bits"},
      {"rows / lanes", "by 0"},
      {"rows % lanes", "by 0"},
      {"ceil(rows / lanes)", "by 0"},
      {"values / width", "divides -5"},
      {"rows / (width - 1)", "does not divide"},
      {"ceil(rows / values)", "by -5"},
  };
  for (const auto& [text, message] : cases) {
    auto expression = Expression::parse(text, *Argmax::descriptor());
    ASSERT_TRUE(expression.ok()) << expression.status();
    EXPECT_THAT(std::string(expression->evaluate(values).status().message()), HasSubstr(message))
        << text;
  }
}

TEST(Expression, RefusesMalformedTexts) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "a field of Argmax (not \"\")"},
      {"rows *", "a field of Argmax"},
      {"heads", "not \"heads\""},
      {"rows width", "an operator is missing before \"width\""},
      {"(rows", "\")\""},
      {"ceil(rows)", "\"/\""},
      {"size(rows", "\")\""},
      {"99999999999999999999", "a number"},
      {"2^64", "fits 64 bits"},
      {"rows < width", "an operator"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(std::string(Expression::parse(text, *Argmax::descriptor()).status().message()),
                HasSubstr(message))
        << text;
  }
  for (const char* text : {"rows", "rows <", "rows < width <", "rows = width", "rows > width"}) {
    EXPECT_FALSE(Condition::parse(text, *Argmax::descriptor()).ok()) << text;
  }
}

TEST(Condition, SaysWhatTheNamesStandFor) {
  const NamedValues values({{"rows", 6}, {"width", 10}, {"lanes", 4}, {"values", 0}});
  const std::pair<const char*, const char*> cases[] = {
      {"1 <= rows <= 6", ""},
      {"rows + lanes == width", ""},
      {"rows < width", ""},
      {"rows < 6", "rows = 6"},
      {"7 <= rows <= 6", "rows = 6"},
      {"width % lanes == 0", "width = 10, lanes = 4"},
      {"rows * rows <= size(values)", "rows = 6, size(values) = 0"},
  };
  for (const auto& [text, message] : cases) {
    auto condition = Condition::parse(text, *Argmax::descriptor());
    ASSERT_TRUE(condition.ok()) << condition.status();
    EXPECT_EQ(condition->check(values).message(), message) << text;
  }
}

TEST(Condition, HoldsForEachElementOfAList) {
  auto condition = Condition::parse("(rows + 1) * width <= size(in)", *CopyRows::descriptor());
  ASSERT_TRUE(condition.ok()) << condition.status();
  const std::map<std::string, int64_t> numbers = {{"width", 50}, {"in", 1}};
  EXPECT_TRUE(condition->check(NamedValues(numbers, {0, 1})).ok());
  EXPECT_TRUE(condition->check(NamedValues(numbers, {})).ok());
  EXPECT_EQ(condition->check(NamedValues(numbers, {0, 2, 1})).message(),
            "rows = 2, width = 50, size(in) = 100");
}

}  // namespace
}  // namespace lindero::program

#include "runtime/program/expression.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lindero::program {

// Recursive descent; the first error ends it.
class Parser {
 public:
  Parser(absl::string_view text, const google::protobuf::Descriptor& message)
      : text_(text), rest_(text), message_(message) {}

  absl::StatusOr<Expression> expression() {
    Expression result = side();
    if (error_.empty() && !rest_.empty()) fail("an operator");
    if (!error_.empty()) return absl::InvalidArgumentError(error_);
    return result;
  }

  absl::StatusOr<Condition> condition() {
    using Order = Condition::Order;
    Condition result;
    result.text_ = std::string(text_);
    result.sides_.push_back(side());
    while (error_.empty() && !rest_.empty()) {
      const std::optional<Order> order = take("<=")   ? std::optional(Order::kLessOrEqual)
                                         : take("<")  ? std::optional(Order::kLess)
                                         : take("==") ? std::optional(Order::kEqual)
                                                      : std::nullopt;
      if (!order) break;
      result.orders_.push_back(*order);
      result.sides_.push_back(side());
    }
    if (error_.empty() && (!rest_.empty() || result.orders_.empty())) fail("<, <= or ==");
    if (!error_.empty()) return absl::InvalidArgumentError(error_);
    result.list_ = list_;
    return result;
  }

 private:
  using Kind = Expression::Kind;

  Expression side() {
    Expression result;
    nodes_ = &result.nodes_;
    const absl::string_view before = rest_;
    sum();
    result.text_ =
        std::string(absl::StripAsciiWhitespace(before.substr(0, before.size() - rest_.size())));
    return result;
  }

  size_t add(Expression::Node node) {
    nodes_->push_back(node);
    return nodes_->size() - 1;
  }
  size_t fail(absl::string_view wanted) {
    if (error_.empty()) {
      error_ = absl::StrCat("\"", text_, "\": ", wanted, " is missing before \"", rest_, "\"");
    }
    return 0;
  }
  bool take(absl::string_view token) {
    rest_ = absl::StripLeadingAsciiWhitespace(rest_);
    if (rest_.substr(0, token.size()) != token) return false;
    rest_ = absl::StripLeadingAsciiWhitespace(rest_.substr(token.size()));
    return true;
  }

  size_t sum() {
    size_t left = term();
    while (error_.empty()) {
      const Kind kind = take("+") ? Kind::kAdd : take("-") ? Kind::kSubtract : Kind::kConstant;
      if (kind == Kind::kConstant) break;
      const size_t right = term();
      left = add({kind, 0, nullptr, left, right});
    }
    return left;
  }

  size_t term() {
    size_t left = factor();
    while (error_.empty()) {
      // The slash of ceil(a / b) is its own.
      const Kind kind = take("*")                  ? Kind::kMultiply
                        : take("%")                ? Kind::kModulo
                        : (!in_ceil_ && take("/")) ? Kind::kDivide
                                                   : Kind::kConstant;
      if (kind == Kind::kConstant) break;
      const size_t right = factor();
      left = add({kind, 0, nullptr, left, right});
    }
    return left;
  }

  size_t factor() {
    if (take("-")) {
      const size_t zero = add({Kind::kConstant});
      const size_t right = factor();
      return add({Kind::kSubtract, 0, nullptr, zero, right});
    }
    if (take("(")) {
      const bool outer = std::exchange(in_ceil_, false);
      const size_t inner = sum();
      in_ceil_ = outer;
      return take(")") ? inner : fail("\")\"");
    }
    if (!rest_.empty() && absl::ascii_isdigit(static_cast<unsigned char>(rest_[0])))
      return number();
    return name();
  }

  int64_t digits() {
    size_t length = 0;
    while (length < rest_.size() && absl::ascii_isdigit(static_cast<unsigned char>(rest_[length])))
      ++length;
    int64_t value = 0;
    if (!absl::SimpleAtoi(rest_.substr(0, length), &value)) fail("a number");
    rest_ = rest_.substr(length);
    return value;
  }

  size_t number() {
    const int64_t base = digits();
    if (!take("^")) return add({Kind::kConstant, base});
    int64_t power = 1;
    for (int64_t i = digits(); i > 0 && error_.empty(); --i) {
      if (__builtin_mul_overflow(power, base, &power)) fail("a power that fits 64 bits");
    }
    return add({Kind::kConstant, power});
  }

  size_t name() {
    const std::string word = identifier();
    if (word == "ceil" && take("(")) return ceil();
    const bool size = word == "size", count = word == "count";
    if (!(size || count) || !take("(")) {
      const Field* field = find(word);
      if (field == nullptr) return 0;
      if (field->is_repeated()) {
        if (list_ != nullptr && list_ != field) return fail("no second list");
        list_ = field;
      }
      return add({Kind::kNumber, 0, field});
    }
    const Field* field = find(identifier());
    if (field == nullptr) return 0;
    if (!take(")")) return fail("\")\"");
    return add({size ? Kind::kSize : Kind::kCount, 0, field});
  }

  size_t ceil() {
    const bool outer = std::exchange(in_ceil_, true);
    const size_t left = sum();
    if (!take("/")) return fail("\"/\"");
    const size_t right = sum();
    in_ceil_ = outer;
    if (!take(")")) return fail("\")\"");
    return add({Kind::kCeil, 0, nullptr, left, right});
  }

  std::string identifier() {
    size_t length = 0;
    while (
        length < rest_.size() &&
        (absl::ascii_isalnum(static_cast<unsigned char>(rest_[length])) || rest_[length] == '_')) {
      ++length;
    }
    std::string word(rest_.substr(0, length));
    rest_ = rest_.substr(length);
    return word;
  }

  const Field* find(const std::string& word) {
    const Field* field = message_.FindFieldByName(word);
    if (field == nullptr)
      fail(absl::StrCat("a field of ", message_.name(), " (not \"", word, "\")"));
    return field;
  }

  const absl::string_view text_;
  absl::string_view rest_;
  const google::protobuf::Descriptor& message_;
  std::vector<Expression::Node>* nodes_ = nullptr;
  const Field* list_ = nullptr;
  bool in_ceil_ = false;
  std::string error_;
};

absl::StatusOr<Expression> Expression::parse(absl::string_view text,
                                             const google::protobuf::Descriptor& message) {
  return Parser(text, message).expression();
}

absl::StatusOr<int64_t> Expression::combine(Kind kind, int64_t left, int64_t right) const {
  int64_t result = 0;
  bool fits = true;
  switch (kind) {
    case Kind::kAdd:
      fits = !__builtin_add_overflow(left, right, &result);
      break;
    case Kind::kSubtract:
      fits = !__builtin_sub_overflow(left, right, &result);
      break;
    case Kind::kMultiply:
      fits = !__builtin_mul_overflow(left, right, &result);
      break;
    default:
      // Extents: what is no size has no quotient.
      if (left < 0 || right < 1) {
        return absl::InvalidArgumentError(absl::StrCat(text_, " divides ", left, " by ", right));
      }
      if (kind == Kind::kDivide && left % right != 0) {
        return absl::InvalidArgumentError(
            absl::StrCat(text_, ": ", right, " does not divide ", left));
      }
      result = kind == Kind::kModulo ? left % right
                                     : left / right + (kind == Kind::kCeil && left % right != 0);
  }
  if (!fits) return absl::InvalidArgumentError(absl::StrCat(text_, " leaves 64 bits"));
  return result;
}

absl::StatusOr<int64_t> Expression::evaluate(const Node& node, const Values& values,
                                             int element) const {
  switch (node.kind) {
    case Kind::kConstant:
      return node.constant;
    case Kind::kNumber:
      return values.number(*node.field, element);
    case Kind::kSize:
      return values.size(*node.field);
    case Kind::kCount:
      return values.count(*node.field);
    default:
      break;
  }
  const absl::StatusOr<int64_t> left = evaluate(nodes_[node.left], values, element);
  if (!left.ok()) return left;
  const absl::StatusOr<int64_t> right = evaluate(nodes_[node.right], values, element);
  if (!right.ok()) return right;
  return combine(node.kind, *left, *right);
}

absl::StatusOr<int64_t> Expression::evaluate(const Values& values, int element) const {
  return evaluate(nodes_.back(), values, element);
}

absl::StatusOr<Condition> Condition::parse(absl::string_view text,
                                           const google::protobuf::Descriptor& message) {
  return Parser(text, message).condition();
}

absl::StatusOr<bool> Condition::holds(const Values& values, int element) const {
  absl::StatusOr<int64_t> left = sides_[0].evaluate(values, element);
  if (!left.ok()) return left.status();
  for (size_t i = 0; i < orders_.size(); ++i) {
    const absl::StatusOr<int64_t> right = sides_[i + 1].evaluate(values, element);
    if (!right.ok()) return right.status();
    const bool fits = orders_[i] == Order::kLess          ? *left < *right
                      : orders_[i] == Order::kLessOrEqual ? *left <= *right
                                                          : *left == *right;
    if (!fits) return false;
    left = right;
  }
  return true;
}

std::string Condition::describe(const Values& values, int element) const {
  using Kind = Expression::Kind;
  std::vector<std::string> seen;
  std::string text;
  for (const Expression& side : sides_) {
    for (const Expression::Node& node : side.nodes_) {
      if (node.field == nullptr) continue;
      const std::string& field = node.field->name();
      const std::string name = node.kind == Kind::kSize    ? absl::StrCat("size(", field, ")")
                               : node.kind == Kind::kCount ? absl::StrCat("count(", field, ")")
                                                           : field;
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
      seen.push_back(name);
      const absl::StatusOr<int64_t> value = side.evaluate(node, values, element);
      if (value.ok()) absl::StrAppend(&text, text.empty() ? "" : ", ", name, " = ", *value);
    }
  }
  return text;
}

absl::Status Condition::check(const Values& values) const {
  const int elements = list_ == nullptr ? 1 : values.count(*list_);
  for (int element = 0; element < elements; ++element) {
    const absl::StatusOr<bool> fits = holds(values, element);
    if (!fits.ok()) return fits.status();
    if (!*fits) return absl::InvalidArgumentError(describe(values, element));
  }
  return absl::OkStatus();
}

}  // namespace lindero::program

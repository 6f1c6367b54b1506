#include "ir/tensor/expression.h"

#include <charconv>
#include <limits>

#include "absl/strings/str_cat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/bit.h"

namespace lindero::ir::tensor {
namespace {

constexpr size_t kMostDepth = 256;

struct Definition {
  llvm::StringRef name, text;
};

constexpr Definition kDefinitions[] = {
    {"gelu", "mul(mul(0.5, x), add(1.0, erf(div(x, sqrt(2.0)))))"},
    {"gelu_tanh",
     "mul(mul(0.5, x), add(1.0, tanh(mul(sqrt(div(2.0, pi())), "
     "add(x, mul(0.044715, pow(x, 3.0)))))))"},
    {"relu", "max(0.0, x)"},
    {"silu", "mul(x, sigmoid(x))"},
};

// The shortest decimal that reads back as the same double, always with a point or exponent.
std::string numberText(double value) {
  char digits[32];
  std::string text(digits, std::to_chars(digits, std::end(digits), value).ptr);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string textOf(llvm::ArrayRef<Expression::Node> nodes, size_t most) {
  std::vector<std::string> texts;
  for (const Expression::Node& node : nodes) {
    std::string text = node.is_variable ? "x" : node.isNumber() ? numberText(node.number) : "";
    if (node.function != nullptr) {
      text = absl::StrCat(node.function->name.str(), "(");
      for (auto [i, operand] : llvm::enumerate(node.operands)) {
        absl::StrAppend(&text, i ? ", " : "", texts[operand]);
        // Shared subexpressions are written out each time: the text may be long where the
        // expression is not.
        if (text.size() > most) return std::string();
      }
      text += ")";
    }
    texts.push_back(std::move(text));
  }
  return texts.back();
}

class Parser {
 public:
  explicit Parser(llvm::StringRef text) : text_(text), rest_(text) {}

  absl::StatusOr<Expression> run() {
    absl::StatusOr<int> root = parse(0);
    if (!root.ok()) return root.status();
    if (!rest_.trim().empty()) return wrong("something follows the expression");
    return builder_.finish(*root);
  }

 private:
  absl::Status wrong(llvm::StringRef why) const {
    return absl::InvalidArgumentError(
        absl::StrCat(why.str(), ", at character ", text_.size() - rest_.size()));
  }

  bool take(char c) {
    rest_ = rest_.ltrim();
    return rest_.consume_front(llvm::StringRef(&c, 1));
  }

  absl::StatusOr<int> parse(size_t depth) {
    if (depth > kMostDepth) return wrong("the expression is nested too deeply");
    rest_ = rest_.ltrim();
    const llvm::StringRef word =
        rest_.take_while([](char c) { return llvm::isAlnum(c) || c == '_'; });
    if (word == "x") {
      rest_ = rest_.drop_front();
      return builder_.variable();
    }
    if (word.empty() || !llvm::isAlpha(word[0]) || word == "inf") return number();
    rest_ = rest_.drop_front(word.size());
    if (!take('(')) return wrong("a function needs its operands in parentheses");
    llvm::SmallVector<int, 3> operands;
    while (!take(')')) {
      if (!operands.empty() && !take(',')) return wrong("',' or ')' is missing");
      absl::StatusOr<int> operand = parse(depth + 1);
      if (!operand.ok()) return operand;
      operands.push_back(*operand);
    }
    return apply(word, operands);
  }

  absl::StatusOr<int> apply(llvm::StringRef word, llvm::ArrayRef<int> operands) {
    for (const Definition& definition : kDefinitions) {
      if (definition.name != word) continue;
      if (operands.size() != 1) return wrong(absl::StrCat(word.str(), " has one operand"));
      absl::StatusOr<Expression> body = Parser(definition.text).run();
      if (!body.ok()) return body.status();
      return builder_.substitute(*body, operands[0]);
    }
    return builder_.apply(word, operands);
  }

  absl::StatusOr<int> number() {
    double value = 0;
    const auto end = std::from_chars(rest_.begin(), rest_.end(), value);
    if (end.ec != std::errc() || std::isnan(value)) return wrong("neither a number nor a function");
    rest_ = rest_.drop_front(end.ptr - rest_.begin());
    return builder_.number(value);
  }

  const llvm::StringRef text_;
  llvm::StringRef rest_;
  ExpressionBuilder builder_;
};

}  // namespace

Expression::Expression() : nodes_(1) { nodes_[0].is_variable = true; }

absl::StatusOr<Expression> Expression::parse(llvm::StringRef text) {
  if (text.size() > kMostText) return absl::InvalidArgumentError("the expression is too long");
  return Parser(text).run();
}

std::string Expression::text() const {
  static const auto* names = [] {
    auto* list = new std::vector<std::pair<std::string, std::string>>;
    for (const Definition& definition : kDefinitions) {
      list->push_back({textOf(Parser(definition.text).run()->nodes(), kMostText),
                       absl::StrCat(definition.name.str(), "(x)")});
    }
    return list;
  }();
  std::string text = textOf(nodes_, kMostText);
  for (const auto& [definition, name] : *names) {
    if (text == definition) return name;
  }
  return text;
}

double Expression::operator()(double x) const {
  double y = 0;
  evaluate(x, llvm::MutableArrayRef<double>(y));
  return y;
}

void Expression::evaluate(llvm::ArrayRef<double> x, llvm::MutableArrayRef<double> y) const {
  constexpr size_t kBlock = 64;
  std::vector<double> values(nodes_.size() * kBlock);
  for (size_t first = 0; first < x.size(); first += kBlock) {
    const size_t count = std::min(kBlock, x.size() - first);
    for (size_t n = 0; n < nodes_.size(); ++n) {
      const Node& node = nodes_[n];
      double* result = &values[n * kBlock];
      const double* operands[3] = {result, result, result};
      for (auto [i, operand] : llvm::enumerate(node.operands))
        operands[i] = &values[operand * kBlock];
      for (size_t i = 0; i < count; ++i) {
        result[i] = node.function != nullptr
                        ? node.function->apply(operands[0][i], operands[1][i], operands[2][i])
                    : node.is_variable ? x[first + i]
                                       : node.number;
      }
    }
    std::copy_n(&values[(nodes_.size() - 1) * kBlock], count, y.begin() + first);
  }
}

int ExpressionBuilder::add(Expression::Node node) {
  for (auto [i, known] : llvm::enumerate(nodes_)) {
    // By their bits: 0 and -0 are different numbers.
    if (known.function == node.function && known.is_variable == node.is_variable &&
        llvm::bit_cast<uint64_t>(known.number) == llvm::bit_cast<uint64_t>(node.number) &&
        known.operands == node.operands) {
      return static_cast<int>(i);
    }
  }
  nodes_.push_back(std::move(node));
  return static_cast<int>(nodes_.size()) - 1;
}

int ExpressionBuilder::variable() {
  Expression::Node node;
  node.is_variable = true;
  return add(std::move(node));
}

int ExpressionBuilder::number(double value) {
  Expression::Node node;
  node.number = value;
  return add(std::move(node));
}

// Numbers before x before functions; then by what they are.
int ExpressionBuilder::order(int a, int b) const {
  if (a == b) return 0;
  const Expression::Node &left = nodes_[a], &right = nodes_[b];
  auto rank = [](const Expression::Node& n) { return n.isNumber() ? 0 : n.is_variable ? 1 : 2; };
  if (rank(left) != rank(right)) return rank(left) - rank(right);
  if (left.isNumber()) {
    if (left.number != right.number) return left.number < right.number ? -1 : 1;
    return std::signbit(left.number) ? -1 : 1;
  }
  if (const int by_name = left.function->name.compare(right.function->name)) return by_name;
  // One function has one number of operands; equal ones are one node, so that only the first pair
  // that differs is looked into.
  for (auto [p, q] : llvm::zip(left.operands, right.operands)) {
    if (p != q) return order(p, q);
  }
  return 0;
}

void ExpressionBuilder::flatten(int node, const ScalarFunction* function,
                                llvm::SmallVectorImpl<int>& parts) const {
  if (nodes_[node].function != function || parts.size() > kMostParts) {
    parts.push_back(node);
    return;
  }
  for (int operand : nodes_[node].operands) flatten(operand, function, parts);
}

absl::StatusOr<int> ExpressionBuilder::apply(llvm::StringRef function,
                                             llvm::ArrayRef<int> operands) {
  const bool known = findScalarFunction(function) != nullptr;
  if (!known || operands.size() != findScalarFunction(function)->operands.size())
    return make(function, operands);
  if (function == "relu") return apply("max", {number(0), operands[0]});
  if (function == "reciprocal") return apply("div", {number(1), operands[0]});
  if (function == "div" && nodes_[operands[1]].isNumber()) {
    int exponent = 0;
    const double divisor = nodes_[operands[1]].number;
    const bool power = std::abs(std::frexp(divisor, &exponent)) == 0.5;
    if (power && std::abs(exponent) < 1000) return apply("mul", {number(1 / divisor), operands[0]});
  }
  const bool associates =
      function == "add" || function == "mul" || function == "max" || function == "min";
  if (!associates) return make(function, operands);
  llvm::SmallVector<int, 8> parts;
  for (int operand : operands) flatten(operand, findScalarFunction(function), parts);
  // A power of a power would have too many.
  if (parts.size() > kMostParts) return make(function, operands);
  llvm::stable_sort(parts, [&](int a, int b) { return order(a, b) < 0; });
  int result = parts[0];
  for (int part : llvm::ArrayRef<int>(parts).drop_front()) {
    absl::StatusOr<int> joined = make(function, {result, part});
    if (!joined.ok()) return joined;
    result = *joined;
  }
  return result;
}

absl::StatusOr<int> ExpressionBuilder::make(llvm::StringRef function,
                                            llvm::ArrayRef<int> operands) {
  Expression::Node node;
  node.function = findScalarFunction(function);
  if (node.function == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("there is no function '", function.str(), "'"));
  }
  bool fits = operands.size() == node.function->operands.size();
  for (size_t i = 0; fits && i < operands.size(); ++i)
    fits = nodes_[operands[i]].kind() == node.function->operands[i];
  if (!fits) {
    return absl::InvalidArgumentError(
        absl::StrCat(function.str(), " has other operands: ", node.function->operands.size(),
                     ", of kinds '", node.function->operands.str(), "' (r: real, b: boolean)"));
  }
  node.operands.assign(operands.begin(), operands.end());
  const int index = add(std::move(node));
  if (nodes_.size() > kMostMade)
    return absl::InvalidArgumentError("the expression has too many parts");
  return index;
}

absl::StatusOr<int> ExpressionBuilder::substitute(const Expression& expression, int argument) {
  std::vector<int> copies;
  for (const Expression::Node& node : expression.nodes()) {
    if (node.function == nullptr) {
      copies.push_back(node.is_variable ? argument : number(node.number));
      continue;
    }
    llvm::SmallVector<int, 3> operands;
    for (int operand : node.operands) operands.push_back(copies[operand]);
    absl::StatusOr<int> copy = apply(node.function->name, operands);
    if (!copy.ok()) return copy;
    copies.push_back(*copy);
  }
  return copies.back();
}

absl::StatusOr<Expression> ExpressionBuilder::finish(int root) const {
  if (nodes_[root].kind() != 'r')
    return absl::InvalidArgumentError("the value of the expression is not a real");
  std::vector<int> places(root + 1, -1);
  places[root] = 0;
  for (int i = root; i >= 0; --i) {
    if (places[i] < 0) continue;
    for (int operand : nodes_[i].operands) places[operand] = 0;
  }
  Expression expression;
  expression.nodes_.clear();
  for (int i = 0; i <= root; ++i) {
    if (places[i] < 0) continue;
    places[i] = static_cast<int>(expression.nodes_.size());
    expression.nodes_.push_back(nodes_[i]);
    for (int& operand : expression.nodes_.back().operands) operand = places[operand];
  }
  if (expression.nodes_.size() > Expression::kMostNodes)
    return absl::InvalidArgumentError("the expression has too many parts");
  if (textOf(expression.nodes_, Expression::kMostText).empty())
    return absl::InvalidArgumentError("the expression is too long");
  return expression;
}

}  // namespace lindero::ir::tensor

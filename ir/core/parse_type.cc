#include "ir/core/parse_type.h"

namespace lindero::ir {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 48;

bool checkElements(Lexer& lexer, size_t start, llvm::ArrayRef<int64_t> shape) {
  int64_t elements = 1;
  for (int64_t size : shape) {
    if (size > kMaxElements || __builtin_mul_overflow(elements, size, &elements) ||
        elements > kMaxElements) {
      return lexer.fail(start, "a shape has more than 2^48 elements");
    }
  }
  return true;
}

bool parseTensor(Lexer& lexer, Type& type) {
  if (!lexer.expect("<")) return false;
  std::vector<int64_t> shape;
  size_t start = lexer.position();
  while (lexer.nextIsDigit()) {
    if (!lexer.digits(shape.emplace_back())) return false;
    if (!lexer.eatCharacter('x')) return lexer.failExpected("'x' after a size");
  }
  if (!checkElements(lexer, start, shape)) return false;
  type = Type::tensor(Element::kFloat, shape);
  size_t element_start = lexer.position();
  llvm::StringRef element;
  if (!lexer.identifier(element, "a size or an element type")) return false;
  if (element == "i64") {
    type.element = Element::kInt;
  } else if (element == "i1") {
    type.element = Element::kBool;
  } else if (element != "f32") {
    return lexer.fail(element_start,
                      "no element type is named '" + element + "'; known are f32, i64, i1");
  }
  return lexer.expect(">");
}

bool parseFixed(Lexer& lexer, Type& type) {
  if (!lexer.expect("<")) return false;
  std::vector<int64_t> shape;
  size_t start = lexer.position();
  if (!lexer.eat("2^")) {
    if (!parseSizes(lexer, shape) || !lexer.expect(",") || !lexer.expect("2^")) return false;
  }
  int64_t negated = 0, low = 0, high = 0;
  size_t exponent = lexer.position();
  if (!checkElements(lexer, start, shape) || !lexer.integer(negated, "an exponent")) return false;
  if (negated > 1024 || negated < -1024) {
    return lexer.fail(exponent,
                      "the exponent " + llvm::Twine(negated) + " is not in [-1024, 1024]");
  }
  if (!lexer.expect(",") || !lexer.expect("[") || !lexer.integer(low, "the least value") ||
      !lexer.expect(",") || !lexer.integer(high, "the greatest value") || !lexer.expect("]")) {
    return false;
  }
  type = Type::fixed(shape, static_cast<int32_t>(-negated), low, high);
  return lexer.expect(">");
}

}  // namespace

bool parseSizes(Lexer& lexer, std::vector<int64_t>& shape) {
  size_t start = lexer.position();
  if (!lexer.nextIsDigit()) return true;
  do {
    if (!lexer.digits(shape.emplace_back())) return false;
  } while (lexer.eatCharacter('x'));
  return checkElements(lexer, start, shape);
}

bool parseType(Lexer& lexer, Type& type) {
  llvm::StringRef word;
  size_t start = lexer.position();
  if (!lexer.identifier(word, "a type")) return false;
  if (word == "base" || word == "ext") {
    type = word == "base" ? Type::base() : Type::ext();
    return true;
  }
  if (word == "tensor") return parseTensor(lexer, type);
  if (word == "fixed") return parseFixed(lexer, type);
  return lexer.fail(start, "no type is named '" + word + "'; known are tensor, fixed, base, ext");
}

}  // namespace lindero::ir

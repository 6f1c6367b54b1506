#include "ir/core/lexer.h"

#include <charconv>

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace lindero::ir {

namespace {

bool startsWord(char c) { return llvm::isAlpha(c) || c == '_'; }
bool continuesWord(char c) { return llvm::isAlnum(c) || c == '_' || c == '.' || c == '$'; }
bool isBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool continuesNumber(char c) { return llvm::isAlnum(c) || c == '.' || c == '+' || c == '-'; }

// What a message shows of the next word.
constexpr size_t kShownLength = 40;

}  // namespace

bool isIdentifier(llvm::StringRef name) {
  return !name.empty() && startsWord(name[0]) && llvm::all_of(name, continuesWord);
}

void Lexer::skipBlanks() {
  while (position_ < text_.size()) {
    if (isBlank(text_[position_])) {
      ++position_;
    } else if (text_.substr(position_, 2) == "//") {
      position_ = std::min(text_.find('\n', position_), text_.size());
    } else {
      return;
    }
  }
}

bool Lexer::atEnd() { return peek() == 0 && position_ == text_.size(); }

char Lexer::peek() {
  skipBlanks();
  return position_ < text_.size() ? text_[position_] : 0;
}

size_t Lexer::position() {
  skipBlanks();
  return position_;
}

bool Lexer::eat(llvm::StringRef token) {
  skipBlanks();
  if (failed() || text_.substr(position_, token.size()) != token) return false;
  size_t end = position_ + token.size();
  if (startsWord(token[0]) && end < text_.size() && continuesWord(text_[end])) return false;
  position_ = end;
  return true;
}

bool Lexer::expect(llvm::StringRef token) {
  return eat(token) || failExpected(("'" + token + "'").str());
}

bool Lexer::identifier(llvm::StringRef& word, llvm::StringRef what) {
  if (failed() || !startsWord(peek())) return failExpected(what);
  word = text_.substr(position_).take_while(continuesWord);
  position_ += word.size();
  return true;
}

bool Lexer::name(std::string& name, llvm::StringRef what) {
  if (failed()) return false;
  // Nothing stands between a sigil and its name.
  char next = position_ < text_.size() ? text_[position_] : 0;
  if (next == '"') return string(name);
  llvm::StringRef rest = text_.substr(position_);
  llvm::StringRef word =
      startsWord(next) ? rest.take_while(continuesWord) : rest.take_while(llvm::isDigit);
  if (word.empty()) return failExpected(what);
  name = word.str();
  position_ += word.size();
  return true;
}

bool Lexer::escape(std::string& value) {
  char c = position_ < text_.size() ? text_[position_] : 0;
  if (c == '"' || c == '\\') {
    value += c;
    ++position_;
    return true;
  }
  llvm::StringRef code = text_.substr(position_, 2);
  if (code.size() < 2 || !llvm::isHexDigit(code[0]) || !llvm::isHexDigit(code[1])) {
    return fail(position_ - 1, "expected \\\", \\\\ or two hexadecimal digits after a backslash");
  }
  value += static_cast<char>(llvm::hexFromNibbles(code[0], code[1]));
  position_ += 2;
  return true;
}

bool Lexer::string(std::string& value) {
  if (failed() || peek() != '"') return failExpected("a string");
  size_t start = position_++;
  value.clear();
  while (position_ < text_.size() && text_[position_] != '\n') {
    char c = text_[position_++];
    if (c == '"') return true;
    if (c != '\\') {
      value += c;
    } else if (!escape(value)) {
      return false;
    }
  }
  return fail(start, "this string has no closing quote");
}

bool Lexer::integer(int64_t& value, llvm::StringRef what) {
  skipBlanks();
  llvm::StringRef word = text_.substr(position_).take_while(continuesNumber);
  if (failed() || word.empty()) return failExpected(what);
  auto [end, error] = std::from_chars(word.begin(), word.end(), value);
  if (error == std::errc::result_out_of_range) {
    return fail(position_, "the integer " + word + " does not fit 64 bits");
  }
  if (error != std::errc() || end != word.end()) return failExpected(what);
  position_ += word.size();
  return true;
}

bool Lexer::number(double& value) {
  skipBlanks();
  llvm::StringRef word = text_.substr(position_).take_while(continuesNumber);
  if (failed() || word.empty()) return failExpected("a number");
  auto [end, error] = std::from_chars(word.begin(), word.end(), value);
  if (error == std::errc::result_out_of_range) {
    return fail(position_, "the number " + word + " is out of the range of a double");
  }
  if (error != std::errc() || end != word.end()) return failExpected("a number");
  position_ += word.size();
  return true;
}

bool Lexer::eatCharacter(char c) {
  if (failed() || position_ >= text_.size() || text_[position_] != c) return false;
  ++position_;
  return true;
}

bool Lexer::nextIsDigit() const {
  return position_ < text_.size() && llvm::isDigit(text_[position_]);
}

bool Lexer::digits(int64_t& value) {
  llvm::StringRef word = text_.substr(position_).take_while(llvm::isDigit);
  if (failed() || word.empty()) return failExpected("a size");
  if (word.getAsInteger(10, value)) {
    return fail(position_, "the size " + word + " does not fit 64 bits");
  }
  position_ += word.size();
  return true;
}

bool Lexer::hex(llvm::StringRef& digits) {
  if (failed()) return false;
  digits = text_.substr(position_).take_while(
      [](char c) { return llvm::isHexDigit(c) && !llvm::isUpper(c); });
  position_ += digits.size();
  return true;
}

bool Lexer::peekAttribute() {
  if (!startsWord(peek())) return false;
  llvm::StringRef rest = text_.substr(position_);
  llvm::StringRef after = rest.drop_while([](char c) { return continuesWord(c) && c != '.'; });
  return after.ltrim(" \t\r\n").starts_with("=");
}

std::string Lexer::nextWord() {
  if (atEnd()) return "the end of the text";
  llvm::StringRef rest = text_.substr(position_);
  llvm::StringRef word = rest.take_while(continuesWord);
  if (word.empty()) word = rest.take_front(1);
  std::string shown;
  llvm::raw_string_ostream os(shown);
  os << "'";
  llvm::printEscapedString(word.take_front(kShownLength), os);
  os << (word.size() > kShownLength ? "…'" : "'");
  return shown;
}

bool Lexer::fail(size_t position, const llvm::Twine& message) {
  if (failed()) return false;
  llvm::StringRef before = text_.take_front(position);
  size_t line = before.count('\n') + 1;
  size_t column = position - (before.rfind('\n') + 1) + 1;
  status_ = absl::InvalidArgumentError(
      (llvm::Twine(file_) + ":" + llvm::Twine(line) + ":" + llvm::Twine(column) + ": " + message)
          .str());
  return false;
}

bool Lexer::failExpected(llvm::StringRef what) {
  if (failed()) return false;
  std::string found = nextWord();
  return fail(position_, "expected " + what + ", found " + found);
}

}  // namespace lindero::ir

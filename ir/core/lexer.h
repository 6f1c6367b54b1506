// Reads the words of IR text from a string: the level below the grammar (parser.cc).
//
// Every read skips blanks and comments first. A failed read records the first error, with its line
// and column, and makes all further reads fail, so that a caller checks once where it matters.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"

namespace lindero::ir {

class Lexer {
 public:
  Lexer(llvm::StringRef text, llvm::StringRef file) : text_(text), file_(file) {}

  bool atEnd();
  // The next character, or 0 at the end.
  char peek();
  // Reads `token` if it comes next; a word is not a prefix of a longer word.
  bool eat(llvm::StringRef token);
  bool expect(llvm::StringRef token);

  // [A-Za-z_][A-Za-z0-9_.$]*
  bool identifier(llvm::StringRef& word, llvm::StringRef what);
  // The name after a sigil (already read): an identifier, a quoted string, or a number, where that
  // is allowed.
  bool name(std::string& name, llvm::StringRef what);
  bool string(std::string& value);
  bool integer(int64_t& value, llvm::StringRef what);
  bool number(double& value);
  // Without blanks before: one character; decimal digits (the sizes of a shape); lower-case
  // hexadecimal digits.
  bool eatCharacter(char c);
  bool digits(int64_t& value);
  bool hex(llvm::StringRef& digits);
  bool nextIsDigit() const;

  // True if an identifier without dots and then `=` come next: an attribute.
  bool peekAttribute();

  size_t position();  // of the next word
  void rewind(size_t position) { position_ = position; }
  // Records an error at a position, or at the next word: "expected <what>, found <next word>".
  // Returns false.
  bool fail(size_t position, const llvm::Twine& message);
  bool failExpected(llvm::StringRef what);
  bool failed() const { return !status_.ok(); }
  const absl::Status& status() const { return status_; }

 private:
  void skipBlanks();
  std::string nextWord();
  bool escape(std::string& value);

  llvm::StringRef text_;
  llvm::StringRef file_;
  size_t position_ = 0;
  absl::Status status_;
};

// True if `name` can be written without quotes.
bool isIdentifier(llvm::StringRef name);

}  // namespace lindero::ir

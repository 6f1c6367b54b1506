// Text <-> token ids, by a tokenizer.json of one of two kinds:
//  - a list of characters, {"type": "char", "vocab": ["a", "b", ...]}: a character's id is its
//    index;
//  - byte-level BPE as Hugging Face's library writes it (byte_level_bpe.h), which is that of GPT-2.
//
// Other tokenizers are the business of other programs: their ids go in with --tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lindero::runtime {

// In a package, or beside a model.
inline constexpr char kTokenizerFile[] = "tokenizer.json";

// What a kind of tokenizer does.
class TokenEncoding {
 public:
  virtual ~TokenEncoding() = default;
  virtual int64_t vocabulary() const = 0;
  virtual absl::StatusOr<std::vector<int64_t>> encode(absl::string_view text) const = 0;
  // The text of a token, perhaps part of a character; null if there is no such token.
  virtual const std::string* piece(int64_t id) const = 0;
};

class Tokenizer {
 public:
  static absl::StatusOr<Tokenizer> load(const std::string& path);
  static absl::StatusOr<Tokenizer> parse(absl::string_view json, const std::string& path);

  int64_t vocabulary() const { return encoding_->vocabulary(); }
  // Fails on what the vocabulary cannot spell, with its position.
  absl::StatusOr<std::vector<int64_t>> encode(absl::string_view text) const {
    return encoding_->encode(text);
  }
  // An id outside of the vocabulary becomes U+FFFD; the result may end within a character.
  std::string decode(const std::vector<int64_t>& ids) const;

 private:
  std::shared_ptr<const TokenEncoding> encoding_;
};

}  // namespace lindero::runtime

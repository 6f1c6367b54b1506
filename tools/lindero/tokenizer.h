// Text <-> token ids, for models whose tokenizer is a list of characters:
// {"type": "char", "vocab": ["a", "b", ...]}, where a character's id is its index.
//
// Other tokenizers are the business of other programs: their ids go in with --tokens.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lindero::cli {

class Tokenizer {
 public:
  static absl::StatusOr<Tokenizer> load(const std::string& path);
  static absl::StatusOr<Tokenizer> parse(absl::string_view json, const std::string& path);

  int64_t vocabulary() const { return static_cast<int64_t>(characters_.size()); }
  // Fails on the first character that is not in the vocabulary, with its position.
  absl::StatusOr<std::vector<int64_t>> encode(absl::string_view text) const;
  // An id outside of the vocabulary becomes U+FFFD.
  std::string decode(const std::vector<int64_t>& ids) const;

 private:
  std::string path_;
  std::vector<std::string> characters_;
  std::map<std::string, int64_t, std::less<>> ids_;
};

}  // namespace lindero::cli

#include "tools/lindero/tokenizer.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

constexpr uint64_t kMostBytes = 64 << 20;

// Bytes of the UTF-8 character at the front of a text that is not empty; a stray byte counts as
// one.
size_t characterBytes(absl::string_view text) {
  auto first = static_cast<unsigned char>(text[0]);
  size_t size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return std::min(size, text.size());
}

}  // namespace

absl::StatusOr<Tokenizer> Tokenizer::load(const std::string& path) {
  absl::StatusOr<std::string> text = runtime::readFile(path, kMostBytes);
  if (!text.ok()) return withExit(text.status(), Exit::kFile);
  return parse(*text, path);
}

absl::StatusOr<Tokenizer> Tokenizer::parse(absl::string_view text, const std::string& path) {
  auto wrong = [&](absl::string_view why) {
    return failure(Exit::kInput, absl::StrCat("tokenizer ", path, ": ", why));
  };
  auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) return wrong("not a JSON object");
  auto type = json.find("type");
  if (type == json.end() || *type != "char") {
    return wrong("only tokenizers of type \"char\" are supported; give token ids with --tokens");
  }
  auto vocabulary = json.find("vocab");
  if (vocabulary == json.end() || !vocabulary->is_array()) return wrong("has no list \"vocab\"");
  Tokenizer tokenizer;
  tokenizer.path_ = path;
  for (const auto& entry : *vocabulary) {
    const std::string* character = entry.get_ptr<const std::string*>();
    if (character == nullptr || character->empty() ||
        characterBytes(*character) != character->size()) {
      return wrong(absl::StrCat("vocab[", tokenizer.vocabulary(), "] is not one character"));
    }
    if (!tokenizer.ids_.emplace(*character, tokenizer.vocabulary()).second) {
      return wrong(absl::StrCat("vocab[", tokenizer.vocabulary(), "] appears twice"));
    }
    tokenizer.characters_.push_back(*character);
  }
  return tokenizer;
}

absl::StatusOr<std::vector<int64_t>> Tokenizer::encode(absl::string_view text) const {
  std::vector<int64_t> ids;
  while (!text.empty()) {
    absl::string_view character = text.substr(0, characterBytes(text));
    auto found = ids_.find(character);
    if (found == ids_.end()) {
      return failure(Exit::kToken, absl::StrCat("character '", absl::Utf8SafeCHexEscape(character),
                                                "' at position ", ids.size(),
                                                " of the text is not in the vocabulary of ", path_,
                                                "; remove or replace it"));
    }
    ids.push_back(found->second);
    text.remove_prefix(character.size());
  }
  return ids;
}

std::string Tokenizer::decode(const std::vector<int64_t>& ids) const {
  std::string text;
  for (int64_t id : ids) text += id >= 0 && id < vocabulary() ? characters_[id] : "\xef\xbf\xbd";
  return text;
}

}  // namespace lindero::cli

#include "runtime/tokenizer/tokenizer.h"

#include <algorithm>
#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "runtime/error/error.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "runtime/tokenizer/byte_level_bpe.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kMostBytes = 64 << 20;

// Bytes of the UTF-8 character at the front of a text that is not empty; a stray byte counts as
// one.
size_t characterBytes(absl::string_view text) {
  auto first = static_cast<unsigned char>(text[0]);
  size_t size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return std::min(size, text.size());
}

class Characters : public TokenEncoding {
 public:
  absl::Status read(const nlohmann::json& json) {
    auto vocabulary = json.find("vocab");
    if (vocabulary == json.end() || !vocabulary->is_array()) {
      return absl::InvalidArgumentError("has no list \"vocab\"");
    }
    for (const auto& entry : *vocabulary) {
      auto id = static_cast<int64_t>(characters_.size());
      const std::string* character = entry.get_ptr<const std::string*>();
      if (character == nullptr || character->empty() ||
          characterBytes(*character) != character->size()) {
        return absl::InvalidArgumentError(absl::StrCat("vocab[", id, "] is not one character"));
      }
      if (!ids_.emplace(*character, id).second) {
        return absl::InvalidArgumentError(absl::StrCat("vocab[", id, "] appears twice"));
      }
      characters_.push_back(*character);
    }
    return absl::OkStatus();
  }

  int64_t vocabulary() const override { return static_cast<int64_t>(characters_.size()); }

  absl::StatusOr<std::vector<int64_t>> encode(absl::string_view text) const override {
    std::vector<int64_t> ids;
    while (!text.empty()) {
      absl::string_view character = text.substr(0, characterBytes(text));
      auto found = ids_.find(character);
      if (found == ids_.end()) {
        return failure(Error::kToken,
                       absl::StrCat("character '", absl::Utf8SafeCHexEscape(character),
                                    "' at position ", ids.size(),
                                    " of the text is not in the vocabulary; remove or replace it"));
      }
      ids.push_back(found->second);
      text.remove_prefix(character.size());
    }
    return ids;
  }

  const std::string* piece(int64_t id) const override {
    return id >= 0 && id < vocabulary() ? &characters_[id] : nullptr;
  }

 private:
  std::vector<std::string> characters_;
  std::map<std::string, int64_t, std::less<>> ids_;
};

absl::StatusOr<std::unique_ptr<const TokenEncoding>> parseEncoding(const nlohmann::json& json) {
  if (!json.is_object()) return absl::InvalidArgumentError("not a JSON object");
  auto type = json.find("type");
  if (type == json.end()) return parseByteLevelBpe(json);
  if (*type != "char") return absl::InvalidArgumentError("its type is not \"char\"");
  auto characters = std::make_unique<Characters>();
  LINDERO_RETURN_IF_ERROR(characters->read(json));
  return characters;
}

}  // namespace

absl::StatusOr<Tokenizer> Tokenizer::load(const std::string& path) {
  absl::StatusOr<std::string> text = readFile(path, kMostBytes);
  if (!text.ok()) return withError(text.status(), Error::kFile);
  return parse(*text, path);
}

absl::StatusOr<Tokenizer> Tokenizer::parse(absl::string_view text, const std::string& path) {
  auto encoding =
      parseEncoding(nlohmann::json::parse(text.begin(), text.end(), nullptr, /*exceptions=*/false));
  if (!encoding.ok()) {
    return failure(Error::kInput,
                   absl::StrCat("tokenizer ", path, ": ", encoding.status().message()));
  }
  Tokenizer tokenizer;
  tokenizer.encoding_ = *std::move(encoding);
  return tokenizer;
}

std::string Tokenizer::decode(const std::vector<int64_t>& ids) const {
  std::string text;
  for (int64_t id : ids) {
    const std::string* piece = encoding_->piece(id);
    text += piece != nullptr ? *piece : "\xef\xbf\xbd";
  }
  return text;
}

}  // namespace lindero::runtime

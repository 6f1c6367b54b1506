#include "runtime/tokenizer/byte_level_bpe.h"

#include <unicode/normalizer2.h>
#include <unicode/regex.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "runtime/error/error.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMostTokens = 1 << 24;
// The words of GPT-2.
constexpr char kGpt2Words[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

absl::Status unsupported(absl::string_view what) {
  return absl::UnimplementedError(
      absl::StrCat(what, " is not supported; give token ids with --tokens"));
}

// In such files bytes that are no visible characters of Latin-1 stand for themselves as characters
// from U+0100 on.
const std::map<std::string, char>& byteOfCharacter() {
  static const auto* bytes = [] {
    auto* map = new std::map<std::string, char>;
    UChar32 next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      bool visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
      std::string character;
      icu::UnicodeString(visible ? UChar32{byte} : next++).toUTF8String(character);
      map->emplace(character, static_cast<char>(byte));
    }
    return map;
  }();
  return *bytes;
}

// The bytes that an entry of the vocabulary spells; false if it spells none.
bool spell(const std::string& entry, std::string& bytes) {
  const auto& map = byteOfCharacter();
  for (size_t at = 0; at < entry.size();) {
    size_t size = static_cast<unsigned char>(entry[at]) < 0x80 ? 1 : 2;
    auto found = map.find(entry.substr(at, size));
    if (found == map.end()) return false;
    bytes += found->second;
    at += size;
  }
  return !bytes.empty();
}

// White space in regular expressions is that of Unicode; ICU's \s lacks a few of its characters.
std::string withUnicodeSpaces(absl::string_view pattern) {
  std::string result;
  for (size_t i = 0; i < pattern.size(); ++i) {
    bool pair = pattern[i] == '\\' && i + 1 < pattern.size();
    if (pair && pattern[i + 1] == 's') {
      result += R"(\p{White_Space})";
    } else if (pair && pattern[i + 1] == 'S') {
      result += R"(\P{White_Space})";
    } else {
      absl::StrAppend(&result, pattern.substr(i, pair ? 2 : 1));
    }
    i += pair;
  }
  return result;
}

class ByteLevelBpe : public TokenEncoding {
 public:
  absl::Status read(const Json& json) {
    LINDERO_RETURN_IF_ERROR(readModel(json.value("model", Json())));
    LINDERO_RETURN_IF_ERROR(readNormalizer(json.value("normalizer", Json())));
    LINDERO_RETURN_IF_ERROR(readWords(json.value("pre_tokenizer", Json())));
    if (!byte_level_) return unsupported("a BPE that is not byte-level");
    Json post = json.value("post_processor", Json());
    if (!post.is_null() && post.value("type", "") != "ByteLevel") {
      return unsupported("the post_processor, which adds tokens,");
    }
    return readAddedTokens(json.value("added_tokens", Json::array()));
  }

  int64_t vocabulary() const override { return static_cast<int64_t>(pieces_.size()); }

  const std::string* piece(int64_t id) const override {
    return id >= 0 && id < vocabulary() && !pieces_[id].empty() ? &pieces_[id] : nullptr;
  }

  absl::StatusOr<std::vector<int64_t>> encode(absl::string_view text) const override {
    std::vector<int64_t> ids;
    size_t done = 0;
    for (size_t at = 0; at < text.size();) {
      const auto* added = addedAt(text.substr(at));
      if (added == nullptr) {
        ++at;
        continue;
      }
      LINDERO_RETURN_IF_ERROR(encodeWords(text.substr(done, at - done), ids));
      ids.push_back(added->second);
      done = at += added->first.size();
    }
    LINDERO_RETURN_IF_ERROR(encodeWords(text.substr(done), ids));
    return ids;
  }

 private:
  absl::Status addPiece(int64_t id, std::string bytes) {
    if (id < 0 || id > kMostTokens) return absl::InvalidArgumentError("an id is out of range");
    if (id >= vocabulary()) pieces_.resize(id + 1);
    pieces_[id] = std::move(bytes);
    return absl::OkStatus();
  }

  absl::Status readModel(const Json& model) {
    if (!model.is_object() || model.value("type", "") != "BPE") {
      return unsupported("a model other than BPE");
    }
    for (const char* option :
         {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"}) {
      Json value = model.value(option, Json());
      if (!value.is_null() && value != "") return unsupported(absl::StrCat("the option ", option));
    }
    if (model.value("byte_fallback", Json(false)) != false) {
      return unsupported("the option byte_fallback");
    }
    whole_words_ = model.value("ignore_merges", Json(false)) == true;
    const Json vocabulary = model.value("vocab", Json()), merges = model.value("merges", Json());
    if (!vocabulary.is_object() || !merges.is_array()) {
      return absl::InvalidArgumentError("the model has no vocab and merges");
    }
    for (const auto& [entry, id] : vocabulary.items()) {
      std::string bytes;
      if (!id.is_number_integer()) return absl::InvalidArgumentError("an id is no integer");
      // Entries that spell no bytes are those of added tokens, which have their own list.
      if (!spell(entry, bytes)) continue;
      ids_[bytes] = id.get<int64_t>();
      LINDERO_RETURN_IF_ERROR(addPiece(id.get<int64_t>(), bytes));
    }
    for (int byte = 0; byte < 256; ++byte) {
      auto found = ids_.find(std::string(1, static_cast<char>(byte)));
      if (found == ids_.end()) {
        return absl::InvalidArgumentError(absl::StrCat("byte ", byte, " is not in the vocabulary"));
      }
      byte_ids_[byte] = found->second;
    }
    for (const Json& merge : merges) LINDERO_RETURN_IF_ERROR(readMerge(merge));
    return absl::OkStatus();
  }

  // "left right", or ["left", "right"].
  absl::Status readMerge(const Json& merge) {
    std::string left, right;
    if (const auto* text = merge.get_ptr<const std::string*>()) {
      size_t blank = text->find(' ');
      left = text->substr(0, blank);
      right = blank == std::string::npos ? "" : text->substr(blank + 1);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    }
    std::string first, second;
    if (!spell(left, first) || !spell(right, second) || !ids_.contains(first) ||
        !ids_.contains(second) || !ids_.contains(first + second)) {
      return absl::InvalidArgumentError(
          absl::StrCat("merge ", merges_.size(), " is none of entries of the vocabulary"));
    }
    auto rank = static_cast<int64_t>(merges_.size());
    merges_.try_emplace({ids_[first], ids_[second]}, Merge{rank, ids_[first + second]});
    return absl::OkStatus();
  }

  absl::Status readNormalizer(const Json& normalizer) {
    if (normalizer.is_null()) return absl::OkStatus();
    if (!normalizer.is_object() || normalizer.value("type", "") != "NFC") {
      return unsupported("a normalizer other than NFC");
    }
    UErrorCode code = U_ZERO_ERROR;
    nfc_ = icu::Normalizer2::getNFCInstance(code);
    return U_SUCCESS(code) ? absl::OkStatus() : absl::InternalError(u_errorName(code));
  }

  absl::Status readWords(const Json& json) {
    if (!json.is_object()) return absl::OkStatus();
    const std::string type = json.value("type", "");
    if (type == "Sequence") {
      for (const Json& part : json.value("pretokenizers", Json::array())) {
        LINDERO_RETURN_IF_ERROR(readWords(part));
      }
      return absl::OkStatus();
    }
    if (byte_level_) return unsupported("a pre_tokenizer after ByteLevel");
    if (type == "ByteLevel") {
      byte_level_ = true;
      if (json.value("add_prefix_space", Json(true)) != false) {
        return unsupported("add_prefix_space");
      }
      return json.value("use_regex", Json(true)) == true ? addPattern(kGpt2Words)
                                                         : absl::OkStatus();
    }
    const Json pattern = json.value("pattern", Json());
    if (type == "Split" && pattern.is_object() && pattern.contains("Regex") &&
        pattern["Regex"].is_string() && json.value("behavior", "") == "Isolated" &&
        json.value("invert", Json(false)) == false) {
      return addPattern(pattern["Regex"].get<std::string>());
    }
    return unsupported(absl::StrCat("the pre_tokenizer ", type));
  }

  absl::Status addPattern(absl::string_view text) {
    UErrorCode code = U_ZERO_ERROR;
    UParseError where;
    std::unique_ptr<icu::RegexPattern> pattern(icu::RegexPattern::compile(
        icu::UnicodeString::fromUTF8(withUnicodeSpaces(text)), where, code));
    if (U_FAILURE(code)) return unsupported(absl::StrCat("the regular expression ", text));
    patterns_.push_back(std::move(pattern));
    return absl::OkStatus();
  }

  absl::Status readAddedTokens(const Json& tokens) {
    if (!tokens.is_array()) return absl::InvalidArgumentError("added_tokens is no list");
    for (const Json& token : tokens) {
      if (!token.is_object() || !token.contains("id") || !token["id"].is_number_integer()) {
        return absl::InvalidArgumentError("an added token has no id");
      }
      const std::string content = token.value("content", "");
      for (const char* option : {"single_word", "lstrip", "rstrip"}) {
        if (token.value(option, Json(false)) != false) {
          return unsupported(absl::StrCat(option, " of the token ", content));
        }
      }
      if (content.empty()) return absl::InvalidArgumentError("an added token is empty");
      added_.emplace_back(content, token["id"].get<int64_t>());
      LINDERO_RETURN_IF_ERROR(addPiece(added_.back().second, content));
    }
    // The longest that fits is the one that counts.
    std::stable_sort(added_.begin(), added_.end(),
                     [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
    return absl::OkStatus();
  }

  const std::pair<std::string, int64_t>* addedAt(absl::string_view text) const {
    for (const auto& added : added_) {
      if (text.substr(0, added.first.size()) == added.first) return &added;
    }
    return nullptr;
  }

  absl::Status encodeWords(absl::string_view text, std::vector<int64_t>& ids) const {
    if (text.empty()) return absl::OkStatus();
    auto unicode = icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), text.size()));
    std::string back;
    if (unicode.toUTF8String(back) != text) {
      return failure(Error::kToken, "the text is not UTF-8");
    }
    if (nfc_ != nullptr) {
      UErrorCode code = U_ZERO_ERROR;
      unicode = nfc_->normalize(unicode, code);
      if (U_FAILURE(code)) return absl::InternalError(u_errorName(code));
    }
    std::vector<icu::UnicodeString> words = {unicode};
    for (const auto& pattern : patterns_) {
      LINDERO_ASSIGN_OR_RETURN(words, split(*pattern, words));
    }
    for (const icu::UnicodeString& word : words) {
      std::string bytes;
      word.toUTF8String(bytes);
      mergePairs(bytes, ids);
    }
    return absl::OkStatus();
  }

  // Matches, and what is between them.
  static absl::StatusOr<std::vector<icu::UnicodeString>> split(
      const icu::RegexPattern& pattern, const std::vector<icu::UnicodeString>& words) {
    std::vector<icu::UnicodeString> result;
    for (const icu::UnicodeString& word : words) {
      UErrorCode code = U_ZERO_ERROR;
      std::unique_ptr<icu::RegexMatcher> matcher(pattern.matcher(word, code));
      int32_t done = 0;
      auto add = [&](int32_t end) {
        if (end > done) result.emplace_back(word, done, end - done);
        done = end;
      };
      while (U_SUCCESS(code) && matcher->find(code)) {
        add(matcher->start(code));
        add(matcher->end(code));
      }
      if (U_FAILURE(code)) {
        return failure(Error::kInput,
                       absl::StrCat("the tokenizer's word pattern fails on the text (",
                                    u_errorName(code), "); give token ids with --tokens"));
      }
      add(word.length());
    }
    return result;
  }

  void mergePairs(const std::string& word, std::vector<int64_t>& ids) const {
    if (whole_words_) {
      if (auto found = ids_.find(word); found != ids_.end()) return ids.push_back(found->second);
    }
    std::vector<int64_t> parts;
    for (unsigned char byte : word) parts.push_back(byte_ids_[byte]);
    while (parts.size() > 1) {
      Merge best{std::numeric_limits<int64_t>::max(), 0};
      size_t at = 0;
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        auto found = merges_.find({parts[i], parts[i + 1]});
        if (found == merges_.end() || found->second.rank >= best.rank) continue;
        best = found->second;
        at = i;
      }
      if (best.rank == std::numeric_limits<int64_t>::max()) break;
      parts[at] = best.result;
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
    ids.insert(ids.end(), parts.begin(), parts.end());
  }

  struct Merge {
    int64_t rank;
    int64_t result;
  };

  std::vector<std::string> pieces_;  // by id
  absl::flat_hash_map<std::string, int64_t> ids_;
  std::array<int64_t, 256> byte_ids_ = {};
  absl::flat_hash_map<std::pair<int64_t, int64_t>, Merge> merges_;
  std::vector<std::pair<std::string, int64_t>> added_;
  std::vector<std::unique_ptr<icu::RegexPattern>> patterns_;
  const icu::Normalizer2* nfc_ = nullptr;
  bool byte_level_ = false;
  bool whole_words_ = false;  // a word of the vocabulary is not merged from its parts
};

}  // namespace

absl::StatusOr<std::unique_ptr<const TokenEncoding>> parseByteLevelBpe(const Json& json) {
  auto encoding = std::make_unique<ByteLevelBpe>();
  try {
    LINDERO_RETURN_IF_ERROR(encoding->read(json));
  } catch (const Json::exception&) {  // a member of another type than asked for
    return absl::InvalidArgumentError("malformed");
  }
  return encoding;
}

}  // namespace lindero::runtime

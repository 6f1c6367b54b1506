#include "passes/pass.h"

#include <charconv>
#include <map>

#include "absl/strings/str_cat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace lindero::passes {

namespace {

std::map<std::string, PassInfo>& registry() {
  static std::map<std::string, PassInfo> instance;
  return instance;
}

bool isPassName(llvm::StringRef name) {
  return !name.empty() && llvm::isAlpha(name[0]) && name.back() != '-' &&
         llvm::all_of(name,
                      [](char c) { return llvm::isLower(c) || llvm::isDigit(c) || c == '-'; });
}

template <typename T>
bool parseNumber(const std::string& text, T& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// Reads pipeline text; positions are counted in bytes from 1.
class PipelineParser {
 public:
  explicit PipelineParser(llvm::StringRef text) : text_(text) {}

  absl::StatusOr<std::vector<std::unique_ptr<Pass>>> parse() {
    std::vector<std::unique_ptr<Pass>> passes;
    if (text_.trim().empty()) return passes;
    do {
      if (absl::Status status = parsePass(passes); !status.ok()) return status;
    } while (eat(','));
    if (position_ != text_.size()) return error("expected ',' or the end");
    return passes;
  }

  // "{k=v}", or nothing.
  absl::StatusOr<PassOptions> parseOptions() {
    PassOptions options;
    if (!eat('{')) return options;
    while (!eat('}')) {
      if (absl::Status status = parseOption(options); !status.ok()) return status;
    }
    return options;
  }

  bool atEnd() const { return position_ == text_.size(); }

 private:
  absl::Status parsePass(std::vector<std::unique_ptr<Pass>>& passes) {
    skipBlanks();
    size_t start = position_;
    llvm::StringRef name = take([](char c) { return llvm::isAlnum(c) || c == '-' || c == '_'; });
    if (name.empty()) return error("expected the name of a pass");
    auto it = registry().find(name.str());
    if (it == registry().end()) {
      position_ = start;
      return error(absl::StrCat("no pass is named '", name.str(), "'", suggestion(name)));
    }
    absl::StatusOr<PassOptions> options = parseOptions();
    if (!options.ok()) return options.status();
    const PassInfo& info = it->second;
    if (!info.pipeline.empty()) {
      if (!options->empty())
        return error(absl::StrCat("a pipeline, '", name.str(), "', has no options"));
      auto expanded = parsePipeline(info.pipeline);
      if (!expanded.ok()) return expanded.status();
      for (auto& pass : *expanded) passes.push_back(std::move(pass));
      return absl::OkStatus();
    }
    auto pass = info.factory(*options);
    if (!pass.ok()) return pass.status();
    passes.push_back(*std::move(pass));
    return absl::OkStatus();
  }

  absl::Status parseOption(PassOptions& options) {
    size_t start = position_;
    llvm::StringRef key = take([](char c) { return llvm::isAlnum(c) || c == '-' || c == '_'; });
    if (key.empty()) return error("expected an option 'key=value' or '}'");
    for (const auto& option : options) {
      if (option.first != key) continue;
      position_ = start;
      return error(absl::StrCat("option '", key.str(), "' is given twice"));
    }
    std::string value = "true";
    if (position_ < text_.size() && text_[position_] == '=') {
      ++position_;
      if (absl::Status status = parseValue(value); !status.ok()) return status;
    }
    options.emplace_back(key.str(), std::move(value));
    return absl::OkStatus();
  }

  absl::Status parseValue(std::string& value) {
    if (position_ < text_.size() && text_[position_] == '"') {
      size_t close = text_.find('"', position_ + 1);
      if (close == llvm::StringRef::npos) return error("this quote is not closed");
      value = text_.slice(position_ + 1, close).str();
      position_ = close + 1;
      return absl::OkStatus();
    }
    value = take([](char c) { return c != ' ' && c != '}' && c != '\t' && c != '\n'; }).str();
    return absl::OkStatus();
  }

  template <typename Accepts>
  llvm::StringRef take(Accepts accepts) {
    llvm::StringRef word = text_.substr(position_).take_while(accepts);
    position_ += word.size();
    return word;
  }

  void skipBlanks() {
    take([](char c) { return c == ' ' || c == '\t' || c == '\n'; });
  }

  // Blanks around punctuation do not matter.
  bool eat(char c) {
    skipBlanks();
    if (position_ == text_.size() || text_[position_] != c) return false;
    ++position_;
    skipBlanks();
    return true;
  }

  std::string suggestion(llvm::StringRef name) const {
    constexpr unsigned kCloseEnough = 4;
    unsigned best = kCloseEnough + 1;
    std::string nearest;
    for (const auto& [known, info] : registry()) {
      unsigned distance = name.edit_distance(known, true, kCloseEnough);
      if (distance >= best) continue;
      best = distance;
      nearest = known;
    }
    return nearest.empty() ? "; --help lists them"
                           : absl::StrCat("; did you mean '", nearest, "'?");
  }

  absl::Status error(std::string message) const {
    return absl::InvalidArgumentError(
        absl::StrCat("pipeline, column ", position_ + 1, ": ", message));
  }

  llvm::StringRef text_;
  size_t position_ = 0;
};

}  // namespace

OptionReader::OptionReader(llvm::StringRef pass, const PassOptions& options)
    : pass_(pass), options_(options) {}

const std::string* OptionReader::find(llvm::StringRef key) {
  known_.push_back(key.str());
  for (const auto& [name, value] : options_) {
    if (name == key) return &value;
  }
  return nullptr;
}

void OptionReader::fail(llvm::StringRef key, llvm::StringRef value, llvm::StringRef expected) {
  status_.Update(absl::InvalidArgumentError(absl::StrCat(
      pass_, ": option '", key.str(), "' expects ", expected.str(), ", not '", value.str(), "'")));
}

void OptionReader::read(llvm::StringRef key, bool& value) {
  const std::string* text = find(key);
  if (!text) return;
  if (*text != "true" && *text != "false") return fail(key, *text, "true or false");
  value = *text == "true";
}

void OptionReader::read(llvm::StringRef key, int64_t& value) {
  const std::string* text = find(key);
  if (text && !parseNumber(*text, value)) fail(key, *text, "a 64-bit integer");
}

void OptionReader::read(llvm::StringRef key, int32_t& value) {
  const std::string* text = find(key);
  if (text && !parseNumber(*text, value)) fail(key, *text, "a 32-bit integer");
}

void OptionReader::read(llvm::StringRef key, double& value) {
  const std::string* text = find(key);
  if (text && !parseNumber(*text, value)) fail(key, *text, "a number");
}

void OptionReader::read(llvm::StringRef key, std::string& value) {
  if (const std::string* text = find(key)) value = *text;
}

absl::Status OptionReader::finish() {
  for (const auto& [name, value] : options_) {
    if (llvm::is_contained(known_, name)) continue;
    status_.Update(absl::InvalidArgumentError(absl::StrCat(
        pass_, ": no option is named '", name, "'; ",
        known_.empty() ? "the pass has none" : "known are " + llvm::join(known_, ", "))));
  }
  return status_;
}

namespace {

absl::Status add(PassInfo info) {
  if (!isPassName(info.name)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the pass name '", info.name, "' is not made of lower-case letters, digits and '-'"));
  }
  std::string name = info.name;
  if (!registry().emplace(name, std::move(info)).second) {
    return absl::AlreadyExistsError(
        absl::StrCat("a pass named '", name, "' is registered already"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status registerPass(llvm::StringRef name, llvm::StringRef summary, PassFactory factory) {
  return add({name.str(), summary.str(), std::move(factory), ""});
}

absl::Status registerPipeline(llvm::StringRef name, llvm::StringRef summary,
                              llvm::StringRef pipeline) {
  if (absl::Status status = parsePipeline(pipeline).status(); !status.ok()) return status;
  return add({name.str(), summary.str(), nullptr, pipeline.str()});
}

absl::Status registerPass(std::function<std::unique_ptr<Pass>()> create) {
  std::unique_ptr<Pass> sample = create();
  std::string name = sample->name().str();
  return registerPass(name, sample->summary(),
                      [create = std::move(create),
                       name](const PassOptions& options) -> absl::StatusOr<std::unique_ptr<Pass>> {
                        if (absl::Status status = OptionReader(name, options).finish();
                            !status.ok()) {
                          return status;
                        }
                        return create();
                      });
}

std::vector<const PassInfo*> allPasses() {
  std::vector<const PassInfo*> all;
  for (const auto& [name, info] : registry()) all.push_back(&info);
  return all;
}

absl::StatusOr<PassOptions> parsePassOptions(llvm::StringRef text) {
  PipelineParser parser(text);
  absl::StatusOr<PassOptions> options = parser.parseOptions();
  if (options.ok() && !parser.atEnd())
    return absl::InvalidArgumentError(absl::StrCat("'", text.str(), "' is not {key=value ...}"));
  return options;
}

absl::StatusOr<std::vector<std::unique_ptr<Pass>>> parsePipeline(llvm::StringRef text) {
  return PipelineParser(text).parse();
}

}  // namespace lindero::passes

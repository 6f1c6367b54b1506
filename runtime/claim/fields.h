// Structs as JSON objects. What a struct's members are called is said once,
//
//     template <> struct Fields<Steps> {
//       static void visit(auto& each, auto& steps) { each("count", steps.count); … }
//     };
//
// and gives its writer and its reader. The reader is strict: every member is there, of its type,
// and no other one.
#ifndef LINDERO_RUNTIME_CLAIM_FIELDS_H_
#define LINDERO_RUNTIME_CLAIM_FIELDS_H_

#include <concepts>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "runtime/claim/json.h"
#include "runtime/package/digest.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {

template <typename T>
struct Fields;

// The words of an enumeration, in the order of its values: Words<T>::kWords.
template <typename T>
struct Words;

template <typename T>
Json toJson(const T& value);

struct FieldWriter {
  Json json = Json::object();
  template <typename T>
  void operator()(const char* name, const T& value) {
    json[name] = toJson(value);
  }
};

template <typename T>
struct JsonOf {
  static Json write(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      return std::string(Words<T>::kWords[static_cast<size_t>(value)]);
    } else {
      FieldWriter writer;
      Fields<T>::visit(writer, value);
      return std::move(writer.json);
    }
  }
};

template <typename T>
  requires std::same_as<T, std::string> || std::same_as<T, bool> || std::same_as<T, int64_t> ||
           std::same_as<T, Json>
struct JsonOf<T> {
  static Json write(const T& value) { return value; }
};

template <>
struct JsonOf<Digest> {
  static Json write(const Digest& value) { return toHex(value); }
};

template <typename T>
struct JsonOf<std::optional<T>> {
  static Json write(const std::optional<T>& value) { return value ? toJson(*value) : Json(); }
};

template <typename T>
struct JsonOf<std::vector<T>> {
  static Json write(const std::vector<T>& values) {
    Json json = Json::array();
    for (const T& value : values) json.push_back(toJson(value));
    return json;
  }
};

template <typename T>
Json toJson(const T& value) {
  return JsonOf<T>::write(value);
}

// `where`: what the error calls the value, as in "claim: model.id".
absl::Status readJson(const Json& json, const std::string& where, std::string& value);
absl::Status readJson(const Json& json, const std::string& where, bool& value);
absl::Status readJson(const Json& json, const std::string& where, int64_t& value);
absl::Status readJson(const Json& json, const std::string& where, Digest& value);
absl::Status readJson(const Json& json, const std::string& where, Json& value);
template <typename T>
absl::Status readJson(const Json& json, const std::string& where, std::optional<T>& value);
template <typename T>
absl::Status readJson(const Json& json, const std::string& where, std::vector<T>& values);
template <typename T>
absl::Status readJson(const Json& json, const std::string& where, T& value);

inline absl::Status wrongType(const std::string& where, absl::string_view type) {
  return absl::InvalidArgumentError(absl::StrCat(where, " is not ", type));
}

class FieldReader {
 public:
  FieldReader(const Json& json, const std::string& where) : json_(json), where_(where) {
    if (!json.is_object()) status_ = wrongType(where, "an object");
  }

  template <typename T>
  void operator()(const char* name, T& value) {
    if (!status_.ok()) return;
    names_.insert(name);
    std::string where = absl::StrCat(where_, where_.ends_with(": ") ? "" : ".", name);
    auto found = json_.find(name);
    if (found == json_.end()) {
      status_ = absl::InvalidArgumentError(absl::StrCat(where, " is missing"));
    } else {
      status_ = readJson(*found, where, value);
    }
  }

  // Whether every member was one of those that were read.
  absl::Status finish() const {
    if (!status_.ok() || names_.size() == json_.size()) return status_;
    for (const auto& [name, value] : json_.items()) {
      if (names_.contains(name)) continue;
      return absl::InvalidArgumentError(absl::StrCat(where_, " has a member \"",
                                                     absl::Utf8SafeCEscape(name),
                                                     "\" that does not belong there"));
    }
    return absl::OkStatus();
  }

 private:
  const Json& json_;
  std::string where_;
  std::set<std::string> names_;
  absl::Status status_;
};

template <typename T>
absl::Status readJson(const Json& json, const std::string& where, std::optional<T>& value) {
  value.reset();
  return json.is_null() ? absl::OkStatus() : readJson(json, where, value.emplace());
}

template <typename T>
absl::Status readJson(const Json& json, const std::string& where, std::vector<T>& values) {
  if (!json.is_array()) return wrongType(where, "a list");
  values.resize(json.size());
  for (size_t i = 0; i < values.size(); ++i) {
    absl::Status status = readJson(json[i], where, values[i]);
    if (status.ok()) continue;
    return readJson(json[i], absl::StrCat(where, "[", i, "]"), values[i]);
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status readJson(const Json& json, const std::string& where, T& value) {
  if constexpr (std::is_enum_v<T>) {
    const auto* word = json.get_ptr<const std::string*>();
    for (size_t i = 0; word != nullptr && i < std::size(Words<T>::kWords); ++i) {
      if (*word != Words<T>::kWords[i]) continue;
      value = static_cast<T>(i);
      return absl::OkStatus();
    }
    return wrongType(where, "one of the words that are known");
  } else {
    FieldReader reader(json, where);
    Fields<T>::visit(reader, value);
    return reader.finish();
  }
}

// The canonical bytes of a struct; `what` labels the error.
template <typename T>
absl::StatusOr<std::string> encodeFields(const T& value, absl::string_view what) {
  absl::StatusOr<std::string> bytes = canonicalJson(toJson(value));
  if (bytes.ok()) return bytes;
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", bytes.status().message()));
}

// Refuses whatever encodeFields does not write.
template <typename T>
absl::StatusOr<T> decodeFields(absl::string_view bytes, absl::string_view what) {
  LINDERO_ASSIGN_OR_RETURN(Json json, parseJson(bytes, what));
  T value;
  LINDERO_RETURN_IF_ERROR(readJson(json, absl::StrCat(what, ": "), value));
  LINDERO_ASSIGN_OR_RETURN(std::string again, encodeFields(value, what));
  if (again == bytes) return value;
  return absl::InvalidArgumentError(
      absl::StrCat(what,
                   ": not in canonical form: white space, order, escapes, a member twice, or "
                   "bytes after the end"));
}

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_FIELDS_H_

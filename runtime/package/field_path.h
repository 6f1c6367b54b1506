// Where in a package file an error is: "circuit.pb: tables[3] "gelu".lookups[1] "range": …".
#ifndef LINDERO_RUNTIME_PACKAGE_FIELD_PATH_H_
#define LINDERO_RUNTIME_PACKAGE_FIELD_PATH_H_

#include <string>
#include <unordered_set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "runtime/package/format_rules.h"

namespace lindero::runtime {

class FieldPath {
 public:
  // The whole file.
  explicit FieldPath(absl::string_view file) : file_(file) {}

  // An element of a repeated field, with its name where it has one.
  FieldPath at(absl::string_view field, int64_t index, absl::string_view label = "") const {
    FieldPath result = *this;
    absl::StrAppend(&result.path_, path_.empty() ? "" : ".", field, "[", index, "]");
    if (!label.empty()) absl::StrAppend(&result.path_, " \"", label, "\"");
    return result;
  }

  // What breaks a rule of section 9.
  template <typename... Args>
  absl::Status error(FormatRule rule, const Args&... args) const {
    return reject(ruleName(rule), ": ", args...);
  }

  // What breaks one of section 10, which the text names.
  template <typename... Args>
  absl::Status reject(const Args&... args) const {
    return absl::InvalidArgumentError(
        absl::StrCat(file_, ": ", path_, path_.empty() ? "" : ": ", args...));
  }

 private:
  absl::string_view file_;
  std::string path_;
};

// Names label messages, so they are not empty and unique among `seen`.
inline absl::Status checkUniqueName(const FieldPath& field, std::unordered_set<std::string>& seen,
                                    const std::string& name) {
  if (name.empty()) return field.error(FormatRule::kNames, "the name is empty");
  if (!seen.insert(name).second)
    return field.error(FormatRule::kNames, "the name \"", name, "\" is used twice");
  return absl::OkStatus();
}

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_FIELD_PATH_H_

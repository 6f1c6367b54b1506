#include "runtime/claim/fields.h"

namespace lindero::runtime {
absl::Status readJson(const Json& json, const std::string& where, std::string& value) {
  const auto* text = json.get_ptr<const std::string*>();
  if (text == nullptr) return wrongType(where, "a string");
  value = *text;
  return absl::OkStatus();
}

absl::Status readJson(const Json& json, const std::string& where, bool& value) {
  const bool* boolean = json.get_ptr<const bool*>();
  if (boolean == nullptr) return wrongType(where, "true or false");
  value = *boolean;
  return absl::OkStatus();
}

absl::Status readJson(const Json& json, const std::string& where, int64_t& value) {
  bool fits = json.is_number_unsigned()
                  ? json.get<uint64_t>() <= static_cast<uint64_t>(kLargestInteger)
                  : json.is_number_integer() && json.get<int64_t>() >= -kLargestInteger;
  if (!fits) return wrongType(where, "an integer of at most 2^53 - 1");
  value = json.get<int64_t>();
  return absl::OkStatus();
}

absl::Status readJson(const Json& json, const std::string& where, Digest& value) {
  const auto* text = json.get_ptr<const std::string*>();
  absl::StatusOr<Digest> digest = fromHex(text == nullptr ? "" : *text);
  if (!digest.ok()) return wrongType(where, "64 lower-case hexadecimal digits");
  value = *digest;
  return absl::OkStatus();
}

absl::Status readJson(const Json& json, const std::string& /*where*/, Json& value) {
  value = json;
  return absl::OkStatus();
}

}  // namespace lindero::runtime

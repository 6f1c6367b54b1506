#include "runtime/claim/json.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

constexpr size_t kMostBytes = size_t{64} << 20;
constexpr int kMostLevels = 10;

absl::Status checkMembers(const Json& json);

absl::Status checkCanonical(const Json& json) {
  switch (json.type()) {
    case Json::value_t::number_integer: {
      auto value = json.get<int64_t>();
      if (value >= -kLargestInteger && value <= kLargestInteger) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat("the integer ", value, " exceeds 2^53 - 1"));
    }
    case Json::value_t::number_unsigned: {
      auto value = json.get<uint64_t>();
      if (value <= static_cast<uint64_t>(kLargestInteger)) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat("the integer ", value, " exceeds 2^53 - 1"));
    }
    case Json::value_t::object:
    case Json::value_t::array:
      return checkMembers(json);
    case Json::value_t::string:
    case Json::value_t::boolean:
    case Json::value_t::null:
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError("a number is no integer");
  }
}

absl::Status checkMembers(const Json& json) {
  for (const auto& [name, value] : json.items()) {
    if (!std::all_of(name.begin(), name.end(), absl::ascii_isascii)) {
      return absl::InvalidArgumentError("the name of a member is not ASCII");
    }
    LINDERO_RETURN_IF_ERROR(checkCanonical(value));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> canonicalJson(const Json& json) {
  LINDERO_RETURN_IF_ERROR(checkCanonical(json));
  try {
    return json.dump();
  } catch (const Json::exception&) {
    return absl::InvalidArgumentError("a string is not UTF-8");
  }
}

absl::StatusOr<Json> parseJson(absl::string_view bytes, absl::string_view name) {
  if (bytes.size() > kMostBytes) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": larger than 64 MiB"));
  }
  bool deep = false;
  auto keep = [&](int depth, Json::parse_event_t, Json&) {
    deep |= depth > kMostLevels;
    return depth <= kMostLevels;
  };
  Json json = Json::parse(bytes.begin(), bytes.end(), keep, /*allow_exceptions=*/false);
  if (json.is_discarded() || deep) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": ", deep ? "too many levels" : "no JSON: it does not parse"));
  }
  return json;
}

}  // namespace lindero::runtime

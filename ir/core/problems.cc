#include "ir/core/problems.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lindero::ir {
namespace {

// Of a status: a line per problem, its code and its text.
constexpr absl::string_view kTag = "lindero/problems";
// In the text.
constexpr size_t kMost = 16;

absl::Cord encode(const std::vector<absl::Status>& list) {
  std::string lines;
  for (const absl::Status& problem : list)
    absl::StrAppend(&lines, problem.raw_code(), " ", problem.message(), "\n");
  return absl::Cord(absl::string_view(lines));
}

}  // namespace

void Problems::add(const absl::Status& status) {
  for (absl::Status& problem : problemsOf(status)) list_.push_back(std::move(problem));
}

absl::Status Problems::status() const {
  if (list_.empty()) return absl::OkStatus();
  if (list_.size() == 1) return list_.front();
  std::string text;
  for (size_t i = 0; i < list_.size() && i < kMost; ++i)
    absl::StrAppend(&text, i == 0 ? "" : "; ", list_[i].message());
  if (list_.size() > kMost) absl::StrAppend(&text, "; and ", list_.size() - kMost, " more");
  absl::Status status(list_.front().code(), text);
  status.SetPayload(kTag, encode(list_));
  return status;
}

std::vector<absl::Status> problemsOf(const absl::Status& status) {
  if (status.ok()) return {};
  const auto lines = status.GetPayload(kTag);
  if (!lines) return {status};
  std::vector<absl::Status> list;
  for (absl::string_view line : absl::StrSplit(std::string(*lines), '\n', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    int code = 0;
    if (absl::SimpleAtoi(parts.first, &code))
      list.emplace_back(static_cast<absl::StatusCode>(code), parts.second);
  }
  return list;
}

absl::Status withPrefix(const absl::Status& status, absl::string_view prefix) {
  if (status.ok()) return status;
  absl::Status result(status.code(), absl::StrCat(prefix, status.message()));
  status.ForEachPayload(
      [&](absl::string_view tag, const absl::Cord& bytes) { result.SetPayload(tag, bytes); });
  return result;
}

}  // namespace lindero::ir

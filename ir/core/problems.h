// All that is wrong with something, as one status: nobody should have to mend a model node by node.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace lindero::ir {

// One status that is not OK after the other. The code is that of the first; the text has all, up to
// a limit.
class Problems {
 public:
  void add(const absl::Status& status) {
    if (status.ok()) return;
    if (count_++ == 0) first_ = status.code();
    if (count_ > kMost) return;
    absl::StrAppend(&text_, text_.empty() ? "" : "; ", status.message());
  }
  size_t count() const { return count_; }
  // OK if there are none.
  absl::Status status() const {
    if (count_ == 0) return absl::OkStatus();
    if (count_ <= kMost) return absl::Status(first_, text_);
    return absl::Status(first_, absl::StrCat(text_, "; and ", count_ - kMost, " more"));
  }

 private:
  static constexpr size_t kMost = 16;
  size_t count_ = 0;
  absl::StatusCode first_ = absl::StatusCode::kOk;
  std::string text_;
};

}  // namespace lindero::ir

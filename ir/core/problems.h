// All that is wrong with something, as one status: nobody should have to mend a model node by node.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lindero::ir {

// One status that is not OK after the other.
class Problems {
 public:
  // Of a status that holds several (problemsOf), each.
  void add(const absl::Status& status);
  size_t count() const { return list_.size(); }
  // OK if there are none. The code is that of the first; the text has all, up to a limit, in one
  // line. problemsOf gives back all.
  absl::Status status() const;

 private:
  std::vector<absl::Status> list_;
};

// What a status is made of: those of a Problems, also where the text was changed by withPrefix;
// else itself. Nothing if it is OK.
std::vector<absl::Status> problemsOf(const absl::Status& status);

// The same problems under the text "<prefix><text>". An OK status stays as it is.
absl::Status withPrefix(const absl::Status& status, absl::string_view prefix);

}  // namespace lindero::ir

#include "ir/region/segment.h"

#include "absl/strings/str_cat.h"

namespace lindero::ir::region {

std::optional<int64_t> segmentOf(const Op& op) {
  for (const Op* holder = &op; holder != nullptr; holder = holder->parent()->parentOp()) {
    if (holder->has(kSegment)) return holder->intAttr(kSegment);
  }
  return std::nullopt;
}

std::string wrongSegment(const Op& op) {
  if (!op.has(kSegment)) return "";
  const std::string here = absl::StrCat("segment = ", op.intAttr(kSegment));
  if (op.intAttr(kSegment) < 0) return here;
  for (const Op* holder = op.parent()->parentOp(); holder; holder = holder->parent()->parentOp()) {
    if (!holder->has(kSegment)) continue;
    return absl::StrCat(here, " in ",
                        holder->has("label") ? holder->stringAttr("label") : "a region",
                        ", which has segment = ", holder->intAttr(kSegment));
  }
  return "";
}

}  // namespace lindero::ir::region

// To which segment, the work that one proof covers, an integer op belongs: what the attribute
// `segment` says, of the op itself or of one region around it. Without one an op belongs to no
// segment yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ir/core/ir.h"

namespace lindero::ir::region {

inline constexpr char kSegment[] = "segment";

std::optional<int64_t> segmentOf(const Op& op);

// What is wrong with the op's own attribute; empty: nothing. It is negative, or a region around the
// op has one, too.
std::string wrongSegment(const Op& op);

}  // namespace lindero::ir::region

// The tables of copies: items of one role, major and width, that is, elements under one tag.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "passes/lower_air/gadgets/copies/lines.h"
#include "passes/lower_air/gadgets/gadget.h"

namespace lindero::passes {

// What the trace program knows fixed cells by: a constant's elements; tags of a result by the name
// of the kind of table.
inline constexpr char kElements[] = "elements";

struct CopyItem {
  Origin origin;
  const ir::Value* value = nullptr;
  Lines lines;
  LaneId lanes = kOneLane;
  // Given, or of a source that is no constant: taken, one.
  std::vector<CopyId> edges = {};
  // Of a source: the tag of its first tuple, and how often each is looked up.
  int64_t first_tag = 0;
  std::vector<int32_t> times = {};
  // Of a result.
  std::vector<int32_t> tags = {};
};

enum class CopyRole { kGive, kGiveConstant, kRead };

class CopiesTable : public TableKind {
 public:
  CopiesTable(CopyRole role, Major major, int64_t width, LaneId family)
      : role_(role), major_(major), width_(width), family_(family) {}
  std::string name() const override;
  size_t items() const override { return copies.size(); }
  LaneId lanes(size_t item) const override { return copies[item].lanes; }
  int64_t rows(size_t item, const Layout& layout) const override {
    return copies[item].lines.rows(layout.lanes(copies[item].lanes));
  }
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override;

  CopyRole role() const { return role_; }
  Major major() const { return major_; }
  int64_t width() const { return width_; }
  LaneId family() const { return family_; }

  std::deque<CopyItem> copies;  // pointed to

 private:
  const CopyRole role_;
  const Major major_;
  const int64_t width_;
  const LaneId family_;
};

}  // namespace lindero::passes

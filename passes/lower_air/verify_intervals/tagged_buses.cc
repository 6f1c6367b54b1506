#include "passes/lower_air/verify_intervals/tagged_buses.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "passes/lower_air/verify_intervals/fixed_expression.h"

namespace lindero::passes {
namespace {

absl::Status refused(const TableRows& rows, int64_t row, const ir::Op& op, const std::string& why) {
  return absl::FailedPreconditionError(
      absl::StrCat(rows.describe(op.stringAttr("name"), rows.classOf(row), row), ": ", why));
}

}  // namespace

std::vector<const TaggedBuses::Use*> TaggedBuses::usesOf(const ir::Op& op, int c) const {
  std::vector<const Use*> uses;
  auto it = uses_of_.find({&op, c});
  if (it == uses_of_.end()) return uses;
  for (int use : it->second) uses.push_back(&uses_[use]);
  return uses;
}

absl::Status TaggedBuses::read(const std::string& bus, llvm::ArrayRef<TableRows*> tables) {
  std::vector<Entry> entries;
  for (auto [t, rows] : llvm::enumerate(tables)) {
    for (ir::Op& op : rows->op().block()->ops()) {
      if (!op.is("air.lookup") || op.symbolAttr("bus") != bus) continue;
      IR_RETURN_IF_ERROR(readLookup(t, *rows, op, entries));
    }
  }
  buses_.insert(bus);
  return close(bus, entries, tables);
}

absl::Status TaggedBuses::readLookup(int t, TableRows& rows, ir::Op& op,
                                     std::vector<Entry>& entries) {
  auto times = FixedExpression::of(rows, op.operand(0));
  auto tag = FixedExpression::of(rows, op.operand(1));
  if (!times) return refused(rows, 0, op, "its multiplicity is not fixed");
  if (!tag) return refused(rows, 0, op, "its tag is not fixed");
  // By class: the use that gives and the one that looks up.
  std::vector<std::array<int, 2>> made(rows.classes().size(), {-1, -1});
  for (int64_t row = 0; row < rows.height(); ++row) {
    const int64_t n = symmetric(times->at(row));
    if (n == 0) continue;
    const int c = rows.classOf(row);
    int& use = made[c][n < 0];
    if (use < 0) {
      use = static_cast<int>(uses_.size());
      uses_.push_back({t, c, &op, n < 0});
      uses_of_[{&op, c}].push_back(use);
    }
    ++uses_[use].rows;
    entries.push_back({symmetric(tag->at(row)), n, use, static_cast<int32_t>(row)});
  }
  return absl::OkStatus();
}

absl::Status TaggedBuses::close(const std::string& bus, std::vector<Entry>& entries,
                                llvm::ArrayRef<TableRows*> tables) {
  auto no = [&](const Entry& e, const std::string& why) {
    const Use& use = uses_[e.use];
    return refused(*tables[use.table], e.row, *use.op,
                   absl::StrCat("tag ", e.tag, " of bus ", bus, " ", why));
  };
  // Who gives comes first.
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.tag != b.tag ? a.tag < b.tag : a.times < 0 && b.times > 0;
  });
  std::pair<int, int> last{-1, -1};
  for (size_t i = 0, end = 0; i < entries.size(); i = end) {
    const Entry& given = entries[i];
    if (given.times > 0) return no(given, "is looked up, and nobody gives it");
    int64_t looked_up = 0;
    for (end = i + 1; end < entries.size() && entries[end].tag == given.tag; ++end) {
      const Entry& e = entries[end];
      if (e.times < 0) return no(e, "is given twice");
      looked_up += e.times;
      if (looked_up >= kFieldModulus) return no(e, "is looked up p times or more");
      const std::pair pair(e.use, given.use);
      if (pair == last) continue;
      last = pair;
      std::vector<int>& givers = uses_[e.use].givers;
      if (!llvm::is_contained(givers, given.use)) givers.push_back(given.use);
    }
    if (looked_up != -given.times) {
      return no(given, absl::StrCat("is given ", -given.times, " times and looked up ", looked_up));
    }
  }
  return absl::OkStatus();
}

}  // namespace lindero::passes

#include "runtime/check/report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/eval/describe.h"

namespace lindero::runtime {
namespace {

std::string cellText(const CellValue& cell) {
  std::string offset = cell.offset == 0 ? "" : cell.offset > 0 ? "[next]" : "[previous]";
  return absl::StrCat(cell.column, offset, " = ", describeValue(cell.value));
}

}  // namespace

std::string Failure::toString() const {
  std::string text;
  switch (kind) {
    case Kind::kConstraint:
      text = absl::StrCat("constraint ", table, ".", name, " does not hold on ", rows,
                          rows == 1 ? " row" : " rows");
      break;
    case Kind::kBus:
      text = absl::StrCat("bus ", name, " does not balance in table ", table, ", ", rows,
                          rows == 1 ? " row" : " rows");
      break;
    case Kind::kDenominator:
      text = absl::StrCat("fraction ", table, ".", name, " has a zero denominator on ", rows,
                          rows == 1 ? " row" : " rows");
      break;
    case Kind::kSumGroup:
      text = absl::StrCat("sum group ", name, " does not cancel");
      break;
  }
  if (block >= 0) text = absl::StrCat("block ", block, ": ", text);
  if (!detail.empty()) absl::StrAppend(&text, ": ", detail);
  for (const FailureExample& example : examples) {
    absl::StrAppend(&text, "\n  row ", example.row, ": ");
    if (example.node.empty() && example.region.empty()) {
      absl::StrAppend(&text, "padding");
    } else {
      absl::StrAppend(&text, "node \"", example.node, "\" (", example.region, ")");
    }
    if (!example.detail.empty()) absl::StrAppend(&text, ": ", example.detail);
    if (example.cells.empty()) continue;
    absl::StrAppend(&text, "\n    ",
                    absl::StrJoin(example.cells, ", ", [](std::string* out, const CellValue& cell) {
                      absl::StrAppend(out, cellText(cell));
                    }));
  }
  return text;
}

void CheckReport::add(CheckReport other) {
  constraints += other.constraints;
  rows += other.rows;
  cells += other.cells;
  failure_count += other.failure_count;
  for (Failure& failure : other.failures) failures.push_back(std::move(failure));
}

std::string CheckReport::toString() const {
  if (ok()) {
    return absl::StrCat("all ", constraints, " constraints hold (", rows, " rows, ", cells,
                        " cells)");
  }
  std::string text = absl::StrCat(failure_count, failure_count == 1 ? " failure" : " failures");
  if (failures.size() < failure_count) absl::StrAppend(&text, ", the first ", failures.size());
  for (const Failure& failure : failures) absl::StrAppend(&text, "\n", failure.toString());
  return text;
}

}  // namespace lindero::runtime

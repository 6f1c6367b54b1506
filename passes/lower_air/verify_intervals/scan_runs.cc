#include "passes/lower_air/verify_intervals/scan_runs.h"

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"

namespace lindero::passes {
namespace {

absl::Status checkRuns(ProvenRanges& ranges, int table, ir::Op& scan) {
  TableRows& rows = ranges.rows(table);
  std::vector<bool> is_zero;
  for (size_t c = 0; c < rows.classes().size(); ++c) {
    const Form* factor = rows.form(c, scan.operand(0));
    is_zero.push_back(factor && factor->empty());
  }
  const int64_t declared = scan.intAttr("rows");
  int64_t first = 0;
  for (int64_t row = 0; row < rows.height(); ++row) {
    const int c = rows.classOf(row);
    if (is_zero[c]) first = row;
    if (row - first < declared) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(rows.describe(scan.stringAttr("name"), c, row), ": the scan runs on from row ",
                     first, ", over more than the ", declared,
                     " rows that it declares: degrees would be counted too low"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status checkScanRuns(ProvenRanges& ranges) {
  for (int t = 0; t < ranges.tables(); ++t) {
    for (ir::Op& op : ranges.rows(t).op().block()->ops()) {
      // A run has no more rows than the table.
      if (op.is("air.scan") && op.has("rows")) IR_RETURN_IF_ERROR(checkRuns(ranges, t, op));
    }
  }
  return absl::OkStatus();
}

}  // namespace lindero::passes

#include <algorithm>
#include <atomic>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/emit/emit.h"
#include "ir/air/cells.h"
#include "ir/core/field.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Parallel.h"

namespace lindero::compiler {
namespace {

// Of a fill that are worth a task: their cells are written row by row.
constexpr size_t kLanes = 64;

// Writes to the columns of the lanes; false if rows are outside of them.
bool runFill(const ir::ConstantPool& constants, const ir::Op& fill, llvm::ArrayRef<uint32_t*> lanes,
             int64_t height, absl::Status& status) {
  // At once where no two lanes are the same column.
  const bool distinct = std::set(lanes.begin(), lanes.end()).size() == lanes.size();
  const size_t each = distinct ? kLanes : lanes.size();
  std::vector<absl::Status> results((lanes.size() + each - 1) / each);
  std::atomic<bool> inside = true;
  llvm::parallelFor(0, results.size(), [&](size_t task) {
    const size_t first = task * each;
    results[task] =
        ir::air::forEachRow(constants, fill, {first, std::min(each, lanes.size() - first)},
                            [&](int64_t row, size_t lane, llvm::ArrayRef<int64_t> values) {
                              if (row < 0 || row >= height) {
                                inside = false;
                                return;
                              }
                              for (int64_t value : values) lanes[lane++][row] = ir::residue(value);
                            });
  });
  for (const absl::Status& result : results) status.Update(result);
  return inside;
}

}  // namespace

absl::Status fillFixed(const ir::Module& module, const Circuit& circuit,
                       absl::FunctionRef<uint32_t*(uint32_t table, uint32_t column)> cells) {
  uint32_t table = 0;
  for (const ir::Op& op : module.findFunction("circuit")->body().ops()) {
    if (!op.is("air.table")) continue;
    int64_t height = int64_t{1} << circuit.tables(table).log_height();
    llvm::DenseMap<ir::Value*, uint32_t*> columns;
    uint32_t column = 0;  // fixed columns come first, in the order of the text
    for (const ir::Op& inner : op.block()->ops()) {
      if (inner.is("air.column") && inner.intAttr("phase") == 0) {
        columns[inner.result()] = cells(table, column++);
      }
    }
    for (const ir::Op& inner : op.block()->ops()) {
      if (!inner.is("air.fill")) continue;
      std::vector<uint32_t*> lanes;
      for (ir::Value* lane : inner.operands()) lanes.push_back(columns.at(lane));
      absl::Status status;
      const bool inside = runFill(module.constants(), inner, lanes, height, status);
      IR_RETURN_IF_ERROR(status);
      if (!inside) {
        return absl::InternalError(
            absl::StrCat("a fill of table ", op.stringAttr("name"), " leaves the table"));
      }
    }
    ++table;
  }
  return absl::OkStatus();
}

}  // namespace lindero::compiler

#include "absl/strings/str_cat.h"
#include "compiler/emit/emit.h"
#include "ir/air/cells.h"
#include "ir/core/field.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::compiler {

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
      bool outside = false;
      absl::Status s = ir::air::forEachCell(module.constants(), inner,
                                            [&](size_t lane, int64_t row, int64_t value) {
                                              if (row < 0 || row >= height) {
                                                outside = true;
                                                return;
                                              }
                                              lanes[lane][row] = ir::residue(value);
                                            });
      if (!s.ok()) return s;
      if (outside) {
        return absl::InternalError(
            absl::StrCat("a fill of table ", op.stringAttr("name"), " leaves the table"));
      }
    }
    ++table;
  }
  return absl::OkStatus();
}

}  // namespace lindero::compiler

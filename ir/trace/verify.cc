#include "ir/trace/verify.h"

#include "absl/strings/str_cat.h"
#include "ir/air/analysis.h"
#include "ir/air/cells.h"
#include "ir/core/op_table.h"
#include "ir/core/text.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::ir::trace {
namespace {

absl::Status require(const Op& op, unsigned constraint, bool holds, const std::string& here) {
  return holds ? absl::OkStatus() : violates(op, constraint, here);
}

int64_t sizeOf(const Value* buffer) { return buffer->type().elements(); }

// The op of that kind and name in @circuit, or null. It may not be verified yet.
const Op* findInCircuit(const Op& op, llvm::StringRef kind, llvm::StringRef name) {
  const Function* circuit = op.parent()->function()->module()->findFunction("circuit");
  if (circuit == nullptr) return nullptr;
  for (const Op& other : circuit->body().ops()) {
    const Attribute* found = other.find("name");
    if (!other.is(kind) || found == nullptr) continue;
    const auto* text = std::get_if<std::string>(found);
    if (text != nullptr && *text == name) return &other;
  }
  return nullptr;
}

int64_t heightOf(const Op& table) {
  const int64_t log_height = table.intAttrOr("log_height", 0);
  return log_height >= 0 && log_height <= 30 ? int64_t{1} << log_height : 0;
}

// The table, and in it `lanes` columns in a row, the first of that name.
absl::Status columnsExist(const Op& op, unsigned constraint, const std::string& table,
                          const std::string& column, int64_t lanes) {
  const Op* found = findInCircuit(op, "air.table", table);
  if (found == nullptr) return violates(op, constraint, absl::StrCat("no table is named @", table));
  int64_t seen = 0;
  for (const Op& other : found->block()->ops()) {
    if (!other.is("air.column")) continue;
    const Attribute* name = other.find("name");
    if (seen == 0 && (name == nullptr || !(*name == Attribute(column)))) continue;
    if (++seen == lanes) return absl::OkStatus();
  }
  return violates(op, constraint,
                  seen == 0 ? absl::StrCat("table ", table, " has no column ", column)
                            : absl::StrCat("table ", table, " has ", seen, " columns from ", column,
                                           " on, not ", lanes));
}

// C1 to C3 of the ops with a placement.
absl::Status verifyPlacement(const Op& op) {
  const std::string &table = op.symbolAttr("table"), &column = op.stringAttr("column");
  const int64_t lanes = op.intAttr("lanes");
  const llvm::ArrayRef<int64_t> counts = op.intsAttr("counts");
  absl::Status status = require(op, 2,
                                op.intsAttr("row_strides").size() == counts.size() &&
                                    op.intsAttr("value_strides").size() == counts.size() &&
                                    llvm::all_of(counts, [](int64_t n) { return n >= 1; }),
                                absl::StrCat("they are not (", table, ".", column, ")"));
  status.Update(require(op, 2, lanes >= 1, absl::StrCat("lanes = ", lanes)));
  if (status.ok()) status = columnsExist(op, 1, table, column, lanes);
  if (!status.ok()) return status;
  const auto rows = air::extent(op.intAttr("first_row"), counts, op.intsAttr("row_strides"));
  const int64_t height = heightOf(*findInCircuit(op, "air.table", table));
  if (!rows || rows->low < 0 || rows->high >= height) {
    return violates(op, 3,
                    absl::StrCat(table, ".", column, " has ", height, " rows, ",
                                 rows ? absl::StrCat("used are ", rows->low, " to ", rows->high)
                                      : "the rows leave 64 bits"));
  }
  return absl::OkStatus();
}

absl::Status verifyGatherRows(const Op& op) {
  const int64_t vocabulary = op.intAttr("vocabulary"), width = op.intAttr("width"),
                padding = op.intAttr("padding"), count = sizeOf(op.operand(0));
  constexpr int64_t kLimit = int64_t{1} << 31;
  absl::Status status = require(
      op, 4,
      vocabulary >= 1 && vocabulary < kLimit && width >= 1 && width < kLimit && padding >= 0 &&
          padding < kLimit,
      absl::StrCat("vocabulary = ", vocabulary, ", width = ", width, ", padding = ", padding));
  if (!status.ok()) return status;
  status.Update(require(
      op, 4,
      sizeOf(op.result()) == count * width &&
          (op.numOperands() < 2 || sizeOf(op.operand(1)) == count * width),
      absl::StrCat(count, " ids, a width of ", width, ", ", sizeOf(op.result()), " results")));
  status.Update(verifyPlacement(op));
  return status;
}

absl::Status namesPublic(const Op& op, llvm::StringRef kind) {
  const std::string& name = op.stringAttr("tensor");
  const Op* tensor = findInCircuit(op, "air.public", name);
  const Attribute* found = tensor == nullptr ? nullptr : tensor->find("kind");
  return require(op, 1, found != nullptr && *found == Attribute(kind.str()),
                 absl::StrCat("none is named ", name));
}

absl::Status verifyInput(const Op& op) { return namesPublic(op, "input"); }
absl::Status verifyOutput(const Op& op) { return namesPublic(op, "output"); }

absl::Status withinBuffer(const Op& op, const char* name, llvm::ArrayRef<int64_t> counts,
                          const Value* buffer) {
  const llvm::ArrayRef<int64_t> strides = op.intsAttr(name);
  if (strides.size() != 4) return violates(op, 2, absl::StrCat(name, ": ", strides.size()));
  const auto indices = air::extent(strides[3], counts, strides.take_front(3));
  return require(op, 3, indices && indices->low >= 0 && indices->high < sizeOf(buffer),
                 absl::StrCat(name, ", a buffer of ", sizeOf(buffer)));
}

absl::Status verifyMatmul(const Op& op) {
  const int64_t batch = op.intAttr("batch"), m = op.intAttr("m"), k = op.intAttr("k"),
                n = op.intAttr("n");
  absl::Status status = require(op, 1, batch >= 1 && m >= 1 && k >= 1 && n >= 1,
                                absl::StrCat(batch, ", ", m, ", ", k, ", ", n));
  if (!status.ok()) return status;
  status.Update(withinBuffer(op, "lhs_strides", {batch, m, k}, op.operand(0)));
  status.Update(withinBuffer(op, "rhs_strides", {batch, k, n}, op.operand(1)));
  status.Update(withinBuffer(op, "out_strides", {batch, m, n}, op.result()));
  if (op.numOperands() > 2) {
    status.Update(require(op, 3, sizeOf(op.operand(2)) >= n,
                          absl::StrCat("a bias of ", sizeOf(op.operand(2)))));
  }
  return status;
}

absl::Status verifyRequantize(const Op& op) {
  const int64_t size = sizeOf(op.operand(0));
  const bool added = op.numOperands() > 1;
  absl::Status status = require(op, 1,
                                sizeOf(op.result(0)) == size && sizeOf(op.result(1)) == size &&
                                    (!added || sizeOf(op.operand(1)) == size),
                                absl::StrCat("an accumulator of ", size));
  status.Update(require(op, 2, op.has("addend_shift") == added,
                        added ? "an addend without its shift" : "a shift without an addend"));
  return status;
}

absl::Status verifyTableLookup(const Op& op) {
  const std::string& table = op.symbolAttr("table");
  absl::Status status = columnsExist(op, 1, table, op.stringAttr("column"), 1);
  if (!status.ok()) return status;
  const int64_t first = op.intAttr("first_row"), rows = op.intAttr("rows"),
                height = heightOf(*findInCircuit(op, "air.table", table));
  status.Update(require(op, 2, first >= 0 && rows >= 1 && rows <= height && first <= height - rows,
                        absl::StrCat(rows, " rows from ", first, " on in a table of ", height)));
  status.Update(require(op, 3, sizeOf(op.operand(0)) == sizeOf(op.result()),
                        absl::StrCat(sizeOf(op.operand(0)), " and ", sizeOf(op.result()))));
  return status;
}

absl::Status verifyCopyRows(const Op& op) {
  const int64_t width = op.intAttr("width"), size = sizeOf(op.operand(0));
  const llvm::ArrayRef<int64_t> rows = op.intsAttr("rows");
  absl::Status status =
      require(op, 1,
              width >= 1 && size % width == 0 && width <= size &&
                  sizeOf(op.result()) == static_cast<int64_t>(rows.size()) * width,
              absl::StrCat("width = ", width, ", ", rows.size(), " rows, ", size, " and ",
                           sizeOf(op.result()), " elements"));
  if (!status.ok()) return status;
  for (int64_t row : rows) {
    status.Update(require(op, 2, row >= 0 && row < size / width, absl::StrCat("row ", row)));
  }
  return status;
}

// C1 of the gadgets: the sizes of the results, in order.
absl::Status resultSizes(const Op& op, int64_t operand, llvm::ArrayRef<int64_t> sizes) {
  if (sizeOf(op.operand(0)) != operand) {
    return violates(op, 1,
                    absl::StrCat("an operand of ", sizeOf(op.operand(0)), ", not ", operand));
  }
  for (const auto& [i, size] : llvm::enumerate(sizes)) {
    if (sizeOf(op.result(i)) == size) continue;
    return violates(
        op, 1, absl::StrCat("result ", i, " has ", sizeOf(op.result(i)), " elements, not ", size));
  }
  return absl::OkStatus();
}

// Positive and small enough that products of three of them fit 64 bits.
absl::Status areSizes(const Op& op, llvm::ArrayRef<const char*> names) {
  constexpr int64_t kLimit = int64_t{1} << 20;
  for (const char* name : names) {
    const int64_t value = op.intAttr(name);
    if (value < 1 || value > kLimit) return violates(op, 1, absl::StrCat(name, " = ", value));
  }
  return absl::OkStatus();
}

absl::Status verifyLayernorm(const Op& op) {
  absl::Status status = areSizes(op, {"rows", "width", "lanes"});
  if (!status.ok()) return status;
  const int64_t n = op.intAttr("rows"), all = n * op.intAttr("width"), lanes = op.intAttr("lanes");
  status.Update(require(op, 1, op.intAttr("width") % lanes == 0, "lanes do not divide the width"));
  status.Update(
      resultSizes(op, all, {n, n, n, n, n, n, n, n, all, all, all, all / lanes, all / lanes}));
  status.Update(
      columnsExist(op, 2, op.symbolAttr("rsqrt_table"), op.stringAttr("rsqrt_column"), 2));
  return status;
}

absl::Status verifySoftmax(const Op& op) {
  absl::Status status = areSizes(op, {"heads", "queries", "keys", "lanes"});
  if (!status.ok()) return status;
  const int64_t n = op.intAttr("heads") * op.intAttr("queries"), all = n * op.intAttr("keys"),
                lanes = op.intAttr("lanes");
  status.Update(require(op, 1, op.intAttr("keys") % lanes == 0, "lanes do not divide the keys"));
  std::vector<int64_t> sizes{n, n, all, all, all, all, all, all / lanes, all / lanes};
  if (op.numOperands() > 1) sizes.push_back(all / lanes);
  status.Update(
      require(op, 1, sizes.size() == op.numResults(), "open without block, or the other way"));
  if (!status.ok()) return status;
  status.Update(resultSizes(op, all, sizes));
  status.Update(columnsExist(op, 2, op.symbolAttr("exp_table"), op.stringAttr("exp_column"), 4));
  return status;
}

absl::Status verifyArgmax(const Op& op) {
  absl::Status status = areSizes(op, {"rows", "width", "lanes"});
  if (!status.ok()) return status;
  const int64_t n = op.intAttr("rows"), width = op.intAttr("width"), lanes = op.intAttr("lanes"),
                blocks = (width + lanes - 1) / lanes, all = n * blocks * lanes;
  return resultSizes(op, n * width, {n, n, all, all, all, n * blocks});
}

absl::Status verifyDecode(const Op& op) {
  const int64_t n = sizeOf(op.result(0));
  absl::Status status =
      require(op, 1, sizeOf(op.operand(1)) == 4, absl::StrCat(sizeOf(op.operand(1)), " lengths"));
  status.Update(resultSizes(op, n + 1, std::vector<int64_t>(op.numResults(), n)));
  return status;
}

absl::Status verifyAppendRows(const Op& op) {
  const int64_t both = sizeOf(op.operand(0)) + sizeOf(op.operand(1));
  return require(op, 1, sizeOf(op.result()) == both, absl::StrCat(both, " in both"));
}

absl::Status verifyMask(const Op& op) {
  const int64_t size = sizeOf(op.operand(0));
  return require(op, 1, sizeOf(op.operand(1)) == size && sizeOf(op.result()) == size,
                 absl::StrCat(size, " to keep"));
}

}  // namespace

Verifier verifierOf(llvm::StringRef name) {
  return llvm::StringSwitch<Verifier>(name)
      .Case("trace.input", verifyInput)
      .Case("trace.output", verifyOutput)
      .Case("trace.load", verifyPlacement)
      .Case("trace.place", verifyPlacement)
      .Case("trace.gather_rows", verifyGatherRows)
      .Case("trace.matmul", verifyMatmul)
      .Case("trace.requantize", verifyRequantize)
      .Case("trace.table_lookup", verifyTableLookup)
      .Case("trace.copy_rows", verifyCopyRows)
      .Case("trace.layernorm", verifyLayernorm)
      .Case("trace.softmax", verifySoftmax)
      .Case("trace.argmax", verifyArgmax)
      .Case("trace.decode", verifyDecode)
      .Case("trace.mask", verifyMask)
      .Case("trace.append_rows", verifyAppendRows)
      .Default(nullptr);
}

}  // namespace lindero::ir::trace

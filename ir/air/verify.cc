#include "ir/air/verify.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ir/air/analysis.h"
#include "ir/air/cells.h"
#include "ir/core/field.h"
#include "ir/core/op_table.h"
#include "ir/core/text.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::ir::air {
namespace {

constexpr int64_t kValueLimit = int64_t{1} << 30;

// The attribute if it is there and a string: of ops that may not be verified yet.
llvm::StringRef textOf(const Op& op, llvm::StringRef name) {
  const Attribute* attribute = op.find(name);
  const auto* text = attribute == nullptr ? nullptr : std::get_if<std::string>(attribute);
  return text == nullptr ? llvm::StringRef() : llvm::StringRef(*text);
}

const Op* tableOf(const Op& op) {
  const Op* holder = op.parent()->parentOp();
  return holder != nullptr && holder->is("air.table") ? holder : nullptr;
}

int64_t heightOf(const Op& table) { return int64_t{1} << table.intAttr("log_height"); }

// "softmax.exponential.0", or the name alone outside of tables.
std::string nameOf(const Op& op) {
  const llvm::StringRef own = textOf(op, "name");
  const std::string name = own.empty() ? op.name().str() : own.str();
  const Op* table = tableOf(op);
  return table == nullptr ? name : absl::StrCat(textOf(*table, "name").str(), ".", name);
}

absl::Status broken(const Op& op, unsigned constraint, const std::string& what) {
  return violates(op, constraint, absl::StrCat(nameOf(op), ": ", what));
}

// The op of that kind and name among the function's, or null.
const Op* findNamed(const Op& op, llvm::StringRef kind, llvm::StringRef name) {
  for (const Op& other : op.parent()->function()->body().ops()) {
    if (other.is(kind) && textOf(other, "name") == name) return &other;
  }
  return nullptr;
}

const Op* findColumn(const Op& table, llvm::StringRef name) {
  for (const Op& op : table.block()->ops()) {
    if (isColumn(op) && textOf(op, "name") == name) return &op;
  }
  return nullptr;
}

absl::Status atTop(const Op& op) {
  if (op.parent()->parentOp() == nullptr) return absl::OkStatus();
  return broken(op, 1, absl::StrCat("it stands in ", op.parent()->parentOp()->name().str()));
}

absl::Status inTable(const Op& op) {
  if (tableOf(op) != nullptr) return absl::OkStatus();
  return broken(op, 1, "it stands in no table");
}

absl::Status uniqueName(const Op& op, unsigned constraint) {
  for (const Op& other : op.parent()->ops()) {
    if (&other == &op) return absl::OkStatus();  // the first of its name
    if (other.def().name == op.def().name && textOf(other, "name") == textOf(op, "name")) break;
  }
  return broken(op, constraint, "another one has this name");
}

absl::Status between(const Op& op, unsigned constraint, llvm::StringRef attribute, int64_t low,
                     int64_t high) {
  const int64_t value = op.intAttr(attribute);
  if (value >= low && value <= high) return absl::OkStatus();
  return broken(op, constraint, absl::StrCat(attribute.str(), " = ", value));
}

absl::Status resultIs(const Op& op, unsigned constraint, Element element) {
  if (op.result()->type().element == element) return absl::OkStatus();
  return broken(op, constraint, absl::StrCat("it is ", toText(op.result()->type())));
}

bool isElement(const Value* value) {
  return value->type().element == Element::kBase || value->type().element == Element::kExt;
}

// The latest phase of the columns that the operands read; Analysis per op, since ops are verified
// one by one.
absl::Status readsUpTo(const Op& op, unsigned constraint, int64_t phase) {
  Analysis analysis;
  for (const Value* operand : op.operands()) {
    const int read = analysis.facts(operand).phase;
    if (read <= phase) continue;
    return broken(op, constraint,
                  absl::StrCat("of phase ", phase, ", it reads a column of phase ", read));
  }
  return absl::OkStatus();
}

absl::Status rowsWithin(const Op& op, unsigned constraint) {
  const int64_t first = op.intAttr("first_row"), rows = op.intAttr("rows"),
                height = heightOf(*tableOf(op));
  if (first >= 0 && rows >= 1 && rows <= height && first <= height - rows) return absl::OkStatus();
  return broken(op, constraint,
                absl::StrCat(rows, " rows from ", first, " on in a table of ", height));
}

// Directly in the function.

absl::Status verifyChallenge(const Op& op) {
  absl::Status status = atTop(op);
  status.Update(between(op, 2, "after", 1, 2));
  status.Update(resultIs(op, 3, Element::kExt));
  status.Update(uniqueName(op, 4));
  return status;
}

absl::Status verifyBus(const Op& op) {
  absl::Status status = atTop(op);
  status.Update(between(op, 2, "width", 1, kValueLimit));
  status.Update(between(op, 3, "phase", 1, 2));
  status.Update(uniqueName(op, 4));
  return status;
}

absl::Status verifyGroup(const Op& op) {
  absl::Status status = atTop(op);
  status.Update(uniqueName(op, 2));
  return status;
}

absl::Status verifyPublic(const Op& op) {
  absl::Status status = atTop(op);
  const std::string& kind = op.stringAttr("kind");
  if (kind != "input" && kind != "output") status.Update(broken(op, 2, "kind = " + kind));
  for (const char* size : {"rows", "columns", "tile_rows", "tile_columns"}) {
    status.Update(between(op, 3, size, 1, kFieldModulus));
  }
  for (const char* end : {"low", "high"}) {
    status.Update(between(op, 4, end, 1 - kValueLimit, kValueLimit - 1));
  }
  const int64_t low = op.intAttr("low"), high = op.intAttr("high");
  if (low > high) status.Update(broken(op, 4, absl::StrCat("[", low, ", ", high, "]")));
  const std::string& group = op.symbolAttr("group");
  if (!findNamed(op, "air.group", group)) {
    status.Update(broken(op, 5, absl::StrCat("no group is named @", group)));
  }
  const auto& challenges = std::get<std::vector<std::string>>(*op.find("challenges"));
  if (challenges.size() != 3) {
    status.Update(broken(op, 6, absl::StrCat(challenges.size(), " names")));
  }
  for (const std::string& name : challenges) {
    if (findNamed(op, "air.challenge", name)) continue;
    status.Update(broken(op, 6, "no challenge is named " + name));
  }
  status.Update(uniqueName(op, 7));
  status.Update(between(op, 8, "address", 0, kFieldModulus - 1));
  if (op.has("slot")) status.Update(between(op, 9, "slot", 0, 65535));
  return status;
}

absl::Status verifyLink(const Op& op) {
  absl::Status status = atTop(op);
  for (const Op& other : op.parent()->ops()) {
    if (other.is("air.link") && &other != &op) status.Update(broken(op, 2, "another one"));
  }
  const std::string &in = op.symbolAttr("in"), &out = op.symbolAttr("out");
  for (const std::string& group : {in, out}) {
    if (findNamed(op, "air.group", group)) continue;
    status.Update(broken(op, 3, absl::StrCat("no group is named @", group)));
  }
  if (in == out) status.Update(broken(op, 3, absl::StrCat("@", in, " twice")));
  status.Update(between(op, 4, "low", 1 - kValueLimit, 0));
  status.Update(between(op, 4, "high", 0, kValueLimit - 1));
  status.Update(between(op, 5, "most_blocks", 2, 65536));
  return status;
}

absl::Status verifyTable(const Op& op) {
  absl::Status status = atTop(op);
  status.Update(between(op, 2, "log_height", 0, 30));
  status.Update(uniqueName(op, 3));
  llvm::StringSet<> names;
  for (const Op& column : op.block()->ops()) {
    if (!isColumn(column) || names.insert(textOf(column, "name")).second) continue;
    status.Update(broken(op, 4, "two are named " + textOf(column, "name").str()));
  }
  return status;
}

// Columns.

absl::Status verifyColumn(const Op& op) {
  absl::Status status = inTable(op);
  status.Update(between(op, 2, "phase", 0, 1));
  status.Update(resultIs(op, 3, Element::kBase));
  return status;
}

absl::Status fillValues(const Op& op) {
  const ConstantPool& constants = op.parent()->function()->module()->constants();
  const std::optional<Extent> values = valuesOf(constants, op);
  if (op.has("source")) {
    const Constant& source = *constants.find(op.symbolAttr("source"));
    if (!visitIntegers(source, [](auto) {})) {
      return broken(op, 5,
                    absl::StrCat("@", source.name, " is of ", scalarName(source.scalar).str()));
    }
    if (!values) return absl::OkStatus();
  }
  if (!values) return broken(op, 6, "they leave 64 bits");
  if (values->low > -kFieldModulus && values->high < kFieldModulus) return absl::OkStatus();
  return broken(op, 6, absl::StrCat("they reach from ", values->low, " to ", values->high));
}

absl::Status verifyFill(const Op& op) {
  if (absl::Status status = inTable(op); !status.ok()) return status;
  const Op& table = *tableOf(op);
  if (op.numOperands() == 0) return broken(op, 2, "there is none");
  for (const Value* column : op.operands()) {
    const Op* made = column->definingOp();
    if (made != nullptr && made->is("air.column") && made->intAttr("phase") == 0) continue;
    return broken(op, 2,
                  absl::StrCat(made == nullptr ? "an argument" : nameOf(*made), " is not one"));
  }
  const std::string where = nameOf(*op.operand(0)->definingOp());
  const llvm::ArrayRef<int64_t> counts = op.intsAttr("counts");
  if (op.intsAttr("row_strides").size() != counts.size() ||
      op.intsAttr("value_strides").size() != counts.size()) {
    return broken(op, 3, where + ": the lists differ in length");
  }
  if (llvm::any_of(counts, [](int64_t count) { return count < 1; })) {
    return broken(op, 3, where + ": a count is below 1");
  }
  const auto rows = extent(op.intAttr("first_row"), counts, op.intsAttr("row_strides"));
  if (!rows || rows->low < 0 || rows->high >= heightOf(table)) {
    return broken(op, 4,
                  rows ? absl::StrCat(where, ": rows ", rows->low, " to ", rows->high,
                                      " of a table of ", heightOf(table))
                       : where + ": the rows leave 64 bits");
  }
  return fillValues(op);
}

absl::Status verifyGenerated(const Op& op) {
  absl::Status status = inTable(op);
  status.Update(between(op, 2, "phase", 2, 3));
  status.Update(readsUpTo(op, 2, op.intAttr("phase")));
  status.Update(resultIs(op, 3, Element::kExt));
  Analysis analysis;
  const int degree = constraintDegree(op, analysis);
  if (degree > kMaxDegree) status.Update(broken(op, 4, absl::StrCat("degree ", degree)));
  return status;
}

absl::Status verifyScan(const Op& op) {
  absl::Status status = verifyGenerated(op);
  if (!op.has("rows")) return status;
  const Op* table = tableOf(op);
  const int64_t rows = op.intAttr("rows");
  const int64_t log_height = table ? table->intAttrOr("log_height", 0) : 0;
  if (rows < 1 || (log_height <= 30 && rows >= int64_t{1} << log_height)) {
    status.Update(broken(op, 5, absl::StrCat("rows = ", rows)));
  }
  return status;
}

absl::Status kindIsKnown(const Op& op, unsigned constraint) {
  if (!op.has("kind")) return absl::OkStatus();
  const std::string& kind = op.stringAttr("kind");
  if (kind == "local" || kind == "continuity" || kind == "boundary") return absl::OkStatus();
  return broken(op, constraint, "kind = " + kind);
}

absl::Status verifyFraction(const Op& op) {
  absl::Status status = verifyGenerated(op);
  const bool running = op.boolAttr("running");
  if (op.has("group") != running) {
    status.Update(broken(op, 5, running ? "running without a group" : "a group, but not running"));
  }
  if (op.numOperands() > 2 && !running) status.Update(broken(op, 5, "it adds, but is not running"));
  if (op.has("group") && !findNamed(op, "air.group", op.symbolAttr("group"))) {
    status.Update(broken(op, 6, absl::StrCat("no group is named @", op.symbolAttr("group"))));
  }
  status.Update(kindIsKnown(op, 7));
  return status;
}

absl::Status verifySource(const Op& op, const std::string& table, const std::string& column,
                          int64_t rows) {
  const Op* found = findNamed(op, "air.table", table);
  if (found == nullptr) return broken(op, 4, "no table is named " + table);
  const Op* source = findColumn(*found, column);
  if (source == nullptr) {
    return broken(op, 4, absl::StrCat("table ", table, " has no column ", column));
  }
  if (source->intAttrOr("phase", -1) != op.intAttr("phase")) {
    return broken(
        op, 4, absl::StrCat(table, ".", column, " is of phase ", source->intAttrOr("phase", -1)));
  }
  const int64_t log_height = found->intAttrOr("log_height", 0);
  if (rows >= 1 && (log_height > 30 || rows <= int64_t{1} << log_height)) return absl::OkStatus();
  return broken(op, 5, absl::StrCat(rows, " rows of ", table));
}

absl::Status verifyGather(const Op& op) {
  absl::Status status = inTable(op);
  status.Update(between(op, 2, "phase", 2, 3));
  status.Update(resultIs(op, 2, Element::kExt));
  const auto& tables = std::get<std::vector<std::string>>(*op.find("source_tables"));
  const auto& columns = std::get<std::vector<std::string>>(*op.find("source_columns"));
  const llvm::ArrayRef<int64_t> bases = op.intsAttr("source_bases"),
                                rows = op.intsAttr("source_rows");
  if (columns.size() != tables.size() || bases.size() != tables.size() ||
      rows.size() != tables.size()) {
    return broken(op, 3,
                  absl::StrCat(tables.size(), ", ", columns.size(), ", ", bases.size(), " and ",
                               rows.size()));
  }
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (size_t i = 0; i < tables.size(); ++i) {
    status.Update(verifySource(op, tables[i], columns[i], rows[i]));
    ranges.push_back({bases[i], rows[i]});
  }
  llvm::sort(ranges);
  for (size_t i = 0; i < ranges.size(); ++i) {
    const bool apart = i == 0 || ranges[i - 1].second <= ranges[i].first - ranges[i - 1].first;
    if (ranges[i].first >= 0 && apart) continue;
    status.Update(broken(op, 5, absl::StrCat("base ", ranges[i].first)));
  }
  Analysis analysis;
  const ExpressionFacts& index = analysis.facts(op.operand(0));
  if (index.phase > 0) status.Update(broken(op, 6, absl::StrCat("phase ", index.phase)));
  if (index.latest_challenge > 0) {
    status.Update(broken(op, 6, "it reads a challenge"));
  }
  return status;
}

// Expressions.

absl::Status verifyShift(const Op& op) {
  const Op* column = op.operand(0)->definingOp();
  if (column == nullptr || !isColumn(*column)) {
    return broken(op, 1, column == nullptr ? "an argument" : describe(*column));
  }
  absl::Status status = between(op, 2, "offset", -1, 1);
  if (!(op.result()->type() == op.operand(0)->type())) {
    status.Update(broken(op, 3, toText(op.result()->type())));
  }
  return status;
}

absl::Status verifyConstant(const Op& op) {
  absl::Status status = between(op, 1, "value", 1 - kFieldModulus, kFieldModulus - 1);
  status.Update(resultIs(op, 2, Element::kBase));
  return status;
}

absl::Status verifySelector(const Op& op) {
  absl::Status status = inTable(op);
  status.Update(resultIs(op, 2, Element::kBase));
  return status;
}

absl::Status verifyArithmetic(const Op& op) {
  bool base = true;
  for (const Value* operand : op.operands()) {
    if (!isElement(operand)) return broken(op, 1, "an operand is " + toText(operand->type()));
    base &= operand->type().element == Element::kBase;
  }
  return resultIs(op, 1, base ? Element::kBase : Element::kExt);
}

absl::Status verifyInverse(const Op& op) {
  absl::Status status = verifyArithmetic(op);
  Analysis analysis;
  const ExpressionFacts& a = analysis.facts(op.operand(0));
  if (a.phase >= 0 || a.degree > 0) status.Update(broken(op, 2, "it depends on the row"));
  return status;
}

// What a table obeys.

absl::Status verifyConstrain(const Op& op) {
  absl::Status status = inTable(op);
  status.Update(kindIsKnown(op, 2));
  Analysis analysis;
  const int degree = constraintDegree(op, analysis);
  if (degree > kMaxDegree) status.Update(broken(op, 3, absl::StrCat("degree ", degree)));
  if (!isElement(op.operand(0))) status.Update(broken(op, 4, toText(op.operand(0)->type())));
  return status;
}

// The multiplicity is the first operand, the tuple the others.
absl::Status verifyTuple(const Op& op) {
  if (absl::Status status = inTable(op); !status.ok()) return status;
  const std::string& name = op.symbolAttr("bus");
  const Op* bus = findNamed(op, "air.bus", name);
  if (bus == nullptr) return broken(op, 2, absl::StrCat("no bus is named @", name));
  const int64_t width = op.numOperands() - 1;
  if (width != bus->intAttrOr("width", 0)) {
    return broken(op, 3,
                  absl::StrCat("a tuple of ", width, " on @", name, " of width ",
                               bus->intAttrOr("width", 0)));
  }
  return readsUpTo(op, 4, bus->intAttrOr("phase", 0));
}

absl::Status verifyProvide(const Op& op) {
  if (absl::Status status = verifyTuple(op); !status.ok()) return status;
  const int64_t width = op.numOperands() - 1;
  absl::Status status = between(op, 5, "key", 0, width - 1);
  if (op.has("selector")) status.Update(between(op, 5, "selector", 0, width - 1));
  const size_t offsets = op.intsAttr("offsets").size();
  if (offsets == 0 || (!op.has("selector") && offsets > 1)) {
    status.Update(broken(op, 6, absl::StrCat(offsets, " offsets")));
  }
  const Op* column = op.operand(0)->definingOp();
  if (column == nullptr || !column->is("air.column") || column->intAttr("phase") != 1) {
    status.Update(broken(op, 7, column == nullptr ? "an argument" : nameOf(*column)));
  }
  return status;
}

absl::Status verifyTerm(const Op& op) {
  absl::Status status = inTable(op);
  const std::string& group = op.symbolAttr("group");
  if (!findNamed(op, "air.group", group)) {
    status.Update(broken(op, 2, absl::StrCat("no group is named @", group)));
  }
  status.Update(between(op, 3, "phase", 2, 3));
  status.Update(readsUpTo(op, 3, op.intAttr("phase")));
  status.Update(kindIsKnown(op, 4));
  return status;
}

absl::Status verifyInstance(const Op& op) {
  if (absl::Status status = inTable(op); !status.ok()) return status;
  return rowsWithin(op, 2);
}

}  // namespace

Verifier verifierOf(llvm::StringRef name) {
  return llvm::StringSwitch<Verifier>(name)
      .Case("air.challenge", verifyChallenge)
      .Case("air.bus", verifyBus)
      .Case("air.group", verifyGroup)
      .Case("air.public", verifyPublic)
      .Case("air.link", verifyLink)
      .Case("air.table", verifyTable)
      .Case("air.column", verifyColumn)
      .Case("air.fill", verifyFill)
      .Case("air.expression", verifyGenerated)
      .Case("air.scan", verifyScan)
      .Case("air.fraction", verifyFraction)
      .Case("air.gather", verifyGather)
      .Case("air.shift", verifyShift)
      .Case("air.constant", verifyConstant)
      .Cases("air.first", "air.last", verifySelector)
      .Cases("air.add", "air.sub", "air.mul", "air.neg", verifyArithmetic)
      .Case("air.inverse", verifyInverse)
      .Case("air.constrain", verifyConstrain)
      .Case("air.lookup", verifyTuple)
      .Case("air.provide", verifyProvide)
      .Case("air.term", verifyTerm)
      .Case("air.instance", verifyInstance)
      .Default(nullptr);
}

}  // namespace lindero::ir::air

#include "ir/air/ops.h"

#include "ir/air/verify.h"

namespace lindero::ir::air {

namespace {

using enum Arity;
using enum AttrKind;

constexpr llvm::StringLiteral kInTable = "inside of air.table";
constexpr llvm::StringLiteral kAtTop = "directly in the function";
constexpr llvm::StringLiteral kBaseField = "the result is base";
constexpr llvm::StringLiteral kExtension = "the result is ext";
constexpr llvm::StringLiteral kBusPhase = "no operand reads a later phase than the bus's";
constexpr llvm::StringLiteral kDegree = "the constraint that it stands for has degree 3 at most";
constexpr llvm::StringLiteral kKind = "kind is local, continuity or boundary";
constexpr llvm::StringLiteral kKindOfTerm = "of the constraint that it becomes; local if absent";
constexpr llvm::StringLiteral kGeneratedPhase =
    "phase is 2 or 3, and no operand reads a later phase";

// Attributes that say where values stand in a column: semantics of Placement in
// runtime/program/program.proto.
std::vector<AttrSpec> placement() {
  return {{"first_row", kInt, true, "row of the first value"},
          {"counts", kInts, true, "size of each dimension k"},
          {"row_strides", kInts, true, "rows per step of dimension k"},
          {"value_strides", kInts, true, "values per step of dimension k"},
          {"offset", kInt, true, "index (or value) at the origin"},
          {"lane_stride", kInt, true, "indices (or values) from a column to the next"}};
}

void addTopLevel(std::vector<OpDef>& ops) {
  ops.push_back({.name = "air.challenge",
                 .summary = "A random element, drawn after a phase is committed",
                 .results = {{"value", kOne, "ext"}},
                 .attributes = {{"name", kString, true, ""}, {"after", kInt, true, "the phase"}},
                 .constraints = {kAtTop, "after is 1 or 2", kExtension, "the name is unique"}});
  ops.push_back(
      {.name = "air.bus",
       .summary =
           "A set of tuples: what is looked up is provided as often. Without providers, what "
           "is looked up a negative number of times is given",
       .attributes = {{"name", kString, true, "@name refers to it"},
                      {"width", kInt, true, "elements of a tuple"},
                      {"phase", kInt, true, "the latest phase that a tuple reads"}},
       .constraints = {kAtTop, "width >= 1", "phase is 1 or 2", "the name is unique"}});
  ops.push_back({.name = "air.group",
                 .summary = "Claimed sums and terms of public tensors that sum to zero",
                 .attributes = {{"name", kString, true, "@name refers to it"}},
                 .constraints = {kAtTop, "the name is unique"}});
  ops.push_back(
      {.name = "air.public",
       .summary = "A tensor that the verifier knows; PublicTensor in "
                  "runtime/package/circuit.proto has its term",
       .attributes = {{"name", kString, true, ""},
                      {"kind", kString, true, "input or output"},
                      {"rows", kInt, true, ""},
                      {"columns", kInt, true, ""},
                      {"low", kInt, true, "least value"},
                      {"high", kInt, true, "greatest value"},
                      {"exponent", kInt, true, "real value = v / 2^exponent"},
                      {"group", kSymbol, true, "the group whose sum its term enters"},
                      {"negative", kBool, true, "sign of the term"},
                      {"address", kInt, true, "of its first element"},
                      {"tile_rows", kInt, true, ""},
                      {"tile_columns", kInt, true, ""},
                      {"challenges", kStrings, true, "names of za, zr, zc"},
                      {"slot", kInt, false,
                       "of an end of a link: no verifier knows the tensor, another member "
                       "of the bundle has the other end; the slot of trace.link_in or "
                       "trace.link_out"}},
       .constraints = {kAtTop, "kind is input or output",
                       "rows, columns, tile_rows, tile_columns >= 1",
                       "low <= high, both in (-2^30, 2^30)", "group names an air.group",
                       "challenges are three names of air.challenge", "the name is unique",
                       "0 <= address < p", "0 <= slot < 65536"}});
  ops.push_back(
      {.name = "air.link",
       .summary = "What a block of a bundle takes from the one before and leaves to the "
                  "next; Link in runtime/package/bundle.proto",
       .attributes = {{"in", kSymbol, true, "group of what is taken"},
                      {"out", kSymbol, true, "group of what is left"},
                      {"low", kInt, true, "least value that is taken"},
                      {"high", kInt, true, "greatest value that is taken"},
                      {"most_blocks", kInt, true, "of a bundle"}},
       .constraints = {kAtTop, "there is one", "in and out name two groups, air.group",
                       "low <= 0 <= high, both in (-2^30, 2^30)", "2 <= most_blocks <= 65536"}});
  ops.push_back(
      {.name = "air.table",
       .summary = "A table of 2^log_height rows; its block lists columns and what they obey",
       .attributes = {{"name", kString, true, ""}, {"log_height", kInt, true, ""}},
       .constraints = {kAtTop, "0 <= log_height <= 30", "the name is unique",
                       "columns have names of their own"},
       .has_block = true});
}

void addColumns(std::vector<OpDef>& ops) {
  const AttrSpec name = {"name", kString, true, "unique in the table"};
  const AttrSpec phase = {"phase", kInt, true, "2 or 3"};
  ops.push_back({.name = "air.column",
                 .summary = "A column of the base field: fixed (phase 0) or witness (phase 1)",
                 .results = {{"column", kOne, "base"}},
                 .attributes = {name, {"phase", kInt, true, "0 or 1"}},
                 .constraints = {kInTable, "phase is 0 or 1", kBaseField}});
  std::vector<AttrSpec> fill = placement();
  fill.push_back({"source", kConstant, false, "without it the value is the index itself"});
  ops.push_back(
      {.name = "air.fill",
       .summary =
           "Cells of fixed columns: row first_row + sum i_k row_strides[k] of lane l gets "
           "value offset + sum i_k value_strides[k] + l lane_stride, or the source's element there",
       .operands = {{"columns", kVariadic, "the lanes, columns of phase 0"}},
       .attributes = std::move(fill),
       .constraints = {kInTable, "there is a column, and all are air.column of phase 0",
                       "counts, row_strides and value_strides have one length; counts >= 1",
                       "every row is within the table", "the source holds integers",
                       "values are in (-p, p), p = 2^31 - 1"}});
  ops.push_back({.name = "air.expression",
                 .summary = "column[i] = value[i]: generator and constraint",
                 .operands = {{"value", kOne, ""}},
                 .results = {{"column", kOne, "ext"}},
                 .attributes = {name, phase},
                 .constraints = {kInTable, kGeneratedPhase, kExtension, kDegree}});
  ops.push_back(
      {.name = "air.scan",
       .summary =
           "column[0] = add[0], column[i] = mul[i] column[i-1] + add[i]: generator and constraint",
       .operands = {{"mul", kOne, ""}, {"add", kOne, ""}},
       .results = {{"column", kOne, "ext"}},
       .attributes = {name,
                      phase,
                      {"rows", kInt, false,
                       "most rows from one on which mul is zero, whatever is committed and drawn, "
                       "to before the next; those of the table if absent"}},
       .constraints = {kInTable, kGeneratedPhase, kExtension, kDegree,
                       "1 <= rows < the table's height"}});
  ops.push_back(
      {.name = "air.fraction",
       .summary = "column[i] = num[i] / den[i], or if running column[i] = column[i-1] + add[i] + "
                  "num[i] / den[i] from 0 on: generator and constraint",
       .operands = {{"num", kOne, ""},
                    {"den", kOne, "not zero, but for unlikely challenges"},
                    {"add", kOptional, "running only"}},
       .results = {{"column", kOne, "ext"}},
       .attributes = {name,
                      phase,
                      {"running", kBool, true, ""},
                      {"group", kSymbol, false,
                       "of the claimed sum, which is the last row; running only, then required"},
                      {"kind", kString, false, kKindOfTerm}},
       .constraints = {kInTable, kGeneratedPhase, kExtension, kDegree,
                       "group is there if and only if running; add only if running",
                       "group names an air.group", kKind}});
  ops.push_back(
      {.name = "air.gather",
       .summary =
           "column[i] = 0 if index[i] = 0, else row index[i] - 1 - base of the source column with "
           "base <= index[i] - 1 < base + rows: generator only, nothing is constrained",
       .operands = {{"index", kOne, "reads fixed columns only"}},
       .results = {{"column", kOne, "ext"}},
       .attributes = {name,
                      phase,
                      {"source_tables", kStrings, true, "names of tables"},
                      {"source_columns", kStrings, true, "a column each"},
                      {"source_bases", kInts, true, ""},
                      {"source_rows", kInts, true, ""}},
       .constraints = {kInTable, "phase is 2 or 3, the result is ext",
                       "the four lists of sources have one length",
                       "a source is a column of that table, of the gather's phase",
                       "1 <= rows <= the source's height; from base on, each source has indices of "
                       "its own",
                       "index reads fixed columns only"}});
}

void addExpressions(std::vector<OpDef>& ops) {
  const std::vector<ValueSpec> ab = {{"a", kOne, ""}, {"b", kOne, ""}};
  const std::vector<ValueSpec> y = {{"y", kOne, "base if all operands are, else ext"}};
  constexpr llvm::StringLiteral kJoin =
      "operands are base or ext; the result is base if all of them are, else ext";
  ops.push_back(
      {.name = "air.shift",
       .summary = "The column at the row `offset` further on, cyclically",
       .operands = {{"column", kOne, ""}},
       .results = {{"y", kOne, "of the column's type"}},
       .attributes = {{"offset", kInt, true, ""}},
       .constraints = {"the operand is a column", "offset is -1, 0 or 1", "the types agree"},
       .pure = true});
  ops.push_back({.name = "air.constant",
                 .summary = "A field element, by an integer that stands for it",
                 .results = {{"y", kOne, "base"}},
                 .attributes = {{"value", kInt, true, ""}},
                 .constraints = {"|value| < 2^31 - 1", kBaseField},
                 .pure = true});
  ops.push_back({.name = "air.first",
                 .summary = "1 on row 0, else 0",
                 .results = {{"y", kOne, "base"}},
                 .constraints = {kInTable, kBaseField},
                 .pure = true});
  ops.push_back({.name = "air.last",
                 .summary = "1 on the last row, else 0",
                 .results = {{"y", kOne, "base"}},
                 .constraints = {kInTable, kBaseField},
                 .pure = true});
  ops.push_back({.name = "air.add",
                 .summary = "y = a + b",
                 .operands = ab,
                 .results = y,
                 .constraints = {kJoin},
                 .pure = true});
  ops.push_back({.name = "air.sub",
                 .summary = "y = a - b",
                 .operands = ab,
                 .results = y,
                 .constraints = {kJoin},
                 .pure = true});
  ops.push_back({.name = "air.mul",
                 .summary = "y = a b",
                 .operands = ab,
                 .results = y,
                 .constraints = {kJoin},
                 .pure = true});
  ops.push_back({.name = "air.neg",
                 .summary = "y = -a",
                 .operands = {{"a", kOne, ""}},
                 .results = y,
                 .constraints = {kJoin},
                 .pure = true});
  ops.push_back({.name = "air.inverse",
                 .summary = "y = 1 / a, once per proof",
                 .operands = {{"a", kOne, "reads constants and challenges only"}},
                 .results = y,
                 .constraints = {kJoin, "a reads constants and challenges only"},
                 .pure = true});
}

void addRules(std::vector<OpDef>& ops) {
  const AttrSpec name = {"name", kString, true, "for messages and reports"};
  const AttrSpec bus = {"bus", kSymbol, true, ""};
  ops.push_back(
      {.name = "air.constrain",
       .summary = "x is zero on every row",
       .operands = {{"x", kOne, ""}},
       .attributes = {name, {"kind", kString, true, "local, continuity or boundary"}},
       .constraints = {kInTable, kKind, "the degree of x is at most 3", "x is base or ext"}});
  ops.push_back({.name = "air.lookup",
                 .summary = "The tuple is one that the bus provides, `multiplicity` times",
                 .operands = {{"multiplicity", kOne, ""}, {"tuple", kVariadic, ""}},
                 .attributes = {name, bus},
                 .constraints = {kInTable, "bus names an air.bus", "the tuple has the bus's width",
                                 kBusPhase}});
  ops.push_back(
      {.name = "air.provide",
       .summary =
           "The row's tuple may be looked up; the multiplicity column counts how often. It stands "
           "at row offsets[tuple[selector]] + tuple[key], or offsets[0] + tuple[key]",
       .operands = {{"multiplicity", kOne, "a column of phase 1"}, {"tuple", kVariadic, ""}},
       .attributes = {name,
                      bus,
                      {"key", kInt, true, "position in the tuple"},
                      {"selector", kInt, false, "position in the tuple"},
                      {"offsets", kInts, true, "one, or one per value of the selector"}},
       .constraints = {kInTable, "bus names an air.bus", "the tuple has the bus's width", kBusPhase,
                       "key and selector are positions in the tuple",
                       "there is an offset, and without a selector only one",
                       "multiplicity is an air.column of phase 1"}});
  ops.push_back(
      {.name = "air.term",
       .summary = "Adds num / den of every row to the sum of a group",
       .operands = {{"num", kOne, ""}, {"den", kOne, "not zero, but for unlikely challenges"}},
       .attributes = {name,
                      {"group", kSymbol, true, ""},
                      {"phase", kInt, true, "2 or 3"},
                      {"kind", kString, false, kKindOfTerm}},
       .constraints = {kInTable, "group names an air.group", kGeneratedPhase, kKind}});
  ops.push_back({.name = "air.instance",
                 .summary = "Rows that do the work of the ONNX nodes in the op's location",
                 .attributes = {{"first_row", kInt, true, ""},
                                {"rows", kInt, true, ""},
                                {"region", kString, true, "\"layer0/attention/normalize\""}},
                 .constraints = {kInTable, "0 <= first_row, 1 <= rows, all within the table"}});
}

}  // namespace

std::vector<OpDef> ops() {
  std::vector<OpDef> ops;
  addTopLevel(ops);
  addColumns(ops);
  addExpressions(ops);
  addRules(ops);
  for (OpDef& op : ops) op.verify = verifierOf(op.name);
  return ops;
}

}  // namespace lindero::ir::air

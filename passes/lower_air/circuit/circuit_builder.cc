#include "passes/lower_air/circuit/circuit_builder.h"

#include <algorithm>

#include "llvm/ADT/Twine.h"
#include "llvm/Support/MathExtras.h"

namespace lindero::passes {
namespace {

// Sum groups.
constexpr const char *kTensors = "tensors", *kLookups = "lookups";

std::string laneName(llvm::StringRef name, int lane) {
  return (llvm::Twine(name) + "." + llvm::Twine(lane)).str();
}

std::string nameOf(TableBuilder::Kind kind) {
  if (kind == TableBuilder::Kind::kLocal) return "local";
  return kind == TableBuilder::Kind::kBoundary ? "boundary" : "continuity";
}

bool isExt(ir::Value* v) { return v->type().element == ir::Element::kExt; }

}  // namespace

// Provers work on at least 2^5 rows.
int64_t heightOf(int64_t rows) { return std::max<int64_t>(32, llvm::PowerOf2Ceil(rows)); }

Expr operator+(Expr a, Expr b) { return a.table->binary("air.add", a, b); }
Expr operator-(Expr a, Expr b) { return a.table->binary("air.sub", a, b); }
Expr operator*(Expr a, Expr b) { return a.table->binary("air.mul", a, b); }

TableBuilder::TableBuilder(CircuitBuilder& circuit, llvm::StringRef name, int64_t rows)
    : circuit_(circuit), name_(name.str()), height_(heightOf(rows)) {
  if (!circuit_.function_) return;
  ir::Op* op = ir::Builder(&circuit.function_->body())
                   .create("air.table", {}, {},
                           {{"name", name_}, {"log_height", int64_t(llvm::Log2_64(height_))}});
  body_.emplace(op->block());
  if (!circuit_.first_table_) circuit_.first_table_ = op;
}

TableShape TableBuilder::shape() const {
  TableShape shape = shape_;
  for (const auto& [group, fractions] : fractions_) shape.fractions += fractionColumns(fractions);
  return shape;
}

Expr TableBuilder::column(llvm::StringRef name, int phase) {
  ++(phase == 0 ? shape_.fixed : shape_.main);
  if (!body_) return {nullptr, this, 1};
  ir::Value* v = body_->value("air.column", {}, ir::Type::base(),
                              {{"name", name.str()}, {"phase", int64_t(phase)}});
  v->setName(name);
  return {v, this, 1};
}

Expr TableBuilder::fixed(llvm::StringRef name) { return column(name, 0); }
Expr TableBuilder::main(llvm::StringRef name) { return column(name, 1); }

Lanes TableBuilder::fixedLanes(llvm::StringRef name, int count) {
  Lanes lanes;
  for (int l = 0; l < count; ++l) lanes.push_back(fixed(laneName(name, l)));
  return lanes;
}

Lanes TableBuilder::mainLanes(llvm::StringRef name, int count) {
  Lanes lanes;
  for (int l = 0; l < count; ++l) lanes.push_back(main(laneName(name, l)));
  return lanes;
}

void TableBuilder::fill(const Lanes& lanes, const Cells& cells, llvm::StringRef source) {
  if (!body_) return;
  std::vector<int64_t> counts, row_strides, value_strides;
  for (const Loop& loop : cells.loops) {
    counts.push_back(loop.count);
    row_strides.push_back(loop.row_stride);
    value_strides.push_back(loop.value_stride);
  }
  std::vector<ir::Value*> columns;
  for (Expr e : lanes) columns.push_back(e.value);
  ir::Op* op = body_->create("air.fill", columns, {},
                             {{"first_row", cells.first_row},
                              {"counts", counts},
                              {"row_strides", row_strides},
                              {"value_strides", value_strides},
                              {"offset", cells.offset},
                              {"lane_stride", cells.lane_stride}});
  if (!source.empty()) op->set("source", ir::Symbol{source.str()});
}

void TableBuilder::fill(Expr column, const Cells& cells, llvm::StringRef source) {
  fill(Lanes{column}, cells, source);
}

void TableBuilder::fillConstant(Expr column, int64_t first, int64_t count, int64_t value) {
  fill(column, {first, {{count, 1, 0}}, value, 0});
}

void TableBuilder::place(const Lanes& lanes, Witness witness, const Cells& cells) {
  if (!body_) return;
  circuit_.placements_.push_back({std::move(witness), name_,
                                  lanes.front().value->definingOp()->stringAttr("name"),
                                  static_cast<int64_t>(lanes.size()), cells});
}

void TableBuilder::place(Expr column, Witness witness, const Cells& cells) {
  place(Lanes{column}, std::move(witness), cells);
}

Expr TableBuilder::constant(int64_t value) {
  if (!body_) return {nullptr, this, 0};
  ir::Value*& made = constants_[value];
  if (!made) made = body_->value("air.constant", {}, ir::Type::base(), {{"value", value}});
  return {made, this, 0};
}

Expr TableBuilder::binary(const char* op, Expr a, Expr b) {
  const bool product = llvm::StringRef(op) == "air.mul";
  const int degree = product ? a.degree + b.degree : std::max(a.degree, b.degree);
  if (!body_) return {nullptr, this, degree};
  ir::Value*& made = made_[{op, a.value, b.value}];
  if (!made) {
    bool ext = isExt(a.value) || isExt(b.value);
    made = body_->value(op, {a.value, b.value}, ext ? ir::Type::ext() : ir::Type::base());
  }
  return {made, this, degree};
}

Expr TableBuilder::previous(Expr column) {
  if (!body_) return column;
  ir::Value*& made = made_[{"air.shift", column.value, nullptr}];
  if (!made) {
    made =
        body_->value("air.shift", {column.value}, column.value->type(), {{"offset", int64_t(-1)}});
  }
  return {made, this, column.degree};
}

Expr TableBuilder::sum(const Lanes& values) {
  Expr total = values.front();
  for (size_t i = 1; i < values.size(); ++i) total = total + values[i];
  return total;
}

Expr TableBuilder::dot(const Lanes& values, llvm::ArrayRef<ir::Value*> weights) {
  Expr total = values.front() * outside(weights.front());
  for (size_t i = 1; i < values.size(); ++i) total = total + values[i] * outside(weights[i]);
  return total;
}

Expr TableBuilder::scan(llvm::StringRef name, int64_t rows, Expr mul, Expr add) {
  ++shape_.folds;
  if (!body_) return {nullptr, this, 1};
  ir::Value* v = body_->value("air.scan", {mul.value, add.value}, ir::Type::ext(),
                              {{"name", name.str()}, {"phase", int64_t(2)}});
  if (rows < height_) v->definingOp()->set("rows", rows);
  v->setName(name);
  return {v, this, 1};
}

Expr TableBuilder::gather(llvm::StringRef name, Expr index, const GatherSources& sources) {
  ++shape_.folds;
  if (!body_) return {nullptr, this, 1};
  ir::Value* v = body_->value("air.gather", {index.value}, ir::Type::ext(),
                              {{"name", name.str()},
                               {"phase", int64_t(2)},
                               {"source_tables", sources.tables},
                               {"source_columns", sources.columns},
                               {"source_bases", sources.bases},
                               {"source_rows", sources.rows}});
  v->setName(name);
  return {v, this, 1};
}

void TableBuilder::constrain(Expr zero, llvm::StringRef name, Kind kind) {
  if (!body_) return;
  body_->create("air.constrain", {zero.value}, {}, {{"name", name.str()}, {"kind", nameOf(kind)}});
}

void TableBuilder::addTerm(llvm::StringRef name, llvm::StringRef group, int64_t phase,
                           Expr numerator, Expr denominator, Kind kind) {
  fractions_[group.str()].push_back({numerator.degree, denominator.degree});
  if (!body_) return;
  circuit_.group(group);
  ir::Op* op =
      body_->create("air.term", {numerator.value, denominator.value}, {},
                    {{"name", name.str()}, {"group", ir::Symbol{group.str()}}, {"phase", phase}});
  if (kind != Kind::kLocal) op->set("kind", nameOf(kind));
}

void TableBuilder::term(llvm::StringRef name, Expr numerator, Expr denominator, Kind kind,
                        llvm::StringRef group) {
  addTerm(name, group.empty() ? kTensors : group, 2, numerator, denominator, kind);
}

void TableBuilder::copyTerm(llvm::StringRef name, Expr numerator, Expr denominator) {
  addTerm(name, kLookups, 3, numerator, denominator, Kind::kLocal);
}

ir::Op* TableBuilder::addTuple(const char* op, llvm::StringRef name, llvm::StringRef bus,
                               Expr multiplicity, const Lanes& tuple) {
  FractionDegrees degrees{multiplicity.degree, 0};
  std::vector<ir::Value*> operands{multiplicity.value};
  for (Expr e : tuple) {
    operands.push_back(e.value);
    degrees.denominator = std::max(degrees.denominator, e.degree);
  }
  fractions_[kLookups].push_back(degrees);
  if (!body_) return nullptr;
  return body_->create(op, operands, {}, {{"name", name.str()}, {"bus", ir::Symbol{bus.str()}}});
}

void TableBuilder::lookup(llvm::StringRef name, llvm::StringRef bus, Expr multiplicity,
                          const Lanes& tuple) {
  addTuple("air.lookup", name, bus, multiplicity, tuple);
}

void TableBuilder::provide(llvm::StringRef name, llvm::StringRef bus, Expr multiplicity,
                           const Lanes& tuple, int64_t key, int64_t selector,
                           std::vector<int64_t> offsets) {
  ir::Op* op = addTuple("air.provide", name, bus, multiplicity, tuple);
  if (!op) return;
  op->set("key", key);
  op->set("offsets", std::move(offsets));
  if (selector >= 0) op->set("selector", selector);
}

void TableBuilder::instance(int64_t first_row, int64_t rows, llvm::StringRef region,
                            const ir::Location& nodes) {
  if (!body_) return;
  ir::Op* op = body_->create("air.instance", {}, {},
                             {{"first_row", first_row}, {"rows", rows}, {"region", region.str()}});
  op->setLocation(nodes);
}

CircuitBuilder::CircuitBuilder(ir::Function* function) : function_(function) {
  if (!function_) return;
  for (const char* name : {kTensors, kLookups}) group(name);
}

void CircuitBuilder::group(llvm::StringRef name) {
  if (groups_.insert(name).second) outer().create("air.group", {}, {}, {{"name", name.str()}});
}

ir::Builder CircuitBuilder::outer() {
  return first_table_ ? ir::Builder::before(first_table_) : ir::Builder(&function_->body());
}

ir::Value* CircuitBuilder::challenge(llvm::StringRef name, int after) {
  if (!function_) return nullptr;
  ir::Value*& made = challenges_[name.str()];
  if (!made) {
    made = outer().value("air.challenge", {}, ir::Type::ext(),
                         {{"name", name.str()}, {"after", int64_t(after)}});
    made->setName(name);
  }
  return made;
}

ir::Value* CircuitBuilder::outside(const char* op, llvm::ArrayRef<ir::Value*> operands,
                                   ir::Type type, int64_t attribute) {
  if (!function_) return nullptr;
  ir::Value* a = operands.empty() ? nullptr : operands[0];
  ir::Value* b = operands.size() < 2 ? nullptr : operands[1];
  ir::Value*& made = derived_[{op, a, b, attribute}];
  if (!made) {
    made = operands.empty() ? outer().value(op, {}, type, {{"value", attribute}})
                            : outer().value(op, operands, type);
  }
  return made;
}

ir::Value* CircuitBuilder::multiply(ir::Value* a, ir::Value* b) {
  return outside("air.mul", {a, b}, ir::Type::ext());
}

ir::Value* CircuitBuilder::power(ir::Value* base, int64_t exponent) {
  if (!function_) return nullptr;
  if (exponent < 0) return outside("air.inverse", {power(base, -exponent)}, ir::Type::ext());
  if (exponent == 0) return outside("air.constant", {}, ir::Type::base(), 1);
  if (exponent == 1) return base;
  ir::Value* half = power(base, exponent / 2);
  ir::Value* square = multiply(half, half);
  return exponent % 2 ? multiply(square, base) : square;
}

std::vector<ir::Value*> CircuitBuilder::reciprocals(ir::Value* point, int count) {
  std::vector<ir::Value*> out;
  for (int l = 0; l < count; ++l) {
    ir::Value* lane = outside("air.constant", {}, ir::Type::base(), l);
    out.push_back(outside("air.inverse", {outside("air.sub", {point, lane}, ir::Type::ext())},
                          ir::Type::ext()));
  }
  return out;
}

std::vector<ir::Value*> CircuitBuilder::descendingPowers(ir::Value* base, int count) {
  std::vector<ir::Value*> out;
  for (int l = count - 1; l >= 0; --l) out.push_back(power(base, l));
  return out;
}

void CircuitBuilder::bus(llvm::StringRef name, int64_t width, int64_t phase) {
  if (!function_) return;
  if (!buses_.insert(name).second) return;
  outer().create("air.bus", {}, {}, {{"name", name.str()}, {"width", width}, {"phase", phase}});
}

void CircuitBuilder::addPublic(const Public& p, const std::string& group_name,
                               std::optional<int64_t> slot) {
  if (!function_) return;
  rowPoint(), columnPoint(), addressPoint();
  group(group_name);
  ir::Op* op =
      outer().create("air.public", {}, {},
                     {{"name", p.name},
                      {"kind", std::string(p.output ? "output" : "input")},
                      {"rows", p.rows},
                      {"columns", p.columns},
                      {"low", p.low},
                      {"high", p.high},
                      {"exponent", p.exponent},
                      {"group", ir::Symbol{group_name}},
                      {"negative", p.output},
                      {"address", p.address},
                      {"tile_rows", p.tile_rows},
                      {"tile_columns", p.tile_columns},
                      {"challenges", std::vector<std::string>{"address", "row", "column"}}});
  if (slot) op->set("slot", *slot);
}

void CircuitBuilder::link(int64_t low, int64_t high, int64_t most_blocks) {
  if (!function_) return;
  group(kLinkIn), group(kLinkOut);
  outer().create("air.link", {}, {},
                 {{"in", ir::Symbol{kLinkIn}},
                  {"out", ir::Symbol{kLinkOut}},
                  {"low", low},
                  {"high", high},
                  {"most_blocks", most_blocks}});
}

}  // namespace lindero::passes

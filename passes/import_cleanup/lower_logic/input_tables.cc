#include "passes/import_cleanup/lower_logic/input_tables.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/interpreter.h"
#include "ir/tensor/of_integers.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/import_cleanup/support/whole_range.h"

namespace lindero::passes {
namespace {

using ir::Element;
using ir::Op;
using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;
using Shape = llvm::ArrayRef<int64_t>;

constexpr size_t kMostColumns = 4096;
constexpr int64_t kMostEntries = 1 << 22;   // of a table
constexpr int64_t kMostElements = 1 << 22;  // of a value

// Is it a product of columns and rows?
bool isOuterProduct(const Op& op) {
  if (!op.is("tensor.matmul")) return false;
  const auto &a = op.operand(0)->type().shape, &b = op.operand(1)->type().shape;
  return a.size() >= 2 && b.size() >= 2 && a.back() == 1;
}

// Does it pick numbers from a constant list?
bool picksNumbers(const Op& op) {
  return op.is("tensor.gather") && isConstant(op.operand(0)) && !isConstant(op.operand(1)) &&
         op.operand(0)->type().shape.size() == 1;
}

// The op on other operands, of other shapes.
absl::StatusOr<Array> evaluateOn(llvm::StringRef name,
                                 llvm::ArrayRef<ir::NamedAttribute> attributes,
                                 const std::vector<Array>& operands) {
  ir::Module module;
  ir::Function* function = module.addFunction("op");
  ir::Builder builder(&function->body());
  llvm::SmallVector<Value*, 3> arguments;
  for (const Array& operand : operands)
    arguments.push_back(function->body().addArgument(operand.type(), "x"));
  IR_ASSIGN_OR_RETURN(Value * result, ir::tensor::create(builder, name, arguments, attributes));
  builder.create("tensor.return", {result}, {});
  IR_ASSIGN_OR_RETURN(std::vector<Array> results, ir::tensor::interpret(*function, operands));
  return std::move(results[0]);
}

Array elementOf(const Array& array, int64_t i) {
  Array one = Array::zeros(array.element, {});
  if (array.isReal()) {
    one.reals[0] = array.reals[i];
  } else {
    one.integers[0] = array.integers[i];
  }
  return one;
}

// The element in each row of a column.
std::shared_ptr<const Array> repeated(const Array& array, int64_t i, int64_t rows) {
  Array column = Array::zeros(array.element, {rows});
  if (array.isReal()) {
    column.reals.assign(rows, array.reals[i]);
  } else {
    column.integers.assign(rows, array.integers[i]);
  }
  return std::make_shared<Array>(std::move(column));
}

// A number for each distinct element.
Ints numbered(const Array& array) {
  std::map<double, int64_t> reals;
  std::map<int64_t, int64_t> integers;
  Ints numbers;
  for (size_t i = 0; i < array.reals.size(); ++i)
    numbers.push_back(reals.try_emplace(array.reals[i], i).first->second);
  for (size_t i = 0; i < array.integers.size(); ++i)
    numbers.push_back(integers.try_emplace(array.integers[i], i).first->second);
  return numbers;
}

// Is it a whole number that single precision tells from its neighbours?
bool isWhole(double x) { return x == std::floor(x) && std::abs(x) <= 0x1p24; }

// Has a constant room for it? Integers are exact there.
bool isOrdinary(const Array& array) {
  return llvm::all_of(array.reals, [](double x) { return std::isfinite(x); }) &&
         fitsSingle(array) &&
         llvm::all_of(array.integers, [](int64_t x) { return isWhole(static_cast<double>(x)); });
}

}  // namespace

void InputTables::addInput(Value* argument, int64_t rows) {
  if (argument->type().elements() == 0) return;
  Table table;
  table.argument = argument;
  table.element.resize(argument->type().elements());
  std::iota(table.element.begin(), table.element.end(), 0);
  table.column.resize(table.element.size(), 0);
  Array values = Array::zeros(argument->type().element, {rows});
  std::iota(values.integers.begin(), values.integers.end(), 0);
  table.columns.push_back(std::make_shared<Array>(std::move(values)));
  tables_[argument] = std::move(table);
}

absl::StatusOr<bool> InputTables::extend(const Op& op) {
  const int64_t count = op.numResults() == 1 ? op.result()->type().elements() : 0;
  if (count == 0 || count > kMostElements) return false;
  const bool moves = movesElements(op), outer = isOuterProduct(op), picks = picksNumbers(op);
  if (!moves && !picks && !outer && !isElementwise(op)) return false;
  const std::optional<std::vector<Part>> parts = partsOf(op);
  if (!parts || !spend(2 * count)) return false;
  std::optional<Table> table;
  if (picks) {
    IR_ASSIGN_OR_RETURN(table, picked(op, *parts));
  } else if (moves) {
    IR_ASSIGN_OR_RETURN(table, moved(op, *parts));
  } else {
    IR_ASSIGN_OR_RETURN(table, combined(op, outer ? "tensor.mul" : op.name(), *parts));
  }
  if (!table) return false;
  const bool ordinary = table->ordinary;
  tables_[op.result()] = *std::move(table);
  return ordinary;
}

bool InputTables::spend(int64_t entries) {
  left_ -= std::min(left_, entries);
  return left_ > 0;
}

// Nothing unless all of them are constants or depend on one input.
std::optional<std::vector<InputTables::Part>> InputTables::partsOf(const Op& op) const {
  std::vector<Part> parts;
  const Value* argument = nullptr;
  for (const Value* operand : op.operands()) {
    Part part;
    if (auto it = tables_.find(operand); it != tables_.end()) {
      part.table = &it->second;
      if (argument != nullptr && argument != part.table->argument) return std::nullopt;
      argument = part.table->argument;
    } else if (std::optional<Array> constant = arrayOf(operand);
               constant && constant->elements() > 0 && constant->elements() <= kMostElements) {
      part.constant = *std::move(constant);
    } else {
      return std::nullopt;
    }
    parts.push_back(std::move(part));
  }
  if (argument == nullptr) return std::nullopt;
  return parts;
}

absl::StatusOr<std::optional<InputTables::Table>> InputTables::moved(
    const Op& op, const std::vector<Part>& parts) {
  Table table;
  std::vector<Array> elements, columns;
  const Table& known = *llvm::find_if(parts, [](const Part& part) { return part.table; })->table;
  table.argument = known.argument;
  const int64_t rows = known.columns[0]->elements();
  const bool picks = op.is("tensor.gather");
  for (auto [i, part] : llvm::enumerate(parts)) {
    if (picks && i == 1) {
      elements.push_back(part.constant);
      columns.push_back(part.constant);
      continue;
    }
    const auto& shape = op.operand(i)->type().shape;
    Array element = Array::zeros(Element::kInt, shape), column = element;
    const auto first = static_cast<int64_t>(table.columns.size());
    if (part.table != nullptr) {
      element.integers = part.table->element;
      column.integers = part.table->column;
      llvm::append_range(table.columns, part.table->columns);
      table.ordinary &= part.table->ordinary;
    } else {  // of a concatenation: whatever the input is
      column.integers = numbered(part.constant);
      std::map<int64_t, int64_t> added;
      for (int64_t& number : column.integers) {
        auto [it, fresh] = added.try_emplace(number, added.size());
        if (fresh && !spend(rows)) return std::nullopt;
        if (fresh) {
          table.columns.push_back(repeated(part.constant, number, rows));
          table.ordinary &= isOrdinary(*table.columns.back());
        }
        number = it->second;
      }
    }
    for (int64_t& number : column.integers) number += first;
    elements.push_back(std::move(element));
    columns.push_back(std::move(column));
  }
  if (table.columns.size() > kMostColumns) return std::nullopt;
  IR_ASSIGN_OR_RETURN(Array element, evaluateOn(op.name(), op.attributes(), elements));
  IR_ASSIGN_OR_RETURN(Array column, evaluateOn(op.name(), op.attributes(), columns));
  table.element = std::move(element.integers);
  table.column = std::move(column.integers);
  return table;
}

absl::StatusOr<std::optional<InputTables::Table>> InputTables::picked(
    const Op& op, const std::vector<Part>& parts) {
  Table table = *parts[1].table;
  for (auto& column : table.columns) {
    absl::StatusOr<Array> numbers =
        evaluateOn(op.name(), op.attributes(), {parts[0].constant, *column});
    if (absl::IsOutOfRange(numbers.status())) return std::nullopt;
    if (!numbers.ok()) return numbers.status();
    if (!spend(numbers->elements())) return std::nullopt;
    table.ordinary &= isOrdinary(*numbers);
    column = std::make_shared<Array>(*std::move(numbers));
  }
  return table;
}

absl::StatusOr<std::optional<InputTables::Table>> InputTables::combined(
    const Op& op, llvm::StringRef name, const std::vector<Part>& parts) {
  const Shape shape = op.result()->type().shape;
  const size_t count = op.result()->type().elements();
  Table table;
  table.element.assign(count, -1);
  std::vector<Ints> keys(count);  // of each element: by operand, which column or number it has
  for (auto [i, part] : llvm::enumerate(parts)) {
    const Ints from = ir::tensor::broadcastElements(op.operand(i)->type().shape, shape);
    const Ints numbers = part.table == nullptr ? numbered(part.constant) : Ints();
    for (size_t o = 0; o < count; ++o) {
      keys[o].push_back(part.table != nullptr ? part.table->column[from[o]] : numbers[from[o]]);
      if (part.table == nullptr) continue;
      table.argument = part.table->argument;
      const int64_t element = part.table->element[from[o]];
      if (table.element[o] >= 0 && table.element[o] != element) return std::nullopt;
      table.element[o] = element;
    }
  }
  std::map<Ints, int64_t> known;
  for (const Ints& key : keys) {
    auto [it, fresh] = known.try_emplace(key, known.size());
    table.column.push_back(it->second);
    if (!fresh) continue;
    std::vector<Array> operands;
    for (auto [part, number] : llvm::zip(parts, key)) {
      operands.push_back(part.table != nullptr ? *part.table->columns[number]
                                               : elementOf(part.constant, number));
    }
    // Of 64 bits without a sign, those from 2^63 on are not what they look like.
    const bool beyond = name == "tensor.wrap" && op.intAttr("bits") == 64 &&
                        !op.boolAttr("signed") &&
                        llvm::any_of(operands[0].integers, [](int64_t x) { return x < 0; });
    if (beyond) return std::nullopt;
    IR_ASSIGN_OR_RETURN(Array values, evaluateOn(name, op.attributes(), operands));
    ir::tensor::roundToSingle(values.reals);
    const int64_t entries = values.elements() * static_cast<int64_t>(known.size());
    if (known.size() > kMostColumns || entries > kMostEntries || !spend(values.elements()))
      return std::nullopt;
    table.ordinary &= isOrdinary(values);
    table.columns.push_back(std::make_shared<Array>(std::move(values)));
  }
  return table;
}

bool InputTables::contains(const Value* value) const {
  const auto it = tables_.find(value);
  return it != tables_.end() && it->second.ordinary;
}

absl::StatusOr<Value*> InputTables::lookUp(const Value* value, ir::Function& function) const {
  const Table& table = tables_.find(value)->second;
  const auto width = static_cast<int64_t>(table.columns.size());
  const int64_t rows = table.columns[0]->elements();
  Array entries = Array::zeros(Element::kFloat, {rows, width});
  for (auto [c, column] : llvm::enumerate(table.columns)) {
    for (int64_t row = 0; row < rows; ++row) {
      entries.reals[row * width + static_cast<int64_t>(c)] =
          column->isReal() ? column->reals[row] : static_cast<double>(column->integers[row]);
    }
  }
  ir::Builder builder = ir::Builder::before(&*function.body().ops().begin());
  if (value->definingOp() != nullptr) builder.setLocation(value->definingOp()->location());
  Value* constant = makeConstant(builder, entries, table.argument->name().str() + "_values");
  llvm::SmallVector<ir::NamedAttribute, 1> attributes;
  const bool whole = llvm::all_of(entries.reals, isWhole);
  if (whole || value->type().element != Element::kFloat) attributes.push_back({"exact", true});
  IR_ASSIGN_OR_RETURN(Value * found, ir::tensor::create(builder, "tensor.embedding",
                                                        {table.argument, constant}, attributes));
  Ints indices;
  for (auto [element, column] : llvm::zip(table.element, table.column))
    indices.push_back(element * width + column);
  const Ints shape(value->type().shape.begin(), value->type().shape.end());
  bool in_order = found->type().elements() == static_cast<int64_t>(indices.size());
  for (size_t i = 0; i < indices.size(); ++i) in_order &= indices[i] == static_cast<int64_t>(i);
  if (in_order) return ir::tensor::create(builder, "tensor.reshape", {found}, {{"shape", shape}});
  IR_ASSIGN_OR_RETURN(found, ir::tensor::create(builder, "tensor.reshape", {found},
                                                {{"shape", Ints{found->type().elements()}}}));
  Value* places = makeConstant(builder, Array::integer(shape, std::move(indices)), "places");
  return ir::tensor::create(builder, "tensor.gather", {found, places}, {{"axis", int64_t{0}}});
}

}  // namespace lindero::passes

#include "ir/tensor/infer.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/core/op_table.h"
#include "ir/tensor/expression.h"
#include "llvm/ADT/StringMap.h"

namespace lindero::ir::tensor {
namespace {

using Shape = llvm::SmallVector<int64_t, 4>;

std::string list(llvm::ArrayRef<int64_t> values) {
  return absl::StrCat("[", absl::StrJoin(values, ", "), "]");
}

std::string text(const Type& type) {
  const char* element = type.element == Element::kFloat ? "f32"
                        : type.element == Element::kInt ? "i64"
                                                        : "i1";
  return absl::StrCat(element, list(type.shape));
}

// "C2: <the op table's constraint 2>; here <here>".
std::string citation(llvm::StringRef name, unsigned constraint, const std::string& here) {
  const OpDef* def = findOpDef(name);
  const bool known = def && constraint <= def->constraints.size();
  return absl::StrCat("C", constraint, ": ", known ? def->constraints[constraint - 1].str() : "",
                      "; here ", here);
}

// The number of elements, or nothing if it is beyond what any model of ours can hold.
std::optional<int64_t> boundedElements(llvm::ArrayRef<int64_t> shape) {
  constexpr int64_t kMost = int64_t{1} << 40;
  if (llvm::is_contained(shape, 0)) return 0;
  int64_t product = 1;
  for (int64_t size : shape) {
    if (size < 0 || size > kMost / product) return std::nullopt;
    product *= size;
  }
  return product;
}

// What a rule sees of an op. Errors cite the constraints of the op's table by number.
struct Request {
  llvm::StringRef name;
  llvm::ArrayRef<Type> operands;
  llvm::ArrayRef<NamedAttribute> attributes;

  template <typename T>
  const T* find(llvm::StringRef key) const {
    for (const NamedAttribute& attribute : attributes) {
      if (attribute.first == key) return std::get_if<T>(&attribute.second);
    }
    return nullptr;
  }
  template <typename T>
  T get(llvm::StringRef key, T fallback) const {
    const T* value = find<T>(key);
    return value ? *value : fallback;
  }
  absl::Status violates(unsigned constraint, const std::string& here) const {
    return absl::InvalidArgumentError(citation(name, constraint, here));
  }
  absl::Status needs(llvm::StringRef key) const {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute '", key.str(), "' is missing or of another kind"));
  }
  // For ops whose constraint C1 is that the axis is in range.
  absl::Status checkAxis(int64_t axis, size_t rank) const {
    if (axis >= 0 && axis < int64_t(rank)) return absl::OkStatus();
    return violates(1, absl::StrCat("axis = ", axis, ", rank = ", rank));
  }
};

using Rule = absl::StatusOr<Type> (*)(const Request&);

bool isReal(const Type& type) { return type.element == Element::kFloat; }
bool isNumber(const Type& type) { return isReal(type) || type.element == Element::kInt; }
bool isBoolean(const Type& type) { return type.element == Element::kBool; }

template <bool (*kDomain)(const Type&)>
absl::StatusOr<Type> unary(const Request& r) {
  if (!kDomain(r.operands[0])) return r.violates(1, text(r.operands[0]));
  return r.operands[0];
}

absl::StatusOr<Type> isNan(const Request& r) {
  if (!isReal(r.operands[0])) return r.violates(1, text(r.operands[0]));
  return Type::tensor(Element::kBool, r.operands[0].shape);
}

absl::StatusOr<Type> activation(const Request& r) {
  const auto* function = r.find<std::string>("function");
  if (!function) return r.needs("function");
  if (auto parsed = Expression::parse(*function); !parsed.ok()) {
    return r.violates(2, absl::StrCat("\"", *function, "\": ", parsed.status().message()));
  }
  return unary<isReal>(r);
}

absl::StatusOr<Type> castTo(const Request& r) {
  const auto* to = r.find<std::string>("to");
  if (!to) return r.needs("to");
  if (*to == "float") return Type::tensor(Element::kFloat, r.operands[0].shape);
  if (*to == "int") return Type::tensor(Element::kInt, r.operands[0].shape);
  if (*to == "bool") return Type::tensor(Element::kBool, r.operands[0].shape);
  return r.violates(1, *to);
}

std::string both(const Request& r) {
  return absl::StrCat(text(r.operands[0]), " and ", text(r.operands[1]));
}

absl::StatusOr<Type> binary(const Request& r, Element result) {
  if (r.operands[0].element != r.operands[1].element) return r.violates(1, both(r));
  auto shape = broadcast(r.operands[0].shape, r.operands[1].shape);
  if (!shape) return r.violates(2, both(r));
  return Type::tensor(result, *shape);
}

absl::StatusOr<Type> arithmetic(const Request& r) {
  if (!isNumber(r.operands[0])) return r.violates(1, both(r));
  return binary(r, r.operands[0].element);
}

absl::StatusOr<Type> comparison(const Request& r) { return binary(r, Element::kBool); }

absl::StatusOr<Type> logical(const Request& r) {
  if (!isBoolean(r.operands[0])) return r.violates(1, both(r));
  return binary(r, Element::kBool);
}

bool isInteger(const Type& type) { return type.element == Element::kInt; }

absl::StatusOr<Type> bitwise(const Request& r) {
  if (!isInteger(r.operands[0])) return r.violates(1, both(r));
  return binary(r, Element::kInt);
}

absl::StatusOr<Type> narrowed(const Request& r) {
  const std::string type = r.get("type", std::string());
  if (type != "f16" && type != "bf16") return r.violates(3, absl::StrCat("type = '", type, "'"));
  return unary<isReal>(r);
}

absl::StatusOr<Type> wrapped(const Request& r) {
  if (!r.find<bool>("signed")) return r.needs("signed");
  const int64_t bits = r.get("bits", int64_t{0});
  if (bits < 1 || bits > 64) return r.violates(2, absl::StrCat("bits = ", bits));
  return unary<isInteger>(r);
}

absl::StatusOr<Type> select(const Request& r) {
  const auto& [condition, a, b] = std::tie(r.operands[0], r.operands[1], r.operands[2]);
  const std::string here = absl::StrCat(text(condition), ", ", text(a), " and ", text(b));
  if (!isBoolean(condition) || a.element != b.element) return r.violates(1, here);
  auto branches = broadcast(a.shape, b.shape);
  if (!branches) return r.violates(2, here);
  auto shape = broadcast(condition.shape, *branches);
  if (!shape) return r.violates(2, here);
  return Type::tensor(a.element, *shape);
}

absl::StatusOr<Type> matmul(const Request& r) {
  Shape a = r.operands[0].shape, b = r.operands[1].shape;
  if (!isReal(r.operands[0]) || !isReal(r.operands[1]) || a.empty() || b.empty()) {
    return r.violates(1, both(r));
  }
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  if (a.back() != b[b.size() - 2]) return r.violates(2, both(r));
  auto shape = broadcast(llvm::ArrayRef(a).drop_back(2), llvm::ArrayRef(b).drop_back(2));
  if (!shape) return r.violates(3, both(r));
  if (!row) shape->push_back(a[a.size() - 2]);
  if (!column) shape->push_back(b.back());
  return Type::tensor(Element::kFloat, *shape);
}

absl::StatusOr<Type> transpose(const Request& r) {
  const auto* perm = r.find<std::vector<int64_t>>("perm");
  if (!perm) return r.needs("perm");
  const Shape& from = r.operands[0].shape;
  std::vector<int64_t> sorted = *perm;
  std::sort(sorted.begin(), sorted.end());
  bool valid = sorted.size() == from.size();
  for (size_t i = 0; valid && i < sorted.size(); ++i) valid = sorted[i] == int64_t(i);
  if (!valid) return r.violates(1, absl::StrCat(list(*perm), ", rank = ", from.size()));
  Shape to;
  for (int64_t axis : *perm) to.push_back(from[axis]);
  return Type::tensor(r.operands[0].element, to);
}

absl::StatusOr<Type> reshape(const Request& r) {
  const auto* shape = r.find<std::vector<int64_t>>("shape");
  if (!shape) return r.needs("shape");
  if (boundedElements(*shape) != r.operands[0].elements()) {
    return r.violates(1, absl::StrCat(text(r.operands[0]), " to ", list(*shape)));
  }
  return Type::tensor(r.operands[0].element, *shape);
}

absl::StatusOr<Type> expand(const Request& r) {
  const auto* shape = r.find<std::vector<int64_t>>("shape");
  if (!shape) return r.needs("shape");
  auto result = broadcast(r.operands[0].shape, *shape);
  if (!result || llvm::ArrayRef(*result) != llvm::ArrayRef(*shape)) {
    return r.violates(1, absl::StrCat(text(r.operands[0]), " to ", list(*shape)));
  }
  return Type::tensor(r.operands[0].element, *shape);
}

// Are start + i * step, i < size, all in [0, extent)? No product can overflow.
bool sliceFits(int64_t start, int64_t size, int64_t step, int64_t extent) {
  if (size < 0 || size > extent || step == 0) return false;
  if (start < 0 || start > extent || (start == extent && size > 0)) return false;
  if (size < 2) return true;
  const int64_t room = step > 0 ? extent - 1 - start : start;
  // Without overflow: |step| * (size - 1) <= room.
  const uint64_t stride = step > 0 ? uint64_t(step) : -uint64_t(step);
  return stride <= uint64_t(room) / uint64_t(size - 1);
}

absl::StatusOr<Type> slice(const Request& r) {
  const auto* start = r.find<int64_t>("start");
  const auto* size = r.find<int64_t>("size");
  const int64_t axis = r.get<int64_t>("axis", -1), step = r.get<int64_t>("step", 1);
  Shape shape = r.operands[0].shape;
  if (!start) return r.needs("start");
  if (!size) return r.needs("size");
  if (absl::Status status = r.checkAxis(axis, shape.size()); !status.ok()) return status;
  if (!sliceFits(*start, *size, step, shape[axis])) {
    return r.violates(2, absl::StrCat("start = ", *start, ", size = ", *size, ", step = ", step,
                                      ", the operand's size = ", shape[axis]));
  }
  shape[axis] = *size;
  return Type::tensor(r.operands[0].element, shape);
}

absl::StatusOr<Type> concat(const Request& r) {
  Shape shape = r.operands[0].shape;
  const int64_t axis = r.get<int64_t>("axis", -1);
  if (absl::Status status = r.checkAxis(axis, shape.size()); !status.ok()) return status;
  for (const Type& other : r.operands.drop_front()) {
    bool fits = other.shape.size() == shape.size() && other.element == r.operands[0].element;
    for (size_t i = 0; fits && i < shape.size(); ++i) {
      fits = int64_t(i) == axis || other.shape[i] == shape[i];
    }
    if (!fits) return r.violates(2, absl::StrCat(text(r.operands[0]), " and ", text(other)));
    shape[axis] += other.shape[axis];
  }
  return Type::tensor(r.operands[0].element, shape);
}

absl::StatusOr<Type> gather(const Request& r) {
  const Shape& data = r.operands[0].shape;
  const int64_t axis = r.get<int64_t>("axis", -1);
  if (absl::Status status = r.checkAxis(axis, data.size()); !status.ok()) return status;
  if (r.operands[1].element != Element::kInt) return r.violates(2, text(r.operands[1]));
  Shape shape(data.begin(), data.begin() + axis);
  shape.append(r.operands[1].shape.begin(), r.operands[1].shape.end());
  shape.append(data.begin() + axis + 1, data.end());
  return Type::tensor(r.operands[0].element, shape);
}

absl::StatusOr<Type> limb(const Request& r) {
  if (!isReal(r.operands[0])) return r.violates(1, text(r.operands[0]));
  const auto shift = r.get<int64_t>("shift", 0);
  if (shift < 1 || shift > 16) return r.violates(2, absl::StrCat("shift = ", shift));
  return r.operands[0];
}

absl::StatusOr<Type> trilu(const Request& r) {
  if (r.operands[0].shape.size() < 2) return r.violates(1, text(r.operands[0]));
  return r.operands[0];
}

absl::StatusOr<Type> softmax(const Request& r) {
  const Type& x = r.operands[0];
  absl::Status status = r.checkAxis(r.get<int64_t>("axis", -1), x.shape.size());
  if (!status.ok()) return status;
  if (!isReal(x)) return r.violates(2, text(x));
  return x;
}

absl::StatusOr<Type> reduce(const Request& r) {
  const auto* axes = r.find<std::vector<int64_t>>("axes");
  if (!axes) return r.needs("axes");
  const Shape& from = r.operands[0].shape;
  std::vector<bool> reduced(from.size());
  for (int64_t axis : *axes) {
    if (absl::Status status = r.checkAxis(axis, from.size()); !status.ok()) return status;
    reduced[axis] = true;
  }
  if (!isNumber(r.operands[0])) return r.violates(2, text(r.operands[0]));
  Shape to;
  for (size_t i = 0; i < from.size(); ++i) {
    if (!reduced[i]) {
      to.push_back(from[i]);
    } else if (r.get("keepdims", true)) {
      to.push_back(1);
    }
  }
  return Type::tensor(r.operands[0].element, to);
}

absl::StatusOr<Type> argmax(const Request& r) {
  Shape shape = r.operands[0].shape;
  const int64_t axis = r.get<int64_t>("axis", int64_t(shape.size()) - 1);
  if (absl::Status status = r.checkAxis(axis, shape.size()); !status.ok()) return status;
  if (shape[axis] == 0) return r.violates(2, text(r.operands[0]));
  if (r.get("keepdims", false)) {
    shape[axis] = 1;
  } else {
    shape.erase(shape.begin() + axis);
  }
  return Type::tensor(Element::kInt, shape);
}

absl::StatusOr<Type> layernorm(const Request& r) {
  const Type& x = r.operands[0];
  if (!isReal(x) || x.shape.empty()) return r.violates(1, text(x));
  for (const Type& parameter : r.operands.drop_front()) {
    if (!(parameter == Type::tensor(Element::kFloat, {x.shape.back()}))) {
      return r.violates(2, absl::StrCat(text(parameter), ", D = ", x.shape.back()));
    }
  }
  return x;
}

absl::StatusOr<Type> embedding(const Request& r) {
  const Type& ids = r.operands[0];
  const Type& table = r.operands[1];
  if (ids.element != Element::kInt || !isReal(table) || table.shape.size() != 2)
    return r.violates(1, both(r));
  Shape shape = ids.shape;
  shape.push_back(table.shape[1]);
  const Type result = Type::tensor(Element::kFloat, shape);
  if (r.operands.size() == 3 && !(r.operands[2] == result)) {
    return r.violates(2, text(r.operands[2]));
  }
  return result;
}

absl::StatusOr<Type> linear(const Request& r) {
  const Type& x = r.operands[0];
  const Type& w = r.operands[1];
  if (!isReal(x) || !isReal(w) || x.shape.size() != 2 || w.shape.size() != 2 ||
      x.shape[1] != w.shape[0]) {
    return r.violates(1, both(r));
  }
  const int64_t out = w.shape[1];
  if (r.operands.size() == 3 && !(r.operands[2] == Type::tensor(Element::kFloat, {out}))) {
    return r.violates(2, absl::StrCat(text(r.operands[2]), ", out = ", out));
  }
  return Type::tensor(Element::kFloat, {x.shape[0], out});
}

absl::StatusOr<Type> attention(const Request& r) {
  const Type& q = r.operands[0];
  if (!isReal(q) || q.shape.size() != 2 || !(q == r.operands[1]) || !(q == r.operands[2])) {
    return r.violates(1, absl::StrCat(both(r), " and ", text(r.operands[2])));
  }
  const int64_t heads = r.get<int64_t>("heads", 0);
  if (heads < 1 || q.shape[1] % heads != 0) {
    return r.violates(2, absl::StrCat("heads = ", heads, ", D = ", q.shape[1]));
  }
  return q;
}

absl::StatusOr<Type> mask(const Request& r) {
  const Type &x = r.operands[0], &open = r.operands[1];
  if (!isReal(x) || !isReal(open)) return r.violates(1, both(r));
  const std::optional<Shape> shape = broadcast(x.shape, open.shape);
  if (!shape || *shape != x.shape) return r.violates(2, both(r));
  if (r.get<bool>("added", false) && !r.find<double>("masked")) return r.violates(4, "`added`");
  return x;
}

absl::StatusOr<Type> selectRows(const Request& r) {
  const auto* rows = r.find<std::vector<int64_t>>("rows");
  if (!rows) return r.needs("rows");
  Shape shape = r.operands[0].shape;
  if (shape.empty()) return r.violates(1, text(r.operands[0]));
  for (int64_t row : *rows) {
    if (row < 0 || row >= shape[0]) {
      return r.violates(2, absl::StrCat("row ", row, ", T = ", shape[0]));
    }
  }
  shape[0] = rows->size();
  return Type::tensor(r.operands[0].element, shape);
}

struct Entry {
  Rule rule;
  unsigned least, most;  // operands
};

const llvm::StringMap<Entry>& rules() {
  static const auto* table = new llvm::StringMap<Entry>({
      {"tensor.abs", {unary<isNumber>, 1, 1}},
      {"tensor.activation", {activation, 1, 1}},
      {"tensor.add", {arithmetic, 2, 2}},
      {"tensor.and", {logical, 2, 2}},
      {"tensor.argmax", {argmax, 1, 1}},
      {"tensor.attention", {attention, 3, 3}},
      {"tensor.bit_and", {bitwise, 2, 2}},
      {"tensor.cast", {castTo, 1, 1}},
      {"tensor.ceil", {unary<isReal>, 1, 1}},
      {"tensor.concat", {concat, 1, ~0u}},
      {"tensor.cos", {unary<isReal>, 1, 1}},
      {"tensor.div", {arithmetic, 2, 2}},
      {"tensor.embedding", {embedding, 2, 3}},
      {"tensor.equal", {comparison, 2, 2}},
      {"tensor.erf", {unary<isReal>, 1, 1}},
      {"tensor.exp", {unary<isReal>, 1, 1}},
      {"tensor.expand", {expand, 1, 1}},
      {"tensor.floor", {unary<isReal>, 1, 1}},
      {"tensor.gather", {gather, 2, 2}},
      {"tensor.greater", {comparison, 2, 2}},
      {"tensor.greater_or_equal", {comparison, 2, 2}},
      {"tensor.high_limb", {limb, 1, 1}},
      {"tensor.is_nan", {isNan, 1, 1}},
      {"tensor.layernorm", {layernorm, 3, 3}},
      {"tensor.less", {comparison, 2, 2}},
      {"tensor.less_or_equal", {comparison, 2, 2}},
      {"tensor.linear", {linear, 2, 3}},
      {"tensor.log", {unary<isReal>, 1, 1}},
      {"tensor.low_limb", {limb, 1, 1}},
      {"tensor.mask", {mask, 2, 2}},
      {"tensor.matmul", {matmul, 2, 2}},
      {"tensor.max", {arithmetic, 2, 2}},
      {"tensor.min", {arithmetic, 2, 2}},
      {"tensor.mul", {arithmetic, 2, 2}},
      {"tensor.narrow", {narrowed, 1, 1}},
      {"tensor.neg", {unary<isNumber>, 1, 1}},
      {"tensor.not", {unary<isBoolean>, 1, 1}},
      {"tensor.or", {logical, 2, 2}},
      {"tensor.pow", {arithmetic, 2, 2}},
      {"tensor.reciprocal", {unary<isReal>, 1, 1}},
      {"tensor.reduce_max", {reduce, 1, 1}},
      {"tensor.reduce_mean", {reduce, 1, 1}},
      {"tensor.reduce_min", {reduce, 1, 1}},
      {"tensor.reduce_sum", {reduce, 1, 1}},
      {"tensor.relu", {unary<isNumber>, 1, 1}},
      {"tensor.round", {unary<isReal>, 1, 1}},
      {"tensor.reshape", {reshape, 1, 1}},
      {"tensor.select_rows", {selectRows, 1, 1}},
      {"tensor.sigmoid", {unary<isReal>, 1, 1}},
      {"tensor.sign", {unary<isNumber>, 1, 1}},
      {"tensor.sin", {unary<isReal>, 1, 1}},
      {"tensor.slice", {slice, 1, 1}},
      {"tensor.softmax", {softmax, 1, 1}},
      {"tensor.sqrt", {unary<isReal>, 1, 1}},
      {"tensor.sub", {arithmetic, 2, 2}},
      {"tensor.tanh", {unary<isReal>, 1, 1}},
      {"tensor.transpose", {transpose, 1, 1}},
      {"tensor.trilu", {trilu, 1, 1}},
      {"tensor.where", {select, 3, 3}},
      {"tensor.whole_quotient", {arithmetic, 2, 2}},
      {"tensor.within", {unary<isReal>, 1, 1}},
      {"tensor.wrap", {wrapped, 1, 1}},
  });
  return *table;
}

}  // namespace

std::optional<Shape> broadcast(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b) {
  if (a.size() < b.size()) std::swap(a, b);
  Shape result(a.begin(), a.end());
  const size_t offset = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    int64_t& size = result[offset + i];
    if (size != 1 && b[i] != 1 && b[i] != size) return std::nullopt;
    if (size == 1) size = b[i];
  }
  return result;
}

bool hasTypeRule(llvm::StringRef name) { return rules().contains(name); }

absl::StatusOr<Type> inferType(llvm::StringRef name, llvm::ArrayRef<Type> operands,
                               llvm::ArrayRef<NamedAttribute> attributes) {
  auto found = rules().find(name);
  if (found == rules().end()) {
    return absl::InternalError(absl::StrCat("no type rule for ", name.str()));
  }
  const Entry& entry = found->second;
  if (operands.size() < entry.least || operands.size() > entry.most) {
    return absl::InvalidArgumentError(absl::StrCat(operands.size(), " operands"));
  }
  auto type = entry.rule({name, operands, attributes});
  if (type.ok() && !boundedElements(type->shape)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the result ", text(*type), " is too large to be true"));
  }
  return type;
}

absl::StatusOr<Value*> create(Builder& builder, llvm::StringRef name,
                              llvm::ArrayRef<Value*> operands,
                              llvm::ArrayRef<NamedAttribute> attributes) {
  llvm::SmallVector<Type, 3> types;
  for (const Value* operand : operands) types.push_back(operand->type());
  auto type = inferType(name, types, attributes);
  if (!type.ok()) {
    return absl::Status(type.status().code(),
                        absl::StrCat(name.str(), ": ", type.status().message()));
  }
  return builder.value(name, operands, *std::move(type), attributes);
}

absl::Status verifyType(const Op& op) {
  llvm::SmallVector<Type, 3> types;
  for (const Value* operand : op.operands()) types.push_back(operand->type());
  auto type = inferType(op.name(), types, op.attributes());
  if (!type.ok()) {
    return absl::Status(type.status().code(),
                        absl::StrCat(describe(op), ": ", type.status().message()));
  }
  if (*type == op.result()->type()) return absl::OkStatus();
  return violates(op, op.def().constraints.size(),
                  absl::StrCat(text(op.result()->type()), " instead of ", text(*type)));
}

}  // namespace lindero::ir::tensor

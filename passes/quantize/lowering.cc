#include "passes/quantize/lowering.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/problems.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Parallel.h"
#include "passes/quantize/general.h"
#include "passes/quantize/tables.h"

namespace lindero::passes {
namespace {

constexpr absl::string_view kOfConstant =
    "it computes a constant from constants, too large to be folded; store the result in the file";

// Whether the first operand is looked up among what is stored, as it is.
bool readsStored(const ir::Op& op) {
  return !op.is("tensor.mul") && !op.is("tensor.add") && !op.is("tensor.return");
}

// The least and the greatest, of millions: a loop that compilers give to vectors.
std::pair<int32_t, int32_t> extremes(llvm::ArrayRef<int32_t> values) {
  int32_t low = std::numeric_limits<int32_t>::max(), high = std::numeric_limits<int32_t>::min();
  for (int32_t value : values) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  return {low, high};
}

// What becomes of a row of a table.
struct EntryRounding {
  double most = kExact;          // that an entry is rounded by
  std::optional<double> misfit;  // an entry that is no integer below the limit
};

EntryRounding roundEntries(const ir::tensor::Array& table, size_t first, int exponent,
                           int64_t limit, llvm::MutableArrayRef<int32_t> integers) {
  EntryRounding found;
  for (size_t k = 0; k < integers.size(); ++k) {
    const double entry = table.floats.empty() ? table.reals[first + k] : table.floats[first + k];
    const double exact = std::ldexp(entry, exponent), value = std::floor(exact + 0.5);
    if (!(std::abs(value) < static_cast<double>(limit))) {
      found.misfit = entry;
      return found;
    }
    integers[k] = static_cast<int32_t>(value);
    found.most = std::max(found.most, std::abs(exact - value));
  }
  return found;
}

}  // namespace

using ir::Op;
using ir::Type;
using ir::Value;
using ir::tensor::Array;

Lowering::Lowering(const ir::Function& source, const Exponents& exponents, ir::Function& target,
                   std::vector<TensorRecord>* records)
    : source_(source),
      exponents_(exponents),
      target_(target),
      records_(records),
      builder_(&target.body()),
      whole_(wholeValues(source)),
      whole_ranges_(wholeRanges(source)) {
  for (const Value* value : exponentSites(source)) site_.try_emplace(value, site_.size());
}

absl::Status Lowering::run() {
  if (absl::Status status = checkOperands(source_); !status.ok()) return status;
  if (absl::Status status = checkSites(exponents_, source_); !status.ok()) return status;
  if (absl::Status status = lowerArguments(); !status.ok()) return status;
  for (const Op& op : source_.body().ops()) {
    builder_.setLocation(op.location());
    node_ = llvm::join(op.location(), " + ");
    computes_whole_ = op.numResults() == 1 && whole_.contains(op.result());
    absl::Status status = lower(op);
    if (status.ok() && inexact_) {
      status = absl::UnimplementedError(
          "it computes with integers or truth values that do not fit its bits exactly; give more "
          "(--activation-bits), or calibrate with the largest that are needed");
    }
    if (status.ok()) continue;
    return ir::withPrefix(status, absl::StrCat(ir::describe(op), ": "));
  }
  return absl::OkStatus();
}

absl::Status Lowering::lowerArguments() {
  for (const auto& argument : source_.body().arguments()) {
    Stored stored;
    const Type& type = argument->type();
    if (type.element != ir::Element::kFloat) {
      if (absl::Status status = lowerIntegers(*argument); !status.ok()) return status;
      continue;
    }
    absl::StatusOr<int> exponent = this->exponent(*argument, "exponent"),
                        bits = this->exponent(*argument, "bits");
    if (!exponent.ok()) return exponent.status();
    if (!bits.ok()) return bits.status();
    const int64_t limit = int64_t{1} << (*bits - 1);
    node_ = argument->name().str();
    stored.value = target_.body().addArgument(Type::fixed(type.shape, *exponent, -limit, limit - 1),
                                              argument->name());
    stored.exponents.assign(type.shape.empty() ? 1 : type.shape.back(), *exponent);
    keep(*argument, std::move(stored), "argument");
  }
  return absl::OkStatus();
}

absl::Status Lowering::lower(const Op& op) {
  using Method = absl::Status (Lowering::*)(const Op&);
  if (standsAlone(op)) return lowerGeneral(op);
  const Method method = llvm::StringSwitch<Method>(op.name())
                            .Case("tensor.embedding", &Lowering::lowerEmbedding)
                            .Case("tensor.layernorm", &Lowering::lowerLayerNorm)
                            .Case("tensor.linear", &Lowering::lowerLinear)
                            .Case("tensor.attention", &Lowering::lowerAttention)
                            .Case("tensor.activation", &Lowering::lowerActivation)
                            .Case("tensor.mul", &Lowering::lowerMultiply)
                            .Case("tensor.add", &Lowering::lowerAdd)
                            .Cases("tensor.slice", "tensor.select_rows", &Lowering::lowerView)
                            .Case("tensor.argmax", &Lowering::lowerArgmax)
                            .Case("tensor.return", &Lowering::lowerReturn)
                            .Default(nullptr);
  if (method != nullptr && readsStored(op) && constantOf(*op.operand(0)) != nullptr)
    return absl::UnimplementedError(kOfConstant);
  if (method != nullptr) return (this->*method)(op);
  if (op.is("tensor.constant")) return absl::OkStatus();
  return absl::UnimplementedError(
      "it is not a canonical op; the import cleanup should have rewritten it");
}

absl::Status Lowering::lowerGeneral(const Op& op) {
  if (isCopy(op)) return lowerCopy(op);
  if (isNumber(op)) return lowerNumber(op);
  if (isWholeQuotient(op)) return lowerWholeQuotient(op);
  if (op.is("tensor.softmax")) return lowerSoftmax(op);
  if (op.is("tensor.matmul")) return lowerMatmul(op);
  if (op.is("tensor.mask")) return lowerMask(op);
  if (isLimb(op)) return lowerLimb(op);
  if (isQuotient(op)) return lowerQuotient(op);
  if (op.is("tensor.reduce_sum") || op.is("tensor.reduce_mean")) return lowerReduction(op);
  return isPartOfSum(op) ? absl::OkStatus() : lowerAffine(op);
}

absl::Status Lowering::lowerEmbedding(const Op& op) {
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "exponent"),
                      bits = this->exponent(*op.result(), "bits");
  if (!exponent.ok()) return exponent.status();
  if (!bits.ok()) return bits.status();
  const Type& type = op.result()->type();
  const int64_t width = type.shape.back(), limit = int64_t{1} << (*bits - 1);
  Stored result;
  result.exponents.assign(width, *exponent);
  llvm::SmallVector<Value*, 3> operands = {stored(*op.operand(0)).value};
  for (unsigned i = 1; i < op.numOperands(); ++i) {
    const ir::Constant* source = constantOf(*op.operand(i));
    if (source == nullptr) return absl::InvalidArgumentError("its tables must be constants");
    absl::StatusOr<Array> array = ir::tensor::viewConstant(*source);
    if (!array.ok()) return array.status();
    std::vector<int32_t> rounded(array->elements());
    std::vector<EntryRounding> rows(array->elements() / width);
    llvm::parallelFor(0, rows.size(), [&](size_t row) {
      const size_t first = row * width;
      rows[row] = roundEntries(*array, first, *exponent, limit,
                               llvm::MutableArrayRef(rounded).slice(first, width));
    });
    double rounding = kExact;
    for (const EntryRounding& row : rows) {
      if (row.misfit) {
        return absl::InvalidArgumentError(absl::StrCat("the entry ", *row.misfit, " of @",
                                                       source->name, " does not fit ", *bits,
                                                       " bits at exponent ", *exponent));
      }
      rounding = std::max(rounding, row.most);
    }
    operands.push_back(narrowConstant(source->name, array->shape, rounded, *exponent, rounding));
  }
  // Column by column the sum of the extremes fits (that is how the exponent is chosen). The type is
  // that of all lengths, not of the positions that are here: weights of a reader depend on it.
  result.value = builder_.value("integer.embedding", operands,
                                Type::fixed(type.shape, *exponent, -limit, limit - 1));
  keep(*op.result(), std::move(result), "residual");
  return absl::OkStatus();
}

namespace {

// Does a norm of all rows stand before each reader of the selection? It passes them on by rows.
bool isNormalizedBefore(const Op& selection) {
  const Value* viewed = selection.operand(0);
  for (const Op& op : selection.parent()->ops()) {
    if (op.is("tensor.layernorm") && op.operand(0) == viewed) return true;
    if (llvm::is_contained(op.operands(), selection.result())) return false;
  }
  return false;
}

// Whether the readers of a selection can take rows where the viewed value stands, or copy them from
// there; else the selection is a copy.
bool givesRows(const Op& selection) {
  const Op* op = selection.operand(0)->definingOp();
  if (op == nullptr) return false;
  if (op->is("tensor.add")) {  // which a product cannot take rows of
    return !standsAlone(*op) && isNormalizedBefore(selection) &&
           llvm::none_of(selection.result()->users(),
                         [](const Op* reader) { return reader->is("tensor.linear"); });
  }
  if (op->is("tensor.linear"))
    return llvm::all_of(selection.result()->users(),
                        [](const Op* reader) { return isCopy(*reader); });
  return op->is("tensor.layernorm") || op->is("tensor.embedding") || op->is("tensor.select_rows");
}

std::vector<int64_t> elementsOf(llvm::ArrayRef<int64_t> rows, int64_t width) {
  std::vector<int64_t> elements;
  for (int64_t row : rows) {
    for (int64_t i = 0; i < width; ++i) elements.push_back(row * width + i);
  }
  return elements;
}

}  // namespace

absl::Status Lowering::lowerView(const Op& op) {
  const Value& viewed = *op.operand(0);
  const bool part = stored_.contains(op.result());  // lowerParts
  Stored result = stored(part ? *op.result() : viewed);
  const bool slice = op.is("tensor.slice");
  const int64_t axis = slice ? op.intAttr("axis") : 0;
  if (slice && (axis != static_cast<int64_t>(viewed.type().shape.size()) - 1 ||
                op.intAttrOr("step", 1) != 1)) {
    return absl::UnimplementedError("only slices of columns, one by one, have an integer form");
  }
  const int64_t start = slice ? op.intAttr("start") : 0;
  const int64_t size = slice ? op.intAttr("size") : static_cast<int64_t>(result.exponents.size());
  auto view = [&](Stored& stored, bool gives) {
    auto cut = [&](auto& columns) {
      if (!columns.empty()) columns = {columns.begin() + start, columns.begin() + start + size};
    };
    cut(stored.exponents);
    cut(stored.gamma);
    cut(stored.beta);
    Type type = stored.value->type();
    type.shape = op.result()->type().shape;
    if (slice) type.exponent = stored.exponents.front();
    if (slice) {
      stored.value =
          builder_.value("integer.slice", {stored.value}, type, {{"start", start}, {"size", size}});
    } else if (gives) {
      stored.value = builder_.value("integer.select_rows", {stored.value}, type,
                                    {{"rows", op.intsAttr("rows").vec()}});
    } else {
      stored.value = copied({stored.value}, type.shape, elementsOf(op.intsAttr("rows"), size));
    }
  };
  if (!part) view(result, !slice && givesRows(op));
  if (!part && result.rest != nullptr) {
    result.rest = std::make_shared<Stored>(*result.rest);
    view(*result.rest, !slice && givesRows(op));
  }
  absl::StatusOr<Storage> storage = storageOf(*op.result());
  if (slice && result.shift > 0 && storage.ok() && *storage == Storage::kKey) {
    // An activation rounds it.
    stored_[op.result()] = std::make_unique<Stored>(std::move(result));
    return absl::OkStatus();
  }
  if (slice && result.shift > 0) {  // of an accumulator: each slice has a width of its own
    absl::StatusOr<int> bits = exponent(*op.result(), "bits");
    if (!bits.ok()) return bits.status();
    result = round(result, *bits);
  }
  if (result.copy != nullptr) {
    result.copy = std::make_shared<Stored>(*result.copy);
    // A norm or a sum with a product passes it on by rows.
    view(*result.copy, llvm::any_of(op.result()->users(), [](const Op* reader) {
      return reader->is("tensor.layernorm") || (reader->is("tensor.add") && !standsAlone(*reader));
    }));
  }
  const bool scored = storage.ok() && *storage == Storage::kQueryKey;
  keep(*op.result(), std::move(result),
       scored                                        ? "query-key"
       : storage.ok() && *storage == Storage::kValue ? "value"
                                                     : "view");
  return absl::OkStatus();
}

absl::Status Lowering::lowerArgmax(const Op& op) {
  const Stored& logits = stored(*op.operand(0));
  const int64_t axis = op.intAttrOr("axis", -1),
                rank = static_cast<int64_t>(op.operand(0)->type().shape.size());
  if (axis != -1 && axis != rank - 1)
    return absl::UnimplementedError("only the maximum over columns has an integer form");
  if (!llvm::all_equal(logits.exponents) || !logits.gamma.empty()) {
    return absl::UnimplementedError("its columns have different units");
  }
  Stored ids;
  ids.value = builder_.value("integer.argmax", {logits.value}, op.result()->type());
  keep(*op.result(), std::move(ids), "index");
  return absl::OkStatus();
}

absl::Status Lowering::lowerReturn(const Op& op) {
  llvm::SmallVector<Value*, 2> outputs;
  for (const Value* output : op.operands()) {
    absl::StatusOr<const Stored*> stored = plain(*output);
    if (!stored.ok()) return stored.status();
    if (!llvm::all_equal((*stored)->exponents))
      return absl::UnimplementedError("the columns of an output have different units");
    outputs.push_back((*stored)->value);
  }
  Op* end = builder_.create("integer.return", outputs, {});
  if (const ir::Attribute* names = op.find("names")) end->set("names", *names);
  return absl::OkStatus();
}

absl::StatusOr<int> Lowering::exponent(const Value& value, llvm::StringRef name) const {
  return exponents_.get(site_.find(&value)->second, name);
}

const ExponentSite& Lowering::siteOf(const Value& value) const {
  const Value* root = &value;
  while (root->definingOp() != nullptr && root->definingOp()->is("tensor.select_rows"))
    root = root->definingOp()->operand(0);
  return exponents_.sites[site_.find(root)->second];
}

absl::StatusOr<const Stored*> Lowering::plain(const Value& value) const {
  if (constantOf(value) != nullptr) return absl::UnimplementedError(kOfConstant);
  const Stored& form = stored(value);
  if (form.gamma.empty()) return &form;
  if (form.copy != nullptr) return form.copy.get();
  return absl::InternalError("a normalized value has no copy with its gamma and beta");
}

void Lowering::keep(const Value& value, Stored stored, llvm::StringRef role, int weight_bits) {
  // What is the same as an input keeps the input's name.
  if (stored.value->definingOp() != nullptr) stored.value->setName(value.name());
  if (whole_.contains(&value)) {
    exact_.insert(stored.value);
    inexact_ |= llvm::any_of(stored.exponents, [](int unit) { return unit < 0; });
  }
  const auto site = site_.find(&value);
  record(site == site_.end() ? -1 : static_cast<int64_t>(site->second), stored, role, weight_bits);
  stored_[&value] = std::make_unique<Stored>(std::move(stored));
}

void Lowering::record(int64_t site, const Stored& stored, llvm::StringRef role, int weight_bits) {
  if (records_ == nullptr || role == "index" || role == kChoice) return;
  records_->push_back({site, role.str(), node_, stored.value, stored.exponents, stored.gamma,
                       stored.beta, weight_bits});
}

Value* Lowering::use(const ir::Constant& constant, int exponent, int64_t low, int64_t high) {
  return builder_.value("integer.constant", {}, Type::fixed(constant.shape, exponent, low, high),
                        {{"value", ir::Symbol{constant.name}}});
}

Value* Lowering::narrowConstant(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                                llvm::ArrayRef<int32_t> values, int exponent, double rounding) {
  inexact_ |= computes_whole_ && rounding != kExact;
  const auto [low, high] = extremes(values);
  ir::ConstantPool& pool = target_.module()->constants();
  const bool narrow =
      low >= std::numeric_limits<int16_t>::min() && high <= std::numeric_limits<int16_t>::max();
  const ir::Constant& constant =
      narrow ? pool.addOwned(name, shape, std::vector<int16_t>(values.begin(), values.end()))
             : pool.addOwned(name, shape, values.vec());
  Value* value = use(constant, exponent, low, high);
  if (records_ != nullptr) {
    records_->push_back({.role = "constant", .node = node_, .value = value, .rounding = rounding});
  }
  return value;
}

absl::StatusOr<Value*> Lowering::table(
    const std::string& key, llvm::ArrayRef<int64_t> shape, int exponent,
    llvm::function_ref<absl::StatusOr<std::vector<int32_t>>()> make, llvm::StringRef name) {
  auto it = tables_.find(key);
  if (it == tables_.end()) {
    absl::StatusOr<std::vector<int32_t>> values = make();
    if (!values.ok()) return values.status();
    const auto [low, high] = std::minmax_element(values->begin(), values->end());
    const Table entry = {nullptr, *low, *high};
    llvm::SmallVector<int64_t, 2> sizes(shape.begin(), shape.end());
    if (sizes.empty()) sizes.push_back(static_cast<int64_t>(values->size()));
    it = tables_.emplace(key, entry).first;
    it->second.constant = &target_.module()->constants().addOwned(name.empty() ? key : name, sizes,
                                                                  *std::move(values));
  }
  return use(*it->second.constant, exponent, it->second.low, it->second.high);
}

absl::Status quantize(const ir::Function& source, const Exponents& exponents, ir::Function& target,
                      std::vector<TensorRecord>* records) {
  return Lowering(source, exponents, target, records).run();
}

}  // namespace lindero::passes

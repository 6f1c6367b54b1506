#include "runtime/program/check.h"

#include <cstdlib>
#include <limits>

#include "absl/strings/str_cat.h"
#include "runtime/program/step_options.pb.h"

namespace lindero::program {
namespace {

constexpr int kMaxDims = 8;
constexpr uint64_t kMaxCount = uint64_t{1} << 31;
constexpr int64_t kMaxStride = int64_t{1} << 40;

template <typename... Words>
absl::Status violation(const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(words...));
}

absl::StatusOr<int64_t> signedNumber(uint64_t value) {
  if (value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return static_cast<int64_t>(value);
  }
  return violation(value, " is 2^63 or more");
}

// The fields of a step.
class StepValues : public Values {
 public:
  StepValues(const google::protobuf::Message& message, const Surroundings& surroundings)
      : message_(message), reflection_(*message.GetReflection()), surroundings_(surroundings) {}

  absl::StatusOr<int64_t> number(const Field& f, int i) const override {
    const bool list = f.is_repeated();
    switch (f.cpp_type()) {
      case Field::CPPTYPE_BOOL:
        return reflection_.GetBool(message_, &f) ? 1 : 0;
      case Field::CPPTYPE_UINT32:
        return int64_t{list ? reflection_.GetRepeatedUInt32(message_, &f, i)
                            : reflection_.GetUInt32(message_, &f)};
      case Field::CPPTYPE_UINT64:
        return signedNumber(list ? reflection_.GetRepeatedUInt64(message_, &f, i)
                                 : reflection_.GetUInt64(message_, &f));
      case Field::CPPTYPE_INT64:
        return list ? reflection_.GetRepeatedInt64(message_, &f, i)
                    : reflection_.GetInt64(message_, &f);
      default:
        return violation(f.name(), " is no number");
    }
  }

  absl::StatusOr<int64_t> size(const Field& f) const override {
    if (!isThere(message_, f)) return violation(f.name(), " is not there");
    const uint32_t index = reflection_.GetUInt32(message_, &f);
    const auto& options = f.options();
    if (!options.HasExtension(names_tensor)) return signedNumber(surroundings_.bufferSize(index));
    const std::optional<Surroundings::Tensor> tensor = surroundings_.tensor(index);
    if (!tensor) return violation("public tensor ", index, " does not exist");
    return signedNumber(tensor->size);
  }

  int count(const Field& f) const override { return reflection_.FieldSize(message_, &f); }

  uint32_t index(const Field& f) const { return reflection_.GetUInt32(message_, &f); }

 private:
  const google::protobuf::Message& message_;
  const google::protobuf::Reflection& reflection_;
  const Surroundings& surroundings_;
};

class StepChecker {
 public:
  StepChecker(const google::protobuf::Message& message, const Surroundings& surroundings)
      : message_(message), surroundings_(surroundings), values_(message, surroundings) {}

  absl::Status check(const Rule& rule) const {
    if (rule.kind == Rule::Kind::kWith) return checkWith(rule);
    if (rule.field != nullptr && !isThere(message_, *rule.field)) return absl::OkStatus();
    switch (rule.kind) {
      case Rule::Kind::kSize:
        return checkSize(rule);
      case Rule::Kind::kCondition:
        return rule.condition->check(values_);
      case Rule::Kind::kColumns:
        return checkColumns(rule);
      case Rule::Kind::kTensor:
        return checkTensor(rule);
      case Rule::Kind::kWalk:
        return checkWalk(rule);
      case Rule::Kind::kCells:
        return checkCells(placementOf(rule), rule.field == nullptr ? 1 : 0, surroundings_);
      case Rule::Kind::kWith:
        break;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status checkWith(const Rule& rule) const {
    const bool there = isThere(message_, *rule.field), other = isThere(message_, *rule.other);
    if (there == other) return absl::OkStatus();
    return violation(there ? rule.field->name() : rule.other->name(), " without ",
                     there ? rule.other->name() : rule.field->name());
  }

  absl::Status checkSize(const Rule& rule) const {
    const absl::StatusOr<int64_t> wanted = rule.size->evaluate(values_);
    if (!wanted.ok()) return wanted.status();
    const uint32_t buffer = values_.index(*rule.field);
    const uint64_t size = surroundings_.bufferSize(buffer);
    if (*wanted >= 0 && size == static_cast<uint64_t>(*wanted)) return absl::OkStatus();
    return violation(surroundings_.bufferName(buffer), " has ", size, " elements instead of ",
                     *wanted);
  }

  absl::Status checkColumns(const Rule& rule) const {
    const uint32_t table = values_.index(*rule.table);
    const auto fixed = surroundings_.columns(table, 0);
    if (!fixed) return violation("table ", table, " does not exist");
    const absl::StatusOr<int64_t> count = rule.count->evaluate(values_),
                                  rows = rule.rows->evaluate(values_),
                                  first = values_.number(*rule.first_row, 0);
    for (const auto* number : {&count, &rows, &first}) {
      if (!number->ok()) return number->status();
    }
    const __int128 column = values_.index(*rule.field), height = fixed->height;
    if (column < fixed->begin || column + *count > fixed->end) {
      return violation("columns ", values_.index(*rule.field), " + ", *count, " of table \"",
                       fixed->table, "\" are not fixed columns");
    }
    if (*rows >= 1 && *first >= 0 && __int128{*first} + *rows <= height) return absl::OkStatus();
    return violation("rows ", *first, " + ", *rows, " do not lie in the ", fixed->height,
                     " rows of table \"", fixed->table, "\"");
  }

  absl::Status checkTensor(const Rule& rule) const {
    const uint32_t index = values_.index(*rule.field);
    const auto tensor = surroundings_.tensor(index);
    if (!tensor) return violation("public tensor ", index, " does not exist");
    if (tensor->kind == rule.tensor) return absl::OkStatus();
    return violation("public tensor \"", tensor->name, "\" is of kind ", tensor->kind);
  }

  absl::Status checkWalk(const Rule& rule) const {
    const auto& strides =
        static_cast<const Strides&>(message_.GetReflection()->GetMessage(message_, rule.field));
    __int128 low = strides.offset(), high = low;
    const int64_t steps[] = {strides.batch(), strides.row(), strides.column()};
    for (size_t k = 0; k < rule.extents.size(); ++k) {
      const absl::StatusOr<int64_t> extent = rule.extents[k].evaluate(values_);
      if (!extent.ok()) return extent.status();
      const __int128 reach = (__int128{*extent} - 1) * steps[k];
      (reach < 0 ? low : high) += reach;
    }
    const uint32_t buffer = values_.index(*rule.other);
    if (low >= 0 && high < __int128{surroundings_.bufferSize(buffer)}) return absl::OkStatus();
    return violation("indices leave ", surroundings_.bufferName(buffer), " of ",
                     surroundings_.bufferSize(buffer), " elements");
  }

  const Placement& placementOf(const Rule& rule) const {
    return static_cast<const Placement&>(
        rule.field == nullptr ? message_
                              : message_.GetReflection()->GetMessage(message_, rule.field));
  }

  const google::protobuf::Message& message_;
  const Surroundings& surroundings_;
  StepValues values_;
};

bool strideFits(int64_t stride) { return stride >= -kMaxStride && stride <= kMaxStride; }

}  // namespace

std::optional<Violation> findViolation(const StepDef& def, const google::protobuf::Message& message,
                                       const Surroundings& surroundings) {
  const StepChecker checker(message, surroundings);
  for (size_t i = 0; i < def.rules.size(); ++i) {
    const absl::Status status = checker.check(def.rules[i]);
    if (!status.ok()) return Violation{i, std::string(status.message())};
  }
  return std::nullopt;
}

absl::StatusOr<int64_t> sizeOf(const StepDef& def, const google::protobuf::Message& message,
                               const Field& buffer, const Surroundings& surroundings) {
  return def.sizeOf(buffer)->evaluate(StepValues(message, surroundings));
}

absl::Status checkCells(const Placement& placement, uint32_t phase,
                        const Surroundings& surroundings) {
  const auto columns = surroundings.columns(placement.table(), phase);
  if (!columns) return violation("table ", placement.table(), " does not exist");
  const uint64_t first = placement.column(), lanes = placement.lanes();
  if (lanes == 0 || first < columns->begin || first + lanes > columns->end) {
    return violation("columns ", first, " + ", lanes, " of table \"", columns->table,
                     "\" are not all of phase ", phase);
  }
  if (placement.dims_size() > kMaxDims) return violation("more than ", kMaxDims, " dimensions");
  if (!strideFits(placement.lane_stride()) || !strideFits(placement.offset())) {
    return violation("lane_stride or offset is larger than 2^40");
  }
  if (placement.first_row() >= columns->height) return violation("first_row is not in the table");
  // Bounds of the rows, within |row| <= 8 * 2^31 * 2^40: no overflow in 128 bits.
  __int128 low = placement.first_row(), high = low;
  // The buffer index fits 64 bits when the sum of the extents does.
  __int128 reach = std::abs(placement.offset());
  reach += static_cast<__int128>(lanes) * std::abs(placement.lane_stride());
  uint64_t cells = 1;
  for (const Dim& dim : placement.dims()) {
    if (dim.count() == 0 || dim.count() > kMaxCount || (cells *= dim.count()) > kMaxCount) {
      return violation("the counts are 0 or their product is more than 2^31");
    }
    if (!strideFits(dim.row_stride()) || !strideFits(dim.value_stride())) {
      return violation("a stride is larger than 2^40");
    }
    const __int128 extent = static_cast<__int128>(dim.count() - 1) * dim.row_stride();
    (extent < 0 ? low : high) += extent;
    reach += static_cast<__int128>(dim.count()) * std::abs(dim.value_stride());
  }
  if (low < 0 || high >= static_cast<__int128>(columns->height)) {
    return violation("rows leave the table \"", columns->table, "\" of height ", columns->height);
  }
  if (reach > (int64_t{1} << 62)) return violation("buffer indices do not fit 64 bits");
  return absl::OkStatus();
}

}  // namespace lindero::program

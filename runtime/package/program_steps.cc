#include "runtime/package/program_steps.h"

#include "runtime/package/placement.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kMaxElements = uint64_t{1} << 33;
constexpr uint64_t kRsqrtRows = 65536;
constexpr uint32_t kMaxSlots = 65536;

class StepChecker {
 public:
  StepChecker(const FieldPath& field, const Program& program, const Circuit& circuit)
      : field_(field), program_(program), circuit_(circuit) {}

  absl::Status check(const Input& step) const {
    LINDERO_RETURN_IF_ERROR(tensorIs("input.tensor", step.tensor(), PublicTensor::INPUT));
    const PublicTensor& tensor = circuit_.publics(step.tensor());
    return sizeIs("input.out", step.out(), uint64_t{tensor.rows()} * tensor.columns());
  }

  absl::Status check(const Output& step) const {
    LINDERO_RETURN_IF_ERROR(tensorIs("output.tensor", step.tensor(), PublicTensor::OUTPUT));
    const PublicTensor& tensor = circuit_.publics(step.tensor());
    return sizeIs("output.buffer", step.buffer(), uint64_t{tensor.rows()} * tensor.columns());
  }

  absl::Status check(const Load& step) const {
    return checkPlacement(field_.at("load.placement", 0), step.placement(), circuit_, 0);
  }

  absl::Status check(const GatherRows& step) const {
    LINDERO_RETURN_IF_ERROR(
        checkPlacement(field_.at("gather_rows.rows", 0), step.rows(), circuit_, 0));
    uint64_t row = uint64_t{step.padding()} + step.width();
    if (step.width() == 0 || step.vocabulary() == 0 || row > kMaxElements / step.vocabulary()) {
      return field_.error("gather_rows: vocabulary * width is 0 or more than 2^33");
    }
    uint64_t size = bufferSize(step.ids()) * step.width();
    if (step.has_addend())
      LINDERO_RETURN_IF_ERROR(sizeIs("gather_rows.addend", step.addend(), size));
    return sizeIs("gather_rows.out", step.out(), size);
  }

  absl::Status check(const MatMul& step) const {
    constexpr uint64_t kMaxExtent = uint64_t{1} << 28;
    for (uint64_t extent : {step.batch(), step.m(), step.k(), step.n()}) {
      if (extent == 0 || extent > kMaxExtent) {
        return field_.error("matmul: batch, m, k, n must be in [1, 2^28]");
      }
    }
    LINDERO_RETURN_IF_ERROR(stridesFit("matmul.lhs_strides", step.lhs_strides(), step.lhs(),
                                       {step.batch(), step.m(), step.k()}));
    LINDERO_RETURN_IF_ERROR(stridesFit("matmul.rhs_strides", step.rhs_strides(), step.rhs(),
                                       {step.batch(), step.k(), step.n()}));
    LINDERO_RETURN_IF_ERROR(stridesFit("matmul.out_strides", step.out_strides(), step.out(),
                                       {step.batch(), step.m(), step.n()}));
    return step.has_bias() ? sizeIs("matmul.bias", step.bias(), step.n()) : absl::OkStatus();
  }

  absl::Status check(const Requantize& step) const {
    LINDERO_RETURN_IF_ERROR(inRange("requantize.shift", step.shift(), 1, 30));
    LINDERO_RETURN_IF_ERROR(inRange("requantize.bits", step.bits(), 1, 31));
    uint64_t size = bufferSize(step.acc());
    if (step.has_addend()) {
      LINDERO_RETURN_IF_ERROR(inRange("requantize.addend_shift", step.addend_shift(), 0, 30));
      LINDERO_RETURN_IF_ERROR(sizeIs("requantize.addend", step.addend(), size));
    }
    LINDERO_RETURN_IF_ERROR(sizeIs("requantize.quotient", step.quotient(), size));
    return sizeIs("requantize.remainder", step.remainder(), size);
  }

  absl::Status check(const TableLookup& step) const {
    LINDERO_RETURN_IF_ERROR(
        fixedRows("table_lookup", step.table(), step.column(), 1, step.first_row(), step.rows()));
    LINDERO_RETURN_IF_ERROR(
        inRange("table_lookup.low", step.low(), -(int64_t{1} << 31), int64_t{1} << 31));
    return sizeIs("table_lookup.out", step.out(), bufferSize(step.key()));
  }

  absl::Status check(const LayerNorm& step) const {
    LINDERO_RETURN_IF_ERROR(
        shapeIs("layer_norm.x", step.x(), step.rows(), step.width(), step.lanes()));
    LINDERO_RETURN_IF_ERROR(inRange("layer_norm.square_shift", step.square_shift(), 0, 30));
    LINDERO_RETURN_IF_ERROR(inRange("layer_norm.epsilon", step.epsilon(), 0, int64_t{1} << 30));
    LINDERO_RETURN_IF_ERROR(inRange("layer_norm.output_bits", step.output_bits(), 1, 31));
    LINDERO_RETURN_IF_ERROR(inRange("layer_norm.max_exponent", step.max_exponent(), 0, 7));
    LINDERO_RETURN_IF_ERROR(fixedRows("layer_norm.rsqrt", step.rsqrt_table(), step.rsqrt_column(),
                                      2, step.rsqrt_first_row(), kRsqrtRows));
    for (uint32_t buffer :
         {step.mean(), step.reciprocal(), step.shift(), step.shift_power(), step.mantissa(),
          step.exponent(), step.exponent_power(), step.variance_remainder()}) {
      LINDERO_RETURN_IF_ERROR(sizeIs("layer_norm: per row", buffer, step.rows()));
    }
    for (uint32_t buffer : {step.square(), step.out(), step.remainder()}) {
      LINDERO_RETURN_IF_ERROR(sizeIs("layer_norm: per element", buffer, bufferSize(step.x())));
    }
    uint64_t blocks = uint64_t{step.rows()} * blockCount(step.width(), step.lanes());
    LINDERO_RETURN_IF_ERROR(sizeIs("layer_norm.deviation_sums", step.deviation_sums(), blocks));
    return sizeIs("layer_norm.square_sums", step.square_sums(), blocks);
  }

  absl::Status check(const Softmax& step) const {
    uint64_t rows = uint64_t{step.heads()} * step.queries();
    LINDERO_RETURN_IF_ERROR(
        shapeIs("softmax.scores", step.scores(), rows, step.keys(), step.lanes()));
    LINDERO_RETURN_IF_ERROR(inRange("softmax.score_shift", step.score_shift(), 0, 30));
    LINDERO_RETURN_IF_ERROR(inRange("softmax.probability_bits", step.probability_bits(), 0, 30));
    LINDERO_RETURN_IF_ERROR(inRange("softmax.normalizer_bits", step.normalizer_bits(), 0, 30));
    LINDERO_RETURN_IF_ERROR(inRange("softmax.normalizer_low", step.normalizer_low(),
                                    -(int64_t{1} << 31), int64_t{1} << 31));
    LINDERO_RETURN_IF_ERROR(inRange("softmax.score_shift + dead_width",
                                    uint64_t{step.score_shift()} + step.dead_width(), 0, 30));
    LINDERO_RETURN_IF_ERROR(
        inRange("softmax.exp_at_minus_one", step.exp_at_minus_one(), 0, int64_t{1} << 30));
    LINDERO_RETURN_IF_ERROR(
        inRange("softmax.live_rows", step.live_rows(), 1, int64_t{1} << kMaxLogHeight));
    LINDERO_RETURN_IF_ERROR(fixedRows("softmax.exp", step.exp_table(), step.exp_column(), 4,
                                      step.exp_first_row(),
                                      uint64_t{step.live_rows()} + step.dead_rows()));
    for (uint32_t buffer : {step.normalizer_low_limb(), step.normalizer_high_limb()}) {
      LINDERO_RETURN_IF_ERROR(sizeIs("softmax: per row", buffer, rows));
    }
    for (uint32_t buffer : {step.key(), step.width(), step.remainder(), step.probability(),
                            step.previous_probability()}) {
      LINDERO_RETURN_IF_ERROR(sizeIs("softmax: per element", buffer, bufferSize(step.scores())));
    }
    uint64_t blocks = rows * blockCount(step.keys(), step.lanes());
    if (step.has_block()) {
      if (!step.causal() || step.keys() <= step.queries() || step.keys() % step.queries() != 0 ||
          step.queries() % step.lanes() != 0) {
        return field_.error("softmax: ", step.keys(), " keys are no blocks of ", step.queries());
      }
      LINDERO_RETURN_IF_ERROR(sizeIs("softmax.open", step.open(), blocks));
    }
    LINDERO_RETURN_IF_ERROR(sizeIs("softmax.probability_sums", step.probability_sums(), blocks));
    return sizeIs("softmax.previous_probability_sums", step.previous_probability_sums(), blocks);
  }

  absl::Status check(const Argmax& step) const {
    LINDERO_RETURN_IF_ERROR(
        shapeIs("argmax.values", step.values(), step.rows(), step.width(), step.lanes()));
    for (uint32_t buffer : {step.index(), step.maximum()}) {
      LINDERO_RETURN_IF_ERROR(sizeIs("argmax: per row", buffer, step.rows()));
    }
    for (uint32_t buffer : {step.before(), step.high(), step.low()}) {
      uint64_t padded = blockCount(step.width(), step.lanes()) * step.lanes();
      LINDERO_RETURN_IF_ERROR(
          sizeIs("argmax: per element", buffer, uint64_t{step.rows()} * padded));
    }
    return sizeIs("argmax.index_sums", step.index_sums(),
                  uint64_t{step.rows()} * blockCount(step.width(), step.lanes()));
  }

  absl::Status check(const Decode& step) const {
    LINDERO_RETURN_IF_ERROR(sizeIs("decode.lengths", step.lengths(), 4));
    for (uint32_t buffer : {step.active(), step.chosen(), step.frontier_in(), step.frontier_out(),
                            step.given_in(), step.given_out(), step.token_in(), step.token_out()}) {
      LINDERO_RETURN_IF_ERROR(sizeIs("decode: per step", buffer, bufferSize(step.tape()) - 1));
    }
    return absl::OkStatus();
  }

  absl::Status check(const Mask& step) const {
    LINDERO_RETURN_IF_ERROR(sizeIs("mask.value", step.value(), bufferSize(step.keep())));
    return sizeIs("mask.out", step.out(), bufferSize(step.keep()));
  }

  absl::Status check(const AppendRows& step) const {
    return sizeIs("append_rows.out", step.out(),
                  bufferSize(step.first()) + bufferSize(step.second()));
  }

  absl::Status check(const CarryIn& step) const { return slotIs("carry_in", step.slot()); }

  absl::Status check(const CarryOut& step) const {
    LINDERO_RETURN_IF_ERROR(slotIs("carry_out", step.slot()));
    const bool pair =
        std::any_of(program_.steps().begin(), program_.steps().end(), [&](const Step& other) {
          return other.has_carry_in() && other.carry_in().slot() == step.slot() &&
                 bufferSize(other.carry_in().out()) == step.elements();
        });
    if (!pair || step.elements() > bufferSize(step.buffer())) {
      return field_.error("carry_out: no carry_in has slot ", step.slot(), " and ", step.elements(),
                          " elements, or the buffer has fewer");
    }
    return absl::OkStatus();
  }

  absl::Status check(const CopyRows& step) const {
    if (step.width() == 0 || bufferSize(step.in()) % step.width() != 0) {
      return field_.error("copy_rows.width ", step.width(), " does not divide the buffer");
    }
    uint64_t rows = bufferSize(step.in()) / step.width();
    for (uint32_t row : step.rows()) {
      if (row >= rows) return field_.error("copy_rows.rows: row ", row, " of ", rows);
    }
    return sizeIs("copy_rows.out", step.out(), uint64_t{step.width()} * step.rows_size());
  }

 private:
  static uint64_t blockCount(uint64_t width, uint64_t lanes) { return (width + lanes - 1) / lanes; }
  uint64_t bufferSize(uint32_t buffer) const { return program_.buffers(buffer).size(); }

  absl::Status sizeIs(absl::string_view what, uint32_t buffer, uint64_t size) const {
    if (bufferSize(buffer) == size) return absl::OkStatus();
    return field_.error(what, ": buffer ", buffer, " \"", program_.buffers(buffer).name(),
                        "\" has ", bufferSize(buffer), " elements instead of ", size);
  }

  absl::Status slotIs(absl::string_view what, uint32_t slot) const {
    if (circuit_.carries_size() > 0 && slot < kMaxSlots) return absl::OkStatus();
    return field_.error(what, ": slot ", slot, " of a circuit with ", circuit_.carries_size(),
                        " carries");
  }

  absl::Status inRange(absl::string_view what, int64_t value, int64_t low, int64_t high) const {
    if (value >= low && value <= high) return absl::OkStatus();
    return field_.error(what, " ", value, " is not in [", low, ", ", high, "]");
  }

  absl::Status shapeIs(absl::string_view what, uint32_t buffer, uint64_t rows, uint64_t width,
                       uint64_t lanes) const {
    if (rows == 0 || width == 0 || lanes == 0 || rows > kMaxElements) {
      return field_.error(what, ": an empty shape, or no lanes");
    }
    return sizeIs(what, buffer, rows * width);
  }

  absl::Status tensorIs(absl::string_view what, uint32_t tensor, PublicTensor::Kind kind) const {
    if (tensor >= static_cast<uint32_t>(circuit_.publics_size())) {
      return field_.error(what, ": public tensor ", tensor, " does not exist");
    }
    if (circuit_.publics(tensor).kind() != kind) {
      return field_.error(what, ": public tensor \"", circuit_.publics(tensor).name(), "\" is no ",
                          PublicTensor::Kind_Name(kind));
    }
    return absl::OkStatus();
  }

  // `columns` fixed columns from `column` on have rows [first_row, first_row + rows).
  absl::Status fixedRows(absl::string_view what, uint32_t table, uint32_t column, uint32_t columns,
                         uint64_t first_row, uint64_t rows) const {
    if (table >= static_cast<uint32_t>(circuit_.tables_size())) {
      return field_.error(what, ": table ", table, " does not exist");
    }
    const Table& fixed = circuit_.tables(table);
    if (uint64_t{column} + columns > static_cast<uint64_t>(columnsOfPhase(fixed, 0))) {
      return field_.error(what, ": columns ", column, " + ", columns, " of table \"", fixed.name(),
                          "\" are not fixed columns");
    }
    uint64_t height = tableHeight(fixed);
    if (rows == 0 || first_row >= height || rows > height - first_row) {
      return field_.error(what, ": rows ", first_row, " + ", rows, " do not lie in the ", height,
                          " rows of table \"", fixed.name(), "\"");
    }
    return absl::OkStatus();
  }

  absl::Status stridesFit(absl::string_view what, const Strides& strides, uint32_t buffer,
                          const std::array<uint64_t, 3>& extents) const {
    __int128 low = strides.offset(), high = low;
    const std::array<int64_t, 3> steps = {strides.batch(), strides.row(), strides.column()};
    for (size_t k = 0; k < 3; ++k) {
      __int128 reach = static_cast<__int128>(extents[k] - 1) * steps[k];
      (reach < 0 ? low : high) += reach;
    }
    if (low < 0 || high >= static_cast<__int128>(bufferSize(buffer))) {
      return field_.error(what, ": indices leave buffer ", buffer, " \"",
                          program_.buffers(buffer).name(), "\"");
    }
    return absl::OkStatus();
  }

  const FieldPath& field_;
  const Program& program_;
  const Circuit& circuit_;
};

}  // namespace

absl::Status checkStep(const FieldPath& field, const Program& program, const Circuit& circuit,
                       const Step& step) {
  StepChecker checker(field, program, circuit);
  switch (step.kind_case()) {
    case Step::kInput:
      return checker.check(step.input());
    case Step::kLoad:
      return checker.check(step.load());
    case Step::kGatherRows:
      return checker.check(step.gather_rows());
    case Step::kMatmul:
      return checker.check(step.matmul());
    case Step::kRequantize:
      return checker.check(step.requantize());
    case Step::kTableLookup:
      return checker.check(step.table_lookup());
    case Step::kLayerNorm:
      return checker.check(step.layer_norm());
    case Step::kSoftmax:
      return checker.check(step.softmax());
    case Step::kArgmax:
      return checker.check(step.argmax());
    case Step::kOutput:
      return checker.check(step.output());
    case Step::kDecode:
      return checker.check(step.decode());
    case Step::kMask:
      return checker.check(step.mask());
    case Step::kCopyRows:
      return checker.check(step.copy_rows());
    case Step::kAppendRows:
      return checker.check(step.append_rows());
    case Step::kCarryIn:
      return checker.check(step.carry_in());
    case Step::kCarryOut:
      return checker.check(step.carry_out());
    case Step::KIND_NOT_SET:
      break;
  }
  return field.error("the step is of no known kind; compile the model again");
}

}  // namespace lindero::runtime

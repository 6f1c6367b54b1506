#include "tests/samples/sample_circuits.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "runtime/package/bundle.h"
#include "runtime/package/package_writer.h"
#include "runtime/package/status_macros.h"
#include "tests/samples/circuit_builder.h"

namespace lindero::runtime::testing {
namespace {

constexpr uint32_t kAddressX = 7, kAddressY = 9;

class LinearSample {
 public:
  // Linked: what x holds is also taken from one link and left to another.
  explicit LinearSample(bool linked = false) : linked_(linked) {}

  Sample build() {
    tables();
    columnsOfX();
    columnsOfW();
    columnsOfY();
    columnsOfRange();
    publicTensors();
    program();
    return {std::move(b_.circuit), std::move(program_), std::move(fixed_)};
  }

 private:
  void tables() {
    x_ = b_.table("x", 3);
    w_ = b_.table("w", 1);
    y_ = b_.table("y", 3);
    range_ = b_.table("range", 9);
    b_.instance(x_, 0, 8, "/mlp/fc", "layer0/mlp/left");
    b_.instance(y_, 0, 8, "/mlp/fc", "layer0/mlp/right");
    rho_ = b_.drawn(b_.challenge("rho", 1));
    sigma_ = b_.drawn(b_.challenge("sigma", 1));
    za_ = b_.drawn(b_.challenge("za", 1));
    zr_ = b_.drawn(b_.challenge("zr", 1));
    zc_ = b_.drawn(b_.challenge("zc", 1));
    z_ = b_.drawn(b_.challenge("z", 2));
    alpha_ = b_.drawn(b_.challenge("alpha", 2));
    public_group_ = b_.group("public");
    product_group_ = b_.group("product");
    range_group_ = b_.group("range");
    copy_group_ = b_.group("copy");
    bind_ = b_.drawn(b_.challenge("bind", 2));
    bind_group_ = b_.group("bind");
    if (linked_) taken_group_ = b_.group("taken"), left_group_ = b_.group("left");
    copy_bus_ = b_.bus("copy", 2, 2);
    range_bus_ = b_.bus("range", 2, 1);
    one_ = b_.constant(1);
    zero_ = b_.constant(0);
  }

  uint32_t fixedColumn(uint32_t table, const std::string& name, std::vector<int64_t> values) {
    uint32_t column = b_.column(table, name, 0);
    fixed_.push_back({table, column, std::move(values)});
    return b_.read(table, column);
  }

  // (za - address) * (zr - row) * (zc - column)
  uint32_t place(uint32_t address, uint32_t row, uint32_t column) {
    return b_.mul(b_.mul(b_.sub(za_, b_.constant(address)), b_.sub(zr_, row)), b_.sub(zc_, column));
  }

  uint32_t denominator(uint32_t first, uint32_t second) {
    return b_.sub(z_, b_.add(first, b_.mul(alpha_, second)));
  }

  void columnsOfX() {
    uint32_t start = fixedColumn(x_, "start", {1, 0, 0, 0, 1, 0, 0, 0});
    uint32_t t = fixedColumn(x_, "t", {0, 1, 2, 3, 0, 1, 2, 3});
    uint32_t i = fixedColumn(x_, "i", {0, 0, 0, 0, 1, 1, 1, 1});
    uint32_t id = fixedColumn(x_, "row", {0, 1, 2, 3, 4, 5, 6, 7});
    uint32_t x_column = b_.column(x_, "x", 1), count = b_.column(x_, "copies", 1);
    uint32_t x = b_.read(x_, x_column);
    uint32_t carry = b_.mul(b_.sub(one_, start), rho_);
    x_fold_ = b_.column(x_, "a", 2);
    b_.scan(x_, x_fold_, "fold", carry, x);
    uint32_t a = b_.read(x_, x_fold_);
    b_.running(x_, "public_sum", 2, x, place(kAddressX, t, i), zero_, public_group_);
    if (linked_) {
      const uint32_t pole = place(kAddressX, t, i);
      b_.running(x_, "taken_sum", 2, x, pole, zero_, taken_group_);
      b_.running(x_, "left_sum", 2, b_.node(Node::NEG, x), pole, zero_, left_group_);
    }
    // A fold ends before the next one starts: on the next row, and on the last one.
    uint32_t end = b_.read(x_, 0, 1);
    b_.provide(x_, "folds", copy_bus_, count, {id, a}, 0, 0);
    b_.lookup(x_, "ends", copy_bus_, end, {id, a});
    b_.running(x_, "copy_sum", 3, b_.sub(end, b_.read(x_, count)), denominator(id, a), zero_,
               copy_group_);
    b_.running(x_, "given", 3, b_.mul(end, a), b_.sub(bind_, id), zero_, bind_group_);
  }

  void columnsOfW() {
    uint32_t w0 = fixedColumn(w_, "w0", {kSampleWeights[0][0], kSampleWeights[1][0]});
    uint32_t w1 = fixedColumn(w_, "w1", {kSampleWeights[0][1], kSampleWeights[1][1]});
    uint32_t from = fixedColumn(w_, "from", {3, 7});
    // The source stands at base 5 of the index space: index - 1 - base is the row.
    uint32_t index = b_.add(from, b_.constant(6));
    uint32_t a_column = b_.column(w_, "a", 2);
    Gather* gather = b_.columnAt(w_, a_column).mutable_gather();
    gather->set_index(index);
    GatherSource* source = gather->add_sources();
    source->set_table(x_);
    source->set_column(x_fold_);
    source->set_base(5);
    source->set_rows(8);
    uint32_t a = b_.read(w_, a_column);
    uint32_t w_column = b_.column(w_, "w", 2);
    uint32_t w = b_.add(w0, b_.mul(sigma_, w1));
    b_.columnAt(w_, w_column).mutable_expression()->set_value(w);
    b_.constrain(w_, "weights", b_.sub(b_.read(w_, w_column), w));
    b_.running(w_, "product_sum", 2, b_.mul(a, b_.read(w_, w_column)), one_, zero_, product_group_);
    b_.running(w_, "taken", 3, b_.node(Node::NEG, a), b_.sub(bind_, from), zero_, bind_group_);
  }

  void columnsOfY() {
    uint32_t t = fixedColumn(y_, "t", {3, 3, 2, 2, 1, 1, 0, 0});
    uint32_t j = fixedColumn(y_, "j", {0, 1, 0, 1, 0, 1, 0, 1});
    uint32_t q = b_.read(y_, b_.column(y_, "q", 1)), r = b_.read(y_, b_.column(y_, "r", 1));
    // acc = 4 q + r - 2
    uint32_t acc = b_.sub(b_.add(b_.mul(q, b_.constant(4)), r), b_.constant(2));
    // 1 on row 0; from j = 0 to j = 1 times sigma, from j = 1 to j = 0 times rho / sigma.
    uint32_t first = b_.node(Node::IS_FIRST);
    uint32_t back = b_.mul(rho_, b_.node(Node::INVERSE, sigma_));
    uint32_t step = b_.add(b_.mul(j, sigma_), b_.mul(b_.sub(one_, j), back));
    uint32_t power = b_.column(y_, "power", 2);
    b_.scan(y_, power, "power", step, first);
    uint32_t weighted_column = b_.column(y_, "weighted", 2);
    uint32_t value = b_.mul(acc, b_.read(y_, power)), weighted = b_.read(y_, weighted_column);
    b_.columnAt(y_, weighted_column).mutable_expression()->set_value(value);
    b_.constrain(y_, "weighted", b_.sub(weighted, value));
    b_.running(y_, "public_sum", 2, q, place(kAddressY, t, j), zero_, public_group_);
    b_.running(y_, "product_sum", 2, b_.node(Node::NEG, weighted), one_, zero_, product_group_);
    uint32_t q_key = b_.add(q, b_.constant(128));
    b_.lookup(y_, "q", range_bus_, one_, {b_.constant(8), q_key});
    b_.lookup(y_, "r", range_bus_, one_, {b_.constant(2), r});
    uint32_t fraction = b_.column(y_, "range_q", 3);
    uint32_t q_denominator = denominator(b_.constant(8), q_key);
    b_.columnAt(y_, fraction).mutable_fraction()->set_numerator(one_);
    b_.columnAt(y_, fraction).mutable_fraction()->set_denominator(q_denominator);
    b_.constrain(y_, "range_q", b_.sub(b_.mul(b_.read(y_, fraction), q_denominator), one_));
    b_.running(y_, "range_sum", 3, one_, denominator(b_.constant(2), r), b_.read(y_, fraction),
               range_group_);
  }

  void columnsOfRange() {
    std::vector<int64_t> tags, values;
    for (int v = 0; v < 256; ++v) tags.push_back(8), values.push_back(v);
    for (int v = 0; v < 4; ++v) tags.push_back(2), values.push_back(v);
    uint32_t tag = fixedColumn(range_, "tag", tags), value = fixedColumn(range_, "value", values);
    uint32_t count = b_.column(range_, "count", 1);
    Lookup& provider = b_.provide(range_, "range", range_bus_, count, {tag, value}, 1, 0);
    provider.set_has_selector(true);
    provider.set_selector(0);
    provider.clear_offsets();
    constexpr int64_t kAbsent = -(int64_t{1} << 40);
    for (int64_t offset : {kAbsent, kAbsent, int64_t{256}, kAbsent, kAbsent, kAbsent, kAbsent,
                           kAbsent, int64_t{0}}) {
      provider.add_offsets(offset);
    }
    b_.running(range_, "range_sum", 3, b_.node(Node::NEG, b_.read(range_, count)),
               denominator(tag, value), zero_, range_group_);
  }

  void publicTensor(const std::string& name, PublicTensor::Kind kind, int64_t low, int64_t high,
                    uint32_t address) {
    PublicTensor* tensor = b_.circuit.add_publics();
    tensor->set_name(name);
    tensor->set_kind(kind);
    tensor->set_rows(4);
    tensor->set_columns(2);
    tensor->set_low(low);
    tensor->set_high(high);
    tensor->set_group(public_group_);
    tensor->set_negative(true);
    tensor->set_address(address);
    tensor->set_tile_rows(4);
    tensor->set_tile_columns(2);
    tensor->set_address_challenge(2);
    tensor->set_row_challenge(3);
    tensor->set_column_challenge(4);
  }

  void publicTensors() {
    publicTensor("x", PublicTensor::INPUT, -100, 100, kAddressX);
    publicTensor("y", PublicTensor::OUTPUT, -128, 127, kAddressY);
  }

  uint32_t buffer(const std::string& name, uint64_t size) {
    Buffer* buffer = program_.add_buffers();
    buffer->set_name(name);
    buffer->set_size(size);
    return program_.buffers_size() - 1;
  }

  Step* step() {
    Step* step = program_.add_steps();
    step->set_node("/mlp/fc");
    step->set_region("layer0/mlp");
    return step;
  }

  struct Axis {
    uint64_t count;
    int64_t row_stride, value_stride;
  };
  static void place(Placement* p, uint32_t buffer, uint32_t table, uint32_t column, uint32_t lanes,
                    int64_t lane_stride, uint64_t first_row, const std::vector<Axis>& axes) {
    p->set_buffer(buffer);
    p->set_table(table);
    p->set_column(column);
    p->set_lanes(lanes);
    p->set_lane_stride(lane_stride);
    p->set_first_row(first_row);
    for (const Axis& axis : axes) {
      Dim* dim = p->add_dims();
      dim->set_count(axis.count);
      dim->set_row_stride(axis.row_stride);
      dim->set_value_stride(axis.value_stride);
    }
  }

  void program() {
    program_.set_format(program::kProgramFormat);
    uint32_t x = buffer("x", 8), w = buffer("w", 4), acc = buffer("acc", 8), q = buffer("q", 8),
             r = buffer("r", 8);
    Input* input = step()->mutable_input();
    input->set_tensor(0);
    input->set_out(x);
    Load* load = step()->mutable_load();
    place(load->mutable_placement(), 0, w_, 0, 2, 1, 0, {{2, 1, 2}});
    load->set_out(w);
    MatMul* matmul = step()->mutable_matmul();
    matmul->set_lhs(x);
    matmul->set_rhs(w);
    matmul->set_out(acc);
    matmul->set_batch(1);
    matmul->set_m(4);
    matmul->set_k(2);
    matmul->set_n(2);
    for (Strides* strides : {matmul->mutable_lhs_strides(), matmul->mutable_rhs_strides(),
                             matmul->mutable_out_strides()}) {
      strides->set_row(2);
      strides->set_column(1);
    }
    Requantize* requantize = step()->mutable_requantize();
    requantize->set_acc(acc);
    requantize->set_shift(2);
    requantize->set_bits(8);
    requantize->set_quotient(q);
    requantize->set_remainder(r);
    Output* output = step()->mutable_output();
    output->set_tensor(1);
    output->set_buffer(q);
    place(program_.add_placements(), x, x_, 4, 1, 0, 0, {{2, 4, 1}, {4, 1, 2}});
    place(program_.add_placements(), q, y_, 2, 1, 0, 6, {{4, -2, 2}, {2, 1, 1}});
    place(program_.add_placements(), r, y_, 3, 1, 0, 6, {{4, -2, 2}, {2, 1, 1}});
  }

  const bool linked_;
  CircuitBuilder b_;
  Program program_;
  std::vector<FixedValues> fixed_;
  uint32_t x_ = 0, w_ = 0, y_ = 0, range_ = 0;
  uint32_t rho_ = 0, sigma_ = 0, za_ = 0, zr_ = 0, zc_ = 0, z_ = 0, alpha_ = 0, bind_ = 0;
  uint32_t public_group_ = 0, product_group_ = 0, range_group_ = 0, copy_group_ = 0,
           bind_group_ = 0, taken_group_ = 0, left_group_ = 0;
  uint32_t copy_bus_ = 0, range_bus_ = 0;
  uint32_t one_ = 0, zero_ = 0;
  uint32_t x_fold_ = 0;
};

}  // namespace

Sample linearSample() { return LinearSample().build(); }

Circuit linkedSample() {
  Circuit circuit = LinearSample(/*linked=*/true).build().circuit;
  for (SumGroup& group : *circuit.mutable_sum_groups())
    group.set_exported(group.name() == "taken" || group.name() == "left");
  return circuit;
}

Bundle linkedBundle() {
  const auto groups = static_cast<uint32_t>(linkedSample().sum_groups_size());
  return bundleOfSteps(groups - 2, groups - 1, 3);
}

Statement linearInputs(const std::vector<int64_t>& x) {
  Statement statement;
  statement.set_format(1);
  PublicValues* tensor = statement.add_tensors();
  tensor->set_name("x");
  tensor->set_rows(4);
  tensor->set_columns(2);
  for (int64_t v : x) tensor->add_values(v);
  return statement;
}

std::vector<int64_t> linearOutput(const std::vector<int64_t>& x) {
  std::vector<int64_t> y;
  for (int t = 0; t < 4; ++t) {
    for (int j = 0; j < 2; ++j) {
      int64_t acc = x[2 * t] * kSampleWeights[0][j] + x[2 * t + 1] * kSampleWeights[1][j];
      y.push_back((acc + 2) >> 2);
    }
  }
  return y;
}

absl::Status writeSample(const Sample& sample, const std::string& path) {
  LINDERO_ASSIGN_OR_RETURN(PackageWriter writer,
                           PackageWriter::create(path, sample.circuit, sample.program));
  for (const FixedValues& fixed : sample.fixed) {
    absl::Span<uint32_t> column = writer.fixedColumn(fixed.table, fixed.column);
    for (size_t i = 0; i < fixed.values.size(); ++i) {
      column[i] = M31::fromSigned(fixed.values[i]).value();
    }
  }
  return writer.finish();
}

std::string freshFolder() {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string path =
      absl::StrCat(::testing::TempDir(), "lindero_", test->test_suite_name(), "_", test->name());
  for (char& c : path) {
    if (c == '/' && &c > path.data() + ::testing::TempDir().size()) c = '_';
  }
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

}  // namespace lindero::runtime::testing

// How long the checker takes on a circuit of the kind that the compiler makes: lanes of requantized
// values with two range lookups each, an address-weighted claimed sum and a fold; about 10 million
// cells of the base field.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <random>

#include "runtime/check/checker.h"
#include "runtime/package/package_writer.h"
#include "runtime/trace/generate_trace.h"
#include "tests/samples/circuit_builder.h"

namespace lindero::runtime {
namespace {

constexpr uint32_t kLogRows = 17, kLaneCount = 8, kShift = 10, kBits = 12;

class RequantizeCircuit {
 public:
  Circuit build() {
    work_ = b_.table("work", kLogRows);
    range_ = b_.table("range", 13);
    bus_ = b_.bus("range", 2, 1);
    group_ = b_.group("range");
    rho_ = b_.drawn(b_.challenge("rho", 1));
    z_ = b_.drawn(b_.challenge("z", 2));
    alpha_ = b_.drawn(b_.challenge("alpha", 2));
    one_ = b_.constant(1);
    b_.instance(work_, 0, uint64_t{1} << kLogRows, "/node", "region");
    columnsOfWork();
    columnsOfRange();
    return b_.circuit;
  }

  static constexpr uint32_t kFirstMain = 1;

 private:
  uint32_t denominator(uint32_t tag, uint32_t value) {
    return b_.sub(z_, b_.add(tag, b_.mul(alpha_, value)));
  }

  void columnsOfWork() {
    uint32_t start = b_.read(work_, b_.column(work_, "start", 0));
    std::vector<uint32_t> q, r;
    for (uint32_t lane = 0; lane < kLaneCount; ++lane) {
      q.push_back(b_.read(work_, b_.column(work_, "q" + std::to_string(lane), 1)));
      r.push_back(b_.read(work_, b_.column(work_, "r" + std::to_string(lane), 1)));
    }
    // Horner over the lanes of a row, then over rows.
    uint32_t folded = q[0];
    for (uint32_t lane = 1; lane < kLaneCount; ++lane) {
      uint32_t acc = b_.sub(b_.add(b_.mul(q[lane], b_.constant(1 << kShift)), r[lane]),
                            b_.constant(1 << (kShift - 1)));
      folded = b_.add(b_.mul(folded, rho_), acc);
    }
    uint32_t carry = b_.mul(b_.sub(one_, start), rho_);
    uint32_t fold = b_.column(work_, "fold", 2);
    b_.scan(work_, fold, "fold", carry, folded);
    uint32_t q_tag = b_.constant(kBits), r_tag = b_.constant(kShift),
             half = b_.constant(1 << (kBits - 1));
    uint32_t sum = b_.constant(0);
    for (uint32_t lane = 0; lane < kLaneCount; ++lane) {
      std::string name = "range" + std::to_string(lane);
      uint32_t key = b_.add(q[lane], half);
      b_.lookup(work_, "q" + std::to_string(lane), bus_, one_, {q_tag, key});
      b_.lookup(work_, "r" + std::to_string(lane), bus_, one_, {r_tag, r[lane]});
      uint32_t d0 = denominator(q_tag, key), d1 = denominator(r_tag, r[lane]);
      uint32_t numerator = b_.add(d0, d1), product = b_.mul(d0, d1);
      uint32_t column = b_.column(work_, name, 3);
      b_.columnAt(work_, column).mutable_fraction()->set_numerator(numerator);
      b_.columnAt(work_, column).mutable_fraction()->set_denominator(product);
      b_.constrain(work_, name, b_.sub(b_.mul(b_.read(work_, column), product), numerator));
      sum = b_.add(sum, b_.read(work_, column));
    }
    b_.running(work_, "range_sum", 3, b_.constant(0), one_, sum, group_);
  }

  void columnsOfRange() {
    uint32_t tag = b_.read(range_, b_.column(range_, "tag", 0)),
             value = b_.read(range_, b_.column(range_, "value", 0));
    uint32_t count = b_.column(range_, "count", 1);
    Lookup& provider = b_.provide(range_, "range", bus_, count, {tag, value}, 1, 0);
    provider.set_has_selector(true);
    provider.set_selector(0);
    provider.clear_offsets();
    for (uint32_t t = 0; t <= kBits; ++t) {
      provider.add_offsets(t == kBits ? 0 : t == kShift ? int64_t{1} << kBits : kNotHere);
    }
    b_.running(range_, "range_sum", 3, b_.node(Node::NEG, b_.read(range_, count)),
               denominator(tag, value), b_.constant(0), group_);
  }

  testing::CircuitBuilder b_;
  uint32_t work_ = 0, range_ = 0, bus_ = 0, group_ = 0, rho_ = 0, z_ = 0, alpha_ = 0, one_ = 0;
};

struct Fixture {
  Fixture() {
    Circuit circuit = RequantizeCircuit().build();
    Program program;
    program.set_format(1);
    std::string path =
        (std::filesystem::temp_directory_path() / "lindero_checker_bench.lindero").string();
    auto writer = PackageWriter::create(path, circuit, program);
    absl::Span<uint32_t> tags = writer->fixedColumn(1, 0), values = writer->fixedColumn(1, 1);
    for (uint32_t v = 0; v < 1u << kBits; ++v) tags[v] = kBits, values[v] = v;
    for (uint32_t v = 0; v < 1u << kShift; ++v)
      tags[(1u << kBits) + v] = kShift, values[(1u << kBits) + v] = v;
    writer->fixedColumn(0, 0)[0] = 1;
    writer->finish().IgnoreError();
    package = std::make_unique<Package>(*Package::open(path));
    main.resize(package->traceLayout().cells());
    std::mt19937_64 random(1);
    for (uint32_t c = 0; c < 2 * kLaneCount; ++c) {
      absl::Span<uint32_t> column =
          package->traceLayout().column(absl::MakeSpan(main), 0, RequantizeCircuit::kFirstMain + c);
      for (uint32_t& cell : column) {
        uint64_t drawn = random();
        cell =
            c % 2 == 0
                ? M31::fromSigned(static_cast<int64_t>(drawn % (1 << kBits)) - (1 << (kBits - 1)))
                      .value()
                : static_cast<uint32_t>(drawn % (1 << kShift));
      }
    }
    statement.set_format(1);
    std::filesystem::remove_all(path);
  }

  std::unique_ptr<Package> package;
  std::vector<uint32_t> main;
  Statement statement;
};

Fixture& fixture() {
  static Fixture fixture;
  return fixture;
}

void countMultiplicities(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    absl::Status status =
        fillMultiplicities(*fixture().package, absl::MakeSpan(fixture().main), pool);
    if (!status.ok()) state.SkipWithError(std::string(status.message()).c_str());
  }
}
BENCHMARK(countMultiplicities)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

void checkCircuit(benchmark::State& state) {
  CheckOptions options;
  options.threads = static_cast<int>(state.range(0));
  uint64_t cells = 0;
  for (auto _ : state) {
    auto checker =
        Checker::create(*fixture().package, fixture().statement, fixture().main, options);
    auto report = (*checker)->check();
    if (!report.ok() || !report->ok()) state.SkipWithError("the check failed");
    cells = report->cells;
  }
  state.counters["cells"] = static_cast<double>(cells);
}
BENCHMARK(checkCircuit)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

// The parts of a check.
void fillPhases(benchmark::State& state) {
  CheckOptions options;
  options.threads = static_cast<int>(state.range(0));
  auto checker = Checker::create(*fixture().package, fixture().statement, fixture().main, options);
  for (auto _ : state) (*checker)->fill().IgnoreError();
}
BENCHMARK(fillPhases)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

void evaluateConstraints(benchmark::State& state) {
  CheckOptions options;
  options.threads = static_cast<int>(state.range(0));
  auto checker = Checker::create(*fixture().package, fixture().statement, fixture().main, options);
  (*checker)->fill().IgnoreError();
  for (auto _ : state)
    benchmark::DoNotOptimize((*checker)->checkConstraints({{0, 0, uint64_t{1} << kLogRows}}));
}
BENCHMARK(evaluateConstraints)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace lindero::runtime

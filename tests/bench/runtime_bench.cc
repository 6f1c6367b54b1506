// How long the runtime takes on the char GPT: opening its package, the trace, and the steps of the
// trace program by kind. The argument is the number of threads.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "runtime/package/package.h"
#include "runtime/trace/buffers.h"
#include "runtime/trace/generate_trace.h"
#include "runtime/trace/run_step.h"
#include "runtime/trace/step_context.h"
#include "tests/bench/char_gpt.h"

namespace lindero::runtime {
namespace {

using bench::need;

// The package in a folder of its own, which goes away at the end.
class Fixture {
 public:
  Fixture() {
    std::filesystem::create_directory(folder_);
    bench::CharGpt model;
    model.calibrate();
    model.quantize();
    model.selectValues();
    model.lower();
    model.write(path());
    package_ = std::make_unique<Package>(need(Package::open(path())));
    const PublicTensor& tokens = package_->circuit().publics(0);
    inputs_.set_format(1);
    PublicValues* values = inputs_.add_tensors();
    values->set_name(tokens.name());
    values->set_kind(PublicValues::INPUT);
    values->set_rows(tokens.rows());
    values->set_columns(tokens.columns());
    for (uint32_t i = 0; i < tokens.rows(); ++i) values->add_values(token(i));
  }
  ~Fixture() { std::filesystem::remove_all(folder_); }

  // Small letters, in no order.
  static int64_t token(uint32_t position) { return 58 + (7 * position) % 24; }

  std::string path() const { return (folder_ / "model.lindero").string(); }
  std::string trace() const { return (folder_ / "trace.bin").string(); }
  const Package& package() const { return *package_; }
  const Statement& inputs() const { return inputs_; }

 private:
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() /
                                  ("lindero_runtime_bench." + std::to_string(getpid()));
  std::unique_ptr<Package> package_;
  Statement inputs_;
};

Fixture& fixture() {
  static Fixture fixture;
  return fixture;
}

void openPackage(benchmark::State& state) {
  std::string path = fixture().path();
  for (auto _ : state) benchmark::DoNotOptimize(need(Package::open(path)));
}
BENCHMARK(openPackage)->Unit(benchmark::kMillisecond);

void trace(benchmark::State& state) {
  TraceOptions options;
  options.threads = static_cast<int>(state.range(0));
  for (auto _ : state) {
    need(generateTrace(fixture().package(), fixture().inputs(), fixture().trace(), options));
  }
}
BENCHMARK(trace)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

// All steps of the program on buffers that are kept, so that a step can run again.
class Steps {
 public:
  explicit Steps(int threads)
      : program_(fixture().package().program()), pool_(threads), buffers_(program_) {
    for (const Step& step : program_.steps()) {
      for (uint32_t buffer : buffersOf(step).writes) need(buffers_.allocate(buffer));
      run(step);
    }
  }

  void runAll(Step::KindCase kind) {
    for (const Step& step : program_.steps()) {
      if (step.kind_case() == kind) run(step);
    }
  }

  // Products of two numbers, over all matrix products.
  double products() const {
    double sum = 0;
    for (const Step& step : program_.steps()) {
      if (!step.has_matmul()) continue;
      const MatMul& product = step.matmul();
      sum += 1.0 * product.batch() * product.m() * product.n() * product.k();
    }
    return sum;
  }

 private:
  void run(const Step& step) {
    StepContext context(fixture().package(), step, buffers_, pool_);
    if (step.has_output()) return;  // there is no statement
    if (!step.has_input()) return need(runStep(context));
    absl::Span<int32_t> tokens = context.out(step.input().out());
    for (uint32_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = static_cast<int32_t>(Fixture::token(i));
    }
  }

  const Program& program_;
  ThreadPool pool_;
  Buffers buffers_;
};

void steps(benchmark::State& state, Step::KindCase kind) {
  Steps steps(static_cast<int>(state.range(0)));
  for (auto _ : state) steps.runAll(kind);
  if (kind != Step::kMatmul) return;
  state.counters["products"] =
      benchmark::Counter(steps.products(), benchmark::Counter::kIsIterationInvariantRate);
}
#define LINDERO_STEPS(name, kind) \
  BENCHMARK_CAPTURE(steps, name, kind)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime()
LINDERO_STEPS(matmul, Step::kMatmul);
LINDERO_STEPS(requantize, Step::kRequantize);
LINDERO_STEPS(table_lookup, Step::kTableLookup);
LINDERO_STEPS(layer_norm, Step::kLayerNorm);
LINDERO_STEPS(softmax, Step::kSoftmax);
LINDERO_STEPS(argmax, Step::kArgmax);

}  // namespace
}  // namespace lindero::runtime

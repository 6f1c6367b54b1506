// How long each stage of the compiler takes on the char GPT; together they are `lindero compile`
// without the key.
#include <benchmark/benchmark.h>

#include <filesystem>

#include "tests/bench/char_gpt.h"

namespace lindero::bench {
namespace {

void import(benchmark::State& state) {
  for (auto _ : state) CharGpt model;
}
BENCHMARK(import)->Unit(benchmark::kMillisecond);

void calibrate(benchmark::State& state) {
  CharGpt model;
  for (auto _ : state) model.calibrate();
}
BENCHMARK(calibrate)->Unit(benchmark::kMillisecond)->UseRealTime();

void quantize(benchmark::State& state) {
  CharGpt model;
  model.calibrate();
  for (auto _ : state) model.quantize();
}
BENCHMARK(quantize)->Unit(benchmark::kMillisecond)->UseRealTime();

void lower(benchmark::State& state) {
  CharGpt model;
  model.calibrate();
  for (auto _ : state) {
    state.PauseTiming();
    model.quantize();
    model.selectValues();
    state.ResumeTiming();
    model.lower();
  }
}
// Each iteration quantizes anew.
BENCHMARK(lower)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(5);

void writePackage(benchmark::State& state) {
  CharGpt model;
  model.calibrate();
  model.quantize();
  model.selectValues();
  model.lower();
  std::string path =
      (std::filesystem::temp_directory_path() / "lindero_compiler_bench.lindero").string();
  for (auto _ : state) {
    model.write(path);
    state.PauseTiming();
    std::filesystem::remove_all(path);
    state.ResumeTiming();
  }
}
BENCHMARK(writePackage)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace lindero::bench

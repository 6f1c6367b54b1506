// The char GPT for benchmarks: 4 layers, d 128, 64 tokens; argmax at the last 32.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/driver/compilation.h"

namespace lindero::bench {

// A benchmark has nobody to report to: it ends.
inline void need(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

template <typename T>
T need(absl::StatusOr<T> value) {
  need(value.status());
  return *std::move(value);
}

// The stages of `lindero compile`, with its defaults.
class CharGpt {
 public:
  CharGpt() : compilation_(need(compiler::Compilation::load(kFile, {}))) {}

  void calibrate() {
    std::vector<passes::Sample> samples = need(compilation_.defaultSamples(kSamples));
    exponents_ = need(compilation_.calibrate(samples, {}));
  }
  void quantize() { need(compilation_.quantize(exponents_)); }
  void selectValues() { need(compilation_.selectValues("last:32", true)); }
  void lower() { need(compilation_.lower({})); }
  void write(const std::string& path) { need(compilation_.write(path, {})); }

 private:
  static constexpr char kFile[] = LINDERO_MODELS "/char_gpt/char_gpt.onnx";
  static constexpr int64_t kSamples = 16;

  compiler::Compilation compilation_;
  passes::Exponents exponents_;
};

}  // namespace lindero::bench

// For tests of kernels: runs single steps on buffers of any values, in a package that has some
// fixed tables and no steps of its own.
#ifndef LINDERO_RUNTIME_TRACE_STEP_KERNELS_H_
#define LINDERO_RUNTIME_TRACE_STEP_KERNELS_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/trace/kernels.h"
#include "runtime/trace/run_step.h"
#include "tests/samples/circuit_builder.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {

// RSQRT as integers in two fixed columns, EXPT in four: exact tables are the compiler's business,
// any will do here.
inline constexpr int kLive = 600, kDead = 300, kDeadWidth = 3, kProbabilityBits = 12;
inline constexpr double kUnit = 1.0 / 64;

// Table 3 has columns of any signed numbers, in 128 rows.
inline constexpr uint32_t kWeightLanes = 80;

inline int64_t expValue(int64_t k) {
  return k >= kLive ? 0
                    : static_cast<int64_t>(
                          std::floor(std::ldexp(std::exp(-k * kUnit), kProbabilityBits) + 0.5));
}

class StepKernels : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    testing::CircuitBuilder b;
    uint32_t rsqrt = b.table("rsqrt", 17), exp = b.table("exp", 10), rows = b.table("rows", 4);
    testing::Sample sample;
    std::vector<int64_t> roots, shifts;
    for (int64_t m = 0; m < 65536; ++m) {
      // R / 2^t0 = 2^7 / sqrt(m), with 9 bits of R.
      double value = 128 / std::sqrt(m < 1 ? 1.0 : static_cast<double>(m));
      int64_t shift = 8 - static_cast<int64_t>(std::floor(std::log2(value)));
      shift = std::min<int64_t>(std::max<int64_t>(shift, 1), 14);
      shifts.push_back(shift);
      roots.push_back(m == 0 ? 0
                             : static_cast<int64_t>(std::floor(std::ldexp(value, shift) + 0.5)));
    }
    std::vector<int64_t> key, width, p, previous;
    for (int64_t k = 0; k < kLive; ++k) {
      key.push_back(k), width.push_back(0), p.push_back(expValue(k)),
          previous.push_back(expValue(k - 1));
    }
    for (int64_t i = 0; i < kDead; ++i) {
      key.push_back(kLive + (i << kDeadWidth)), width.push_back(kDeadWidth), p.push_back(0),
          previous.push_back(0);
    }
    auto fixed = [&](uint32_t table, const char* name, std::vector<int64_t> values,
                     int64_t first_row) {
      values.insert(values.begin(), first_row, -9);
      sample.fixed.push_back({table, b.column(table, name, 0), std::move(values)});
    };
    fixed(rsqrt, "R", roots, 3);
    fixed(rsqrt, "t0", shifts, 3);
    fixed(exp, "k", key, 5);
    fixed(exp, "w", width, 5);
    fixed(exp, "p", p, 5);
    fixed(exp, "previous", previous, 5);
    std::vector<int64_t> squares;
    for (int64_t i = 0; i < 16; ++i) squares.push_back(i * i - 100);
    fixed(rows, "squares", squares, 0);
    fixed(rows, "a", {1, 2, 3, 4, 5, 6}, 0);
    fixed(rows, "b", {-1, -2, -3, -4, -5, -6}, 0);
    uint32_t weights = b.table("weights", 7);
    std::mt19937 random(3);
    for (uint32_t lane = 0; lane < kWeightLanes; ++lane) {
      std::vector<int64_t> values(128);
      for (int64_t& v : values) v = static_cast<int64_t>(random() % 65535) - 32767;
      const uint32_t column = b.column(weights, absl::StrCat("w", lane).c_str(), 0);
      sample.fixed.push_back({weights, column, std::move(values)});
    }
    sample.circuit = b.circuit;
    sample.program.set_format(program::kProgramFormat);
    folder_ = new std::string(::testing::TempDir() + "lindero_step_kernels");
    ASSERT_TRUE(testing::writeSample(sample, *folder_).ok());
    auto package = Package::open(*folder_);
    ASSERT_TRUE(package.ok()) << package.status();
    package_ = new Package(*std::move(package));
  }
  static void TearDownTestSuite() {
    delete package_;
    delete folder_;
  }

  uint32_t buffer(std::vector<int64_t> values) {
    uint32_t index = buffer(values.size());
    initial_.push_back({index, std::move(values)});
    return index;
  }
  uint32_t buffer(size_t size) {
    program_.add_buffers()->set_size(size);
    return program_.buffers_size() - 1;
  }

  // Runs one step that is checked as a part of a program would be.
  template <typename Message>
  absl::Status run(const Message& message, int threads = 2) {
    step_.set_node("/n");
    step_.set_region("r");
    buffers_ = std::make_unique<Buffers>(program_, in_place_);
    for (int i = 0; i < program_.buffers_size(); ++i) {
      if (absl::Status status = buffers_->allocate(i); !status.ok()) return status;
    }
    for (const auto& [index, values] : initial_)
      std::copy(values.begin(), values.end(), buffers_->at(index).begin());
    ThreadPool pool(threads);
    StepContext context(*package_, step_, *buffers_, pool);
    return runtime::run(context, message);
  }
  std::vector<int64_t> result(uint32_t buffer) {
    absl::Span<int32_t> values = buffers_->at(buffer);
    return {values.begin(), values.end()};
  }

  static inline Package* package_ = nullptr;
  static inline std::string* folder_ = nullptr;
  Program program_;
  Step step_;
  std::vector<std::pair<uint32_t, std::vector<int64_t>>> initial_;
  std::map<uint32_t, FixedMatrix> in_place_;
  std::unique_ptr<Buffers> buffers_;
  std::mt19937_64 random_{17};

  std::vector<int64_t> draw(size_t count, int64_t low, int64_t high) {
    std::vector<int64_t> values(count);
    for (int64_t& v : values)
      v = low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1));
    return values;
  }
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TRACE_STEP_KERNELS_H_

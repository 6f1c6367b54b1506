// A complete small circuit with its program, which the tests of package, trace and checker share.
#ifndef LINDERO_TESTS_UNIT_RUNTIME_SAMPLE_CIRCUITS_H_
#define LINDERO_TESTS_UNIT_RUNTIME_SAMPLE_CIRCUITS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/package/bundle.pb.h"
#include "runtime/package/circuit.pb.h"
#include "runtime/package/statement.pb.h"
#include "runtime/program/program.pb.h"

namespace lindero::runtime::testing {

struct FixedValues {
  uint32_t table;
  uint32_t column;
  std::vector<int64_t> values;  // row by row; missing rows are 0
};

struct Sample {
  Circuit circuit;
  Program program;
  std::vector<FixedValues> fixed;
};

// Y = requantize(X W, shift 2, 8 bits) with X 4 x 2 in [-100, 100] and W 2 x 2 fixed, proven by
// random folds:
//   table "x"      8 rows (i, t): main x; phase 2: a = sum over t of rho^(3-t) x (scan),
//                  tuples (row, a) provided, and looked up where a fold ends
//   table "w"      2 rows i: fixed w0, w1; phase 2: a gathered from "x" and bound by a sum,
//                  w0 + sigma w1 (expression), running sum of their products
//   table "y"      8 rows (3 - t, j): main q, r; phase 2: powers rho^(3-t) sigma^j (scan),
//                  accumulators times powers (expression), running sum against "w"; q and r looked
//                  up in RANGE
//   table "range"  fixed tag, value: tag 8 in rows 0..255, tag 2 in rows 256..259
// X and Y are public: group "public". Every generator, both offsets, INVERSE and both bus phases
// occur. It obeys the adaptive rules.
Sample linearSample();

// X[t][i] and W[i][j] of the sample; `linearOutput` is what Y must be.
inline constexpr int64_t kSampleWeights[2][2] = {{3, -5}, {7, 2}};
Statement linearInputs(const std::vector<int64_t>& x);
std::vector<int64_t> linearOutput(const std::vector<int64_t>& x);

// Its circuit, in which "x" sums its values twice more, in the exported groups "taken" and "left".
Circuit linkedSample();
// Up to three steps of it: what one leaves, the next one takes.
Bundle linkedBundle();

absl::Status writeSample(const Sample& sample, const std::string& path);

// An empty folder for the running test.
std::string freshFolder();

}  // namespace lindero::runtime::testing

#endif  // LINDERO_TESTS_UNIT_RUNTIME_SAMPLE_CIRCUITS_H_

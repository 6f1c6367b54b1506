// Integer matrix products, block by block. While k * max|lhs| * max|rhs| + max|bias| < 2^53 every
// partial sum is an integer that a double holds exactly, so a floating-point product is exact in
// any order; beyond that plain 64-bit loops are. The magnitudes are those of the blocks: they are
// read only once.
#include <Eigen/Core>
#include <algorithm>
#include <cstdlib>

#include "runtime/package/status_macros.h"
#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

constexpr int64_t kBlockM = 256, kBlockN = 256, kBlockK = 1024;
constexpr int64_t kResultBound = int64_t{1} << 30;

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Integers = Eigen::Matrix<int64_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

Range blockOf(uint64_t index, int64_t block, int64_t extent) {
  int64_t begin = static_cast<int64_t>(index) * block;
  return {begin, std::min(begin + block, extent)};
}

// A dense copy of a block of a strided operand; returns its largest magnitude.
template <typename Dense>
int64_t copyBlock(absl::Span<const int32_t> values, const Strides& strides, int64_t batch,
                  Range rows, Range columns, Dense& dense) {
  dense.resize(rows.size(), columns.size());
  int32_t low = 0, high = 0;
  auto copy = [&](const int32_t* from, int64_t stride, auto* to) {
    for (int64_t j = 0; j < columns.size(); ++j) {
      const int32_t value = from[j * stride];
      low = std::min(low, value);
      high = std::max(high, value);
      to[j] = static_cast<typename Dense::Scalar>(value);
    }
  };
  for (int64_t i = 0; i < rows.size(); ++i) {
    const int32_t* from = values.data() + strides.offset() + batch * strides.batch() +
                          (rows.begin + i) * strides.row() + columns.begin * strides.column();
    auto* to = dense.data() + i * columns.size();
    // A constant stride lets the compiler use vectors.
    strides.column() == 1 ? copy(from, 1, to) : copy(from, strides.column(), to);
  }
  return std::max<int64_t>(high, -static_cast<int64_t>(low));
}

class MatMulRunner {
 public:
  MatMulRunner(const StepContext& context, const MatMul& step)
      : context_(context),
        step_(step),
        lhs_(context.in(step.lhs())),
        rhs_(context.in(step.rhs())),
        out_(context.out(step.out())) {
    if (step.has_bias()) bias_ = context.in(step.bias());
  }

  absl::Status run() {
    uint64_t blocks_m = (step_.m() + kBlockM - 1) / kBlockM,
             blocks_n = (step_.n() + kBlockN - 1) / kBlockN;
    return context_.forEach(step_.batch() * blocks_m * blocks_n, 1, [&](uint64_t task) {
      int64_t batch = static_cast<int64_t>(task / (blocks_m * blocks_n));
      Range rows = blockOf(task / blocks_n % blocks_m, kBlockM, step_.m());
      Range columns = blockOf(task % blocks_n, kBlockN, step_.n());
      if (Matrix sum; multiply(batch, rows, columns, __int128{1} << 53, sum))
        return store(batch, rows, columns, sum);
      if (Integers sum; multiply(batch, rows, columns, __int128{1} << 62, sum))
        return store(batch, rows, columns, sum);
      return context_.error("a matrix product whose partial sums do not fit 64 bits");
    });
  }

 private:
  // False if a partial sum might reach `limit`. Blocks are small, so that these allocations are
  // too.
  template <typename Dense>
  bool multiply(int64_t batch, Range rows, Range columns, __int128 limit, Dense& sum) const {
    Dense lhs, rhs;
    sum = Dense::Zero(rows.size(), columns.size());
    __int128 bound = 0;
    for (int64_t j = columns.begin; j < columns.end && !bias_.empty(); ++j)
      bound = std::max<__int128>(bound, std::abs(static_cast<int64_t>(bias_[j])));
    for (int64_t k = 0; k < step_.k(); k += kBlockK) {
      Range inner{k, std::min<int64_t>(k + kBlockK, step_.k())};
      const __int128 largest = copyBlock(lhs_, step_.lhs_strides(), batch, rows, inner, lhs);
      bound +=
          largest * copyBlock(rhs_, step_.rhs_strides(), batch, inner, columns, rhs) * inner.size();
      if (bound >= limit) return false;
      sum.noalias() += lhs * rhs;
    }
    return true;
  }

  template <typename Dense>
  absl::Status store(int64_t batch, Range rows, Range columns, const Dense& sum) const {
    const Strides& strides = step_.out_strides();
    for (int64_t i = 0; i < rows.size(); ++i) {
      int32_t* to = out_.data() + strides.offset() + batch * strides.batch() +
                    (rows.begin + i) * strides.row();
      for (int64_t j = 0; j < columns.size(); ++j) {
        int64_t value = static_cast<int64_t>(sum(i, j));
        if (!bias_.empty()) value += bias_[columns.begin + j];
        if (value <= -kResultBound || value >= kResultBound) {
          return context_.error(RangeViolation{"sum of products",
                                               static_cast<uint64_t>(rows.begin + i),
                                               static_cast<uint64_t>(columns.begin + j), value,
                                               -kResultBound + 1, kResultBound - 1});
        }
        to[(columns.begin + j) * strides.column()] = static_cast<int32_t>(value);
      }
    }
    return absl::OkStatus();
  }

  const StepContext& context_;
  const MatMul& step_;
  absl::Span<const int32_t> lhs_, rhs_, bias_;
  absl::Span<int32_t> out_;
};

}  // namespace

absl::Status run(const StepContext& context, const MatMul& step) {
  return MatMulRunner(context, step).run();
}

}  // namespace lindero::runtime

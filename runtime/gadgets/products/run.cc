// Integer matrix products, block by block. While k * max|lhs| * max|rhs| + max|bias| < 2^53 every
// partial sum is an integer that a double holds exactly, so a floating-point product is exact in
// any order; beyond that plain 64-bit loops are. The magnitudes are those of the blocks: they are
// read only once.
#include <Eigen/Core>
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "runtime/package/status_macros.h"
#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

constexpr int64_t kBlockM = 256, kBlockN = 256, kBlockK = 1024;
// Neighbouring rows of a fixed matrix that a block takes together, as a cache line has them.
constexpr int64_t kBlockRows = 16;
constexpr int64_t kResultBound = int64_t{1} << 30;

template <typename Scalar>
using ByRows = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <typename Scalar>
using ByColumns = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
using Matrix = ByRows<double>;
using Integers = ByRows<int64_t>;

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

// The largest magnitude among the numbers that it makes of residues.
class Centered {
 public:
  int32_t operator()(uint32_t residue) {
    const auto value = static_cast<int32_t>(residue > kModulus / 2 ? residue - kModulus : residue);
    low_ = std::min(low_, value);
    high_ = std::max(high_, value);
    return value;
  }
  int64_t largest() const { return std::max<int64_t>(high_, -static_cast<int64_t>(low_)); }

 private:
  int32_t low_ = 0, high_ = 0;
};

// Columns of the right side, in blocks.
class RightSide {
 public:
  RightSide(const StepContext& context, const MatMul& step)
      : context_(context),
        strides_(step.rhs_strides()),
        n_(step.n()),
        matrix_(context.buffers.inPlace(step.rhs())) {
    if (matrix_ == nullptr) return;
    lanes_ = static_cast<int64_t>(matrix_->lanes);
    first_row_ = strides_.offset() / lanes_;
    rows_ = (strides_.offset() + n_ + lanes_ - 1) / lanes_ - first_row_;
    block_rows_ = std::min(kBlockRows, rows_);
    block_lanes_ = kBlockN / block_rows_;
  }

  uint64_t blocks() const {
    if (matrix_ == nullptr) return (n_ + kBlockN - 1) / kBlockN;
    return laneBlocks() * ((rows_ + block_rows_ - 1) / block_rows_);
  }

  // Those of a fixed matrix are some lanes of some neighbouring rows.
  std::vector<int64_t> columns(uint64_t block) const {
    std::vector<int64_t> columns;
    if (matrix_ == nullptr) {
      const Range range = blockOf(block, kBlockN, n_);
      for (int64_t j = range.begin; j < range.end; ++j) columns.push_back(j);
      return columns;
    }
    const Range lanes = blockOf(block % laneBlocks(), block_lanes_, lanes_);
    const Range rows = blockOf(block / laneBlocks(), block_rows_, rows_);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      for (int64_t lane = lanes.begin; lane < lanes.end; ++lane) {
        const int64_t j = (first_row_ + row) * lanes_ + lane - strides_.offset();
        if (0 <= j && j < n_) columns.push_back(j);
      }
    }
    return columns;
  }

  bool isInPlace() const { return matrix_ != nullptr; }

  // A dense copy of some rows of a block's columns; returns its largest magnitude. The first is of
  // a buffer, the second of a fixed matrix.
  template <typename Scalar>
  int64_t copy(absl::Span<const int32_t> values, int64_t batch, Range rows,
               absl::Span<const int64_t> columns, ByRows<Scalar>& dense) const {
    const Range range{columns.front(), columns.back() + 1};
    return copyBlock(values, strides_, batch, rows, range, dense);
  }

  template <typename Scalar>
  int64_t copy(absl::Span<const int32_t>, int64_t, Range rows, absl::Span<const int64_t> columns,
               ByColumns<Scalar>& dense) const {
    dense.resize(rows.size(), static_cast<int64_t>(columns.size()));
    const int64_t step = strides_.row() / lanes_;
    Centered centered;
    for (size_t j = 0; j < columns.size(); ++j) {
      const int64_t element = strides_.offset() + rows.begin * strides_.row() + columns[j];
      const auto column = matrix_->column + static_cast<uint32_t>(element % lanes_);
      const uint32_t* from =
          context_.fixed(matrix_->table, column, matrix_->first_row, matrix_->rows).data() +
          element / lanes_;
      Scalar* to = dense.data() + static_cast<int64_t>(j) * rows.size();
      for (int64_t k = 0; k < rows.size(); ++k)
        to[k] = static_cast<Scalar>(centered(from[k * step]));
    }
    return centered.largest();
  }

 private:
  uint64_t laneBlocks() const { return (lanes_ + block_lanes_ - 1) / block_lanes_; }

  const StepContext& context_;
  const Strides& strides_;
  int64_t n_;
  const FixedMatrix* matrix_;
  // Of the matrix: lanes, and the rows that have the columns' first elements.
  int64_t lanes_ = 0, first_row_ = 0, rows_ = 0;
  int64_t block_rows_ = 1, block_lanes_ = 1;
};

class MatMulRunner {
 public:
  MatMulRunner(const StepContext& context, const MatMul& step)
      : context_(context),
        step_(step),
        right_(context, step),
        lhs_(context.in(step.lhs())),
        rhs_(context.in(step.rhs())),
        out_(context.out(step.out())) {
    if (step.has_bias()) bias_ = context.in(step.bias());
  }

  absl::Status run() {
    const uint64_t blocks_m = (step_.m() + kBlockM - 1) / kBlockM, blocks_n = right_.blocks();
    return context_.forEach(step_.batch() * blocks_m * blocks_n, 1, [&](uint64_t task) {
      int64_t batch = static_cast<int64_t>(task / (blocks_m * blocks_n));
      Range rows = blockOf(task / blocks_n % blocks_m, kBlockM, step_.m());
      const std::vector<int64_t> columns = right_.columns(task % blocks_n);
      if (columns.empty()) return absl::OkStatus();
      if (Matrix sum; multiply(batch, rows, columns, __int128{1} << 53, sum))
        return store(batch, rows, columns, sum);
      if (Integers sum; multiply(batch, rows, columns, __int128{1} << 62, sum))
        return store(batch, rows, columns, sum);
      return context_.error("a matrix product whose partial sums do not fit 64 bits");
    });
  }

 private:
  // False if a partial sum might reach `limit`.
  template <typename Scalar>
  bool multiply(int64_t batch, Range rows, absl::Span<const int64_t> columns, __int128 limit,
                ByRows<Scalar>& sum) const {
    return right_.isInPlace() ? multiplyBy<ByColumns<Scalar>>(batch, rows, columns, limit, sum)
                              : multiplyBy<ByRows<Scalar>>(batch, rows, columns, limit, sum);
  }

  // Blocks are small, so that these allocations are too.
  template <typename Right, typename Dense>
  bool multiplyBy(int64_t batch, Range rows, absl::Span<const int64_t> columns, __int128 limit,
                  Dense& sum) const {
    Dense lhs;
    Right rhs;
    sum = Dense::Zero(rows.size(), static_cast<int64_t>(columns.size()));
    __int128 bound = 0;
    for (size_t j = 0; j < columns.size() && !bias_.empty(); ++j)
      bound = std::max<__int128>(bound, std::abs(static_cast<int64_t>(bias_[columns[j]])));
    for (int64_t k = 0; k < step_.k(); k += kBlockK) {
      Range inner{k, std::min<int64_t>(k + kBlockK, step_.k())};
      const __int128 largest = copyBlock(lhs_, step_.lhs_strides(), batch, rows, inner, lhs);
      bound += largest * right_.copy(rhs_, batch, inner, columns, rhs) * inner.size();
      if (bound >= limit) return false;
      sum.noalias() += lhs * rhs;
    }
    return true;
  }

  template <typename Dense>
  absl::Status store(int64_t batch, Range rows, absl::Span<const int64_t> columns,
                     const Dense& sum) const {
    const Strides& strides = step_.out_strides();
    for (int64_t i = 0; i < rows.size(); ++i) {
      int32_t* to = out_.data() + strides.offset() + batch * strides.batch() +
                    (rows.begin + i) * strides.row();
      for (size_t j = 0; j < columns.size(); ++j) {
        int64_t value = static_cast<int64_t>(sum(i, static_cast<int64_t>(j)));
        if (!bias_.empty()) value += bias_[columns[j]];
        if (value <= -kResultBound || value >= kResultBound) {
          return context_.error(RangeViolation{
              "sum of products", static_cast<uint64_t>(rows.begin + i),
              static_cast<uint64_t>(columns[j]), value, -kResultBound + 1, kResultBound - 1});
        }
        to[columns[j] * strides.column()] = static_cast<int32_t>(value);
      }
    }
    return absl::OkStatus();
  }

  const StepContext& context_;
  const MatMul& step_;
  const RightSide right_;
  absl::Span<const int32_t> lhs_, rhs_, bias_;
  absl::Span<int32_t> out_;
};

}  // namespace

absl::Status run(const StepContext& context, const MatMul& step) {
  return MatMulRunner(context, step).run();
}

}  // namespace lindero::runtime

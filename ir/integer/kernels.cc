#include "ir/integer/kernels.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "Eigen/Core"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lindero::ir::integer {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr int64_t kExactInDouble = int64_t{1} << 53;

absl::Status outOfRange(llvm::StringRef what, int64_t value, int64_t low, int64_t high) {
  return absl::OutOfRangeError(absl::StrCat(absl::string_view(what.data(), what.size()), " ", value,
                                            " is outside [", low, ", ", high, "]"));
}

// floor(a / b) for b > 0.
int64_t floorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

int64_t largestMagnitude(llvm::ArrayRef<int64_t> values) {
  int64_t largest = 0;
  for (int64_t value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

Matrix toMatrix(llvm::ArrayRef<int64_t> values, int64_t rows, int64_t columns) {
  Matrix matrix(rows, columns);
  for (int64_t i = 0; i < rows * columns; ++i) matrix.data()[i] = static_cast<double>(values[i]);
  return matrix;
}

absl::Status checkExact(const IntArray& x, const Rows& w) {
  const int64_t magnitude = largestMagnitude(x.values), inner = x.shape.back();
  if (magnitude == 0 || w.magnitude <= kExactInDouble / magnitude / std::max<int64_t>(inner, 1))
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("products of up to ", magnitude, " * ",
                                                 w.magnitude, " over ", inner,
                                                 " terms are not exact in double precision"));
}

// Columns start .. start + width - 1 of a row-major array, as a matrix.
Matrix columnsOf(const IntArray& array, int64_t start, int64_t width) {
  const int64_t rows = array.shape[0], stride = array.shape[1];
  Matrix matrix(rows, width);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < width; ++j) {
      matrix(i, j) = static_cast<double>(array.values[i * stride + start + j]);
    }
  }
  return matrix;
}

}  // namespace

int64_t rowsOf(const IntArray& array) {
  const int64_t width = array.shape.back();
  return width == 0 ? 0 : static_cast<int64_t>(array.values.size()) / width;
}

absl::Status checkRange(const IntArray& array, int64_t low, int64_t high, llvm::StringRef what) {
  for (size_t i = 0; i < array.values.size(); ++i) {
    const int64_t value = array.values[i];
    if (value >= low && value <= high) continue;
    llvm::SmallVector<int64_t, 4> index(array.shape.size());
    size_t rest = i;
    for (size_t axis = array.shape.size(); axis-- > 0;) {
      index[axis] = static_cast<int64_t>(rest % array.shape[axis]);
      rest /= array.shape[axis];
    }
    return absl::OutOfRangeError(absl::StrCat(absl::string_view(what.data(), what.size()), " ",
                                              value, " at [", absl::StrJoin(index, ", "),
                                              "] is outside [", low, ", ", high, "]"));
  }
  return absl::OkStatus();
}

Rows rowsOfMatrix(const IntArray& matrix) {
  return {{llvm::ArrayRef<int64_t>(matrix.values), rowsOf(matrix), matrix.shape.back()},
          largestMagnitude(matrix.values)};
}

Rows rowsOfMatrix(const Constant& matrix) {
  const int64_t width = matrix.shape.back();
  const IntegerFacts* facts = matrix.integerFacts();
  Rows rows{{{}, width == 0 ? 0 : matrix.elements() / width, width},
            facts == nullptr ? 0 : std::max(-facts->low, facts->high)};
  visitIntegers(matrix, [&](auto elements) { rows.elements.elements = elements; });
  return rows;
}

absl::StatusOr<IntArray> linear(const IntArray& x, const Rows& w, llvm::ArrayRef<int64_t> bias) {
  return std::move(linearAll({&x}, w, bias).front());
}

std::vector<absl::StatusOr<IntArray>> linearAll(llvm::ArrayRef<const IntArray*> x, const Rows& w,
                                                llvm::ArrayRef<int64_t> bias) {
  std::vector<absl::StatusOr<IntArray>> results;
  const int64_t columns = w.width();
  int64_t rows = 0;
  for (const IntArray* one : x) {
    absl::Status status = checkExact(*one, w);
    results.push_back(status.ok() ? absl::StatusOr<IntArray>(IntArray{one->shape, {}}) : status);
    if (status.ok()) rows += rowsOf(*one);
  }
  // One below the other: whatever is exact does not depend on its order.
  Matrix left(rows, w.count()), product(rows, columns);
  double* next = left.data();
  for (size_t i = 0; i < x.size(); ++i)
    if (results[i].ok()) next = std::copy(x[i]->values.begin(), x[i]->values.end(), next);
  multiplyAll({{left.data(), product.data(), rows}}, w.elements);
  const double* at = product.data();
  for (size_t i = 0; i < x.size(); ++i) {
    if (!results[i].ok()) continue;
    IntArray& out = *results[i];
    out.shape.back() = columns;
    out.values.reserve(rowsOf(*x[i]) * columns);
    for (int64_t row = 0; row < rowsOf(*x[i]); ++row) {
      for (int64_t j = 0; j < columns; ++j)
        out.values.push_back(static_cast<int64_t>(*at++) + (bias.empty() ? 0 : bias[j]));
    }
  }
  return results;
}

absl::StatusOr<IntArray> requantize(const IntArray& acc, const IntArray* addend, int addend_shift,
                                    int shift) {
  if (shift < 1 || shift > 30 || addend_shift < 0 || addend_shift > 30) {
    return absl::InvalidArgumentError(
        absl::StrCat("shift ", shift, " or addend shift ", addend_shift, " is out of range"));
  }
  const int64_t half = int64_t{1} << (shift - 1);
  IntArray out{acc.shape, std::vector<int64_t>(acc.values.size())};
  for (size_t i = 0; i < acc.values.size(); ++i) {
    const int64_t added = addend != nullptr ? addend->values[i] * (int64_t{1} << addend_shift) : 0;
    out.values[i] = (acc.values[i] + added + half) >> shift;
  }
  return out;
}

absl::StatusOr<IntArray> multiply(const IntArray& a, const IntArray& b, int shift) {
  IntArray product{a.shape, a.values};
  for (size_t i = 0; i < b.values.size(); ++i) product.values[i] *= b.values[i];
  return requantize(product, nullptr, 0, shift);
}

absl::StatusOr<IntArray> divide(const IntArray& a, const IntArray& b, int shift) {
  if (shift < 0 || shift > 29)
    return absl::InvalidArgumentError(absl::StrCat("shift ", shift, " is out of range"));
  IntArray q{a.shape, std::vector<int64_t>(a.values.size())};
  for (size_t i = 0; i < q.values.size(); ++i) {
    if (b.values[i] == 0) return absl::OutOfRangeError(absl::StrCat("denominator ", i, " is 0"));
    const int64_t sign = b.values[i] < 0 ? -1 : 1, denominator = sign * b.values[i];
    q.values[i] =
        floorDiv(2 * sign * a.values[i] * (int64_t{1} << shift) + denominator, 2 * denominator);
  }
  return q;
}

absl::StatusOr<IntArray> affine(const IntArray& x, const IntArray& m, const IntArray& c,
                                const IntArray* y, const IntArray* n, int shift) {
  if (shift < 0 || shift > 30) {
    return absl::InvalidArgumentError(absl::StrCat("shift ", shift, " is out of range"));
  }
  const int64_t half = (int64_t{1} << shift) >> 1;
  IntArray q{x.shape, std::vector<int64_t>(x.values.size())};
  // The last axis is the fastest, so that all three forms are periods.
  auto at = [](const IntArray& spread, size_t i) {
    return spread.values[i % spread.values.size()];
  };
  for (size_t i = 0; i < q.values.size(); ++i) {
    int64_t sum = x.values[i] * at(m, i) + at(c, i) + half;
    if (y != nullptr) sum += y->values[i] * at(*n, i);
    q.values[i] = sum >> shift;
  }
  return q;
}

int64_t LayerNorm::meanOf(llvm::ArrayRef<int64_t> x) const {
  if (!has_mean) return 0;
  const int64_t n = static_cast<int64_t>(x.size());
  return floorDiv(2 * std::accumulate(x.begin(), x.end(), int64_t{0}) + n, 2 * n);
}

absl::Status LayerNorm::row(llvm::ArrayRef<int64_t> x, llvm::MutableArrayRef<int64_t> z) const {
  const int64_t mu = meanOf(x);
  std::vector<int64_t> d;
  for (int64_t value : x) d.push_back(value - mu);
  constexpr int64_t kLimit = int64_t{1} << 15;
  const int64_t least = row_shift > 0 ? -kLimit : 1 - kLimit;
  const auto [low, high] = std::minmax_element(d.begin(), d.end());
  int e = 0;
  while (e < row_shift && (*low >> e < least || *high >> e >= kLimit)) ++e;
  for (int64_t value : {*low, *high}) {
    if (value >> e < least || value >> e >= kLimit)
      return outOfRange("deviation from the mean", value, least * (1 << e), (kLimit << e) - 1);
  }
  int64_t variance = e == 0 ? epsilon : (epsilon + (int64_t{1} << (2 * e - 1))) >> (2 * e);
  const int64_t half = (int64_t{1} << square_shift) >> 1;
  for (int64_t& value : d) {
    const int64_t u = value >> e;
    variance += (u * u + half) >> square_shift;
    if (row_shift > 0) value = 2 * u + (e > 0 ? 1 : 0);
  }
  return scale(variance, d, z);
}

absl::Status LayerNorm::scale(int64_t variance, llvm::ArrayRef<int64_t> factors,
                              llvm::MutableArrayRef<int64_t> z) const {
  if (variance >= int64_t{1} << 30) {
    return outOfRange("sum of squares", variance, 0, (int64_t{1} << 30) - 1);
  }
  int j = 0;
  while (j < max_exponent && variance >> (2 * j) >= 65536) ++j;
  const int64_t m = variance >> (2 * j);
  if (m >= 65536) {
    return outOfRange("sum of squares", variance, 0, (int64_t{65536} << (2 * max_exponent)) - 1);
  }
  const int64_t reciprocal = rsqrt[2 * m], t = rsqrt[2 * m + 1] + j;
  if (t < 1 || t > 16) return outOfRange("normalization shift", t, 1, 16);
  const int64_t low = -(int64_t{1} << (output_bits - 1)), high = -low - 1;
  for (size_t i = 0; i < factors.size(); ++i) {
    z[i] = (factors[i] * reciprocal + (int64_t{1} << (t - 1))) >> t;
    if (z[i] < low || z[i] > high) return outOfRange("normalized value", z[i], low, high);
  }
  return absl::OkStatus();
}

int64_t Softmax::normalizer(llvm::ArrayRef<int64_t> scores) const {
  int64_t largest = key(scores.front());
  for (int64_t score : scores) largest = std::max(largest, key(score));
  // The sum is above 2^P at largest - 1 (EXP(-1) > 2^P) and zero at largest + U.
  int64_t above = largest - 1, below = largest + static_cast<int64_t>(exp.size());
  while (below - above > 1) {
    const int64_t middle = above + (below - above) / 2;
    int64_t sum = 0;
    for (int64_t score : scores) sum += expAt(middle - key(score));
    (sum > int64_t{1} << probability_bits ? above : below) = middle;
  }
  return below;
}

absl::Status Softmax::row(llvm::ArrayRef<int64_t> scores, llvm::MutableArrayRef<int64_t> p) const {
  const int64_t l = normalizer(scores);
  const int64_t last = normalizer_low + (int64_t{1} << normalizer_bits) - 1;
  if (l < normalizer_low || l > last) return outOfRange("normalizer", l, normalizer_low, last);
  const int64_t last_key = static_cast<int64_t>(exp.size()) + (dead_rows << dead_width) - 1;
  for (size_t i = 0; i < scores.size(); ++i) {
    const int64_t k = l - key(scores[i]);
    if (k > last_key) return outOfRange("distance to the normalizer", k, 0, last_key);
    p[i] = expAt(k);
  }
  return absl::OkStatus();
}

IntArray scores(const IntArray& q, const IntArray& k, int64_t heads) {
  const int64_t rows = q.shape[0], keys = k.shape[0], width = q.shape[1] / heads;
  IntArray out{{heads, rows, keys}, std::vector<int64_t>(heads * rows * keys)};
  for (int64_t head = 0; head < heads; ++head) {
    Matrix product(rows, keys);
    product.noalias() =
        columnsOf(q, head * width, width) * columnsOf(k, head * width, width).transpose();
    std::transform(product.data(), product.data() + rows * keys,
                   out.values.begin() + head * rows * keys,
                   [](double value) { return static_cast<int64_t>(value); });
  }
  return out;
}

IntArray mix(const IntArray& p, const IntArray& v, int64_t heads) {
  const int64_t rows = p.shape[1], keys = p.shape[2], columns = v.shape[1], width = columns / heads;
  IntArray out{{rows, columns}, std::vector<int64_t>(rows * columns)};
  for (int64_t head = 0; head < heads; ++head) {
    const llvm::ArrayRef<int64_t> weights(p.values.data() + head * rows * keys, rows * keys);
    Matrix product(rows, width);
    product.noalias() = toMatrix(weights, rows, keys) * columnsOf(v, head * width, width);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < width; ++j) {
        out.values[i * columns + head * width + j] = static_cast<int64_t>(product(i, j));
      }
    }
  }
  return out;
}

absl::StatusOr<IntArray> argmax(const IntArray& values) {
  constexpr int64_t kLimit = (int64_t{1} << 29) - 1;
  if (absl::Status status = checkRange(values, -kLimit, kLimit, "logit"); !status.ok())
    return status;
  const int64_t columns = values.shape.back(), rows = rowsOf(values);
  IntArray out{values.shape, std::vector<int64_t>(rows)};
  out.shape.pop_back();
  for (int64_t i = 0; i < rows; ++i) {
    const auto row = values.values.begin() + i * columns;
    out.values[i] = std::max_element(row, row + columns) - row;
  }
  return out;
}

IntArray sliceColumns(const IntArray& x, int64_t start, int64_t size) {
  const int64_t rows = x.shape[0], stride = x.shape[1];
  IntArray out{{rows, size}, {}};
  out.values.reserve(rows * size);
  for (int64_t i = 0; i < rows; ++i) {
    const auto row = x.values.begin() + i * stride + start;
    out.values.insert(out.values.end(), row, row + size);
  }
  return out;
}

IntArray gatherRows(const Rows& table, llvm::ArrayRef<int64_t> rows) {
  const int64_t width = table.width();
  IntArray out{{static_cast<int64_t>(rows.size()), width}, {}};
  out.values.reserve(rows.size() * width);
  std::visit(
      [&](auto elements) {
        for (int64_t i : rows) {
          const auto row = elements.slice(i * width, width);
          out.values.insert(out.values.end(), row.begin(), row.end());
        }
      },
      table.elements.elements);
  return out;
}

IntArray appendRows(const IntArray& x, const IntArray& y) {
  IntArray out = x;
  out.shape[0] += y.shape[0];
  out.values.insert(out.values.end(), y.values.begin(), y.values.end());
  return out;
}

}  // namespace lindero::ir::integer

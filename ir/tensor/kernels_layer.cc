// Matrix products, embedding and attention.

#include <Eigen/Core>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "ir/core/panel_product.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/kernels.h"

namespace lindero::ir::tensor {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;
using Map = Eigen::Map<Matrix, 0, Eigen::OuterStride<>>;

ConstMap view(const double* data, int64_t rows, int64_t columns) {
  return ConstMap(data, rows, columns, Eigen::OuterStride<>(columns));
}

Map view(double* data, int64_t rows, int64_t columns) {
  return Map(data, rows, columns, Eigen::OuterStride<>(columns));
}

Weights weightsOf(const Array& w) {
  if (w.floats.empty()) return {llvm::ArrayRef<double>(w.reals), w.shape[0], w.shape[1]};
  return {w.floats, w.shape[0], w.shape[1]};
}

void addBias(const Call& call) {
  if (call.operands.size() < 3) return;
  const int64_t out = call.in(1).shape[1];
  Map y = view(call.result.reals.data(), call.result.elements() / std::max<int64_t>(out, 1), out);
  y.rowwise() += view(call.in(2).reals.data(), 1, out).row(0);
}

// A broadcast batch of products; vectors count as a one-row or one-column matrix.
absl::Status matmul(const Call& call) {
  if (isWeighted(call)) return multiplyAll(call);
  llvm::SmallVector<int64_t, 4> a = call.in(0).shape, b = call.in(1).shape;
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  const int64_t rows = a[a.size() - 2], inner = a.back(), columns = b.back();
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  auto batch = broadcast(a, b);
  // Only the shapes of these two matter: they say where each product's operands start.
  Array a_batch, b_batch;
  a_batch.shape = a;
  b_batch.shape = b;
  double* out = call.result.reals.data();
  forEachRow<2>(
      *batch, {&a_batch, &b_batch}, [&](int64_t first, auto in, auto step, int64_t count) {
        for (int64_t i = 0; i < count; ++i) {
          const double* x = call.in(0).reals.data() + (in[0] + i * step[0]) * rows * inner;
          const double* y = call.in(1).reals.data() + (in[1] + i * step[1]) * inner * columns;
          view(out + (first + i) * rows * columns, rows, columns).noalias() =
              view(x, rows, inner) * view(y, inner, columns);
        }
      });
  return absl::OkStatus();
}

absl::Status linear(const Call& call) { return multiplyAll(call); }

absl::Status embedding(const Call& call) {
  const Array& table = call.in(1);
  const int64_t rows = table.shape[0], width = table.shape[1];
  double* out = call.result.reals.data();
  for (int64_t id : call.in(0).integers) {
    if (id < 0 || id >= rows) {
      return absl::OutOfRangeError(absl::StrCat("id ", id, " is outside of a table of ", rows));
    }
    out = table.floats.empty() ? std::copy_n(table.reals.begin() + id * width, width, out)
                               : std::copy_n(table.floats.begin() + id * width, width, out);
  }
  if (call.operands.size() == 3) {
    const std::vector<double>& addend = call.in(2).reals;
    for (size_t i = 0; i < addend.size(); ++i) call.result.reals[i] += addend[i];
  }
  return absl::OkStatus();
}

void maskedSoftmax(Map scores, bool causal) {
  for (Eigen::Index row = 0; row < scores.rows(); ++row) {
    const Eigen::Index live = causal ? row + 1 : scores.cols();
    auto line = scores.row(row);
    const double greatest = line.head(live).maxCoeff();
    double sum = 0;
    for (Eigen::Index i = 0; i < live; ++i) sum += line(i) = std::exp(line(i) - greatest);
    line.head(live) /= sum;
    line.tail(scores.cols() - live).setZero();
  }
}

absl::Status attention(const Call& call) {
  const int64_t tokens = call.result.shape[0], width = call.result.shape[1];
  const int64_t heads = call.op.intAttr("heads"), depth = width / heads;
  if (tokens == 0 || depth == 0) return absl::OkStatus();
  const double scale = call.op.floatAttr("scale");
  // A head is a block of columns of q, k, v and the result.
  auto head = [&](const Array& x, int64_t h) {
    return ConstMap(x.reals.data() + h * depth, tokens, depth, Eigen::OuterStride<>(width));
  };
  Array scores = Array::zeros(Element::kFloat, {heads, tokens, tokens});
  auto scoresOf = [&](int64_t h) {
    return view(scores.reals.data() + h * tokens * tokens, tokens, tokens);
  };
  for (int64_t h = 0; h < heads; ++h) {
    scoresOf(h).noalias() = scale * (head(call.in(0), h) * head(call.in(1), h).transpose());
  }
  if (call.observer) call.observer->observeScores(call.op, scores);
  for (int64_t h = 0; h < heads; ++h) {
    maskedSoftmax(scoresOf(h), call.op.boolAttr("causal"));
    Map out(call.result.reals.data() + h * depth, tokens, depth, Eigen::OuterStride<>(width));
    out.noalias() = scoresOf(h) * head(call.in(2), h);
  }
  return absl::OkStatus();
}

constexpr NamedKernel kKernels[] = {
    {"tensor.attention", attention},
    {"tensor.embedding", embedding},
    {"tensor.linear", linear},
    {"tensor.matmul", matmul},
};

}  // namespace

bool isWeighted(const Call& call) {
  // A weight that is not copied is a matrix, so that all of the other operand's rows are one batch.
  return call.op.is("tensor.linear") || (call.op.is("tensor.matmul") && !call.in(1).floats.empty());
}

absl::Status multiplyAll(llvm::ArrayRef<Call> calls) {
  const Weights weights = weightsOf(calls[0].in(1));
  llvm::SmallVector<Product, 16> products;
  for (const Call& call : calls) {
    products.push_back({call.in(0).reals.data(), call.result.reals.data(),
                        call.result.elements() / std::max<int64_t>(weights.columns, 1)});
  }
  ir::multiplyAll(products, weights);
  for (const Call& call : calls) addBias(call);
  return absl::OkStatus();
}

llvm::ArrayRef<NamedKernel> layerKernels() { return kKernels; }

}  // namespace lindero::ir::tensor

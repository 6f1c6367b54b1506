// Matrix products, embedding and attention.

#include <Eigen/Core>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/kernels.h"
#include "llvm/Support/Parallel.h"

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

// Rows and columns of a weight matrix that are multiplied at a time: as doubles they fit in a
// cache.
constexpr int64_t kPanelRows = 256, kPanelColumns = 256;

// One of the products that share a weight.
struct Product {
  ConstMap x;
  Map y;
};

// y = x w for columns [first, first + y's columns) of w, panel by panel, each of which is converted
// once for all products.
void multiplyColumns(const Array& w, int64_t first, llvm::MutableArrayRef<Product> products) {
  const int64_t in = w.shape[0], out = w.shape[1], count = products[0].y.cols();
  Matrix panel;
  for (Product& product : products) product.y.setZero();
  for (int64_t row = 0; row < in; row += kPanelRows) {
    const int64_t rows = std::min(kPanelRows, in - row), at = row * out + first;
    if (w.floats.empty()) {
      panel = ConstMap(w.reals.data() + at, rows, count, Eigen::OuterStride<>(out));
    } else {
      using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
      panel = Eigen::Map<const Floats, 0, Eigen::OuterStride<>>(w.floats.data() + at, rows, count,
                                                                Eigen::OuterStride<>(out))
                  .cast<double>();
    }
    for (Product& product : products)
      product.y.noalias() += product.x.middleCols(row, rows) * panel;
  }
}

// All x one below the other, if Eigen adds up what belongs to a row in the same order wherever the
// row stands: it takes four rows together, and what is left on its own. Else empty.
Matrix stacked(llvm::ArrayRef<Product> products) {
  constexpr int64_t kTogether = 4;
  int64_t rows = 0;
  for (const Product& product : products) {
    if (product.x.rows() % kTogether != 0 || products.size() == 1) return {};
    rows += product.x.rows();
  }
  Matrix all(rows, products[0].x.cols());
  rows = 0;
  for (const Product& product : products) {
    all.middleRows(rows, product.x.rows()) = product.x;
    rows += product.x.rows();
  }
  return all;
}

// y = x w, on all cores.
void multiply(llvm::ArrayRef<Product> products, const Array& w) {
  const int64_t out = w.shape[1];
  const Matrix all = stacked(products);
  llvm::parallelFor(0, (out + kPanelColumns - 1) / kPanelColumns, [&](size_t index) {
    const int64_t first = static_cast<int64_t>(index) * kPanelColumns;
    const int64_t count = std::min(kPanelColumns, out - first);
    llvm::SmallVector<Product, 16> parts;
    for (const Product& p : products) {
      Map y = p.y;
      parts.push_back({p.x, Map(y.data() + first, y.rows(), count, Eigen::OuterStride<>(out))});
    }
    if (all.size() == 0) return multiplyColumns(w, first, parts);
    Matrix sums(all.rows(), count);
    Product whole{view(all.data(), all.rows(), all.cols()), view(sums.data(), all.rows(), count)};
    multiplyColumns(w, first, whole);
    int64_t row = 0;
    for (Product& part : parts) {
      part.y = sums.middleRows(row, part.y.rows());
      row += part.y.rows();
    }
  });
}

Product productOf(const Call& call) {
  const int64_t in = call.in(1).shape[0], out = call.in(1).shape[1];
  const int64_t rows = call.result.elements() / std::max<int64_t>(out, 1);
  return {view(call.in(0).reals.data(), rows, in), view(call.result.reals.data(), rows, out)};
}

void addBias(const Call& call) {
  if (call.operands.size() < 3) return;
  Map y = productOf(call).y;
  y.rowwise() += view(call.in(2).reals.data(), 1, y.cols()).row(0);
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
  llvm::SmallVector<Product, 16> products;
  for (const Call& call : calls) products.push_back(productOf(call));
  multiply(products, calls[0].in(1));
  for (const Call& call : calls) addBias(call);
  return absl::OkStatus();
}

llvm::ArrayRef<NamedKernel> layerKernels() { return kKernels; }

}  // namespace lindero::ir::tensor

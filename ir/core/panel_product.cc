#include "ir/core/panel_product.h"

#include <Eigen/Core>
#include <algorithm>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Parallel.h"

namespace lindero::ir {
namespace {

template <typename T>
using MatrixOf = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Matrix = MatrixOf<double>;
template <typename T>
using ViewOf = Eigen::Map<const MatrixOf<T>, 0, Eigen::OuterStride<>>;
using ConstMap = ViewOf<double>;
using Map = Eigen::Map<Matrix, 0, Eigen::OuterStride<>>;

// Rows and columns of the weights that are multiplied at a time: as doubles they fit in a cache.
constexpr int64_t kPanelRows = 256, kPanelColumns = 256;

// Some columns of one product.
struct Part {
  ConstMap x;
  Map y;
};

// Columns [first, first + count) of rows [row, row + rows).
void readPanel(const Weights& w, int64_t row, int64_t rows, int64_t first, int64_t count,
               Matrix& panel) {
  std::visit(
      [&]<typename T>(llvm::ArrayRef<T> elements) {
        panel = ViewOf<T>(elements.data() + row * w.columns + first, rows, count,
                          Eigen::OuterStride<>(w.columns))
                    .template cast<double>();
      },
      w.elements);
}

void multiplyColumns(const Weights& w, int64_t first, llvm::MutableArrayRef<Part> parts) {
  const int64_t count = parts[0].y.cols();
  Matrix panel;
  for (Part& part : parts) part.y.setZero();
  for (int64_t row = 0; row < w.rows; row += kPanelRows) {
    const int64_t rows = std::min(kPanelRows, w.rows - row);
    readPanel(w, row, rows, first, count, panel);
    for (Part& part : parts) part.y.noalias() += part.x.middleCols(row, rows) * panel;
  }
}

ConstMap inputOf(const Product& product, const Weights& w) {
  return {product.x, product.rows, w.rows, Eigen::OuterStride<>(w.rows)};
}

// All x one below the other, if Eigen adds up what belongs to a row in the same order wherever the
// row stands: it takes four rows together, and what is left on its own. Else empty.
Matrix stacked(llvm::ArrayRef<Product> products, const Weights& w) {
  constexpr int64_t kTogether = 4;
  int64_t rows = 0;
  for (const Product& product : products) {
    if (product.rows % kTogether != 0 || products.size() == 1) return {};
    rows += product.rows;
  }
  Matrix all(rows, w.rows);
  rows = 0;
  for (const Product& product : products) {
    all.middleRows(rows, product.rows) = inputOf(product, w);
    rows += product.rows;
  }
  return all;
}

}  // namespace

void multiplyAll(llvm::ArrayRef<Product> products, const Weights& w) {
  const Matrix all = stacked(products, w);
  llvm::parallelFor(0, (w.columns + kPanelColumns - 1) / kPanelColumns, [&](size_t index) {
    const int64_t first = static_cast<int64_t>(index) * kPanelColumns;
    const int64_t count = std::min(kPanelColumns, w.columns - first);
    llvm::SmallVector<Part, 16> parts;
    for (const Product& product : products) {
      parts.push_back({inputOf(product, w), Map(product.y + first, product.rows, count,
                                                Eigen::OuterStride<>(w.columns))});
    }
    if (all.size() == 0) return multiplyColumns(w, first, parts);
    Matrix sums(all.rows(), count);
    Part whole{ConstMap(all.data(), all.rows(), w.rows, Eigen::OuterStride<>(w.rows)),
               Map(sums.data(), all.rows(), count, Eigen::OuterStride<>(count))};
    multiplyColumns(w, first, whole);
    int64_t row = 0;
    for (Part& part : parts) {
      part.y = sums.middleRows(row, part.y.rows());
      row += part.y.rows();
    }
  });
}

}  // namespace lindero::ir

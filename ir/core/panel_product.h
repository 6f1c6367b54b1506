// Products of several matrices with the same weights, on all cores. Weights are read where they
// are, in their own type, and each is read once, however many products there are: a panel at a
// time becomes double precision and is multiplied with all. Beside the results this takes a panel
// for each core.
#pragma once

#include <cstdint>
#include <variant>

#include "llvm/ADT/ArrayRef.h"

namespace lindero::ir {

// A row-major matrix; who makes it keeps the elements.
struct Weights {
  std::variant<llvm::ArrayRef<double>, llvm::ArrayRef<float>, llvm::ArrayRef<int64_t>,
               llvm::ArrayRef<int32_t>, llvm::ArrayRef<int16_t>, llvm::ArrayRef<int8_t>,
               llvm::ArrayRef<uint8_t>>
      elements;
  int64_t rows = 0, columns = 0;
};

// y = x w: x has as many columns as w has rows, y as many as w; both are row-major.
struct Product {
  const double* x = nullptr;
  double* y = nullptr;
  int64_t rows = 0;  // of x and y
};

// Each y is the same, bit for bit, whatever other products there are.
void multiplyAll(llvm::ArrayRef<Product> products, const Weights& w);

}  // namespace lindero::ir

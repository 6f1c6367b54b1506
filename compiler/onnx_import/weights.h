// ONNX tensors -> constants of the pool.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "compiler/onnx_import/model_file.h"
#include "ir/core/constant_pool.h"
#include "ir/core/ir.h"

namespace lindero::compiler {

// The element type of the tensor dialect that stands for an ONNX data type: f32 for every float,
// i64 for every integer.
absl::StatusOr<ir::Element> elementOf(int onnx_data_type);

// Nothing for other types.
struct IntegerType {
  int64_t bits;
  bool is_signed;
};
std::optional<IntegerType> integerTypeOf(int onnx_data_type);

// Has raw data the size that the shape asks for? The ONNX library reads it as if it had. Tensors of
// other types than numbers are not looked at.
absl::Status checkRawSize(const onnx::TensorProto& tensor);

// Does f32 hold all of these?
bool areFloats(llvm::ArrayRef<double> values);
// Of doubles, to the nearest.
void roundToFloats(ir::Constant& constant);

// A view of the data where it is aligned f32, int64 or bool; otherwise a copy, converted to one of
// these, or, of some thousand doubles that f32 does not hold, in f64: sizes are computed with them.
// Checks that the data has the size that the shape asks for. Fails on NaN, on infinities (but for
// masks: see below) and on data types that are not numbers.
//
// A mask may be infinite: -inf is accepted where every element is -inf or 0, and in scalars.
absl::StatusOr<ir::Constant> makeConstant(const Initializer& initializer);

}  // namespace lindero::compiler

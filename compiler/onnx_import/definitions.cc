#include "compiler/onnx_import/definitions.h"

#include <cmath>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/onnx_import/define_linear_attention.h"
#include "compiler/onnx_import/define_ngrams.h"
#include "compiler/onnx_import/define_sampling.h"
#include "compiler/onnx_import/define_scatter.h"
#include "compiler/onnx_import/define_transposed.h"
#include "compiler/onnx_import/function_text.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/Sequence.h"

namespace lindero::compiler {
namespace {

using Ints = std::vector<int64_t>;

// What a convolution is of, beside its operands.
constexpr const char* kConv[] = {"auto_pad",     "dilations", "group",
                                 "kernel_shape", "pads",      "strides"};

absl::Status dynamicQuantizeLinear(FunctionText& b) {
  b.add("o0 = Identity (i0)");
  b.scalar("o1", 1);
  b.add("o2 = Constant <value_int = 0> ()");
  return absl::OkStatus();
}

// Operand i, as reals, without its zero point: x0 or x1. One of many elements belongs to `axis`.
void addWhole(FunctionText& b, size_t i, size_t zero, int64_t axis) {
  b.scalar(absl::StrCat("one", i), 1);
  b.add("x", i, " = DequantizeLinear <axis = ", axis, "> (i", i, ", one", i,
        b.has(zero) ? absl::StrCat(", i", zero, ")") : ")");
}

absl::Status matMulInteger(FunctionText& b) {
  if (b.rank(0) < 1 || b.rank(1) < 1) return absl::InvalidArgumentError("an operand has no axis");
  addWhole(b, 0, 2, b.rank(0) == 1 ? 0 : -2);
  addWhole(b, 1, 3, -1);
  b.add("o0 = MatMul (x0, x1)");
  return absl::OkStatus();
}

absl::Status convInteger(FunctionText& b) {
  addWhole(b, 0, 2, 1);
  addWhole(b, 1, 3, 0);
  IR_ASSIGN_OR_RETURN(const std::string attributes, b.attributes(kConv));
  b.add("o0 = Conv ", attributes, " (x0, x1)");
  return absl::OkStatus();
}

std::string quantized(const FunctionText& b) {
  return absl::StrCat("QuantizeLinear <output_dtype = ", b.intAttr("output_dtype", 0), ">");
}

absl::Status qLinearMatMul(FunctionText& b) {
  if (b.rank(0) < 1 || b.rank(3) < 1) return absl::InvalidArgumentError("an operand has no axis");
  // One scale for each row of a, and for each column of b.
  b.add("x0 = DequantizeLinear <axis = ", b.rank(0) == 1 ? 0 : -2, "> (i0, i1, i2)");
  b.add("x1 = DequantizeLinear <axis = -1> (i3, i4, i5)");
  b.add("y = MatMul (x0, x1)");
  b.add("o0 = ", quantized(b), " (y, i6, i7)");
  return absl::OkStatus();
}

// The bias has the product of the scales.
absl::Status qLinearConv(FunctionText& b) {
  IR_ASSIGN_OR_RETURN(const std::string attributes, b.attributes(kConv));
  b.add("x0 = DequantizeLinear <axis = 1> (i0, i1, i2)");
  b.add("x1 = DequantizeLinear <axis = 0> (i3, i4, i5)");
  if (b.has(8)) {
    b.ints("list", {-1});
    b.add("whole = Cast <to = 1> (i8)");
    b.add("scales = Mul (i1, i4)");
    b.add("scale = Reshape (scales, list)");
    b.add("bias = Mul (whole, scale)");
  }
  b.add("y = Conv ", attributes, b.has(8) ? " (x0, x1, bias)" : " (x0, x1)");
  b.add("o0 = ", quantized(b), " (y, i6, i7)");
  return absl::OkStatus();
}

// 1 at the first of the greatest elements.
absl::Status hardmax(FunctionText& b) {
  const auto rank = int64_t(b.rank(0));
  int64_t axis = b.intAttr("axis", -1);
  if (axis < -rank || axis >= rank) return absl::InvalidArgumentError("its axis is no axis of x");
  axis = axis < 0 ? axis + rank : axis;
  b.add("place = ArgMax <axis = ", axis, ", keepdims = 0> (i0)");
  b.add("depth = Constant <value_int = ", b.shape(0)[axis], "> ()");
  b.add("values = Constant <value_floats = [0.0, 1.0]> ()");
  b.add("o0 = OneHot <axis = ", axis, "> (place, depth, values)");
  return absl::OkStatus();
}

// The sum of |x|^p over a window, from its mean with padding.
absl::Status lpPool(FunctionText& b) {
  const Ints kernel = b.intsAttr("kernel_shape");
  const int64_t p = b.intAttr("p", 2);
  if (p < 1) return absl::InvalidArgumentError("its p is no positive number");
  // Windows beyond the padding have other means.
  if (b.intAttr("ceil_mode", 0) != 0) return absl::UnimplementedError("ceil_mode");
  constexpr const char* kWindow[] = {"auto_pad", "dilations", "kernel_shape", "pads", "strides"};
  IR_ASSIGN_OR_RETURN(std::string attributes, b.attributes(kWindow));
  attributes.back() = ',';
  double size = 1;
  for (int64_t side : kernel) size *= double(side);
  b.scalar("p", double(p));
  b.scalar("root", 1 / double(p));
  b.scalar("size", size);
  b.add("magnitude = Abs (i0)");
  b.add("powers = Pow (magnitude, p)");
  b.add("mean = AveragePool ", attributes, " count_include_pad = 1> (powers)");
  b.add("sum = Mul (mean, size)");
  b.add("o0 = ", p == 2 ? "Sqrt (sum)" : "Pow (sum, root)");
  return absl::OkStatus();
}

absl::Status globalLpPool(FunctionText& b) {
  const int64_t p = b.intAttr("p", 2);
  if (p < 1) return absl::InvalidArgumentError("its p is no positive number");
  Ints axes;
  for (size_t axis = 2; axis < b.rank(0); ++axis) axes.push_back(int64_t(axis));
  b.ints("axes", axes);
  b.scalar("p", double(p));
  b.scalar("root", 1 / double(p));
  b.add("magnitude = Abs (i0)");
  b.add("powers = Pow (magnitude, p)");
  b.add("sum = ReduceSum (powers, axes)");
  b.add("o0 = Pow (sum, root)");
  return absl::OkStatus();
}

// Sums over neighbouring channels are a product with a band of ones.
absl::Status lrn(FunctionText& b) {
  const int64_t size = b.intAttr("size", 1);
  if (b.rank(0) < 2 || size < 1) return absl::InvalidArgumentError("it needs channels and a size");
  const llvm::ArrayRef<int64_t> shape = b.shape(0);
  const int64_t channels = shape[1];
  IR_RETURN_IF_ERROR(checkNewElements({channels, channels}));
  std::vector<const char*> band;
  for (const int64_t c : llvm::seq<int64_t>(channels)) {
    for (const int64_t other : llvm::seq<int64_t>(channels))
      band.push_back(other >= c - (size - 1) / 2 && other <= c + size / 2 ? "1.0" : "0.0");
  }
  b.add("ones = Constant <value_floats = [", absl::StrJoin(band, ", "), "]> ()");
  b.ints("square_shape", {channels, channels});
  b.add("band = Reshape (ones, square_shape)");
  b.ints("flat", {shape[0], channels, -1});
  b.ints("shape", shape.vec());
  b.add("squares = Mul (i0, i0)");
  b.add("columns = Reshape (squares, flat)");
  b.add("sums = MatMul (band, columns)");
  b.add("sum = Reshape (sums, shape)");
  b.scalar("alpha", b.floatAttr("alpha", 1e-4f) / double(size));
  b.scalar("bias", b.floatAttr("bias", 1));
  b.scalar("exponent", -b.floatAttr("beta", 0.75f));
  b.add("scaled = Mul (sum, alpha)");
  b.add("moved = Add (scaled, bias)");
  b.add("factor = Pow (moved, exponent)");
  b.add("o0 = Mul (i0, factor)");
  return absl::OkStatus();
}

using Write = absl::Status (*)(FunctionText& b);

const std::map<std::string, Write>& writers() {
  static const auto* map = new std::map<std::string, Write>{
      {"ConvInteger", convInteger},
      {"ConvTranspose", writeConvTranspose},
      {"DeformConv", writeDeformConv},
      {"Det", writeDet},
      {"DynamicQuantizeLinear", dynamicQuantizeLinear},
      {"GlobalLpPool", globalLpPool},
      {"GridSample", writeGridSample},
      {"Hardmax", hardmax},
      {"LRN", lrn},
      {"LinearAttention", writeLinearAttention},
      {"LpPool", lpPool},
      {"MatMulInteger", matMulInteger},
      {"MaxUnpool", writeMaxUnpool},
      {"QLinearConv", qLinearConv},
      {"QLinearMatMul", qLinearMatMul},
      {"TensorScatter", writeTensorScatter},
      {"TfIdfVectorizer", writeTfIdfVectorizer},
  };
  return *map;
}

}  // namespace

std::vector<std::string> definedOps() {
  std::vector<std::string> names;
  for (const auto& [name, write] : writers()) names.push_back(name);
  return names;
}

absl::StatusOr<onnx::FunctionProto> definedBody(const onnx::NodeProto& node,
                                                llvm::ArrayRef<ir::Value*> inputs) {
  const auto writer = writers().find(node.op_type());
  if (writer == writers().end()) return absl::UnimplementedError("the op is not supported");
  FunctionText body(node, inputs);
  IR_RETURN_IF_ERROR(writer->second(body));
  return body.finish();
}

}  // namespace lindero::compiler

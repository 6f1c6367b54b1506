#include "compiler/onnx_import/dynamic_scales.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/prepare.h"

namespace lindero::compiler {
namespace {

// Those that move elements of their first operand; others' elements say where.
bool movesElements(const std::string& op) {
  static const std::set<std::string> ops = {"Expand",    "Flatten",  "Gather", "Identity",
                                            "Reshape",   "Slice",    "Split",  "Squeeze",
                                            "Transpose", "Unsqueeze"};
  return ops.contains(op);
}

absl::Status refused(const std::string& name, const char* what) {
  return absl::UnimplementedError(absl::StrCat(
      what, " '", name,
      "', of DynamicQuantizeLinear: its integers, less its zero point, must be multiplied with its "
      "scale before they are read otherwise; quantize with constant scales, or export the model "
      "before it is quantized"));
}

}  // namespace

const DynamicScales::Kind* DynamicScales::find(const std::string& name) const {
  const auto found = kinds_.find(name);
  return found == kinds_.end() ? nullptr : &found->second;
}

const DynamicScales::Kind* DynamicScales::find(const onnx::NodeProto& node, int input) const {
  return input < node.input_size() ? find(node.input(input)) : nullptr;
}

// MatMulInteger, ConvInteger: both operands have the zero point of their integers, or neither.
bool DynamicScales::readProduct(const onnx::NodeProto& node) {
  Kind product{Role::kIntegers, {}};
  for (int i : {0, 1}) {
    const Kind *integers = find(node, i), *zero_point = find(node, i + 2);
    if ((integers == nullptr) != (zero_point == nullptr)) return false;
    if (integers == nullptr) continue;
    if (integers->role != Role::kIntegers || zero_point->role != Role::kZeroPoint ||
        integers->nodes != zero_point->nodes)
      return false;
    // Twice the same scale is not told from once.
    for (const std::string& one : integers->nodes)
      if (!product.nodes.insert(one).second) return false;
  }
  kinds_[node.output(0)] = std::move(product);
  return true;
}

bool DynamicScales::readScaled(const onnx::NodeProto& node,
                               const std::function<bool(const std::string&)>& is_constant) {
  const Kind *a = find(node, 0), *b = find(node, 1);
  if (a == nullptr || b == nullptr) {
    const Kind& one = a != nullptr ? *a : *b;
    if (one.role == Role::kZeroPoint || !is_constant(node.input(a != nullptr ? 1 : 0)))
      return false;
    kinds_[node.output(0)] = Kind(one);
    return true;
  }
  if (a->role != Role::kScales) std::swap(a, b);
  if (a->role != Role::kScales || b->role == Role::kZeroPoint) return false;
  Kind left = *b;
  for (const std::string& scale : a->nodes) {
    const bool fits =
        b->role == Role::kScales ? left.nodes.insert(scale).second : left.nodes.erase(scale) == 1;
    if (!fits) return false;
  }
  if (!left.nodes.empty()) kinds_[node.output(0)] = std::move(left);
  return true;
}

bool DynamicScales::readMoved(const onnx::NodeProto& node) {
  const Kind* moved = find(node, 0);
  if (moved == nullptr) return false;
  for (int i = 1; i < node.input_size(); ++i)
    if (find(node, i) != nullptr) return false;
  const Kind kind = *moved;
  for (const std::string& output : node.output()) kinds_[output] = kind;
  return true;
}

absl::Status DynamicScales::read(const onnx::NodeProto& node,
                                 const std::function<bool(const std::string&)>& is_constant) {
  const std::string op = qualifiedOp(node);
  const auto read = std::find_if(node.input().begin(), node.input().end(),
                                 [&](const std::string& name) { return find(name) != nullptr; });
  if (read == node.input().end()) {
    if (op != "DynamicQuantizeLinear") return absl::OkStatus();
    constexpr Role kRoles[] = {Role::kIntegers, Role::kScales, Role::kZeroPoint};
    for (int i = 0; i < std::min(node.output_size(), 3); ++i)
      if (!node.output(i).empty()) kinds_[node.output(i)] = {kRoles[i], {node.output(0)}};
    return absl::OkStatus();
  }
  bool same = false;
  if (op == "MatMulInteger" || op == "ConvInteger") {
    same = readProduct(node);
  } else if (op == "Mul") {
    same = readScaled(node, is_constant);
  } else if (op == "DequantizeLinear") {
    const Kind *integers = find(node, 0), *scale = find(node, 1), *zero_point = find(node, 2);
    same = integers && scale && zero_point && integers->role == Role::kIntegers &&
           scale->role == Role::kScales && zero_point->role == Role::kZeroPoint &&
           integers->nodes == scale->nodes && integers->nodes == zero_point->nodes;
  } else if (op == "Shape" || op == "Size") {
    same = true;
  } else if (op == "Cast" || movesElements(op)) {
    same = readMoved(node);
  }
  return same ? absl::OkStatus() : refused(*read, "it reads");
}

void DynamicScales::alias(const std::string& name, const std::string& other) {
  if (const Kind* kind = find(other)) kinds_[name] = Kind(*kind);
}

absl::Status DynamicScales::checkOutput(const std::string& name) const {
  return find(name) == nullptr ? absl::OkStatus() : refused(name, "the model's output is");
}

}  // namespace lindero::compiler

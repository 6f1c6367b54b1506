#include "compiler/onnx_import/file_notes.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/onnx_import/prepare.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::compiler {
namespace {

// Sizes that have names may be any.
bool fits(const onnx::TensorShapeProto& declared, llvm::ArrayRef<int64_t> shape) {
  if (declared.dim_size() != static_cast<int>(shape.size())) return false;
  return llvm::all_of(llvm::zip(declared.dim(), shape), [](auto pair) {
    const auto& [dim, size] = pair;
    return !dim.has_dim_value() || dim.dim_value() == size;
  });
}

std::string textOf(const onnx::TensorShapeProto& shape) {
  return absl::StrCat("[",
                      absl::StrJoin(shape.dim(), ", ",
                                    [](std::string* out, const auto& dim) {
                                      absl::StrAppend(out, dim.has_dim_value()
                                                               ? absl::StrCat(dim.dim_value())
                                                               : printable(dim.dim_param()));
                                    }),
                      "]");
}

}  // namespace

std::vector<std::string> notesOnFile(const std::vector<onnx::ValueInfoProto>& declared,
                                     const onnx::GraphProto& graph, const ir::Function& function) {
  std::vector<std::string> notes;
  const ir::Op& end = *function.body().terminator();
  const auto& names = std::get<std::vector<std::string>>(*end.find("names"));
  for (auto [name, value] : llvm::zip(names, end.operands())) {
    const auto output =
        llvm::find_if(declared, [&, &name = name](const auto& one) { return one.name() == name; });
    if (output == declared.end() || !output->type().tensor_type().has_shape()) continue;
    const onnx::TensorShapeProto& shape = output->type().tensor_type().shape();
    const llvm::ArrayRef<int64_t> own = value->type().shape;
    if (fits(shape, own)) continue;
    notes.push_back(absl::StrCat("output '", name, "' has shape [", absl::StrJoin(own, ", "),
                                 "]; the file says ", textOf(shape)));
  }
  for (const onnx::NodeProto& node : graph.node()) {
    const bool any_order =
        qualifiedOp(node) == "TopK" && llvm::any_of(node.attribute(), [](const auto& attribute) {
          return attribute.name() == "sorted" && attribute.i() == 0;
        });
    if (any_order)
      notes.push_back(absl::StrCat("TopK '", node.name(),
                                   "': with sorted = 0 ONNX leaves the order of what it chooses "
                                   "open; here it is the sorted one, in runtimes perhaps another"));
  }
  return notes;
}

}  // namespace lindero::compiler

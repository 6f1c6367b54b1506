#include "compiler/onnx_import/function_text.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "compiler/onnx_import/onnx_guard.h"
#include "llvm/ADT/STLExtras.h"
#include "onnx/defs/parser.h"

namespace lindero::compiler {

const onnx::AttributeProto* FunctionText::attribute(const char* name) const {
  for (const onnx::AttributeProto& attribute : node_.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

int64_t FunctionText::intAttr(const char* name, int64_t fallback) const {
  const onnx::AttributeProto* found = attribute(name);
  return found ? found->i() : fallback;
}

double FunctionText::floatAttr(const char* name, double fallback) const {
  const onnx::AttributeProto* found = attribute(name);
  return found ? found->f() : fallback;
}

FunctionText::Ints FunctionText::intsAttr(const char* name) const {
  const onnx::AttributeProto* found = attribute(name);
  return found ? Ints(found->ints().begin(), found->ints().end()) : Ints();
}

std::vector<double> FunctionText::floatsAttr(const char* name) const {
  const onnx::AttributeProto* found = attribute(name);
  return found ? std::vector<double>(found->floats().begin(), found->floats().end())
               : std::vector<double>();
}

std::string FunctionText::stringAttr(const char* name, const std::string& fallback) const {
  const onnx::AttributeProto* found = attribute(name);
  return found ? found->s() : fallback;
}

absl::StatusOr<std::string> FunctionText::attributes(llvm::ArrayRef<const char*> names) const {
  std::vector<std::string> list;
  for (const char* name : names) {
    const onnx::AttributeProto* found = attribute(name);
    if (!found) continue;
    if (found->type() == onnx::AttributeProto::INTS) {
      list.push_back(absl::StrCat(name, " = [", absl::StrJoin(found->ints(), ", "), "]"));
    } else if (found->type() == onnx::AttributeProto::INT) {
      list.push_back(absl::StrCat(name, " = ", found->i()));
    } else if (llvm::all_of(found->s(),
                            [](char c) { return absl::ascii_isalnum(c) || c == '_'; })) {
      list.push_back(absl::StrCat(name, " = \"", found->s(), "\""));
    } else {
      return absl::InvalidArgumentError(absl::StrCat("its ", name, " is not a word"));
    }
  }
  return list.empty() ? "" : absl::StrCat("<", absl::StrJoin(list, ", "), ">");
}

std::string FunctionText::results() const {
  std::vector<std::string> names;
  for (int i = 0; i < numResults(); ++i) names.push_back(absl::StrCat("o", i));
  return absl::StrJoin(names, ", ");
}

std::string FunctionText::real(double value) { return absl::StrFormat("%.17e", value); }

void FunctionText::reals(const std::string& name, llvm::ArrayRef<double> values) {
  std::vector<std::string> list;
  for (double value : values) list.push_back(real(value));
  add(name, " = Constant <value_floats = [", absl::StrJoin(list, ", "), "]> ()");
}

void FunctionText::counting(const std::string& name, int64_t count) {
  add(name, "_first = Constant <value_int = 0> ()");
  add(name, "_step = Constant <value_int = 1> ()");
  add(name, "_count = Constant <value_int = ", count, "> ()");
  add(name, " = Range (", name, "_first, ", name, "_count, ", name, "_step)");
}

void FunctionText::columns(const std::string& name, const std::string& of, int64_t start,
                           int64_t size) {
  ints(name + "_start", {start});
  ints(name + "_end", {start + size});
  ints(name + "_axis", {-1});
  add(name, " = Slice (", of, ", ", name, "_start, ", name, "_end, ", name, "_axis)");
}

absl::StatusOr<onnx::FunctionProto> FunctionText::finish() const {
  std::vector<std::string> operands;
  for (size_t i = 0; i < inputs_.size(); ++i) operands.push_back(absl::StrCat("i", i));
  const std::string text =
      absl::StrCat("<domain: \"definitions\", opset_import: [\"\" : 24]>\nbody (",
                   absl::StrJoin(operands, ", "), ") => (", results(), ") {\n", lines_, "}");
  onnx::FunctionProto function;
  const onnx::Common::Status parsed = onnx::OnnxParser::Parse(function, text.c_str());
  if (parsed.IsOK()) return function;
  // An attribute that is no number.
  return absl::InvalidArgumentError(oneLine(parsed.ErrorMessage().c_str()));
}

}  // namespace lindero::compiler

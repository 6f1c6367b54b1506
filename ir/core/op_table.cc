#include "ir/core/op_table.h"

#include <cassert>
#include <memory>

#include "absl/strings/str_cat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace lindero::ir {

namespace {

struct Registry {
  llvm::StringMap<llvm::StringRef> dialects;  // to their summaries
  llvm::StringMap<std::unique_ptr<const OpDef>> ops;
};

Registry& registry() {
  static Registry instance;
  return instance;
}

absl::Status checkValues(const OpDef& def, llvm::ArrayRef<ValueSpec> specs) {
  Arity last = Arity::kOne;
  for (const ValueSpec& spec : specs) {
    if (last == Arity::kVariadic || (last == Arity::kOptional && spec.arity == Arity::kOne)) {
      return absl::InvalidArgumentError(
          absl::StrCat(def.name.str(), ": '", spec.name.str(),
                       "' follows an optional or variadic value; only optional and then one "
                       "variadic value may end a list"));
    }
    last = spec.arity;
  }
  return absl::OkStatus();
}

absl::Status checkDef(llvm::StringRef dialect, const OpDef& def) {
  if (def.dialect() != dialect || def.name.size() <= dialect.size() + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("op '", def.name.str(), "' is not named '", dialect.str(), ".<op>'"));
  }
  llvm::StringSet<> names;
  for (const AttrSpec& spec : def.attributes) {
    if (!names.insert(spec.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(def.name.str(), ": attribute '", spec.name.str(), "' is listed twice"));
    }
  }
  if (absl::Status status = checkValues(def, def.operands); !status.ok()) return status;
  return checkValues(def, def.results);
}

}  // namespace

llvm::StringRef attrKindName(AttrKind kind) {
  switch (kind) {
    case AttrKind::kBool:
      return "bool";
    case AttrKind::kInt:
      return "int";
    case AttrKind::kFloat:
      return "float";
    case AttrKind::kString:
      return "string";
    case AttrKind::kSymbol:
      return "symbol";
    case AttrKind::kConstant:
      return "constant";
    case AttrKind::kInts:
      return "list of int";
    case AttrKind::kFloats:
      return "list of float";
    case AttrKind::kStrings:
      return "list of string";
  }
  return "unknown";
}

bool isOfKind(const Attribute& attribute, AttrKind kind) {
  switch (kind) {
    case AttrKind::kBool:
      return std::holds_alternative<bool>(attribute);
    case AttrKind::kInt:
      return std::holds_alternative<int64_t>(attribute);
    case AttrKind::kFloat:
      return std::holds_alternative<double>(attribute);
    case AttrKind::kString:
      return std::holds_alternative<std::string>(attribute);
    case AttrKind::kSymbol:
    case AttrKind::kConstant:
      return std::holds_alternative<Symbol>(attribute);
    case AttrKind::kInts:
      return std::holds_alternative<std::vector<int64_t>>(attribute);
    case AttrKind::kFloats:
      return std::holds_alternative<std::vector<double>>(attribute);
    case AttrKind::kStrings:
      return std::holds_alternative<std::vector<std::string>>(attribute);
  }
  return false;
}

const AttrSpec* OpDef::attribute(llvm::StringRef name) const {
  for (const AttrSpec& spec : attributes) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

namespace {

constexpr size_t kMostNodes = 4;  // that a message lists

// "Gather '/Gather_2' + Add '/Add'"; empty if the op has no node, or one of unknown type.
std::string describeNodes(const Op& op) {
  const std::map<std::string, std::string>& types = op.parent()->function()->module()->nodeTypes();
  std::string text;
  for (size_t i = 0; i < op.location().size(); ++i) {
    const auto type = types.find(op.location()[i]);
    if (type == types.end()) return "";
    if (i >= kMostNodes) continue;
    absl::StrAppend(&text, i == 0 ? "" : " + ", type->second, " '", type->first, "'");
  }
  if (op.location().size() > kMostNodes)
    absl::StrAppend(&text, " and ", op.location().size() - kMostNodes, " more nodes");
  return text;
}

}  // namespace

std::string describe(const Op& op) {
  if (std::string nodes = describeNodes(op); !nodes.empty()) return nodes;
  std::string text = op.name().str();
  if (!op.location().empty()) absl::StrAppend(&text, " (", llvm::join(op.location(), " + "), ")");
  return text;
}

absl::Status violates(const Op& op, unsigned constraint, llvm::StringRef here) {
  assert(constraint >= 1 && constraint <= op.def().constraints.size());
  return absl::InvalidArgumentError(absl::StrCat(describe(op), ": C", constraint, ": ",
                                                 op.def().constraints[constraint - 1].str(),
                                                 "; here ", here.str()));
}

absl::Status registerDialect(llvm::StringRef dialect, std::vector<OpDef> ops,
                             llvm::StringRef summary) {
  if (registry().dialects.contains(dialect)) {
    return absl::AlreadyExistsError(
        absl::StrCat("dialect '", dialect.str(), "' is already registered"));
  }
  llvm::StringSet<> names;
  for (const OpDef& def : ops) {
    if (absl::Status status = checkDef(dialect, def); !status.ok()) return status;
    if (!names.insert(def.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("dialect '", dialect.str(), "' lists ", def.name.str(), " twice"));
    }
  }
  registry().dialects[dialect] = summary;
  for (OpDef& def : ops) {
    registry().ops[def.name] = std::make_unique<const OpDef>(std::move(def));
  }
  return absl::OkStatus();
}

llvm::StringRef dialectSummary(llvm::StringRef dialect) {
  return registry().dialects.lookup(dialect);
}

const OpDef* findOpDef(llvm::StringRef name) {
  auto it = registry().ops.find(name);
  return it == registry().ops.end() ? nullptr : it->second.get();
}

std::vector<const OpDef*> allOpDefs() {
  std::vector<const OpDef*> all;
  for (const auto& entry : registry().ops) all.push_back(entry.second.get());
  llvm::sort(all, [](const OpDef* a, const OpDef* b) { return a->name < b->name; });
  return all;
}

}  // namespace lindero::ir

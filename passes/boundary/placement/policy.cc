#include "passes/boundary/placement/policy.h"

#include <charconv>
#include <map>

#include "absl/strings/str_cat.h"
#include "ir/core/problems.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

namespace lindero::passes {
namespace {

std::map<std::string, PolicyInfo>& registry() {
  static std::map<std::string, PolicyInfo> instance;
  return instance;
}

absl::StatusOr<Assignment> fused(const PlacementGraph& graph, const CostModel&) {
  return assignmentOfCuts(graph.atoms().size(), {});
}

absl::StatusOr<Assignment> perLayer(const PlacementGraph& graph, const CostModel&) {
  const auto atoms = graph.atoms();
  std::vector<size_t> cuts;
  int64_t layer = -1;
  size_t end = 0;  // after the last atom of a layer
  for (size_t i = 0; i < atoms.size(); ++i) {
    if (atoms[i].layer < 0) continue;
    if (atoms[i].layer > layer && i > 0) cuts.push_back(i);
    layer = std::max(layer, atoms[i].layer);
    end = i + 1;
  }
  if (layer < 0) {
    return absl::InvalidArgumentError(
        "per-layer: no op is in a layer; form-regions finds layers where there is attention");
  }
  if (end < atoms.size()) cuts.push_back(end);
  return assignmentOfCuts(atoms.size(), cuts);
}

absl::StatusOr<Assignment> perRegion(const PlacementGraph& graph, const CostModel&) {
  const auto atoms = graph.atoms();
  std::vector<size_t> cuts;
  for (size_t i = 1; i < atoms.size(); ++i) {
    if (atoms[i].label != atoms[i - 1].label) cuts.push_back(i);
  }
  return assignmentOfCuts(atoms.size(), cuts);
}

absl::StatusOr<PlacementPolicy> makeFile(const PassOptions& options) {
  std::string path;
  OptionReader reader("file", options);
  reader.read("file", path);
  if (absl::Status s = reader.finish(); !s.ok()) return s;
  if (path.empty()) {
    return absl::InvalidArgumentError(
        "file: which one? write file=PATH, where each line of the file is an ONNX node");
  }
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file) {
    return absl::NotFoundError(
        absl::StrCat("file: cannot read '", path, "': ", file.getError().message(),
                     "; write policy=file=PATH, where each line of the file is an ONNX node"));
  }
  std::vector<std::string> nodes;
  llvm::SmallVector<llvm::StringRef> lines;
  (*file)->getBuffer().split(lines, '\n');
  for (llvm::StringRef line : lines) {
    const llvm::StringRef node = line.split('#').first.trim();
    if (!node.empty()) nodes.push_back(node.str());
  }
  return
      [nodes](const PlacementGraph& graph, const CostModel&) { return placeByNodes(graph, nodes); };
}

absl::StatusOr<PlacementPolicy> makeBudgetMemory(const PassOptions& options) {
  std::string budget;
  OptionReader reader("budget-memory", options);
  reader.read("budget-memory", budget);
  if (absl::Status s = reader.finish(); !s.ok()) return s;
  auto bytes = parseBytes(budget);
  if (!bytes.ok()) {
    return ir::withPrefix(bytes.status(), "budget-memory: ");
  }
  return [bytes = *bytes](const PlacementGraph& graph, const CostModel& costs) {
    return placeByMemory(graph, costs, static_cast<double>(bytes));
  };
}

PolicyFactory withoutOptions(std::string name, PlacementPolicy policy) {
  return [=](const PassOptions& options) -> absl::StatusOr<PlacementPolicy> {
    if (absl::Status s = OptionReader(name, options).finish(); !s.ok()) return s;
    return policy;
  };
}

}  // namespace

absl::Status registerPlacementPolicy(llvm::StringRef name, llvm::StringRef summary,
                                     PolicyFactory factory) {
  PolicyInfo info{name.str(), summary.str(), std::move(factory)};
  if (registry().emplace(name.str(), std::move(info)).second) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat("a placement policy named '", name.str(), "' is registered already"));
}

std::vector<const PolicyInfo*> allPlacementPolicies() {
  std::vector<const PolicyInfo*> all;
  for (const auto& [name, info] : registry()) all.push_back(&info);
  return all;
}

absl::StatusOr<PlacementPolicy> makePlacementPolicy(llvm::StringRef text,
                                                    const PassOptions& options) {
  const llvm::StringRef name = text.take_until([](char c) { return c == '=' || c == '{'; }),
                        rest = text.drop_front(name.size());
  auto it = registry().find(name.str());
  if (it == registry().end()) {
    std::vector<std::string> names;
    for (const PolicyInfo* info : allPlacementPolicies()) names.push_back(info->name);
    return absl::InvalidArgumentError(absl::StrCat("no placement policy is named '", name.str(),
                                                   "'; known are ", llvm::join(names, ", ")));
  }
  PassOptions own = options;
  if (rest.starts_with("=")) {
    own.emplace_back(name.str(), rest.drop_front().str());
  } else {
    absl::StatusOr<PassOptions> given = parsePassOptions(rest);
    if (!given.ok()) return given.status();
    own.insert(own.end(), given->begin(), given->end());
  }
  return it->second.factory(own);
}

namespace {

absl::Status registerAll() {
  absl::Status status;
  auto add = [&](const char* name, const char* summary, PlacementPolicy policy) {
    status.Update(registerPlacementPolicy(name, summary, withoutOptions(name, std::move(policy))));
  };
  add("fused", "One proof of all", fused);
  add("per-layer", "Each layer by itself, and what comes before and after them", perLayer);
  add("per-region", "A new proof wherever the region changes", perRegion);
  status.Update(
      registerPlacementPolicy("file", "After each ONNX node that a file names", makeFile));
  status.Update(registerPlacementPolicy(
      "budget-memory", "The fewest proofs within an amount of memory", makeBudgetMemory));
  return status;
}

}  // namespace

absl::Status registerBuiltInPolicies() {
  static const absl::Status status = registerAll();
  return status;
}

absl::StatusOr<int64_t> parseBytes(llvm::StringRef text) {
  llvm::StringRef number = text;
  int shift = 0;
  for (const auto& [unit, bits] : {std::pair("KiB", 10), {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}) {
    if (number.consume_back(unit)) shift = bits;
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(number.begin(), number.end(), value);
  if (error == std::errc() && end == number.end() && value > 0 && value <= INT64_MAX >> shift) {
    return value << shift;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", text.str(), "' is no size: write 3GiB, 512MiB, 64KiB or a number of bytes"));
}

}  // namespace lindero::passes

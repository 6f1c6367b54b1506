#include "compiler/doctor/doctor.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ir/core/problems.h"
#include "runtime/package/status_macros.h"

namespace lindero::compiler {
namespace {

// Of dimensions that nobody has given one, so that what comes after them is looked at, too.
constexpr int64_t kAssumedDim = 16;

// Those that a status holds. The file is the report's, so that each begins with its node.
void addProblems(const absl::Status& status, const std::string& path, Diagnosis& diagnosis) {
  for (const absl::Status& problem : ir::problemsOf(status)) {
    absl::string_view text = problem.message();
    for (const std::string& file : {path, diagnosis.file})
      absl::ConsumePrefix(&text, absl::StrCat(file, ": "));
    absl::ConsumePrefix(&text, "pass verify-canonical: ");
    // Those of a list have no kinds of their own; only import and clean-up make lists.
    Problem found = {errorOf(withLoadError(problem)), std::string(text)};
    const bool twice = std::any_of(diagnosis.problems.begin(), diagnosis.problems.end(),
                                   [&](const Problem& other) {
                                     // A lone one has more words.
                                     return absl::StartsWith(found.text, other.text);
                                   });
    if (!twice) diagnosis.problems.push_back(std::move(found));
  }
}

void addRegion(const std::string& region, const ir::Location& nodes, Diagnosis& diagnosis) {
  auto& regions = diagnosis.regions;
  auto found = std::find_if(regions.begin(), regions.end(),
                            [&](const RegionNodes& entry) { return entry.region == region; });
  if (found == regions.end()) found = regions.insert(found, {region, {}});
  for (const std::string& node : nodes) {
    if (std::find(found->nodes.begin(), found->nodes.end(), node) == found->nodes.end())
      found->nodes.push_back(node);
  }
}

// The innermost region of each op; an op in none counts under "".
void addRegions(const ir::Block& block, const std::string& region, Diagnosis& diagnosis) {
  for (const ir::Op& op : block.ops()) {
    if (op.is("region.region")) {
      addRegions(*op.block(), op.stringAttr("label"), diagnosis);
    } else if (!op.location().empty()) {
      addRegion(region, op.location(), diagnosis);
    }
  }
}

void addGone(const Compilation& compilation, Diagnosis& diagnosis) {
  std::set<std::string> left;
  for (const RegionNodes& region : diagnosis.regions)
    left.insert(region.nodes.begin(), region.nodes.end());
  for (const auto& [node, type] : compilation.floatFunction().module()->nodeTypes())
    if (!left.contains(node)) diagnosis.gone.push_back(node);
}

void addVerifier(const ModelFacts& facts, Diagnosis& diagnosis) {
  const auto add = [&](const TensorFacts& tensor, bool output) {
    int64_t elements = 1;
    for (const int64_t size : tensor.shape) elements *= size;
    if (!tensor.unread) diagnosis.verifier.push_back({tensor.name, output, elements});
  };
  for (const TensorFacts& input : facts.inputs) add(input, false);
  for (const TensorFacts& output : facts.outputs) add(output, true);
}

absl::Status examine(const std::string& path, const ModelOptions& options,
                     const runtime::ProverOptions& prover, Diagnosis& diagnosis,
                     runtime::Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(PreparedModel model, importModel(path, options, monitor));
  diagnosis.facts = model.compilation.facts();
  LINDERO_RETURN_IF_ERROR(calibrateModel(options, model, monitor));
  LINDERO_ASSIGN_OR_RETURN(diagnosis.costs, estimateModel(options, prover, model, monitor));
  addRegions(model.compilation.integerFunction().body(), "", diagnosis);
  addGone(model.compilation, diagnosis);
  addVerifier(*diagnosis.facts, diagnosis);
  return absl::OkStatus();
}

bool hasUnboundDims(const Diagnosis& diagnosis) {
  return std::any_of(
      diagnosis.problems.begin(), diagnosis.problems.end(),
      [](const Problem& problem) { return problem.kind == Error::kUnboundDimension; });
}

}  // namespace

absl::StatusOr<Diagnosis> diagnose(const std::string& path, const ModelOptions& options,
                                   const runtime::ProverOptions& prover,
                                   runtime::Monitor& monitor) {
  Diagnosis diagnosis;
  diagnosis.file = std::filesystem::path(path).filename().string();
  absl::Status status = examine(path, options, prover, diagnosis, monitor);
  for (const Error kind : {Error::kUsage, Error::kCancelled, Error::kFile, Error::kInput})
    if (errorOf(status) == kind) return status;
  addProblems(status, path, diagnosis);
  if (!hasUnboundDims(diagnosis)) return diagnosis;
  ModelOptions assumed = options;
  diagnosis.assumed_dim = kAssumedDim;
  assumed.dims.push_back(absl::StrCat("*=", kAssumedDim));
  status = examine(path, assumed, prover, diagnosis, monitor);
  addProblems(status, path, diagnosis);
  return diagnosis;
}

}  // namespace lindero::compiler

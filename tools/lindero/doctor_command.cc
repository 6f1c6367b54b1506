// lindero doctor: what keeps an ONNX file from being compiled, or what becomes of it.
#include <algorithm>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "compiler/doctor/doctor.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/model_options.h"
#include "tools/lindero/prover_options.h"
#include "tools/lindero/show_costs.h"

namespace lindero::cli {
namespace {

struct DoctorArguments {
  std::string model;
  ModelOptions options;
  ProverOptions prover;
};

// On one line, whatever names hold.
std::string plain(absl::string_view text) {
  return absl::StrReplaceAll(absl::Utf8SafeCEscape(text), {{"\\'", "'"}, {"\\\"", "\""}});
}

void addProblems(const compiler::Diagnosis& found, Summary& summary) {
  Json json = Json::array();
  for (const compiler::Problem& problem : found.problems)
    json.push_back({{"name", runtime::nameOf(problem.kind)}, {"message", problem.text}});
  const auto count = static_cast<int64_t>(found.problems.size());
  summary.add("problems", "problems", std::move(json),
              count == 0 ? "none: it compiles" : absl::StrCat(count));
  for (const compiler::Problem& problem : found.problems)
    summary.addText(absl::StrCat("  ", runtime::nameOf(problem.kind), ": ", plain(problem.text)));
  if (found.assumed_dim == 0) return;
  summary.add(
      "assumed_dim", "assumed", found.assumed_dim,
      absl::StrCat("dimensions without a size have ", found.assumed_dim, " in all that follows"));
}

void addNodes(const compiler::Diagnosis& found, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  for (const compiler::RegionNodes& region : found.regions) {
    rows.push_back({region.region.empty() ? "in no region" : region.region,
                    absl::StrCat(region.nodes.size()),
                    plain(shortenNodes(absl::StrJoin(region.nodes, " + ")))});
    json.push_back({{"region", region.region}, {"nodes", region.nodes}});
  }
  summary.addTable("recognized", "ONNX nodes by the region that they are recognized as",
                   {"region", "nodes", "which"}, std::move(rows), std::move(json));
  summary.add("gone", "nodes that cost nothing", found.gone,
              absl::StrCat(found.gone.size(),
                           " (computed when compiling, merged with others, or read by none)"));
}

void addVerifier(const compiler::Diagnosis& found, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  for (const compiler::VerifierTensor& tensor : found.verifier) {
    const char* kind = tensor.output ? "output" : "input";
    rows.push_back({plain(tensor.name), kind, withCommas(tensor.elements)});
    json.push_back({{"name", tensor.name}, {"kind", kind}, {"elements", tensor.elements}});
  }
  summary.addTable("verifier", "What the verifier reads in the claim and evaluates itself",
                   {"tensor", "kind", "integers"}, std::move(rows), std::move(json));
}

absl::Status diagnose(const DoctorArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(
      const compiler::Diagnosis found,
      compiler::diagnose(arguments.model, arguments.options, arguments.prover, context.monitor()));
  Summary summary;
  summary.add("model", "model", found.file, plain(found.file));
  addProblems(found, summary);
  if (found.facts) {
    summary.addCount("parameters", "parameters", found.facts->parameters);
    summary.addData("facts", toJson(*found.facts));
  }
  if (!found.costs.empty()) {
    addNodes(found, summary);
    addEstimate(found.costs.back().estimate, summary);
    addRegions(found.costs.back().cost, summary);
    addVerifier(found, summary);
  }
  context.result("doctor", summary);
  if (found.problems.empty()) return absl::OkStatus();
  return failure(found.problems[0].kind,
                 absl::StrCat(arguments.model, ": ", countOf(found.problems.size(), "problem"),
                              ", listed above"));
}

}  // namespace

void addDoctor(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<DoctorArguments>();
  CLI::App* command = app.add_subcommand(
      "doctor", "Say all that keeps an ONNX model from being compiled, or what becomes of it");
  command->add_option("model", arguments->model, "ONNX file")->required();
  addModelOptions(*command, arguments->options);
  addSecurityOptions(*command, arguments->prover);
  command->callback([arguments, &chosen] {
    layOutFor(arguments->prover, arguments->options);
    chosen = [arguments](Context& context) { return diagnose(*arguments, context); };
  });
}

}  // namespace lindero::cli

// lindero inspect: what a package's circuit is made of and what it costs.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/estimate/estimate.h"
#include "runtime/decode/decode_run.h"
#include "runtime/package/status_macros.h"
#include "runtime/verify/security.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"

namespace lindero::cli {
namespace {

struct InspectArguments {
  std::string package;
  int64_t bucket = 0;  // 0: the longest
  int64_t nodes = 20;
  bool own_security = false;  // an option of the security was given
  ProverOptions prover;
};

const char* kindName(Constraint::Kind kind) {
  switch (kind) {
    case Constraint::CONTINUITY:
      return "continuity";
    case Constraint::BOUNDARY:
      return "boundary";
    default:
      return "local";
  }
}

void addTables(const compiler::CostReport& cost, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  for (const compiler::TableCost& table : cost.tables) {
    std::vector<std::string> row = {table.name, withCommas(table.height),
                                    withCommas(table.used_rows)};
    for (int64_t columns : table.columns) row.push_back(absl::StrCat(columns));
    row.push_back(withCommas(table.online()));
    row.push_back(withCommas(table.cells(0)));
    rows.push_back(std::move(row));
    json.push_back({{"name", table.name},
                    {"height", table.height},
                    {"used_rows", table.used_rows},
                    {"columns", table.columns},
                    {"online_cells", table.online()},
                    {"fixed_cells", table.cells(0)}});
  }
  summary.addTable("tables", "Tables (columns of the base field by phase)",
                   {"table", "rows", "used", "fixed", "main", "fold", "lookup", "cells per proof",
                    "fixed cells"},
                   std::move(rows), std::move(json));
}

void addPhases(const compiler::CostReport& cost, Summary& summary) {
  const char* names[] = {"fixed", "main", "fold", "lookup"};
  Summary::Rows rows;
  Json json = Json::object();
  for (int phase = 0; phase < 4; ++phase) {
    int64_t columns = 0, cells = 0;
    for (const compiler::TableCost& table : cost.tables) {
      columns += table.columns[phase];
      cells += table.cells(phase);
    }
    rows.push_back({names[phase], withCommas(columns), withCommas(cells)});
    json[names[phase]] = {{"columns", columns}, {"cells", cells}};
  }
  summary.addTable("phases", "Phases", {"phase", "columns", "cells"}, std::move(rows),
                   std::move(json));
}

void addNodes(const compiler::CostReport& cost, int64_t most, Summary& summary) {
  std::vector<compiler::Share> nodes = cost.nodes;
  std::stable_sort(nodes.begin(), nodes.end(),
                   [](const auto& a, const auto& b) { return a.cells > b.cells; });
  Summary::Rows rows;
  Json json = Json::array();
  for (const compiler::Share& node : nodes) {
    if (static_cast<int64_t>(rows.size()) < most) {
      rows.push_back({shortenNodes(node.name), withCommas(node.cells)});
    }
    json.push_back({{"name", node.name}, {"cells", node.cells}});
  }
  std::string title =
      absl::StrCat("ONNX nodes by cells per proof (", rows.size(), " of ", nodes.size(), ")");
  summary.addTable("nodes", title, {"node", "cells"}, std::move(rows), std::move(json));
}

// A name and how many there are of it: lanes repeat a constraint under numbers, "name.0", "name.1".
using Family = std::pair<std::string, int64_t>;

std::string familyOf(absl::string_view name) {
  size_t dot = name.rfind('.');
  int64_t number = 0;
  bool numbered = dot != absl::string_view::npos && absl::SimpleAtoi(name.substr(dot + 1), &number);
  return std::string(numbered ? name.substr(0, dot) : name);
}

// In text one line for a family of constraints, in JSON every constraint.
void addConstraints(const Circuit& circuit, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  int64_t count = 0;
  for (Constraint::Kind kind : {Constraint::LOCAL, Constraint::CONTINUITY, Constraint::BOUNDARY}) {
    for (const Table& table : circuit.tables()) {
      std::vector<Family> families;
      for (const Constraint& constraint : table.constraints()) {
        if (constraint.kind() != kind) continue;
        ++count;
        std::string name = familyOf(constraint.name());
        auto found = std::find_if(families.begin(), families.end(),
                                  [&](const Family& family) { return family.first == name; });
        if (found == families.end()) found = families.insert(found, {name, 0});
        ++found->second;
        json.push_back(
            {{"table", table.name()}, {"name", constraint.name()}, {"kind", kindName(kind)}});
      }
      for (const auto& [name, size] : families) {
        rows.push_back({absl::StrCat(table.name(), ".", name), absl::StrCat(size), kindName(kind)});
      }
    }
  }
  summary.addTable("constraints", absl::StrCat("Constraints (", count, ")"),
                   {"constraint", "count", "kind"}, std::move(rows), std::move(json));
}

std::string shapeText(const PublicTensor& tensor) {
  return absl::StrCat(tensor.rows(), " x ", tensor.columns(), " in ", tensor.low(), " .. ",
                      tensor.high(), ", 2^", -tensor.exponent());
}

// What each block of steps leaves to the next.
void addCarried(const runtime::Package& package, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  for (const Step& step : package.program().steps()) {
    if (!step.has_carry_out()) continue;
    const auto elements = static_cast<int64_t>(step.carry_out().elements());
    rows.push_back({shortenNodes(step.node()), step.region(), withCommas(elements)});
    json.push_back({{"node", step.node()}, {"region", step.region()}, {"elements", elements}});
  }
  if (rows.empty()) return;
  const std::string title = absl::StrCat("Tensors left to the next block (", rows.size(), ")");
  summary.addTable("carried", title, {"node", "region", "integers"}, std::move(rows),
                   std::move(json));
}

// What crosses into and out of the proof: the public tensors; and between its tables: claims that
// must cancel.
void addBoundaries(const Circuit& circuit, Summary& summary) {
  Summary::Rows publics;
  Json public_json = Json::array();
  for (const PublicTensor& tensor : circuit.publics()) {
    const char* kind = tensor.kind() == PublicTensor::OUTPUT ? "output" : "input";
    publics.push_back({tensor.name(), kind, shapeText(tensor)});
    public_json.push_back({{"name", tensor.name()},
                           {"kind", kind},
                           {"rows", tensor.rows()},
                           {"columns", tensor.columns()},
                           {"low", tensor.low()},
                           {"high", tensor.high()},
                           {"exponent", tensor.exponent()}});
  }
  summary.addTable("publics", "Public values", {"tensor", "kind", "values"}, std::move(publics),
                   std::move(public_json));
  Summary::Rows groups;
  Json group_json = Json::array();
  for (int group = 0; group < circuit.claim_groups_size(); ++group) {
    std::vector<std::string> tables;
    for (const Claim& claim : circuit.claims()) {
      if (static_cast<int>(claim.group()) == group) {
        tables.push_back(circuit.tables(static_cast<int>(claim.table())).name());
      }
    }
    const std::string& name = circuit.claim_groups(group).name();
    groups.push_back({name, absl::StrCat(tables.size())});
    group_json.push_back({{"name", name}, {"tables", tables}});
  }
  summary.addTable("claim_groups", "Claims that cancel between tables", {"group", "tables"},
                   std::move(groups), std::move(group_json));
  Json segments = Json::array();
  for (const Segment& segment : circuit.segments()) {
    segments.push_back({{"name", segment.name()}, {"tables", segment.tables_size()}});
  }
  summary.addText("");
  summary.add("segments", "proof boundaries", std::move(segments),
              circuit.most_blocks() > 0 ? "between blocks of steps: each has a proof of all tables"
              : circuit.segments_size() <= 1 ? "none: one proof covers all tables"
                                             : absl::StrCat(circuit.segments_size(), " segments"));
}

// Of the package's key, or of one for other options.
struct KeyFacts {
  StwoParameters parameters;
  Json security;  // as the backend says; null without a backend
};

absl::StatusOr<Json> reportOf(const OpenedPackage& opened, const InspectArguments& arguments,
                              Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  const std::string key = absl::StrCat(opened.home, "/", runtime::kKeyFile);
  std::error_code code;
  if (arguments.own_security || !std::filesystem::is_regular_file(key, code)) {
    return prover.parameters(opened.path, context);
  }
  LINDERO_ASSIGN_OR_RETURN(Json report, prover.describe(key, context));
  const std::string circuit = runtime::toHex(opened.package.circuitDigest());
  for (const Json& found : report.value("keys", Json::array())) {
    if (found.is_object() && found.value("circuit_digest", Json()) == circuit) return found;
  }
  return failure(Exit::kPackage, absl::StrCat(key, " has no key of this circuit"));
}

absl::StatusOr<KeyFacts> keyFacts(const OpenedPackage& opened, const InspectArguments& arguments,
                                  Context& context) {
  absl::StatusOr<Json> report = reportOf(opened, arguments, context);
  if (!report.ok() && exitOf(report.status()) != Exit::kProverMissing) return report.status();
  if (!report.ok()) {
    context.note(report.status().message());
    return KeyFacts{arguments.own_security
                        ? expectedParameters(arguments.prover)
                        : keyParameters(absl::StrCat(opened.home, "/", runtime::kKeyFile),
                                        opened.package.circuitDigest(), arguments.prover),
                    nullptr};
  }
  LINDERO_ASSIGN_OR_RETURN(StwoParameters parameters,
                           parametersOf(report->value("parameters", Json::object())));
  return KeyFacts{std::move(parameters), report->value("security", Json::object())};
}

absl::Status inspect(const InspectArguments& arguments, Context& context) {
  const std::vector<int64_t> buckets = runtime::listBuckets(arguments.package);
  const int64_t shown =
      arguments.bucket == 0 && !buckets.empty() ? buckets.back() : arguments.bucket;
  if (shown > 0 && !std::binary_search(buckets.begin(), buckets.end(), shown)) {
    return failure(Exit::kUsage, absl::StrCat("--bucket ", shown, ": ", arguments.package, " has ",
                                              buckets.empty() ? "no buckets" : "the buckets ",
                                              absl::StrJoin(buckets, ", ")));
  }
  std::vector<BucketCost> costs;
  for (int64_t bucket : buckets) {
    LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, openPackage(arguments.package, bucket));
    LINDERO_ASSIGN_OR_RETURN(KeyFacts facts, keyFacts(opened, arguments, context));
    costs.push_back(
        {bucket, estimateProof(opened.cost, facts.parameters, arguments.prover.threads)});
  }
  LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, openPackage(arguments.package, shown));
  LINDERO_ASSIGN_OR_RETURN(KeyFacts facts, keyFacts(opened, arguments, context));
  const Circuit& circuit = opened.package.circuit();
  Summary summary;
  summary.add("model", "model", opened.facts.file, opened.facts.file);
  summary.addCount("parameters", "parameters", opened.facts.parameters);
  summary.addData("facts", toJson(opened.facts));
  if (opened.cost.most_blocks > 0) {
    addBlocks(runtime::blockSteps(circuit), opened.cost.most_blocks, summary);
  } else if (!costs.empty()) {
    addBuckets(costs, summary);
  }
  if (shown > 0) summary.add("bucket", "bucket", shown, absl::StrCat(shown, " positions"));
  std::string digest = runtime::toHex(opened.package.circuitDigest());
  summary.add("circuit", "circuit", digest, digest);
  summary.addCount("columns", "columns", opened.cost.columns);
  addEstimate(estimateProof(opened.cost, facts.parameters, arguments.prover.threads), summary);
  if (facts.security.is_object()) addSecurityTable(facts.security, summary);
  addRegions(opened.cost, summary);
  addTables(opened.cost, summary);
  addPhases(opened.cost, summary);
  addNodes(opened.cost, arguments.nodes, summary);
  addConstraints(circuit, summary);
  addCarried(opened.package, summary);
  addBoundaries(circuit, summary);
  context.result("inspect", summary);
  return absl::OkStatus();
}

}  // namespace

void addInspect(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<InspectArguments>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show tables, costs, constraints and boundaries");
  command->add_option("package", arguments->package, "Package")->required();
  command
      ->add_option("--bucket", arguments->bucket,
                   "Of a package of decode runs (default: the longest)")
      ->check(CLI::PositiveNumber);
  command->add_option("--nodes", arguments->nodes, "Most ONNX nodes to list")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  addSecurityOptions(*command, arguments->prover);
  command->callback([arguments, command, &chosen] {
    arguments->own_security = securityGiven(*command);
    chosen = [arguments](Context& context) { return inspect(*arguments, context); };
  });
}

}  // namespace lindero::cli

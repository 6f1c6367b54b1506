// lindero inspect: what a package's circuit is made of and what it costs.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/estimate/estimate.h"
#include "runtime/claim/key_file.h"
#include "runtime/decode/decode_run.h"
#include "runtime/model/opened_package.h"
#include "runtime/package/status_macros.h"
#include "runtime/values/proof_values.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/prover_options.h"
#include "tools/lindero/show_claim.h"
#include "tools/lindero/show_costs.h"

namespace lindero::cli {
namespace {

using runtime::OpenedPackage;

struct InspectArguments {
  std::string path;  // of a package, a key or a proof
  std::string tokenizer;
  int64_t bucket = 0;  // 0: the longest
  int64_t nodes = 20;
  bool check = false;         // the fixed columns
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

// Before the names of a member's tables and groups.
std::string prefixOf(const runtime::BundlePackage& package, size_t member) {
  if (package.members.size() == 1) return "";
  return absl::StrCat(package.bundle.members(static_cast<int>(member)).name(), "/");
}

// In text one line for a family of constraints, in JSON every constraint.
void addConstraints(const runtime::BundlePackage& package, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  int64_t count = 0;
  auto add = [&](const Table& table, const std::string& name_of_table, Constraint::Kind kind) {
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
          {{"table", name_of_table}, {"name", constraint.name()}, {"kind", kindName(kind)}});
    }
    for (const auto& [name, size] : families) {
      rows.push_back({absl::StrCat(name_of_table, ".", name), absl::StrCat(size), kindName(kind)});
    }
  };
  for (Constraint::Kind kind : {Constraint::LOCAL, Constraint::CONTINUITY, Constraint::BOUNDARY}) {
    for (size_t m = 0; m < package.members.size(); ++m) {
      for (const Table& table : package.members[m].circuit().tables())
        add(table, absl::StrCat(prefixOf(package, m), table.name()), kind);
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
void addCarriedContext(const runtime::Package& package, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  for (const Step& step : package.program().steps()) {
    if (!step.has_link_out()) continue;
    const auto elements = static_cast<int64_t>(step.link_out().elements());
    rows.push_back({shortenNodes(step.node()), step.region(), withCommas(elements)});
    json.push_back({{"node", step.node()}, {"region", step.region()}, {"elements", elements}});
  }
  if (rows.empty()) return;
  const std::string title = absl::StrCat("Tensors left to the next block (", rows.size(), ")");
  summary.addTable("carried", title, {"node", "region", "integers"}, std::move(rows),
                   std::move(json));
}

// A link has the name of the groups at its ends, "link:cut/0", less what all of them begin with.
std::string linkName(const runtime::BundlePackage& package, const LinkEnd& end) {
  const Circuit& circuit = package.members[end.member()].circuit();
  llvm::StringRef name = circuit.sum_groups(static_cast<int>(end.group())).name();
  name.consume_front("link:");
  return name.str();
}

// What each member takes from another, in the order of the links.
void addLinks(const runtime::BundlePackage& package, Summary& summary) {
  if (package.members.size() == 1) return;
  Summary::Rows rows;
  Json json = Json::array();
  for (const Link& link : package.bundle.links()) {
    auto member = [&](int end) {
      return package.bundle.members(static_cast<int>(link.ends(end).member())).name();
    };
    const std::string name = linkName(package, link.ends(0));
    rows.push_back({name, member(0), member(1)});
    json.push_back({{"name", name}, {"from", member(0)}, {"to", member(1)}});
  }
  summary.addTable("links", "Links between members", {"link", "from", "to"}, std::move(rows),
                   std::move(json));
}

// What crosses into and out of the proof: the public tensors; and between its tables: claimed sums
// that must cancel.
void addBoundaries(const runtime::BundlePackage& package, Summary& summary) {
  Summary::Rows publics;
  Json public_json = Json::array();
  for (const Circuit* circuit : package.circuits()) {
    for (const PublicTensor& tensor : circuit->publics()) {
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
  }
  summary.addTable("publics", "Public values", {"tensor", "kind", "values"}, std::move(publics),
                   std::move(public_json));
  Summary::Rows groups;
  Json group_json = Json::array();
  for (size_t m = 0; m < package.members.size(); ++m) {
    const Circuit& circuit = package.members[m].circuit();
    const std::string prefix = prefixOf(package, m);
    for (int group = 0; group < circuit.sum_groups_size(); ++group) {
      std::vector<std::string> tables;
      for (const ClaimedSum& claimed_sum : circuit.claimed_sums()) {
        if (static_cast<int>(claimed_sum.group()) == group) {
          const Table& table = circuit.tables(static_cast<int>(claimed_sum.table()));
          tables.push_back(absl::StrCat(prefix, table.name()));
        }
      }
      const std::string name = absl::StrCat(prefix, circuit.sum_groups(group).name());
      groups.push_back({name, absl::StrCat(tables.size())});
      group_json.push_back({{"name", name}, {"tables", tables}});
    }
  }
  summary.addTable("sum_groups", "Claimed sums that cancel between tables", {"group", "tables"},
                   std::move(groups), std::move(group_json));
  Json segments = Json::array();
  for (size_t m = 0; m < package.members.size(); ++m) {
    for (const Segment& segment : package.members[m].circuit().segments()) {
      const std::string name = package.members.size() == 1
                                   ? segment.name()
                                   : package.bundle.members(static_cast<int>(m)).name();
      segments.push_back({{"name", name}, {"tables", segment.tables_size()}});
    }
  }
  const size_t count = segments.size();
  summary.addText("");
  summary.add("segments", "proof boundaries", std::move(segments),
              package.members.size() > 1 ? absl::StrCat(count, " segments, which links join")
              : runtime::exportsGroups(package.members.front().circuit())
                  ? "between blocks of steps: each has a proof of all tables"
              : count <= 1 ? "none: one proof covers all tables"
                           : absl::StrCat(count, " segments"));
}

// Of the package's key, or of one for other options.
struct KeyFacts {
  StwoParameters parameters;
  Json security;  // as the backend says; null without a backend
};

absl::StatusOr<Json> reportOf(const OpenedPackage& opened, const InspectArguments& arguments,
                              Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  const std::string key = runtime::packageKey(opened);
  if (arguments.own_security || key.empty()) {
    return prover.parameters(opened.path, context.monitor());
  }
  LINDERO_ASSIGN_OR_RETURN(Json report, prover.describe(key, context.monitor()));
  Json circuits = Json::array();
  for (const runtime::Digest& digest : opened.bundle.circuitDigests())
    circuits.push_back(runtime::toHex(digest));
  const std::string bundle = runtime::toHex(runtime::bundleDigest(opened.bundle.bundle));
  for (const Json& found : report.value("keys", Json::array())) {
    const Json members = found.is_object() ? found.value("members", Json::array()) : Json::array();
    Json digests = Json::array();
    for (const Json& member : members) {
      if (member.is_object()) digests.push_back(member.value("circuit_digest", Json()));
    }
    if (digests == circuits && found.value("bundle_digest", Json()) == bundle) return found;
  }
  return failure(Error::kPackage, absl::StrCat(key, " has no key of this circuit and bundle"));
}

absl::StatusOr<KeyFacts> keyFacts(const OpenedPackage& opened, const InspectArguments& arguments,
                                  Context& context) {
  absl::StatusOr<Json> report = reportOf(opened, arguments, context);
  if (!report.ok() && errorOf(report.status()) != Error::kProverMissing) return report.status();
  if (!report.ok()) {
    context.note(report.status().message());
    return KeyFacts{arguments.own_security
                        ? compiler::expectedParameters(arguments.prover)
                        : compiler::keyParameters(
                              runtime::packageKey(opened), opened.bundle.circuitDigests(),
                              runtime::bundleDigest(opened.bundle.bundle), arguments.prover),
                    nullptr};
  }
  LINDERO_ASSIGN_OR_RETURN(StwoParameters parameters,
                           compiler::parametersOf(report->value("parameters", Json::object())));
  return KeyFacts{std::move(parameters), report->value("security", Json::object())};
}

// The package has what its key was made from.
absl::Status checkPackage(const InspectArguments& arguments, const OpenedPackage& opened,
                          Context& context, Summary& summary) {
  LINDERO_ASSIGN_OR_RETURN(const Prover prover, Prover::find(arguments.prover));
  const std::string key = runtime::packageKey(opened);
  if (key.empty()) {
    return failure(Error::kUsage, absl::StrCat("--check compares a package with its key, and ",
                                               opened.home, " has none"));
  }
  LINDERO_ASSIGN_OR_RETURN(const Json report,
                           prover.checkFixed(opened.path, key, context.monitor()));
  const Json files = report.value("fixed_files", Json::object());
  const bool faster = files.value("tree", Json()).is_number();
  summary.add("checked", "checked", files,
              absl::StrCat("the fixed columns are those of the key",
                           faster ? ", and so are the files beside them"
                                  : "; there are no files that make proofs faster"));
  return absl::OkStatus();
}

absl::Status inspectPackage(const InspectArguments& arguments, Context& context) {
  const std::vector<int64_t> buckets = runtime::listBuckets(arguments.path);
  const int64_t shown =
      arguments.bucket == 0 && !buckets.empty() ? buckets.back() : arguments.bucket;
  if (shown > 0 && !std::binary_search(buckets.begin(), buckets.end(), shown)) {
    return failure(Error::kUsage, absl::StrCat("--bucket ", shown, ": ", arguments.path, " has ",
                                               buckets.empty() ? "no buckets" : "the buckets ",
                                               absl::StrJoin(buckets, ", ")));
  }
  auto estimateOf = [&](const OpenedPackage& opened, const KeyFacts& facts) {
    return compiler::estimateBundle(opened.bundle, facts.parameters, arguments.prover.threads);
  };
  std::vector<compiler::BucketCost> costs;
  for (int64_t bucket : buckets) {
    LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, runtime::openPackage(arguments.path, bucket));
    LINDERO_ASSIGN_OR_RETURN(KeyFacts facts, keyFacts(opened, arguments, context));
    costs.push_back({bucket, estimateOf(opened, facts), compiler::bundleCosts(opened.bundle)});
  }
  LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, runtime::openPackage(arguments.path, shown));
  LINDERO_ASSIGN_OR_RETURN(KeyFacts facts, keyFacts(opened, arguments, context));
  const compiler::CostReport cost = compiler::bundleCosts(opened.bundle);
  Summary summary;
  addModel(opened.facts, summary, /*all=*/true);
  if (cost.most_blocks > 0) {
    addBlocks(runtime::blockSteps(opened.package().circuit()), cost.most_blocks, summary);
  } else if (!costs.empty()) {
    addBuckets(costs, summary);
  }
  if (shown > 0) summary.add("bucket", "bucket", shown, absl::StrCat(shown, " positions"));
  for (size_t m = 0; m < opened.bundle.members.size(); ++m) {
    const std::string digest = runtime::toHex(opened.bundle.members[m].circuitDigest());
    const std::string name = prefixOf(opened.bundle, m);
    summary.add(name + "circuit", name + "circuit", digest, digest);
  }
  summary.addCount("columns", "columns", cost.columns);
  addEstimate(estimateOf(opened, facts), summary);
  if (facts.security.is_object()) addSecurityTable(facts.security, summary);
  addRegions(cost, summary);
  addTables(cost, summary);
  addPhases(cost, summary);
  addNodes(cost, arguments.nodes, summary);
  addConstraints(opened.bundle, summary);
  if (opened.alone()) addCarriedContext(opened.package(), summary);
  addLinks(opened.bundle, summary);
  addBoundaries(opened.bundle, summary);
  if (arguments.check) {
    LINDERO_RETURN_IF_ERROR(checkPackage(arguments, opened, context, summary));
  }
  context.result("inspect", summary);
  return absl::OkStatus();
}

// Model and keys of a key file; bits of security, where there is a backend that computes them.
absl::Status inspectKeys(const InspectArguments& arguments, const runtime::KeySet& keys,
                         Context& context) {
  Json described = Json::array();
  absl::StatusOr<Prover> prover = Prover::find(arguments.prover);
  if (prover.ok()) {
    LINDERO_ASSIGN_OR_RETURN(Json report, prover->describe(arguments.path, context.monitor()));
    described = report.value("keys", Json::array());
  } else {
    context.note(prover.status().message());
  }
  const runtime::ModelRecord& record = keys.model();
  Summary summary;
  summary.add("kind", "kind", "key", "a verifying key: `lindero audit` tells whose");
  summary.add("onnx", "model", runtime::toHex(record.onnx),
              absl::StrCat("ONNX file ", runtime::toHex(record.onnx)));
  summary.add("id", "id", runtime::toHex(record.id), runtime::toHex(record.id));
  summary.add("compiler", "made by", record.compiler, absl::StrCat("lindero ", record.compiler));
  Json list = Json::array();
  for (const runtime::Key& key : keys.keys) {
    const std::string digest = runtime::toHex(key.digest);
    summary.addLine("key", absl::StrCat(digest, ", for ", key.model.bucket, " positions"));
    summary.addLine("  bundle", runtime::toHex(key.bundle_digest));
    Json members = Json::array();
    for (const runtime::KeyMember& member : key.members) {
      members.push_back({{"name", member.name},
                         {"circuit", runtime::toHex(member.circuit_digest)},
                         {"fixed_root", runtime::toHex(member.fixed_root)}});
      if (key.members.size() > 1) summary.addLine("  member", member.name);
      summary.addLine("  circuit", runtime::toHex(member.circuit_digest));
      summary.addLine("  weights", runtime::toHex(member.fixed_root));
    }
    list.push_back({{"bucket", key.model.bucket},
                    {"bundle", runtime::toHex(key.bundle_digest)},
                    {"digest", digest},
                    {"members", members}});
  }
  summary.addData("keys", std::move(list));
  summary.addData("described", described);
  // Keys of one file promise the same.
  if (!described.empty() && described[0].is_object()) {
    addSecurityTable(described[0].value("security", Json::object()), summary);
  }
  context.result("inspect", summary);
  return absl::OkStatus();
}

absl::Status inspectProof(const InspectArguments& arguments, const runtime::UnverifiedProof& proof,
                          Context& context) {
  std::optional<Tokenizer> tokenizer;
  if (!arguments.tokenizer.empty()) {
    LINDERO_ASSIGN_OR_RETURN(tokenizer, Tokenizer::load(arguments.tokenizer));
  }
  Summary summary;
  summary.add("kind", "kind", "proof",
              "a proof, NOT VERIFIED here: what follows is what it claims, and `lindero verify` "
              "tells whether it holds");
  summary.addBytes("proof_bytes", "size", proof.bytes);
  summary.addCount("proof_blocks", "blocks", proof.blocks);
  addUnverifiedClaim(proof, tokenizer, summary);
  context.result("inspect", summary);
  return absl::OkStatus();
}

absl::Status inspect(const InspectArguments& arguments, Context& context) {
  std::error_code code;
  if (std::filesystem::is_directory(arguments.path, code)) {
    return inspectPackage(arguments, context);
  }
  absl::StatusOr<runtime::KeySet> keys = runtime::readKeys(arguments.path);
  if (keys.ok()) return inspectKeys(arguments, *keys, context);
  if (errorOf(keys.status()) == Error::kFile) return keys.status();
  absl::StatusOr<runtime::UnverifiedProof> proof = runtime::readUnverifiedProof(arguments.path);
  if (proof.ok()) return inspectProof(arguments, *proof, context);
  return failure(Error::kPackage, absl::StrCat(arguments.path,
                                               " is no package, key or proof of this version (as a "
                                               "key: ",
                                               keys.status().message(),
                                               "; as a proof: ", proof.status().message(), ")"));
}

}  // namespace

void addInspect(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<InspectArguments>();
  CLI::App* command =
      app.add_subcommand("inspect",
                         "Show tables, costs, constraints and boundaries of a package; what a key "
                         "or a proof says");
  command->add_option("path", arguments->path, "Package, key or proof")->required();
  command->add_option("--tokenizer", arguments->tokenizer,
                      "Shows a proof's tokens as text: this tokenizer.json");
  command
      ->add_option("--bucket", arguments->bucket,
                   "Which circuit of a package of decode runs (default: the longest)")
      ->check(CLI::PositiveNumber);
  command->add_option("--nodes", arguments->nodes, "Most ONNX nodes to list")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--check", arguments->check,
                    "Compare the package's fixed columns, and the files that make its proofs "
                    "faster, with its key: another one is an error");
  addSecurityOptions(*command, arguments->prover);
  command->callback([arguments, command, &chosen] {
    arguments->own_security = securityGiven(*command);
    chosen = [arguments](Context& context) { return inspect(*arguments, context); };
  });
}

}  // namespace lindero::cli

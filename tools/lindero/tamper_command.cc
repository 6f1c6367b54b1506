// lindero tamper: changes the witness, the run and the proof of a model in many ways, and demands
// that each change is noticed.
#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/check/read_index.h"
#include "runtime/eval/describe.h"
#include "runtime/package/circuit_access.h"
#include "runtime/package/mapped_file.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"
#include "runtime/prove/claim_files.h"
#include "runtime/tamper/cell_campaign.h"
#include "runtime/tamper/families.h"
#include "runtime/tamper/necessity.h"
#include "runtime/tamper/statement_campaign.h"
#include "runtime/tamper/step_campaign.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"
#include "tools/lindero/prover_options.h"
#include "tools/lindero/tamper_adaptive.h"

namespace lindero::cli {
namespace {

using runtime::CellCampaignReport;
using runtime::ColumnTally;
using runtime::Family;
using runtime::Mutator;
using runtime::Necessity;
using runtime::Requirement;
using runtime::StatementTally;
using runtime::StepCampaignReport;

// Measured on one thread: per mutation, and how many mutations a mutator makes of a cell, with and
// without multiplicities.
constexpr double kSecondsPerMutation = 6e-6, kMutationsPerMutator = 1.3;

constexpr std::pair<const char*, Mutator> kMutatorNames[] = {
    {"+1", Mutator::kIncrement},         {"-1", Mutator::kDecrement},
    {"sign", Mutator::kNegate},          {"random", Mutator::kRandom},
    {"swap", Mutator::kSwapWithNextRow}, {"move", Mutator::kMoveToNextRow},
};

std::optional<Mutator> findMutator(const std::string& name) {
  for (const auto& [known, mutator] : kMutatorNames) {
    if (name == known) return mutator;
  }
  return std::nullopt;
}

struct TamperArguments {
  SourceOptions source;
  ProverOptions prover;
  uint64_t rows = 200;
  std::vector<std::string> mutators;  // none: all
  uint64_t steps = 1000;
  uint64_t proofs = 1000;
  uint64_t seed = 1;
  bool adaptive = false;
  bool any_witness = false;
  bool rows_given = false;
};

// What every stage needs.
struct Run {
  const TamperArguments& arguments;
  OpenedPackage& opened;
  const Scratch& scratch;
  runtime::TracedRun traced;
  Context& context;

  std::vector<Mutator> mutators() const {
    std::vector<Mutator> chosen;
    for (const std::string& name : arguments.mutators) chosen.push_back(*findMutator(name));
    if (chosen.empty()) chosen.assign(std::begin(runtime::kMutators), std::end(runtime::kMutators));
    return chosen;
  }
};

// What is mutated but for the proof: a member in the last step of the run, with what those before
// it hand over.
struct Block {
  const Run& run;
  const runtime::Package& package;
  Statement statement;
  runtime::MappedFile trace;
  runtime::LinkValues before;

  const Circuit& circuit() const { return package.circuit(); }
};

// The statement of a member in the last step.
Statement statementOf(const Circuit& circuit, const Statement& all, int64_t last) {
  Statement own;
  own.set_format(all.format());
  for (const PublicTensor& tensor : circuit.publics()) {
    *own.add_tensors() = *runtime::findValues(all, tensor.name());
  }
  return runtime::blockOf(circuit, own, last);
}

absl::StatusOr<std::vector<Block>> blocksOf(const Run& run, const runtime::Run& bound) {
  const std::vector<runtime::Package>& members = run.opened.bundle.members;
  LINDERO_ASSIGN_OR_RETURN(
      std::vector<runtime::LinkValues> before,
      runtime::linksBefore(bound, run.arguments.prover.threads, run.context.monitor()));
  const size_t first = run.traced.traces.size() - members.size();
  std::vector<Block> blocks;
  for (size_t m = 0; m < members.size(); ++m) {
    auto trace = runtime::MappedFile::openReadOnly(run.traced.traces[first + m]);
    if (!trace.ok()) return withError(trace.status(), Error::kFile);
    blocks.push_back({run, members[m],
                      statementOf(members[m].circuit(), run.traced.statement, bound.steps() - 1),
                      *std::move(trace), std::move(before[m])});
  }
  return blocks;
}

std::string count(uint64_t value) { return withCommas(static_cast<int64_t>(value)); }

// "remainder.3" -> "remainder": lanes of a table are alike.
std::string withoutLane(std::string name) {
  size_t end = name.find_last_not_of("0123456789");
  if (end != std::string::npos && end + 1 < name.size() && name[end] == '.') name.resize(end);
  return name;
}

void addEstimate(const Run& run) {
  Summary estimate;
  uint64_t cells = 0;
  for (const Circuit* circuit : run.opened.bundle.circuits()) {
    cells += runtime::cellsToMutate(*circuit, run.arguments.rows);
  }
  const double mutations =
      static_cast<double>(cells * run.mutators().size()) * kMutationsPerMutator;
  const int threads = runtime::ThreadPool(run.arguments.prover.threads).size();
  estimate.addCount("cells", "cells to mutate", static_cast<int64_t>(cells));
  estimate.addCount("mutations", "mutations, about", static_cast<int64_t>(mutations));
  estimate.addSeconds("seconds", "expected time for them",
                      mutations * kSecondsPerMutation / threads);
  estimate.addCount("steps", "coordinated mutations", static_cast<int64_t>(run.arguments.steps));
  estimate.addCount("proofs", "proof and key mutations",
                    static_cast<int64_t>(run.arguments.proofs));
  run.context.estimate(estimate);
}

// Cells -------------------------------------------------------------------------------------------

Json tallyJson(const ColumnTally& t) {
  return {
      {"tried", t.tried}, {"caught", t.caught}, {"padding", t.padding}, {"survived", t.survived}};
}

Json survivorsJson(const CellCampaignReport& report, const Circuit& circuit) {
  Json list = Json::array();
  for (const runtime::Survivor& s : report.survivors) {
    const Table& table = runtime::tableOf(circuit, s.table);
    const Instance* instance = runtime::findInstance(table, s.row);
    list.push_back({{"table", table.name()},
                    {"column", table.columns(static_cast<int>(s.column)).name()},
                    {"row", s.row},
                    {"node", instance == nullptr ? "" : instance->node()},
                    {"mutator", runtime::nameOf(s.mutator)},
                    {"multiplicities", s.multiplicities},
                    {"solvable", s.solvable},
                    {"read_by", s.influence}});
  }
  return list;
}

// A row per table and column, lanes of a column together.
void addCells(const CellCampaignReport& report, const Circuit& circuit, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  auto add = [](ColumnTally& sum, const ColumnTally& t) {
    sum.tried += t.tried;
    sum.caught += t.caught;
    sum.padding += t.padding;
    sum.survived += t.survived;
  };
  auto row = [&](const std::string& name, const ColumnTally& t) {
    rows.push_back({name, count(t.tried), count(t.caught), count(t.padding), count(t.survived)});
  };
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    ColumnTally sum;
    std::vector<std::pair<std::string, ColumnTally>> families;
    Json columns = Json::array();
    for (const ColumnTally& tally : report.columns) {
      if (tally.table != static_cast<uint32_t>(t)) continue;
      const std::string& name = table.columns(static_cast<int>(tally.column)).name();
      Json column = {{"name", name}};
      column.update(tallyJson(tally));
      columns.push_back(std::move(column));
      add(sum, tally);
      const std::string family = withoutLane(name);
      auto same = [&](const auto& f) { return f.first == family; };
      auto it = std::find_if(families.begin(), families.end(), same);
      if (it == families.end()) it = families.insert(it, {family, {}});
      add(it->second, tally);
    }
    if (columns.empty()) continue;
    Json entry = {{"name", table.name()}};
    entry.update(tallyJson(sum));
    entry["columns"] = std::move(columns);
    json.push_back(std::move(entry));
    row(table.name(), sum);
    for (const auto& [name, tally] : families) row(absl::StrCat("  ", name), tally);
  }
  row("all", report.total());
  summary.addTable("tables", "Mutated cells",
                   {"table and column", "tried", "caught", "padding", "survived"}, std::move(rows),
                   std::move(json));
  summary.addData("cells", tallyJson(report.total()));
  summary.addData("survivors", survivorsJson(report, circuit));
  for (const runtime::Survivor& s : report.survivors) {
    summary.addText(
        absl::StrCat("  survived: ", runtime::describeCell(circuit, s.table, s.column, s.row), ", ",
                     runtime::nameOf(s.mutator), s.multiplicities ? " with multiplicities" : "",
                     "; ", runtime::describeInfluence(s)));
  }
}

absl::Status tamperCells(const Block& block, Necessity& necessity, Summary& summary,
                         uint64_t& survived) {
  Stopwatch watch;
  runtime::CellCampaignOptions options;
  options.seed = block.run.arguments.seed;
  options.threads = block.run.arguments.prover.threads;
  options.rows_per_column = block.run.arguments.rows;
  options.mutators = block.run.mutators();
  options.necessity = &necessity;
  options.progress = [&](uint64_t done, uint64_t total) {
    block.run.context.progress("mutate cells",
                               static_cast<double>(done) / static_cast<double>(total));
  };
  block.run.context.progress("check the honest trace");
  auto report = runtime::tamperCells(block.package, block.statement, block.trace.words(), options);
  if (!report.ok()) return runtime::withRunError(report.status());
  addCells(*report, block.circuit(), summary);
  summary.addSeconds("cells_seconds", "cells mutated in", watch.seconds());
  survived += report->total().survived;
  return absl::OkStatus();
}

// Statement and steps -----------------------------------------------------------------------------

absl::Status tamperStatement(const Block& block, Necessity& necessity, Summary& summary,
                             uint64_t& survived) {
  block.run.context.progress("mutate the statement");
  auto tallies =
      runtime::tamperStatement(block.package, block.statement, block.trace.words(), &necessity);
  if (!tallies.ok()) return runtime::withRunError(tallies.status());
  Summary::Rows rows;
  Json json = Json::array();
  for (const StatementTally& t : *tallies) {
    rows.push_back(
        {t.tensor, count(t.tried), count(t.caught), count(t.refused), count(t.survived)});
    json.push_back({{"name", t.tensor},
                    {"tried", t.tried},
                    {"caught", t.caught},
                    {"out_of_range", t.refused},
                    {"survived", t.survived}});
    survived += t.survived;
  }
  summary.addTable("statement", "Mutated public values",
                   {"tensor", "tried", "caught", "out of range", "survived"}, std::move(rows),
                   std::move(json));
  return absl::OkStatus();
}

absl::Status tamperSteps(const Block& block, Necessity& necessity, Summary& summary,
                         uint64_t& survived) {
  Stopwatch watch;
  runtime::StepCampaignOptions options;
  options.seed = block.run.arguments.seed;
  options.threads = block.run.arguments.prover.threads;
  options.trials = block.run.arguments.steps;
  options.before = block.before;
  options.necessity = &necessity;
  options.progress = [&](uint64_t done, uint64_t total) {
    block.run.context.progress("mutate steps of the run",
                               static_cast<double>(done) / static_cast<double>(total));
  };
  Statement inputs;
  for (const PublicValues& tensor : block.statement.tensors()) {
    if (tensor.kind() == PublicValues::INPUT) *inputs.add_tensors() = tensor;
  }
  auto report = runtime::tamperSteps(block.package, inputs, options);
  if (!report.ok()) return runtime::withRunError(report.status());
  const Program& program = block.package.program();
  Summary::Rows rows;
  Json json = Json::object();
  auto add = [&](const std::string& name, const runtime::StepTally& t) {
    rows.push_back({name, count(t.tried), count(t.caught), count(t.stopped), count(t.unchanged),
                    count(t.survived)});
    json[name] = {{"tried", t.tried},
                  {"caught", t.caught},
                  {"out_of_range", t.stopped},
                  {"unchanged", t.unchanged},
                  {"survived", t.survived}};
  };
  for (const auto& [kind, tally] : report->byKind(program)) add(kind, tally);
  add("all", report->total());
  Json survivors = Json::array();
  summary.addTable("steps", "Coordinated mutations",
                   {"step", "tried", "caught", "out of range", "unchanged", "survived"},
                   std::move(rows), std::move(json));
  for (const runtime::StepSurvivor& s : report->survivors) {
    const std::string& node = program.steps(s.step).node();
    survivors.push_back({{"trial", s.trial}, {"node", node}, {"change", s.change}});
    summary.addText(
        absl::StrCat("  survived: trial ", s.trial, ", node \"", node, "\": ", s.change));
  }
  summary.addData("step_survivors", std::move(survivors));
  summary.addSeconds("steps_seconds", "steps mutated in", watch.seconds());
  survived += report->total().survived;
  return absl::OkStatus();
}

// Proof and key -----------------------------------------------------------------------------------

absl::Status tamperProof(const Run& run, const Prover& prover, Summary& summary,
                         uint64_t& survived) {
  Stopwatch watch;
  const std::string claim = run.scratch.path("claim.json"),
                    key = run.scratch.path(runtime::kKeyFile),
                    proof = run.scratch.path("run.proof");
  LINDERO_RETURN_IF_ERROR(prover.setup(run.opened.path, key, run.context.monitor()).status());
  runtime::ClaimOptions options;
  options.nonce = runtime::toHex(runtime::Digest{});  // the same proof every time
  LINDERO_RETURN_IF_ERROR(
      runtime::writeClaim(options, run.opened, run.traced.statement, {}, {key, claim, ""}));
  LINDERO_RETURN_IF_ERROR(
      prover
          .prove(run.opened.path, key, {run.traced.traces, claim, "", proof}, run.context.monitor())
          .status());
  run.context.progress("mutate the proof and the key");
  LINDERO_ASSIGN_OR_RETURN(Json report, prover.tamper(key, proof, run.arguments.proofs,
                                                      run.arguments.seed, run.context.monitor()));
  Summary::Rows rows;
  auto number = [](const Json& json, const char* name) {
    auto it = json.find(name);
    return it != json.end() && it->is_number_unsigned() ? it->get<uint64_t>() : 0;
  };
  auto add = [&](const std::string& name, const Json& t) {
    rows.push_back({name, count(number(t, "tried")), count(number(t, "rejected")),
                    count(number(t, "unchanged")), count(number(t, "survived"))});
  };
  const Json kinds = report.value("kinds", Json::object());
  for (const auto& [kind, tally] : kinds.items()) add(kind, tally);
  add("all", report);
  const Json survivors = report.value("survivors", Json::array());
  survived += number(report, "survived");
  summary.addTable("proof", "Mutated proofs and keys",
                   {"mutation", "tried", "rejected", "unchanged", "survived"}, std::move(rows),
                   std::move(report));
  for (const Json& s : survivors) {
    summary.addText(absl::StrCat("  survived: ", s.is_string() ? s.get<std::string>() : s.dump()));
  }
  summary.addSeconds("proof_seconds", "proof and key mutated in", watch.seconds());
  return absl::OkStatus();
}

// Necessity ---------------------------------------------------------------------------------------

Json partsJson(const Necessity& necessity, const Circuit& circuit) {
  Json json = Json::array();
  for (const Requirement& r : necessity.requirements()) {
    json.push_back({{"part", runtime::describe(r, circuit)},
                    {"necessary", !r.witness.empty()},
                    {"witness", r.witness}});
  }
  return json;
}

void addNecessity(const Necessity& necessity, const Circuit& circuit, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  const std::vector<Family> families = familiesOf(necessity, circuit);
  for (const Family& f : families) {
    rows.push_back({f.name, count(f.parts), count(f.shown), f.status()});
    json.push_back({{"family", f.name},
                    {"parts", f.parts},
                    {"shown", f.shown},
                    {"status", f.status()},
                    {"witness", f.witness},
                    {"implied_because", f.reason}});
  }
  summary.addTable("families",
                   "Rules of the circuit: a rule is shown to be necessary by a change that the "
                   "circuit rejects, and would accept without it",
                   {"rule", "parts", "shown", "status"}, std::move(rows), std::move(json));
  for (const Family& f : families) {
    if (!f.reason.empty()) summary.addText(absl::StrCat("  implied: ", f.name, ": ", f.reason));
  }
  summary.addData("parts", partsJson(necessity, circuit));
}

absl::Status concludeAdaptive(uint64_t found, Context& context, const Summary& summary) {
  context.result("tamper", summary);
  if (found == 0) return absl::OkStatus();
  return failure(Error::kCheckFailed,
                 absl::StrCat(count(found),
                              " findings: the circuit leaves something to a prover "
                              "that adapts; the summary lists them"));
}

// Instead of all other stages.
absl::Status tamperAdaptively(const Run& run, const std::vector<Block>& blocks, Summary& summary) {
  const AdaptiveArguments arguments{run.arguments.seed, run.arguments.prover.threads,
                                    run.arguments.rows_given ? run.arguments.rows : 0};
  std::vector<MemberTrace> traces;
  for (const Block& block : blocks) traces.push_back({block.statement, block.trace.words()});
  LINDERO_ASSIGN_OR_RETURN(const uint64_t found, tamperAdaptively(run.opened.bundle, traces,
                                                                  arguments, run.context, summary));
  return concludeAdaptive(found, run.context, summary);
}

// No run, and so no inputs: of a model in buckets, the longest.
absl::Status tamperAnyWitness(const TamperArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(
      OpenedPackage opened,
      runtime::openPackage(arguments.source.source,
                           runtime::bucketsOf(arguments.source.source).back()));
  Summary summary;
  summary.add("model", "model", opened.facts.file, opened.facts.file);
  const AdaptiveArguments adaptive{arguments.seed, arguments.prover.threads};
  LINDERO_ASSIGN_OR_RETURN(const uint64_t found,
                           examineAnyWitness(opened.bundle, adaptive, context, summary));
  return concludeAdaptive(found, context, summary);
}

// The stages that change a member's witness and run.
absl::Status tamperBlock(const Block& block, Summary& summary, uint64_t& survived) {
  auto index = runtime::ReadIndex::create(block.package, block.trace.words());
  if (!index.ok()) return runtime::withRunError(index.status());
  Necessity necessity(block.package, *index);
  LINDERO_RETURN_IF_ERROR(tamperCells(block, necessity, summary, survived));
  LINDERO_RETURN_IF_ERROR(tamperStatement(block, necessity, summary, survived));
  if (block.run.arguments.steps > 0) {
    LINDERO_RETURN_IF_ERROR(tamperSteps(block, necessity, summary, survived));
  }
  addNecessity(necessity, block.circuit(), summary);
  return absl::OkStatus();
}

absl::Status tamperAll(const Run& run, const std::vector<Block>& blocks,
                       const std::optional<Prover>& prover, Summary& summary) {
  addEstimate(run);
  uint64_t survived = 0;
  for (const Block& block : blocks) {
    Summary part;
    Summary& own = blocks.size() == 1 ? summary : part;
    LINDERO_RETURN_IF_ERROR(tamperBlock(block, own, survived));
    if (blocks.size() == 1) continue;
    const auto m = static_cast<int>(&block - blocks.data());
    summary.addPart("members", run.opened.bundle.bundle.members(m).name(), part);
  }
  if (prover) {
    LINDERO_RETURN_IF_ERROR(tamperProof(run, *prover, summary, survived));
  }
  summary.addText("");
  summary.addCount("survived", "survived", static_cast<int64_t>(survived));
  run.context.result("tamper", summary);
  if (survived == 0) return absl::OkStatus();
  return failure(Error::kCheckFailed,
                 absl::StrCat(count(survived), " changes went unnoticed; the summary lists them"));
}

absl::Status tamper(const TamperArguments& arguments, Context& context) {
  if (arguments.any_witness) return tamperAnyWitness(arguments, context);
  std::optional<Prover> prover;
  if (arguments.proofs > 0 && !arguments.adaptive) {
    LINDERO_ASSIGN_OR_RETURN(prover, Prover::find(arguments.prover));
  }
  LINDERO_ASSIGN_OR_RETURN(Scratch scratch, Scratch::temporary(context.monitor()));
  Summary summary;
  LINDERO_ASSIGN_OR_RETURN(Source source, bindSource(arguments.source, arguments.prover.threads,
                                                     scratch, context, summary));
  Run run{arguments, source.run.opened, scratch, {}, context};
  LINDERO_ASSIGN_OR_RETURN(
      run.traced, runtime::traceRun(source.run, scratch.path("."), arguments.prover.threads,
                                    context.monitor()));
  LINDERO_ASSIGN_OR_RETURN(const std::vector<Block> blocks, blocksOf(run, source.run));
  if (arguments.adaptive) return tamperAdaptively(run, blocks, summary);
  return tamperAll(run, blocks, prover, summary);
}

}  // namespace

void addTamper(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<TamperArguments>();
  CLI::App* command = app.add_subcommand(
      "tamper", "Change a run's witness and proof in many ways: each change must be noticed");
  CLI::Option_group* input = addSourceOptions(*command, arguments->source);
  CLI::Option* adaptive =
      command->add_flag("--adaptive", arguments->adaptive,
                        "Look instead for what is left to a prover that adapts to challenges: "
                        "exact ranks, all rows; no prover is needed");
  input
      ->add_flag("--any-witness", arguments->any_witness,
                 "With --adaptive, of a package: on random cells alone, where no input runs")
      ->needs(adaptive);
  CLI::Option* rows = command
                          ->add_option("--rows", arguments->rows,
                                       "Rows of each column to mutate, at random; 0: every row")
                          ->capture_default_str();
  command
      ->add_option("--mutators", arguments->mutators,
                   "Changes of a cell: +1,-1,sign,random,swap,move")
      ->delimiter(',')
      ->type_name("NAME")
      ->check(CLI::Validator(
          [](std::string& name) {
            return findMutator(name) ? "" : absl::StrCat("no such change of a cell: ", name);
          },
          ""));
  command
      ->add_option("--steps", arguments->steps,
                   "Changes of the run, each with all that follows from it")
      ->capture_default_str();
  command
      ->add_option("--proof", arguments->proofs,
                   "Changes of the proof and the key; 0 needs no prover")
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "Seed of all random choices")
      ->capture_default_str();
  addSecurityOptions(*command, arguments->prover);
  command->callback([arguments, command, rows, &chosen] {
    arguments->rows_given = rows->count() > 0;
    completeSourceOptions(*command, arguments->source);
    layOutFor(arguments->prover, arguments->source.model);
    chosen = [arguments](Context& context) { return tamper(*arguments, context); };
  });
}

}  // namespace lindero::cli

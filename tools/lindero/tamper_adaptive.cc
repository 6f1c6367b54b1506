#include "tools/lindero/tamper_adaptive.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "runtime/check/challenges.h"
#include "runtime/eval/describe.h"
#include "runtime/package/circuit_access.h"
#include "runtime/package/status_macros.h"
#include "runtime/tamper/adaptive/adaptive.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

using runtime::AdaptiveReport;
using runtime::RankFinding;

std::string count(uint64_t value) { return withCommas(static_cast<int64_t>(value)); }

using Witnesses = std::pair<const char*, const runtime::RankReport*>;

void addRanks(absl::Span<const Witnesses> witnesses, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  for (const auto& [name, report] : witnesses) {
    for (uint32_t phase : {2u, 3u}) {
      const runtime::RankCounts& c = report->phases[phase];
      rows.push_back({absl::StrCat(name, ", phase ", phase), count(c.columns), count(c.cells),
                      count(c.claimed_sums), count(c.equations), count(c.derivatives),
                      count(c.parameters), count(c.bound), count(c.harmless), count(c.holes)});
      json.push_back({{"witness", name},
                      {"phase", phase},
                      {"columns", c.columns},
                      {"cells", c.cells},
                      {"claimed_sums", c.claimed_sums},
                      {"equations", c.equations},
                      {"derivatives", c.derivatives},
                      {"directions_examined", c.parameters},
                      {"bound", c.bound},
                      {"harmless", c.harmless},
                      {"holes", c.holes}});
    }
  }
  summary.addTable("ranks",
                   "Rank of the challenge phases: free are cells that no equation of their phase "
                   "pins; bound, by a pole of their own under a later challenge",
                   {"witness", "columns", "cells", "claimed_sums", "equations", "derivatives",
                    "free", "bound", "read by nothing", "holes"},
                   std::move(rows), std::move(json));
}

void addCells(const AdaptiveReport& report, const Circuit& circuit, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  for (uint32_t phase : {2u, 3u}) {
    runtime::ColumnTally sum;
    for (const runtime::ColumnTally& t : report.cells.columns) {
      if (runtime::columnOf(circuit, t.table, t.column).phase() == phase) sum.add(t);
    }
    rows.push_back({absl::StrCat("phase ", phase), count(sum.tried), count(sum.caught),
                    count(sum.padding), count(sum.survived)});
    json.push_back({{"phase", phase},
                    {"tried", sum.tried},
                    {"caught", sum.caught},
                    {"padding", sum.padding},
                    {"survived", sum.survived}});
  }
  summary.addTable("cells",
                   "Mutated cells of challenge phases; what only sums under earlier challenges "
                   "refuse survives",
                   {"cells", "tried", "caught", "padding", "survived"}, std::move(rows),
                   std::move(json));
}

void addPremises(absl::string_view key, absl::string_view title,
                 absl::Span<const runtime::Premise> premises, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  for (const runtime::Premise& p : premises) {
    rows.push_back({p.name, count(p.examined), count(p.wrong)});
    json.push_back({{"premise", p.name},
                    {"examined", p.examined},
                    {"wrong", p.wrong},
                    {"examples", p.examples}});
  }
  summary.addTable(key, title, {"premise", "examined", "wrong"}, std::move(rows), std::move(json));
}

void addPremises(const AdaptiveReport& report, Summary& summary) {
  addPremises("premises", "Premises of phase 1", report.premises, summary);
}

// What was found, line by line; cells that nothing reads as well.
void addFindings(const AdaptiveReport& report, absl::Span<const Witnesses> witnesses,
                 const Circuit& circuit, Summary& summary) {
  Json json = Json::array();
  for (const auto& [name, ranks] : witnesses) {
    for (const RankFinding& f : ranks->findings) {
      summary.addText(shortenNodes(absl::StrCat("  ", name, ": ", describe(f, circuit))));
      Json entry = {{"witness", name},
                    {"kind", nameOf(f.kind)},
                    {"phase", f.phase},
                    {"table", runtime::tableOf(circuit, f.table).name()}};
      if (f.kind != RankFinding::Kind::kNote) {
        entry["column"] = runtime::columnOf(circuit, f.table, f.column).name();
      }
      entry["row_count"] = f.row_count;
      entry["rows"] = f.rows;
      entry["why"] = f.why;
      json.push_back(std::move(entry));
    }
  }
  for (const runtime::Survivor& s : report.cells.survivors) {
    summary.addText(
        absl::StrCat("  survived: ", runtime::describeColumn(circuit, s.table, s.column), ", row ",
                     s.row, "; ", runtime::describeInfluence(s)));
    json.push_back({{"kind", s.solvable ? "solvable" : "survivor"},
                    {"table", runtime::tableOf(circuit, s.table).name()},
                    {"column", runtime::columnOf(circuit, s.table, s.column).name()},
                    {"rows", {s.row}},
                    {"why", s.influence}});
  }
  for (const runtime::Premise& p : report.premises) {
    for (const std::string& example : p.examples) {
      summary.addText(shortenNodes(absl::StrCat("  ", p.name, ": ", example)));
    }
  }
  if (!report.campaign_error.empty()) {
    summary.addText(absl::StrCat("  ", report.campaign_error));
    json.push_back({{"kind", "undefined"}, {"why", report.campaign_error}});
  }
  summary.addData("findings", std::move(json));
}

// A prover that has the same challenges commits these cells.
void addAttack(const AdaptiveReport& report, const Circuit& circuit, Summary& summary) {
  if (!report.attack_tried) return;
  if (!report.attack) {
    summary.addText(
        "  no attack was built from it: neither one direction nor all of them cancel a "
        "wrong sum");
    summary.addData("attack", nullptr);
    return;
  }
  const runtime::Attack& attack = *report.attack;
  summary.addText(shortenNodes(absl::StrCat("  ", describe(attack, circuit))));
  auto place = [&](uint32_t table, uint32_t column, uint64_t row) {
    const Table& t = runtime::tableOf(circuit, table);
    return Json{{"table", t.name()},
                {"table_index", table},
                {"column", t.columns(static_cast<int>(column)).name()},
                {"column_index", column},
                {"row", row}};
  };
  Json wrong = place(attack.wrong.table, attack.wrong.column, attack.wrong.row);
  wrong["value"] = attack.wrong.value;
  wrong["honest"] = attack.honest;
  Json cells = Json::array();
  for (const runtime::FreeCell& cell : attack.cells) {
    Json entry = place(cell.table, cell.column, cell.row);
    entry["value"] = cell.value.limbs();
    cells.push_back(std::move(entry));
  }
  summary.addData("attack", {{"main", std::move(wrong)},
                             {"cells", std::move(cells)},
                             {"groups", attack.groups},
                             {"challenge_seed", attack.seed}});
}

runtime::AdaptiveOptions optionsOf(const AdaptiveArguments& arguments, Context& context) {
  runtime::AdaptiveOptions options;
  options.seed = arguments.seed;
  options.threads = arguments.threads;
  options.rows_per_column = arguments.rows;
  options.progress = [&](const std::string& stage, double fraction) {
    context.progress(stage, fraction);
  };
  return options;
}

absl::StatusOr<AdaptiveReport> tamperMember(const runtime::Package& package,
                                            const MemberTrace& trace,
                                            const runtime::AdaptiveOptions& options,
                                            Summary& summary) {
  auto report = runtime::tamperAdaptively(package, trace.statement, trace.main, options);
  if (!report.ok()) return runtime::withRunError(report.status());
  const Circuit& circuit = package.circuit();
  const Witnesses witnesses[] = {{"this run", &report->run}, {"any witness", &report->any}};
  addRanks(witnesses, summary);
  addCells(*report, circuit, summary);
  addPremises(*report, summary);
  addFindings(*report, witnesses, circuit, summary);
  addAttack(*report, circuit, summary);
  return report;
}

absl::StatusOr<AdaptiveReport> examineMember(const runtime::Package& package,
                                             const runtime::AdaptiveOptions& options,
                                             Summary& summary) {
  auto report = runtime::examineAnyWitness(package, options);
  if (!report.ok()) return runtime::withRunError(report.status());
  const Witnesses witnesses[] = {{"any witness", &report->any}};
  addRanks(witnesses, summary);
  addPremises(*report, summary);
  addFindings(*report, witnesses, package.circuit(), summary);
  return report;
}

// Of links between members: both ends must be known.
uint64_t addLinks(const runtime::BundlePackage& package,
                  absl::Span<const runtime::LinkedElements> linked, Summary& summary) {
  std::vector<const runtime::LinkedElements*> members;
  for (const runtime::LinkedElements& of : linked) members.push_back(&of);
  runtime::Premise premise{"elements of links: given at one end, taken at the other"};
  runtime::checkLinkEnds(package.bundle, package.circuits(), members, premise);
  summary.addText("");
  addPremises("links", "Links between members", {&premise, 1}, summary);
  for (const std::string& example : premise.examples) {
    summary.addText(shortenNodes(absl::StrCat("  ", premise.name, ": ", example)));
  }
  return premise.wrong;
}

using Examine = absl::FunctionRef<absl::StatusOr<AdaptiveReport>(
    size_t member, const runtime::AdaptiveOptions& options, Summary& summary)>;

// Each member, then the links between them, under challenges that they share.
absl::StatusOr<uint64_t> examineEach(const runtime::BundlePackage& package,
                                     const AdaptiveArguments& arguments, Context& context,
                                     Summary& summary, Examine examine) {
  Stopwatch watch;
  const auto challenges = runtime::drawChallenges(package.circuits(), arguments.seed);
  const size_t members = package.members.size();
  std::vector<runtime::LinkedElements> linked(members);
  uint64_t alarms = 0;
  for (size_t m = 0; m < members; ++m) {
    runtime::AdaptiveOptions options = optionsOf(arguments, context);
    options.challenges = challenges[m];
    Summary part;
    LINDERO_ASSIGN_OR_RETURN(AdaptiveReport report,
                             examine(m, options, members == 1 ? summary : part));
    alarms += report.alarms();
    linked[m] = std::move(report.linked);
    if (members == 1) continue;
    summary.addPart("members", package.bundle.members(static_cast<int>(m)).name(), part);
  }
  if (members > 1) alarms += addLinks(package, linked, summary);
  summary.addSeconds("adaptive_seconds", "examined in", watch.seconds());
  summary.addCount("directions", "left to an adaptive prover", static_cast<int64_t>(alarms));
  return alarms;
}

}  // namespace

absl::StatusOr<uint64_t> tamperAdaptively(const runtime::BundlePackage& package,
                                          absl::Span<const MemberTrace> traces,
                                          const AdaptiveArguments& arguments, Context& context,
                                          Summary& summary) {
  return examineEach(package, arguments, context, summary,
                     [&](size_t m, const runtime::AdaptiveOptions& options, Summary& own) {
                       return tamperMember(package.members[m], traces[m], options, own);
                     });
}

absl::StatusOr<uint64_t> examineAnyWitness(const runtime::BundlePackage& package,
                                           const AdaptiveArguments& arguments, Context& context,
                                           Summary& summary) {
  return examineEach(package, arguments, context, summary,
                     [&](size_t m, const runtime::AdaptiveOptions& options, Summary& own) {
                       return examineMember(package.members[m], options, own);
                     });
}

}  // namespace lindero::cli

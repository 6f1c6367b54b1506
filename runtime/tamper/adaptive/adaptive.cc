#include "runtime/tamper/adaptive/adaptive.h"

#include <algorithm>
#include <memory>

#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

// Directions that mutations found, where no rank analysis names them.
std::vector<Direction> directionsOf(const CellCampaignReport& cells) {
  constexpr size_t kMost = 12;
  std::vector<Direction> result;
  for (const Survivor& s : cells.survivors) {
    if (!s.solvable || result.size() == kMost) continue;
    result.push_back({{{{s.table, s.column, s.row}, QM31(M31::fromCanonical(1))}}});
  }
  return result;
}

uint64_t alarmsOf(const RankReport& report) {
  return static_cast<uint64_t>(std::count_if(report.findings.begin(), report.findings.end(),
                                             [](const RankFinding& f) { return f.isAlarm(); }));
}

void say(const AdaptiveOptions& options, const std::string& stage, double fraction = -1) {
  if (options.progress) options.progress(stage, fraction);
}

// The rank on random main cells, and the premises; `run` is filled from an accepted trace.
absl::Status examineAny(const Package& package, const Statement& statement, const Columns* run,
                        const AdaptiveOptions& options, ThreadPool& pool, AdaptiveReport& report) {
  say(options, "rank any witness");
  CheckOptions check;
  check.threads = options.threads;
  check.challenges = options.challenges;
  const std::vector<uint32_t> random = randomMain(package, options.seed);
  LINDERO_ASSIGN_OR_RETURN(auto checker, Checker::create(package, statement, random, check));
  LINDERO_RETURN_IF_ERROR(checker->fill());
  LINDERO_ASSIGN_OR_RETURN(report.any, rankChallengePhases(package, *checker, pool));
  say(options, "check the premises of phase 1");
  LINDERO_ASSIGN_OR_RETURN(
      report.premises, checkPremises(package, Witness::of(*checker), run, pool, &report.linked));
  return absl::OkStatus();
}

// One that fits the circuit: of each public value the lowest.
Statement lowestStatement(const Circuit& circuit) {
  Statement statement;
  statement.set_format(1);
  for (const PublicTensor& tensor : circuit.publics()) {
    PublicValues* values = statement.add_tensors();
    values->set_name(tensor.name());
    values->set_kind(static_cast<PublicValues::Kind>(tensor.kind()));
    values->set_rows(tensor.rows());
    values->set_columns(tensor.columns());
    const uint64_t size = uint64_t{tensor.rows()} * tensor.columns();
    for (uint64_t i = 0; i < size; ++i) values->add_values(tensor.low());
  }
  return statement;
}

}  // namespace

uint64_t AdaptiveReport::alarms() const {
  uint64_t count = cells.total().survived + alarmsOf(run) + alarmsOf(any);
  for (const Premise& p : premises) count += p.wrong;
  return count + (campaign_error.empty() ? 0 : 1);
}

absl::StatusOr<AdaptiveReport> tamperAdaptively(const Package& package, const Statement& statement,
                                                absl::Span<const uint32_t> main,
                                                const AdaptiveOptions& options) {
  AdaptiveReport report;
  CellCampaignOptions campaign;
  campaign.seed = options.seed;
  campaign.threads = options.threads;
  campaign.rows_per_column = options.rows_per_column;
  campaign.first_phase = 2;
  campaign.progress = [&](uint64_t done, uint64_t total) {
    say(options, "mutate cells of challenge phases",
        static_cast<double>(done) / static_cast<double>(total));
  };
  say(options, "check the honest trace");
  auto cells = tamperCells(package, statement, main, campaign);
  if (cells.ok()) {
    report.cells = *std::move(cells);
  } else if (cells.status().code() == absl::StatusCode::kFailedPrecondition) {
    report.campaign_error = std::string(cells.status().message());
  } else {
    return cells.status();
  }
  ThreadPool pool(options.threads);
  CheckOptions check;
  check.threads = options.threads;
  say(options, "rank this run");
  LINDERO_ASSIGN_OR_RETURN(auto checker, Checker::create(package, statement, main, check));
  LINDERO_RETURN_IF_ERROR(checker->fill());
  LINDERO_ASSIGN_OR_RETURN(report.run, rankChallengePhases(package, *checker, pool));
  LINDERO_RETURN_IF_ERROR(
      examineAny(package, statement, &checker->columns(), options, pool, report));
  std::vector<Direction> directions = directionsOf(report.run);
  if (directions.empty()) directions = directionsOf(report.any);
  if (directions.empty()) directions = directionsOf(report.cells);
  if (directions.empty()) return report;
  say(options, "build an attack");
  report.attack_tried = true;
  LINDERO_ASSIGN_OR_RETURN(report.attack, buildAttack(package, statement, main, directions, check));
  return report;
}

absl::StatusOr<AdaptiveReport> examineAnyWitness(const Package& package,
                                                 const AdaptiveOptions& options) {
  AdaptiveReport report;
  ThreadPool pool(options.threads);
  LINDERO_RETURN_IF_ERROR(
      examineAny(package, lowestStatement(package.circuit()), nullptr, options, pool, report));
  return report;
}

}  // namespace lindero::runtime

#include "runtime/check/checker.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/check/challenges.h"
#include "runtime/check/sums.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

Failure describeZero(const Circuit& circuit, const ZeroDenominator& zero) {
  const Table& table = circuit.tables(static_cast<int>(zero.column.table));
  Failure failure;
  failure.kind = Failure::Kind::kDenominator;
  failure.table = table.name();
  failure.name = table.columns(static_cast<int>(zero.column.column)).name();
  failure.rows = zero.rows;
  FailureExample example;
  example.row = zero.first_row;
  if (const Instance* instance = findInstance(table, zero.first_row)) {
    example.node = instance->node();
    example.region = instance->region();
  }
  failure.examples.push_back(std::move(example));
  return failure;
}

void addSizes(const Circuit& circuit, CheckReport& report) {
  for (const Table& table : circuit.tables()) {
    report.constraints += table.constraints_size();
    report.rows += tableHeight(table);
    for (const Column& column : table.columns())
      report.cells += tableHeight(table) * (column.phase() < 2 ? 1 : 4);
  }
}

}  // namespace

Checker::Checker(const Package& package, const Statement& statement,
                 absl::Span<const uint32_t> main, const CheckOptions& options)
    : package_(package),
      statement_(statement),
      options_(options),
      pool_(options.threads),
      columns_(package, main),
      filler_(package.circuit(), package.circuitInfo()),
      constraints_(package.circuit(), package.circuitInfo()),
      buses_(package.circuit(), package.circuitInfo()),
      challenges_(options.challenges) {}

absl::StatusOr<std::unique_ptr<Checker>> Checker::create(const Package& package,
                                                         const Statement& statement,
                                                         absl::Span<const uint32_t> main,
                                                         const CheckOptions& options) {
  const Circuit& circuit = package.circuit();
  LINDERO_RETURN_IF_ERROR(checkStatement(circuit, statement));
  if (main.size() != package.traceLayout().cells()) {
    return absl::InvalidArgumentError(absl::StrCat("the trace has ", main.size() * sizeof(uint32_t),
                                                   " bytes; the circuit describes ",
                                                   package.traceLayout().bytes()));
  }
  LINDERO_RETURN_IF_ERROR(package.checkFixedValues());
  LINDERO_RETURN_IF_ERROR(checkCanonical(circuit, package.traceLayout(), 1, main, "trace"));
  const size_t count = static_cast<size_t>(circuit.challenges_size());
  if (!options.challenges.empty() && options.challenges.size() != count) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.challenges.size(), " challenges are given, the circuit has ", count));
  }
  // make_unique cannot reach the constructor.
  auto checker = std::unique_ptr<Checker>(new Checker(package, statement, main, options));
  if (checker->challenges_.empty()) checker->challenges_ = drawChallenges(options.seed, count);
  return checker;
}

absl::Status Checker::fill(absl::Span<const FreeCell> forged) {
  const Circuit& circuit = package_.circuit();
  const CircuitInfo& info = package_.circuitInfo();
  scalars_ = std::make_unique<Scalars>(circuit, info);
  zeros_.clear();
  claimed_sums_.assign(circuit.claimed_sums_size(), QM31());
  LINDERO_RETURN_IF_ERROR(scalars_->advance(1, challenges_, claimed_sums_));
  LINDERO_RETURN_IF_ERROR(filler_.fill(2, columns_, *scalars_, pool_, zeros_, forged));
  claimed_sums_ = readClaimedSums(circuit, info, columns_, 2);
  LINDERO_RETURN_IF_ERROR(scalars_->advance(2, challenges_, claimed_sums_));
  LINDERO_RETURN_IF_ERROR(filler_.fill(3, columns_, *scalars_, pool_, zeros_, forged));
  claimed_sums_ = readClaimedSums(circuit, info, columns_, 3);
  return scalars_->advance(3, challenges_, claimed_sums_);
}

std::vector<Failure> Checker::checkConstraints(absl::Span<const RowRange> ranges) const {
  return constraints_.check(ranges, columns_, *scalars_, pool_, options_.max_examples);
}

std::vector<Failure> Checker::checkBuses() const {
  return buses_.check(columns_, *scalars_, pool_, options_.max_examples);
}

absl::StatusOr<std::vector<Failure>> Checker::checkClaimedSums() const {
  return checkSumGroups(package_.circuit(), package_.circuitInfo(), columns_, statement_,
                        challenges_, claimed_sums_, package_.linkedGroups());
}

absl::StatusOr<CheckReport> Checker::checkAll() const {
  CheckReport report;
  addSizes(package_.circuit(), report);
  auto append = [&](std::vector<Failure> failures) {
    report.failure_count += failures.size();
    for (Failure& failure : failures) {
      if (report.failures.size() < options_.max_failures)
        report.failures.push_back(std::move(failure));
    }
  };
  // The most telling first: a wrong cell shows in a constraint or on a bus before it spoils sums.
  append(constraints_.checkAll(columns_, *scalars_, pool_, options_.max_examples));
  append(checkBuses());
  for (const ZeroDenominator& zero : zeros_) append({describeZero(package_.circuit(), zero)});
  LINDERO_ASSIGN_OR_RETURN(std::vector<Failure> groups, checkClaimedSums());
  append(std::move(groups));
  return report;
}

absl::StatusOr<CheckReport> Checker::check() {
  LINDERO_RETURN_IF_ERROR(fill());
  return checkAll();
}

namespace {

// What is proven together, whoever owns it.
struct Members {
  const Bundle* bundle;
  std::vector<const Package*> packages;
  std::vector<const Circuit*> circuits;
};

// Each member's challenges: those that are given, or drawn ones.
std::vector<std::vector<QM31>> challengesOf(const Members& members, const CheckOptions& options) {
  std::vector<std::vector<QM31>> result = drawChallenges(members.circuits, options.seed);
  if (!options.challenges.empty()) result.assign(members.circuits.size(), options.challenges);
  shareChallenges(members.circuits, result);
  return result;
}

absl::StatusOr<CheckReport> checkMembers(const Members& members, const Statement& statement,
                                         const std::vector<std::string>& trace_paths,
                                         const CheckOptions& options) {
  const Bundle& bundle = *members.bundle;
  LINDERO_RETURN_IF_ERROR(checkStatement(members.circuits, statement, bundle.most_steps()));
  const size_t blocks = trace_paths.size(), count = members.packages.size();
  const int64_t steps = blocksOf(members.circuits, statement);
  if (static_cast<size_t>(steps) * count != blocks) {
    return absl::InvalidArgumentError(absl::StrCat(blocks, " traces; the statement is of ", steps,
                                                   " steps of ", count, " members"));
  }
  const std::vector<std::vector<QM31>> challenges = challengesOf(members, options);
  CheckReport report;
  std::vector<std::vector<QM31>> claimed_sums;
  for (size_t block = 0; block < blocks; ++block) {
    if (options.cancelled && options.cancelled()) return absl::CancelledError("cancelled");
    const size_t member = block % count;
    const Package& package = *members.packages[member];
    const std::string& path = trace_paths[block];
    LINDERO_ASSIGN_OR_RETURN(MappedFile trace, MappedFile::openReadOnly(path));
    if (trace.size() != package.traceLayout().bytes()) {
      return absl::InvalidArgumentError(absl::StrCat(path, " has ", trace.size(),
                                                     " bytes; the circuit describes ",
                                                     package.traceLayout().bytes()));
    }
    CheckOptions own_options = options;
    own_options.challenges = challenges[member];
    const auto step = static_cast<int64_t>(block / count);
    LINDERO_ASSIGN_OR_RETURN(std::unique_ptr<Checker> checker,
                             Checker::create(package, blockOf(package.circuit(), statement, step),
                                             trace.words(), own_options));
    LINDERO_ASSIGN_OR_RETURN(CheckReport own, checker->check());
    for (Failure& failure : own.failures) {
      if (blocks > 1) failure.block = static_cast<int64_t>(block);
    }
    report.add(std::move(own));
    claimed_sums.emplace_back(checker->claimedSums().begin(), checker->claimedSums().end());
  }
  if (absl::Status linked = checkLinks(bundle, members.circuits, claimed_sums); !linked.ok()) {
    CheckReport seam;
    seam.failure_count = 1;
    seam.failures.emplace_back();
    seam.failures[0].kind = Failure::Kind::kSumGroup;
    seam.failures[0].name = "links";
    seam.failures[0].detail = std::string(linked.message());
    report.add(std::move(seam));
  }
  return report;
}

}  // namespace

absl::StatusOr<CheckReport> checkTraces(const Package& package, const Statement& statement,
                                        const std::vector<std::string>& trace_paths,
                                        const CheckOptions& options) {
  return checkMembers({&package.bundle(), {&package}, {&package.circuit()}}, statement, trace_paths,
                      options);
}

absl::StatusOr<CheckReport> checkTraces(const BundlePackage& package, const Statement& statement,
                                        const std::vector<std::string>& trace_paths,
                                        const CheckOptions& options) {
  Members members{&package.bundle, {}, package.circuits()};
  for (const Package& member : package.members) members.packages.push_back(&member);
  return checkMembers(members, statement, trace_paths, options);
}

}  // namespace lindero::runtime

#include "tests/soundness/forgery.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/check/challenges.h"
#include "runtime/check/checker.h"
#include "runtime/package/statement.h"
#include "runtime/parallel/thread_pool.h"

namespace lindero::test {
namespace {

using runtime::Failure;
using runtime::QM31;

// "remainder.3" -> "remainder"
std::string withoutLane(const std::string& name) {
  size_t dot = name.rfind('.');
  bool lane = dot != std::string::npos && dot + 1 < name.size() &&
              std::all_of(name.begin() + dot + 1, name.end(), ::isdigit);
  return lane ? name.substr(0, dot) : name;
}

}  // namespace

void add(uint32_t& cell, int64_t delta) {
  cell = (runtime::M31::fromCanonical(cell) + runtime::M31::fromSigned(delta)).value();
}

absl::Status Forgery::forge() {
  runtime::TraceOptions options;
  options.threads = 1;
  options.revise = [&](const Step& step, Buffers& buffers) {
    for (Revision& r : revisions_) {
      if (r.node != step.node() || r.kind != step.kind_case()) continue;
      r.revise(step, buffers);
      r.done = true;
    }
  };
  absl::StatusOr<Statement> traced = run_.trace(cells, options);
  if (!traced.ok()) return traced.status();
  statement = *std::move(traced);
  for (const Revision& r : revisions_) {
    if (!r.done) return absl::InternalError(absl::StrCat("no such step of ", r.node));
  }
  for (auto& edit : edits_) edit(*this);
  runtime::ThreadPool pool(1);
  absl::Status filled = runtime::fillMultiplicities(run_.package(), absl::MakeSpan(cells), pool,
                                                    /*allow_missing=*/true);
  if (!filled.ok()) return filled;
  for (auto& edit : last_) edit(*this);
  return absl::OkStatus();
}

uint32_t& Forgery::cell(const std::string& table, const std::string& column, uint64_t row) {
  uint32_t t = run_.table(table);
  return cells[run_.package().traceLayout().offset(t, run_.column(t, column)) + row];
}

// Rows: feature, block of tokens; lanes: tokens of the block.
uint32_t& Forgery::operand(const std::string& node, uint64_t token, uint64_t feature) {
  uint64_t lanes = 0;
  for (const Column& column : run_.circuit().tables(run_.table("operands")).columns()) {
    lanes += column.name().substr(0, 2) == "x.";
  }
  uint64_t row = rowOf("operands", node) + feature * (kToyTokens / lanes) + token / lanes;
  return cell("operands", absl::StrCat("x.", token % lanes), row);
}

uint64_t Forgery::rowOf(const std::string& table, const std::string& node) const {
  for (const Instance& i : run_.circuit().tables(run_.table(table)).instances()) {
    for (absl::string_view name : absl::StrSplit(i.node(), " + ")) {
      if (name == node) return i.first_row();
    }
  }
  std::abort();
}

absl::StatusOr<std::set<std::string>> Forgery::failures() const {
  runtime::CheckOptions options;
  options.max_failures = 1000;
  options.max_examples = 1000;
  auto checker = runtime::Checker::create(run_.package(), statement, cells, options);
  if (!checker.ok()) return checker.status();
  auto report = (*checker)->check();
  if (!report.ok()) return report.status();
  std::set<std::string> names;
  bool bus = false, lookups = false;
  for (const Failure& failure : report->failures) {
    switch (failure.kind) {
      case Failure::Kind::kConstraint:
        names.insert(absl::StrCat("constraint ", failure.table, ".", withoutLane(failure.name)));
        break;
      case Failure::Kind::kBus:
        bus = true;
        for (const runtime::FailureExample& example : failure.examples) {
          std::string lookup = example.detail.substr(0, example.detail.find(" ("));
          names.insert(absl::StrCat("lookup ", failure.table, ".", withoutLane(lookup)));
        }
        break;
      case Failure::Kind::kDenominator:
        names.insert(absl::StrCat("denominator ", failure.table, ".", failure.name));
        break;
      case Failure::Kind::kSumGroup:
        if (failure.name == "lookups") {
          lookups = true;
        } else if (failure.name == "tensors") {
          absl::StatusOr<QM31> sum = tensorSum(""), edges = tensorSum("address"),
                               products = tensorSum("product");
          if (!sum.ok()) return sum.status();
          if (!edges.ok()) return edges.status();
          if (!products.ok()) return products.status();
          if (*edges != *sum) names.insert("edges");
          if (*products != *sum) names.insert("products");
        } else {
          names.insert(failure.name);
        }
        break;
    }
  }
  // What a verifier sees of a bus is its claimed sum, which copies enter, too.
  if (lookups && !bus) names.insert("copies");
  if (bus && !lookups) names.insert("buses and their claimed sums disagree");
  return names;
}

absl::StatusOr<bool> Forgery::acceptedBy(const runtime::Package& package) const {
  auto checker = runtime::Checker::create(package, statementOf(package.circuit()), cells, {});
  if (!checker.ok()) return checker.status();
  auto report = (*checker)->check();
  if (!report.ok()) return report.status();
  return report->ok();
}

Statement Forgery::statementOf(const Circuit& circuit) const {
  Statement said;
  said.set_format(statement.format());
  for (const PublicTensor& tensor : circuit.publics()) {
    *said.add_tensors() = *runtime::findValues(statement, tensor.name());
  }
  return said;
}

// The sum of what is in no public tensor, with one challenge replaced.
absl::StatusOr<QM31> Forgery::tensorSum(const std::string& redrawn) const {
  const Circuit& circuit = run_.circuit();
  runtime::CheckOptions options;
  options.challenges = runtime::drawChallenges(1, circuit.challenges_size());
  for (int i = 0; i < circuit.challenges_size(); ++i) {
    if (circuit.challenges(i).name() == redrawn) {
      options.challenges[i] = runtime::drawChallenges(2, 1)[0];
    }
  }
  auto checker = runtime::Checker::create(run_.package(), statement, cells, options);
  if (!checker.ok()) return checker.status();
  if (absl::Status s = (*checker)->fill(); !s.ok()) return s;
  QM31 sum;
  for (int i = 0; i < circuit.claimed_sums_size(); ++i) {
    if (circuit.sum_groups(static_cast<int>(circuit.claimed_sums(i).group())).name() == "tensors") {
      sum += (*checker)->claimedSums()[i];
    }
  }
  return sum;
}

}  // namespace lindero::test

#include "gtest/gtest.h"
#include "runtime/check/checker.h"
#include "runtime/tamper/adaptive/rank.h"
#include "tests/soundness/edited_run.h"
#include "tests/soundness/toy_run.h"

namespace lindero::test {
namespace {

using runtime::Checker;
using runtime::RankReport;

absl::StatusOr<RankReport> rank(const runtime::Package& package, const Statement& statement,
                                const std::vector<uint32_t>& main) {
  auto checker = Checker::create(package, statement, main);
  if (!checker.ok()) return checker.status();
  if (absl::Status s = (*checker)->fill(); !s.ok()) return s;
  runtime::ThreadPool pool(0);
  return runtime::rankChallengePhases(package, **checker, pool);
}

void print(const RankReport& r, const Circuit& c) {
  for (int p = 2; p < 4; ++p) {
    const auto& k = r.phases[p];
    std::cout << p << ": columns " << k.columns << " cells " << k.cells << " claims " << k.claims
              << " eq " << k.equations << " der " << k.derivatives << " par " << k.parameters
              << " bound " << k.bound << " harmless " << k.harmless << " holes " << k.holes << "\n";
  }
  for (const auto& f : r.findings) std::cout << describe(f, c) << "\n";
  std::cout << r.shared.size() << " shared\n";
}

TEST(Rank, Toy) {
  auto run = *ToyRun::create();
  auto r = rank(run->package(), run->statement(), run->cells());
  ASSERT_EQ(r.status(), absl::OkStatus());
  print(*r, run->circuit());
  auto random = runtime::randomMain(run->package(), 3);
  r = rank(run->package(), run->statement(), random);
  ASSERT_EQ(r.status(), absl::OkStatus());
  print(*r, run->circuit());
  for (const char* name : {"no factor where none ends", "fold"}) {
    auto e = EditedPackage::create(run->path(),
                                   [&](Edit& edit) { edit.dropConstraint("operands", name); });
    ASSERT_EQ(e.status(), absl::OkStatus());
    r = rank((*e)->package(), run->statement(), run->cells());
    ASSERT_EQ(r.status(), absl::OkStatus());
    print(*r, run->circuit());
  }
}

}  // namespace
}  // namespace lindero::test

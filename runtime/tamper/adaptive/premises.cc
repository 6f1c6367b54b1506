#include "runtime/tamper/adaptive/premises.h"

#include "runtime/package/status_macros.h"

namespace lindero::runtime {

void Premise::fail(std::string example, uint64_t count) {
  constexpr size_t kMaxExamples = 5;
  wrong += count;
  if (examples.size() < kMaxExamples) examples.push_back(std::move(example));
}

absl::StatusOr<std::vector<Premise>> checkPremises(const Package& package, const Witness& any,
                                                   const Columns* run, ThreadPool& pool,
                                                   LinkedElements* linked) {
  Derivatives derivatives(package.circuit(), package.circuitInfo());
  LINDERO_ASSIGN_OR_RETURN(std::vector<Premise> result,
                           checkElements(derivatives, package, any, pool, linked));
  LINDERO_ASSIGN_OR_RETURN(std::vector<Premise> poles,
                           checkCopiesAndProducts(derivatives, any, run, pool));
  for (Premise& p : poles) result.push_back(std::move(p));
  LINDERO_ASSIGN_OR_RETURN(std::vector<Premise> folds, checkFolds(derivatives, any, pool));
  for (Premise& p : folds) result.push_back(std::move(p));
  for (Premise& p : checkLookupTables(package)) result.push_back(std::move(p));
  LINDERO_ASSIGN_OR_RETURN(Premise unread, checkUnread(derivatives, package, any, pool));
  result.push_back(std::move(unread));
  return result;
}

}  // namespace lindero::runtime

#include "runtime/tamper/statement_campaign.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/check/recheck.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {

absl::StatusOr<std::vector<StatementTally>> tamperStatement(const Package& package,
                                                            const Statement& statement,
                                                            absl::Span<const uint32_t> main,
                                                            Necessity* necessity) {
  LINDERO_ASSIGN_OR_RETURN(std::unique_ptr<Recheck> recheck,
                           Recheck::create(package, statement, main));
  std::vector<StatementTally> tallies;
  Statement changed = statement;
  for (int t = 0; t < changed.tensors_size(); ++t) {
    PublicValues& tensor = *changed.mutable_tensors(t);
    StatementTally tally;
    tally.tensor = tensor.name();
    for (int i = 0; i < tensor.values_size(); ++i) {
      const int64_t honest = tensor.values(i);
      for (int64_t delta : {-1, 1}) {
        tensor.set_values(i, honest + delta);
        ++tally.tried;
        absl::StatusOr<absl::Span<const Finding>> findings = recheck->check({}, changed);
        if (!findings.ok()) {
          ++tally.refused;
        } else if (std::all_of(findings->begin(), findings->end(),
                               [](const Finding& f) { return f.kind == Failure::Kind::kBus; })) {
          ++tally.survived;
        } else {
          ++tally.caught;
          if (necessity == nullptr) continue;
          auto witness = [&] {
            return absl::StrCat(tensor.name(), ", value ", i, ": ", honest + delta, " instead of ",
                                honest);
          };
          necessity->observeTensor(static_cast<uint32_t>(t), witness());
          necessity->observe(*recheck, {}, &changed, *findings, /*balanced=*/true, witness);
        }
      }
      tensor.set_values(i, honest);
    }
    tallies.push_back(std::move(tally));
  }
  return tallies;
}

}  // namespace lindero::runtime

// Checks buses at the high level: what is looked up is provided as often, tuple by tuple.
#ifndef LINDERO_RUNTIME_CHECK_BUSES_H_
#define LINDERO_RUNTIME_CHECK_BUSES_H_

#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "runtime/check/report.h"
#include "runtime/eval/bus_counter.h"

namespace lindero::runtime {

class BusChecker {
 public:
  BusChecker(const Circuit& circuit, const CircuitInfo& info);

  // Multiset equality of every bus, by counting. Requires that the columns and challenges that
  // tuples read exist. Failures by bus and table; each with its first `examples` rows.
  std::vector<Failure> check(const Columns& columns, const Scalars& scalars, ThreadPool& pool,
                             size_t examples) const;

 private:
  // Lookups of a table on buses without providers: a group for each, of multiplicity and tuple.
  struct Tagged {
    uint32_t table;
    std::vector<uint32_t> lookups;
    std::unique_ptr<RowProgram> program;
  };
  using VisitTagged = absl::FunctionRef<void(const Tagged& of, const Lookup& lookup, uint64_t row,
                                             M31 multiplicity, absl::Span<const QM31> tuple)>;
  void forEachTagged(const Columns& columns, const Scalars& scalars, VisitTagged visit) const;

  const Circuit& circuit_;
  BusCounter counter_;
  std::vector<Tagged> tagged_;
  // Multiplicity and tuple of each provider, in the order of the counter.
  std::vector<std::unique_ptr<RowProgram>> providers_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_BUSES_H_

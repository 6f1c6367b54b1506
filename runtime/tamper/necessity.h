// Which parts of a circuit are necessary: for each, a trace that the whole circuit rejects and the
// circuit without it accepts.
//
// The parts are the constraints, the lookups, the definitions of generated columns, the sum
// groups and the public tensors. Every changed trace that a campaign checks is shown to this, and
// tells:
// - one constraint fails, and nothing else: it is necessary.
// - one sum group does not cancel, and nothing else: it is necessary, and so is the definition of
//   each column that, if its cells were free, could make the group cancel: by staying as it was, or
//   by a cell whose value is solved for. The check with that must find nothing.
// - a cell that has no definition, solved for, makes the group cancel, and one constraint alone
//   notices: it is necessary.
// - the buses miss the terms of one lookup alone, and nothing else: it is necessary. A prover of
//   the circuit without it leaves its terms out of the multiplicities.
// - the statement alone is another, and one sum group does not cancel: the tensor is bound, and
//   the group and the definitions of its claimed sums are necessary.
// What is never shown is implied by other parts, or these changes are too few (families.h). Changes
// that show something new are rare: after the first ones, only some are looked at. Thread-safe.
#ifndef LINDERO_RUNTIME_TAMPER_NECESSITY_H_
#define LINDERO_RUNTIME_TAMPER_NECESSITY_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "runtime/check/recheck.h"
#include "runtime/package/package.h"

namespace lindero::runtime {

struct Requirement {
  enum class Kind { kConstraint, kLookup, kDefinition, kSumGroup, kPublicTensor };
  Kind kind;
  uint32_t table;  // 0 for sum groups and public tensors
  uint32_t index;  // of the constraint, lookup or column in the table; or of the group, tensor
  std::string witness = "";  // the first trace that shows it, in words; empty: not shown
  // What differs there from the accepted trace, multiplicities left out; empty if it is much, or a
  // generated cell besides.
  std::vector<CellChange> changes = {};
};
const char* nameOf(Requirement::Kind kind);
// "constraint norms.one root per token"
std::string describe(const Requirement& requirement, const Circuit& circuit);
// The same without the lane and the number of the table among those of its kind (families.h):
// "lookup norms_1.square.3" is one of "lookup norms.square".
std::string familyOf(const Requirement& requirement, const Circuit& circuit);

class Necessity {
 public:
  // Both must outlive this.
  Necessity(const Package& package, const ReadIndex& index);

  // `recheck` has just found this in these changes, under `statement` (null: that of the accepted
  // trace), or, if `balanced`, in them and the multiplicities that its last withMultiplicities
  // gave. It is left without checks of buses. `describe` is called when something is shown.
  void observe(Recheck& recheck, absl::Span<const CellChange> changes, const Statement* statement,
               absl::Span<const Finding> findings, bool balanced,
               absl::FunctionRef<std::string()> describe);
  // A public tensor that the statement alone changes.
  void observeTensor(uint32_t tensor, const std::string& witness);

  // In the order of the circuit. Not while observing.
  const std::vector<Requirement>& requirements() const { return requirements_; }
  // Whether a part of the family was shown; also while observing.
  bool familyShown(const std::string& family) const;

 private:
  struct Context;
  static constexpr uint32_t kNone = ~uint32_t{0};
  void add(Requirement::Kind kind, uint32_t table, uint32_t index);
  uint32_t find(Requirement::Kind kind, uint32_t table, uint32_t index) const;
  void show(uint32_t requirement, const Context& context, const std::string& suffix = "");
  bool shown(uint32_t requirement) const { return shown_[requirement].load(); }
  bool gives(const Lookup& lookup) const;
  bool mayShow(const Recheck& recheck, uint32_t lookup) const;
  void observeLookups(Recheck& recheck, const Context& context, bool thoroughly);
  void observeDefinitions(Recheck& recheck, const Context& context, uint64_t attempt);
  void showClaimedSums(const Context& context, uint32_t group);
  void makeUp(Recheck& recheck, const Context& context, uint32_t group, const CircuitPart& part,
              uint64_t row, uint32_t definition);

  const Package& package_;
  const std::vector<bool> tagged_;  // by bus
  std::vector<Requirement> requirements_;
  std::map<std::tuple<Requirement::Kind, uint32_t, uint32_t>, uint32_t> numbers_;
  std::map<std::string, std::vector<uint32_t>> families_;
  std::unique_ptr<std::atomic<bool>[]> shown_;
  std::vector<uint32_t> lookups_, definitions_;  // numbers of them
  std::atomic<uint32_t> lookups_left_{0}, definitions_left_{0};
  std::atomic<uint64_t> attempts_{0};
  std::mutex mutex_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_NECESSITY_H_

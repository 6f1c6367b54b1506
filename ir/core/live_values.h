// The values of one run of a function, each until its last reader is done. Both interpreters keep
// theirs so: memory is that of the values that live at the same time (mostLiveElements).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "ir/core/ir.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::ir {

template <typename Array>
class LiveValues {
 public:
  // A value without readers is not kept.
  void own(const Value& value, Array array) {
    auto owned = std::make_unique<Array>(std::move(array));
    const Array* pointer = owned.get();
    keep(value, {std::move(owned), pointer});
  }
  // The array is somebody else's, who keeps it as long as this.
  void borrow(const Value& value, const Array& array) { keep(value, {nullptr, &array}); }

  // Null: the value is not there yet, or no longer.
  const Array* find(const Value& value) const {
    const auto it = slots_.find(&value);
    return it == slots_.end() ? nullptr : it->second.array;
  }

  // The array of a value that is there, for an op to hand on; without a copy, if nobody reads it
  // after the op.
  Array take(const Value& value) {
    Slot& slot = slots_.find(&value)->second;
    return slot.owned && slot.uses == 1 ? std::move(*slot.owned) : *slot.array;
  }

  // The operands of an op that is done.
  void release(const Op& op) {
    for (const Value* operand : op.operands()) {
      const auto it = slots_.find(operand);
      if (it != slots_.end() && --it->second.uses == 0) slots_.erase(it);
    }
  }

 private:
  struct Slot {
    std::unique_ptr<Array> owned;
    const Array* array = nullptr;
    size_t uses = 0;
  };
  void keep(const Value& value, Slot slot) {
    slot.uses = value.users().size();
    if (slot.uses > 0) slots_[&value] = std::move(slot);
  }

  llvm::DenseMap<const Value*, Slot> slots_;
};

// The elements of a run's values where they are most: arguments and results, without constants and
// without what a kernel takes for itself. Blocks inside of ops do not count.
int64_t mostLiveElements(const Function& function);

}  // namespace lindero::ir

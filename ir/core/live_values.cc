#include "ir/core/live_values.h"

#include <algorithm>

#include "llvm/ADT/StringRef.h"

namespace lindero::ir {

int64_t mostLiveElements(const Function& function) {
  llvm::DenseMap<const Value*, size_t> uses;
  int64_t live = 0, most = 0;
  auto define = [&](const Value& value) {
    uses[&value] = value.users().size();
    live += value.type().elements();
  };
  auto drop = [&](const Value& value) {
    uses.erase(&value);
    live -= value.type().elements();
  };
  for (const auto& argument : function.body().arguments()) define(*argument);
  for (const Op& op : function.body().ops()) {
    if (op.name().ends_with(".constant")) continue;
    for (unsigned i = 0; i < op.numResults(); ++i) define(*op.result(i));
    most = std::max(most, live);
    for (const Value* operand : op.operands()) {
      const auto it = uses.find(operand);
      if (it != uses.end() && --it->second == 0) drop(*operand);
    }
    for (unsigned i = 0; i < op.numResults(); ++i) {
      if (op.result(i)->users().empty()) drop(*op.result(i));
    }
  }
  return most;
}

}  // namespace lindero::ir

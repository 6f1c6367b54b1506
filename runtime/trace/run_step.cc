#include "runtime/trace/run_step.h"

#include <functional>
#include <vector>

#include "program/steps.h"
#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;

class Kernels {
 public:
  Kernels() : by_kind_(program::stepDefs().size()) {
    add(runAppendRows);
    add(runArgmax);
    add(runCarryIn);
    add(runCarryOut);
    add(runCopyRows);
    add(runDecode);
    add(runGatherRows);
    add(runInput);
    add(runLayerNorm);
    add(runLoad);
    add(runMask);
    add(runMatMul);
    add(runOutput);
    add(runRequantize);
    add(runSoftmax);
    add(runTableLookup);
  }

  using Kernel = std::function<absl::Status(const StepContext&, const Message&)>;
  const Kernel& of(const program::StepDef& def) const { return by_kind_[indexOf(def)]; }

 private:
  static size_t indexOf(const program::StepDef& def) {
    return static_cast<size_t>(def.kind->index_in_oneof());
  }

  // For the kind of step whose message it takes.
  template <typename StepMessage>
  void add(absl::Status (*run)(const StepContext&, const StepMessage&)) {
    for (const program::StepDef& def : program::stepDefs()) {
      if (def.message != StepMessage::descriptor()) continue;
      by_kind_[indexOf(def)] = [run](const StepContext& context, const Message& step) {
        return run(context, static_cast<const StepMessage&>(step));
      };
    }
  }

  std::vector<Kernel> by_kind_;
};

const Kernels& kernels() {
  static const Kernels& instance = *new Kernels;
  return instance;
}

}  // namespace

bool hasKernel(const program::StepDef& def) { return kernels().of(def) != nullptr; }

absl::Status runStep(const StepContext& context) {
  const program::StepDef* def = program::stepDefOf(context.step);
  if (def == nullptr || !hasKernel(*def)) return context.error("a step of no known kind");
  return kernels().of(*def)(context, program::messageOf(context.step));
}

}  // namespace lindero::runtime

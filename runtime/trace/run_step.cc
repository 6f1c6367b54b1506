#include "runtime/trace/run_step.h"

#include <functional>
#include <vector>

#include "runtime/program/steps.h"
#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;

class Kernels {
 public:
  Kernels() : by_kind_(program::stepDefs().size()) {
#define LINDERO_ADD_KERNEL(StepMessage) add<StepMessage>();
    LINDERO_STEP_KINDS(LINDERO_ADD_KERNEL)
#undef LINDERO_ADD_KERNEL
  }

  using Kernel = std::function<absl::Status(const StepContext&, const Message&)>;
  const Kernel& of(const program::StepDef& def) const { return by_kind_[indexOf(def)]; }

 private:
  static size_t indexOf(const program::StepDef& def) {
    return static_cast<size_t>(def.kind->index_in_oneof());
  }

  // For the kind of step whose message it takes.
  template <typename StepMessage>
  void add() {
    for (const program::StepDef& def : program::stepDefs()) {
      if (def.message != StepMessage::descriptor()) continue;
      by_kind_[indexOf(def)] = [](const StepContext& context, const Message& step) {
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

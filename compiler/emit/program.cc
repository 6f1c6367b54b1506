#include <map>

#include "absl/strings/str_cat.h"
#include "compiler/emit/emit.h"
#include "ir/core/op_table.h"
#include "ir/trace/steps.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::compiler {
namespace {

// Numbers tables, columns and public tensors as the circuit does, buffers in the order of the text.
class ProgramWriter : public ir::trace::Numbering {
 public:
  explicit ProgramWriter(const Circuit& circuit) {
    for (int t = 0; t < circuit.tables_size(); ++t) {
      tables_[circuit.tables(t).name()] = t;
      for (int c = 0; c < circuit.tables(t).columns_size(); ++c) {
        columns_[{t, circuit.tables(t).columns(c).name()}] = c;
      }
    }
    for (int p = 0; p < circuit.publics_size(); ++p) publics_[circuit.publics(p).name()] = p;
  }

  absl::StatusOr<Program> run(const ir::Function& function) {
    program_.set_format(program::kProgramFormat);
    for (const ir::Op& op : function.body().ops()) {
      for (unsigned i = 0; i < op.numResults(); ++i) addBuffer(op, i);
      const program::StepDef* def = ir::trace::stepDefOf(op);
      if (def == nullptr) continue;  // trace.return
      if (def == &program::placementDef()) {
        absl::Status status = fillMessage(op, *this, *program_.add_placements());
        if (!status.ok()) return status;
        continue;
      }
      absl::StatusOr<Step> step = toStep(op, *this);
      if (!step.ok()) return step.status();
      *program_.add_steps() = *std::move(step);
    }
    return std::move(program_);
  }

  uint32_t buffer(const ir::Value& value) const override { return buffers_.lookup(&value); }
  absl::StatusOr<uint32_t> table(const std::string& name) const override {
    return find(tables_, name, "table", name);
  }
  absl::StatusOr<uint32_t> column(uint32_t table, const std::string& name) const override {
    return find(columns_, {table, name}, "column", name);
  }
  absl::StatusOr<uint32_t> tensor(const std::string& name) const override {
    return find(publics_, name, "public tensor", name);
  }

 private:
  void addBuffer(const ir::Op& op, unsigned i) {
    const ir::Value* v = op.result(i);
    buffers_[v] = program_.buffers_size();
    Buffer* buffer = program_.add_buffers();
    buffer->set_name(absl::StrCat(op.def().results[i].name.str(), program_.buffers_size()));
    buffer->set_size(v->type().elements());
  }

  template <typename Key>
  static absl::StatusOr<uint32_t> find(const std::map<Key, uint32_t>& numbers, const Key& key,
                                       const char* what, const std::string& name) {
    auto it = numbers.find(key);
    if (it != numbers.end()) return it->second;
    return absl::InternalError(absl::StrCat("the circuit has no ", what, " ", name));
  }

  Program program_;
  std::map<std::string, uint32_t> tables_, publics_;
  std::map<std::pair<uint32_t, std::string>, uint32_t> columns_;
  llvm::DenseMap<const ir::Value*, uint32_t> buffers_;
};

}  // namespace

absl::StatusOr<Program> makeProgram(const ir::Module& module, const Circuit& circuit) {
  const ir::Function* function = module.findFunction("trace");
  if (!function) return absl::InvalidArgumentError("the module has no function @trace to emit");
  return ProgramWriter(circuit).run(*function);
}

}  // namespace lindero::compiler

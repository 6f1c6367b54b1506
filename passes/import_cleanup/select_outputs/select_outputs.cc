#include "passes/import_cleanup/select_outputs/select_outputs.h"

#include <numeric>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Type;
using ir::Value;

// The rows that `positions` names, ascending.
absl::StatusOr<std::vector<int64_t>> parsePositions(absl::string_view positions, int64_t rows) {
  auto wrong = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("positions '", positions, "' ", why,
                     "; write all, last:N, or a list like 3,7,9 within 0 .. ", rows - 1));
  };
  std::vector<int64_t> chosen;
  absl::string_view count = positions;
  if (absl::ConsumePrefix(&count, "last:")) {
    int64_t n = 0;
    if (!absl::SimpleAtoi(count, &n) || n < 1 || n > rows) {
      return wrong(absl::StrCat("does not fit the ", rows, " rows of the output"));
    }
    chosen.resize(n);
    std::iota(chosen.begin(), chosen.end(), rows - n);
    return chosen;
  }
  if (positions == "all") {
    chosen.resize(rows);
    std::iota(chosen.begin(), chosen.end(), 0);
    return chosen;
  }
  for (absl::string_view word : absl::StrSplit(positions, ',')) {
    int64_t row = 0;
    if (!absl::SimpleAtoi(word, &row)) return wrong("is not understood");
    if (row < 0 || row >= rows) return wrong(absl::StrCat("names row ", row));
    if (!chosen.empty() && row <= chosen.back()) return wrong("is not in ascending order");
    chosen.push_back(row);
  }
  return chosen;
}

// "[32:64]" for a run, else "[3,7,9]".
std::string positionsText(llvm::ArrayRef<int64_t> rows) {
  int64_t first = rows.front(), end = rows.back() + 1;
  bool run = rows.size() > 1 && static_cast<int64_t>(rows.size()) == end - first;
  return run ? absl::StrCat("[", first, ":", end, "]")
             : absl::StrCat("[", absl::StrJoin(rows, ","), "]");
}

class SelectOutputs : public Pass {
 public:
  explicit SelectOutputs(SelectOutputsOptions options) : options_(std::move(options)) {}
  llvm::StringRef name() const override { return "select-outputs"; }
  llvm::StringRef summary() const override {
    return "Keep all or some outputs; of one, some positions, as values or as their argmax";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* main = module.findFunction("main");
    Op* end = main ? main->body().terminator() : nullptr;
    if (!end || end->numOperands() == 0) {
      return absl::InvalidArgumentError("@main returns nothing");
    }
    dialect_ = end->def().dialect().str();
    std::vector<std::string> names = outputNames(*end);
    absl::StatusOr<std::vector<size_t>> kept = find(names);
    if (!kept.ok()) return kept.status();
    const bool parts = options_.argmax || options_.positions != "all";
    if (!parts || kept->size() == 1) {
      bool changed = keep(*kept, names, *end);
      if (!parts) return changed;
      absl::StatusOr<bool> narrowed = narrow(*end);
      if (!narrowed.ok()) return narrowed;
      return *narrowed || changed;
    }
    return absl::InvalidArgumentError(
        absl::StrCat("positions and argmax are of one output, not of ", absl::StrJoin(names, ", "),
                     "; name it"));
  }

 private:
  bool keep(llvm::ArrayRef<size_t> kept, const std::vector<std::string>& names, Op& end) {
    llvm::SmallVector<Value*> values;
    std::vector<std::string> chosen;
    for (size_t i : kept) {
      values.push_back(end.operand(i));
      chosen.push_back(names[i]);
    }
    if (chosen == names && end.has("names")) return false;
    end.setOperands(values);
    end.set("names", std::move(chosen));
    return true;
  }

  // Positions and argmax, of the only output.
  absl::StatusOr<bool> narrow(Op& end) {
    Value* output = end.operand(0);
    std::string name = outputNames(end)[0], rows_text;
    bool changed = false;
    const Type& type = output->type();
    int64_t rows = type.shape.empty() ? 1 : type.shape[0];
    absl::StatusOr<std::vector<int64_t>> positions = parsePositions(options_.positions, rows);
    if (!positions.ok()) return positions.status();
    if (options_.positions != "all") {
      const Op* maker = output->definingOp();
      const bool choice = maker && maker->is(opName("argmax"));
      if ((choice ? maker->operand(0)->type() : type).shape.size() != 2) {
        return absl::InvalidArgumentError(absl::StrCat("positions are rows of a matrix; output '",
                                                       name, "' has shape [",
                                                       absl::StrJoin(type.shape, ", "), "]"));
      }
    }
    if (static_cast<int64_t>(positions->size()) < rows) {
      output = select(output, *positions, end);
      rows_text = positionsText(*positions);
      changed = true;
    }
    if (options_.argmax && type.element != ir::Element::kInt) {
      if (type.shape.size() != 2) {
        return absl::InvalidArgumentError(
            absl::StrCat("the argmax needs rows and columns; output '", name, "' has shape [",
                         absl::StrJoin(type.shape, ", "), "]"));
      }
      ir::Builder builder = at(*output, end);
      output = builder.value(opName("argmax"), {output},
                             Type::tensor(ir::Element::kInt, {output->type().shape[0]}));
      name += "_argmax";
      changed = true;
    }
    if (!changed) return false;
    end.setOperands({output});
    end.set("names", std::vector<std::string>{name + rows_text});
    return true;
  }

  static std::vector<std::string> outputNames(const Op& end) {
    const ir::Attribute* given = end.find("names");
    if (given) return std::get<std::vector<std::string>>(*given);
    std::vector<std::string> names;
    for (unsigned i = 0; i < end.numOperands(); ++i) names.push_back(absl::StrCat("output", i));
    return names;
  }

  // Those that stay, in order.
  absl::StatusOr<std::vector<size_t>> find(const std::vector<std::string>& names) const {
    std::vector<size_t> kept(options_.outputs.empty() ? names.size() : 0);
    std::iota(kept.begin(), kept.end(), 0);
    for (const std::string& wanted : options_.outputs) {
      const auto found = llvm::find(names, wanted);
      if (found == names.end()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "there is no output '", wanted, "'; the outputs are ", absl::StrJoin(names, ", ")));
      }
      const size_t index = found - names.begin();
      if (llvm::is_contained(kept, index)) {
        return absl::InvalidArgumentError(absl::StrCat("output '", wanted, "' is named twice"));
      }
      kept.push_back(index);
    }
    return kept;
  }

  // New ops at the end belong to the node that made the value.
  static ir::Builder at(const Value& value, Op& end) {
    ir::Builder builder = ir::Builder::before(&end);
    if (value.definingOp()) builder.setLocation(value.definingOp()->location());
    return builder;
  }

  std::string opName(llvm::StringRef op) const { return absl::StrCat(dialect_, ".", op.str()); }

  Value* selectRows(Value* x, llvm::ArrayRef<int64_t> rows, Op& end) const {
    Type type = x->type();
    type.shape[0] = rows.size();
    return at(*x, end).value(opName("select_rows"), {x}, type, {{"rows", rows.vec()}});
  }

  Value* select(Value* output, llvm::ArrayRef<int64_t> rows, Op& end) const {
    Op* op = output->definingOp();
    if (!op || !(op->is(opName("linear")) || op->is(opName("argmax")))) {
      return selectRows(output, rows, end);
    }
    // Both work row by row.
    llvm::SmallVector<Value*> operands(op->operands());
    operands[0] = select(operands[0], rows, end);
    Type type = output->type();
    type.shape[0] = rows.size();
    return at(*output, end).value(op->name(), operands, type, op->attributes());
  }

  SelectOutputsOptions options_;
  std::string dialect_;
};

}  // namespace

std::unique_ptr<Pass> createSelectOutputs(SelectOutputsOptions options) {
  return std::make_unique<SelectOutputs>(std::move(options));
}

absl::Status registerSelectOutputs() {
  return registerPass("select-outputs", SelectOutputs({}).summary(),
                      [](const PassOptions& given) -> absl::StatusOr<std::unique_ptr<Pass>> {
                        SelectOutputsOptions options;
                        OptionReader reader("select-outputs", given);
                        std::string output;
                        reader.read("output", output);
                        if (!output.empty()) options.outputs = {output};
                        reader.read("positions", options.positions);
                        reader.read("argmax", options.argmax);
                        if (absl::Status s = reader.finish(); !s.ok()) return s;
                        return createSelectOutputs(std::move(options));
                      });
}

}  // namespace lindero::passes

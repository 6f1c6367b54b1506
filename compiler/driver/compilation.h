// One model on its way from ONNX to a circuit package, stage by stage:
//
//   load            import, clean up          -> the float function, in canonical form
//   selectOutputs   (optional)                   which of its outputs
//   calibrate       (optional)                -> exponents, unless there are some already
//   setLength       (optional)                   for fewer positions: a bucket
//   quantize                                  -> the integer function
//   compare         (optional)                   how far that is from the graph as imported
//   selectValues    (optional)                   what of the output gets proven
//   lower           regions, AIR, sums, rules -> the circuit
//   write                                     -> the package
//
// Each stage needs the ones before it, in this order. From setLength on they can be gone through
// again, for a shorter length each time: the exponents are those of all. Errors name node, reason
// and remedy; their codes: see ImportOptions for `load`; in the others kInvalidArgument is a wrong
// option or sample, kOutOfRange and kResourceExhausted a value or weight beyond its static bound,
// kUnimplemented an op that has no circuit.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/driver/find_facts.h"
#include "compiler/emit/emit.h"
#include "compiler/emit/report.h"
#include "compiler/onnx_import/import.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "ir/tensor/interpreter.h"
#include "passes/boundary/placement/cost_model.h"
#include "passes/import_cleanup/select_outputs/select_outputs.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/choose_exponents.h"
#include "passes/quantize/compare.h"
#include "passes/quantize/error_bound.h"
#include "passes/quantize/quantize.h"
#include "runtime/claim/model_record.h"

namespace lindero::compiler {

// Where proofs begin and end; by default one proves all.
struct Boundaries {
  int64_t block = 0;        // of decode runs, in blocks of this many steps that carry context
  std::string policy = {};  // of passes/boundary
  std::vector<int64_t> segments = {};  // of each atom, in place of a policy
};

class Compilation {
 public:
  static absl::StatusOr<Compilation> load(const std::string& path, const ImportOptions& options);

  const std::string& file() const { return file_; }  // its name, without folders
  const ModelFacts& facts() const { return facts_; }
  // What a user is to know of the file.
  const std::vector<std::string>& fileNotes() const { return file_notes_; }
  const ir::Function& floatFunction() const;
  // Of a model that is not known to be causal.
  std::string whyNotCausal() const;

  // Samples for a user who gives none: they come from the model's own predictions.
  absl::StatusOr<std::vector<passes::Sample>> defaultSamples(int64_t count) const;

  // Empty: all, as it is without a call.
  absl::Status selectOutputs(const std::vector<std::string>& names);
  std::vector<std::string> outputNames() const;

  // Fails with kInternal if, on the first samples, the float function's outputs are not those of
  // the graph as imported: then a rewrite of the clean-up was wrong.
  absl::StatusOr<passes::Exponents> calibrate(llvm::ArrayRef<passes::Sample> samples,
                                              const passes::QuantizeOptions& options) const;
  // Needs a causal model of tokens. The context stays the length of `load`.
  absl::Status setLength(int64_t length);

  // With the exponents of a calibration, this one's or an earlier one's.
  absl::Status quantize(const passes::Exponents& exponents);
  const passes::Exponents& exponents() const { return exponents_; }
  // What gets proven; lowering leaves it as it is.
  const ir::Function& integerFunction() const;

  // The outputs of these names, of those selected, as the graph computes them, before any clean-up:
  // the reference.
  // `inputs` are those of the float function, or, where its length was set, the first tokens of
  // them.
  absl::StatusOr<std::vector<ir::tensor::Array>> reference(
      const passes::Sample& inputs, llvm::ArrayRef<std::string> outputs) const;

  // With the reference.
  absl::StatusOr<passes::Comparison> compare(
      llvm::ArrayRef<passes::ComparisonSample> samples) const;

  // The first node that gives something else in single precision than in double, on any of the
  // inputs; empty if there is none, or if the values of a run are too many to be kept.
  std::string firstRounded(llvm::ArrayRef<passes::Sample> samples,
                           const passes::PrecisionLimits& limits) const;

  // How far the integers may be from the float function on one input, by analysis, and how far they
  // are; outputs beside the reference.
  absl::StatusOr<passes::BoundedRun> boundErrors(const passes::Sample& inputs) const;

  // The positions of the output, and whether as values or as their argmax.
  absl::Status selectValues(const std::string& positions, bool argmax);

  absl::Status lower(const passes::LowerToAirOptions& options, const Boundaries& boundaries = {});
  const CostReport& cost() const { return cost_; }
  const std::vector<CostReport>& memberCosts() const { return member_costs_; }
  // What the cost model of passes/boundary says of the proofs that were lowered, from the integer
  // function alone. Not of blocks that carry context.
  absl::StatusOr<passes::PlacementCost> predict(const passes::CostOptions& options) const;

  // What was compiled and how: the model.json of the package.
  absl::StatusOr<runtime::ModelRecord> record() const;

  // model.json and report.json (facts and costs) go into the package, and `files`.
  absl::Status write(const std::string& path, const std::vector<PackageFile>& files) const;

 private:
  Compilation() = default;

  // The reference for several inputs, which go through the graph together.
  absl::StatusOr<std::vector<std::vector<ir::tensor::Array>>> references(
      llvm::ArrayRef<passes::Sample> inputs, llvm::ArrayRef<std::string> outputs,
      ir::tensor::Precision precision = ir::tensor::Precision::kDouble) const;
  // Of the first samples: what the float function gives against the reference.
  absl::Status checkAgainstReference(llvm::ArrayRef<passes::Sample> samples,
                                     llvm::ArrayRef<std::vector<ir::tensor::Array>> outputs) const;
  absl::Status checkOutput(const passes::Sample& inputs, const std::string& name,
                           const ir::tensor::Array& actual,
                           const ir::tensor::Array& expected) const;

  // Of the circuit's public tensors, where the graph has them with as many elements.
  std::vector<runtime::TensorShape> publicShapes() const;
  std::vector<runtime::TensorShape> unreadInputs() const;

  // Of the float function as it is now.
  void findFacts();
  // One of the outputs (check_length.h); empty if there is none.
  std::string outputThatKnowsTheLength() const;

  // Fills onnx_ and external_.
  absl::Status digestFiles(const std::string& path);

  std::string file_;
  std::vector<std::string> file_notes_;
  ModelFacts facts_;
  // Of inputs and of outputs, in the graph.
  std::map<std::string, std::vector<int64_t>> input_shapes_, output_shapes_;
  std::set<std::string> know_the_length_;  // outputs
  runtime::Digest onnx_ = {};
  std::vector<runtime::ExternalFile> external_;
  runtime::CompileOptions options_;
  int64_t bucket_ = 0;  // steps of a decode run, or rows of the first input
  // As they were before setLength; 0: nobody called it.
  int64_t context_ = 0;
  int64_t parameters_ = 0;
  std::unique_ptr<ir::Module> imported_;  // the graph as it is, but for outputs that are left out
  std::unique_ptr<ir::Module> float_;
  std::unique_ptr<ir::Module> integer_;
  bool whole_ = false;  // integer_ is all of float_ by exponents_, as quantize leaves it
  passes::Exponents exponents_;
  std::vector<passes::TensorRecord> records_;
  // What was lowered: integer_, or a module for each segment.
  std::vector<const ir::Module*> lowered() const;
  std::vector<std::string> memberNames() const;
  // Gives each op of integer_ a segment, if there are to be several.
  absl::Status place(const passes::LowerToAirOptions& options, const Boundaries& boundaries);
  std::vector<std::unique_ptr<ir::Module>> segments_;
  CostReport cost_;
  std::vector<CostReport> member_costs_;
  std::vector<PublicTensor> publics_;  // of the circuits
};

}  // namespace lindero::compiler

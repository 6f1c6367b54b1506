// Runs passes in order over one module, and watches them.
//
// After each pass that changes the module it is verified, so that a fault is reported beside its
// cause. With `check_unchanged` a pass that says "unchanged" must have left the printed text as it
// was; this prints the module around every pass, which costs about a microsecond per op, and is on
// in debug builds and in lindero-opt.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "llvm/Support/raw_ostream.h"
#include "passes/pass.h"

namespace lindero::passes {

struct PassManagerOptions {
  bool verify_each = true;
#ifdef NDEBUG
  bool check_unchanged = false;
#else
  bool check_unchanged = true;
#endif
  // The module's text, under a comment that names the pass.
  bool print_before_all = false;
  bool print_after_change = false;
  bool print_after_all = false;
  bool time_passes = false;
  llvm::raw_ostream* out = nullptr;  // where text and times go; stderr if null
};

class PassManager {
 public:
  explicit PassManager(PassManagerOptions options = {});
  void add(std::unique_ptr<Pass> pass);
  absl::Status addPipeline(llvm::StringRef text);
  // True if any pass changed the module. An error names the pass: "pass quantize: …".
  absl::StatusOr<bool> run(ir::Module& module);

 private:
  struct Time {
    double wall = 0, cpu = 0;  // seconds
    bool changed = false;
  };
  absl::StatusOr<bool> runOne(Pass& pass, ir::Module& module, Time& time);
  void printModule(llvm::StringRef heading, const ir::Module& module);
  void printTimes(llvm::ArrayRef<Time> times);

  PassManagerOptions options_;
  std::vector<std::unique_ptr<Pass>> passes_;
};

}  // namespace lindero::passes

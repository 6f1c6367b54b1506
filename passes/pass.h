// What a pass is, and how passes are named, configured and found.
//
// A pass changes a module in place and says whether it did. It fails with a status that names the
// op (ir::describe), the reason and a remedy; the module is then in no particular state and is
// dropped. Passes are registered by name with a factory that reads options, so that pipelines can
// be written as text: "fold-constants,quantize{bits=12 search=true}".
//
// A pass folder has x.h with `struct XOptions`, `std::unique_ptr<Pass> createX(XOptions = {})` and
// `absl::Status registerX()`; registry.cc lists the latter. See README.md beside this file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "llvm/ADT/StringRef.h"

namespace lindero::passes {

class Pass {
 public:
  virtual ~Pass() = default;
  virtual llvm::StringRef name() const = 0;     // "eliminate-dead-ops"
  virtual llvm::StringRef summary() const = 0;  // one line
  // True: the module changed. Errors need not say the name of the pass, which PassManager does.
  virtual absl::StatusOr<bool> run(ir::Module& module) = 0;
};

// Options as written, in order: {bits=12 search} is ("bits", "12"), ("search", "true").
using PassOptions = std::vector<std::pair<std::string, std::string>>;

// Reads options into the fields of a struct; what is not given keeps its value. The first error is
// kept.
//
//   XOptions x;
//   OptionReader reader("x", options);
//   reader.read("bits", x.bits);
//   if (absl::Status status = reader.finish(); !status.ok()) return status;
//   return createX(x);
class OptionReader {
 public:
  OptionReader(llvm::StringRef pass, const PassOptions& options);
  void read(llvm::StringRef key, bool& value);
  void read(llvm::StringRef key, int64_t& value);
  void read(llvm::StringRef key, int32_t& value);
  void read(llvm::StringRef key, double& value);
  void read(llvm::StringRef key, std::string& value);
  // An option that no read asked for is an error, too.
  absl::Status finish();

 private:
  const std::string* find(llvm::StringRef key);
  void fail(llvm::StringRef key, llvm::StringRef value, llvm::StringRef expected);
  std::string pass_;
  const PassOptions& options_;
  std::vector<std::string> known_;
  absl::Status status_;
};

using PassFactory = std::function<absl::StatusOr<std::unique_ptr<Pass>>(const PassOptions&)>;

struct PassInfo {
  std::string name;
  std::string summary;
  PassFactory factory;
  std::string pipeline;  // what the name stands for if it is a pipeline's; it has no factory then
};

// The name is lower-case words joined by '-'; a name that is taken is an error.
absl::Status registerPass(llvm::StringRef name, llvm::StringRef summary, PassFactory factory);
// The same for a pass without options, with its own name and summary.
absl::Status registerPass(std::function<std::unique_ptr<Pass>()> create);
// A name for a pipeline of passes that are registered already; it takes no options.
absl::Status registerPipeline(llvm::StringRef name, llvm::StringRef summary,
                              llvm::StringRef pipeline);
std::vector<const PassInfo*> allPasses();  // and pipelines, sorted by name

// Makes the passes of a pipeline: "a,b{k=v k2="v 2"},c". The error names the column.
absl::StatusOr<std::vector<std::unique_ptr<Pass>>> parsePipeline(llvm::StringRef text);

// What follows a name there: "{k=v k2="v 2"}", or nothing.
absl::StatusOr<PassOptions> parsePassOptions(llvm::StringRef text);

// Registers the passes that Lindero ships (registry.cc); further calls do nothing.
void registerAllPasses();

}  // namespace lindero::passes

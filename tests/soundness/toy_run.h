// A toy GPT from the integer dialect to an accepted trace, in a folder of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/decode/decode_run.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.pb.h"
#include "runtime/trace/generate_trace.h"
#include "tests/soundness/toy_gpt.h"

namespace lindero::test {

class ToyRun {
 public:
  // `edit` changes the circuit before the package is opened.
  static absl::StatusOr<std::unique_ptr<ToyRun>> create(
      const ToyOptions& options = {}, const std::function<void(Circuit&)>& edit = nullptr);
  ~ToyRun();  // removes the folder

  std::string path() const { return folder_ + "/toy.lindero"; }  // of the package
  const runtime::Package& package() const { return *package_; }
  const Circuit& circuit() const { return package_->circuit(); }
  // With a step table: three tokens of a prompt and three chosen ones.
  const runtime::DecodeRun& decoded() const { return decoded_; }
  // What its blocks before ToyOptions::at leave.
  const runtime::LinkValues& linked() const { return linked_; }
  // Of the honest run; of a run of blocks, that one.
  const Statement& statement() const { return statement_; }
  const std::vector<uint32_t>& cells() const { return cells_; }

  Statement inputs() const;
  // Its circuit without a class of constraints ("local", "continuity" or "boundary"), as a package
  // beside that of `path`: one trace fits both. It has no trace program.
  absl::StatusOr<runtime::Package> without(const std::string& kind) const;
  // Another run of the same inputs.
  absl::StatusOr<Statement> trace(std::vector<uint32_t>& cells,
                                  const runtime::TraceOptions& options) const;
  uint32_t table(const std::string& name) const;
  uint32_t column(uint32_t table, const std::string& name) const;

 private:
  ToyRun() = default;

  ToyOptions options_;
  std::string folder_;
  std::unique_ptr<runtime::Package> package_;
  runtime::DecodeRun decoded_;
  runtime::LinkValues linked_;
  Statement statement_;
  std::vector<uint32_t> cells_;
};

}  // namespace lindero::test

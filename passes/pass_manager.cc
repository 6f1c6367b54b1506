#include "passes/pass_manager.h"

#include <chrono>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "ir/core/problems.h"
#include "ir/core/text.h"
#include "ir/core/verifier.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"

namespace lindero::passes {

namespace {

absl::Status passError(const Pass& pass, llvm::StringRef what, const absl::Status& status) {
  return ir::withPrefix(status, absl::StrCat("pass ", pass.name().str(), what.str(), ": "));
}

// What check_unchanged compares: all but the constants' bytes, which no pass can change.
std::string fingerprint(const ir::Module& module) { return toText(module, {.digests = false}); }

// The first line of `after` that is not the same in `before`.
std::string firstDifference(llvm::StringRef before, llvm::StringRef after) {
  while (!before.empty() || !after.empty()) {
    auto [old_line, old_rest] = before.split('\n');
    auto [new_line, new_rest] = after.split('\n');
    if (old_line != new_line)
      return absl::StrCat("'", old_line.trim().str(), "' became '", new_line.trim().str(), "'");
    before = old_rest;
    after = new_rest;
  }
  return "";
}

}  // namespace

PassManager::PassManager(PassManagerOptions options) : options_(options) {
  if (!options_.out) options_.out = &llvm::errs();
}

void PassManager::add(std::unique_ptr<Pass> pass) { passes_.push_back(std::move(pass)); }

absl::Status PassManager::addPipeline(llvm::StringRef text) {
  auto passes = parsePipeline(text);
  if (!passes.ok()) return passes.status();
  for (auto& pass : *passes) add(std::move(pass));
  return absl::OkStatus();
}

absl::StatusOr<bool> PassManager::run(ir::Module& module) {
  if (options_.verify_each) {
    if (absl::Status status = ir::verify(module); !status.ok()) {
      return ir::withPrefix(status, "before any pass: ");
    }
  }
  bool any = false;
  std::vector<Time> times(passes_.size());
  for (const auto& [pass, time] : llvm::zip(passes_, times)) {
    absl::StatusOr<bool> changed = runOne(*pass, module, time);
    if (!changed.ok()) return changed.status();
    any |= *changed;
  }
  if (options_.time_passes) printTimes(times);
  return any;
}

absl::StatusOr<bool> PassManager::runOne(Pass& pass, ir::Module& module, Time& time) {
  if (options_.print_before_all) printModule(absl::StrCat("before ", pass.name().str()), module);
  std::string before;
  if (options_.check_unchanged) before = fingerprint(module);

  auto wall = std::chrono::steady_clock::now();
  std::clock_t cpu = std::clock();
  absl::StatusOr<bool> changed = pass.run(module);
  time.cpu = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  time.wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
  if (!changed.ok()) return passError(pass, "", changed.status());
  time.changed = *changed;

  if (options_.print_after_all || (options_.print_after_change && *changed)) {
    printModule(absl::StrCat("after ", pass.name().str(), *changed ? "" : " (unchanged)"), module);
  }
  if (options_.check_unchanged && !*changed) {
    std::string after = fingerprint(module);
    if (before != after) {
      return absl::InternalError(absl::StrCat("pass ", pass.name().str(),
                                              " says that it changed nothing, but ",
                                              firstDifference(before, after)));
    }
  }
  if (options_.verify_each && *changed) {
    if (absl::Status status = ir::verify(module); !status.ok()) {
      return passError(pass, " left a module that does not verify", status);
    }
  }
  return changed;
}

void PassManager::printModule(llvm::StringRef heading, const ir::Module& module) {
  *options_.out << "// ---- " << heading << "\n";
  print(module, *options_.out);
}

void PassManager::printTimes(llvm::ArrayRef<Time> times) {
  llvm::raw_ostream& out = *options_.out;
  Time total;
  out << "   wall s     cpu s  pass\n";
  auto line = [&](const Time& time, llvm::StringRef name) {
    out << llvm::format("%9.3f %9.3f  ", time.wall, time.cpu) << name << "\n";
  };
  for (const auto& [pass, time] : llvm::zip(passes_, times)) {
    line(time,
         time.changed ? pass->name().str() : absl::StrCat(pass->name().str(), " (unchanged)"));
    total.wall += time.wall;
    total.cpu += time.cpu;
  }
  line(total, "total");
}

}  // namespace lindero::passes

// revised_run PACKAGE STATEMENT OUT CHANGE ...: the run of a model cut into members in which what
// crosses a link is changed on its way, where it is taken. All that follows is computed from it, so
// that each member is right by itself. Writes traces and statement as `check --save-trace` does.
//
// A change is SLOT:INDEX:DELTA, or SLOT:INDEX:INDEX:swap.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/package/bundle_package.h"
#include "runtime/package/files.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"
#include "runtime/trace/generate_trace.h"

namespace lindero::test {
namespace {

struct Change {
  uint32_t slot = 0;
  uint32_t index = 0, other = 0;
  int32_t delta = 0;
  bool swap = false;
};

absl::StatusOr<Change> parseChange(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  Change change;
  change.swap = parts.size() == 4 && parts[3] == "swap";
  if ((parts.size() != 3 && !change.swap) || !absl::SimpleAtoi(parts[0], &change.slot) ||
      !absl::SimpleAtoi(parts[1], &change.index) ||
      !(change.swap ? absl::SimpleAtoi(parts[2], &change.other)
                    : absl::SimpleAtoi(parts[2], &change.delta))) {
    return absl::InvalidArgumentError(absl::StrCat(text, " is no change"));
  }
  return change;
}

absl::Status run(const std::string& path, const std::string& inputs_file, const std::string& out,
                 const std::vector<Change>& changes) {
  LINDERO_ASSIGN_OR_RETURN(const runtime::BundlePackage package, runtime::openBundle(path));
  LINDERO_ASSIGN_OR_RETURN(const std::string bytes, runtime::readFile(inputs_file, 1 << 28));
  LINDERO_ASSIGN_OR_RETURN(const Statement given, runtime::decodeStatement(bytes));
  size_t done = 0;
  runtime::LinkValues slots;
  runtime::TraceOptions options;
  options.linked = &slots;
  options.revise = [&](const Step& step, runtime::Buffers& buffers) {
    if (!step.has_link_in()) return;
    for (const Change& change : changes) {
      if (change.slot != step.link_in().slot()) continue;
      absl::Span<int32_t> taken = buffers.at(step.link_in().out());
      if (std::max(change.index, change.other) >= taken.size()) continue;
      if (change.swap) {
        std::swap(taken[change.index], taken[change.other]);
      } else {
        taken[change.index] += change.delta;
      }
      ++done;
    }
  };
  Statement all;
  all.set_format(1);
  for (size_t m = 0; m < package.members.size(); ++m) {
    Statement inputs;
    inputs.set_format(1);
    for (const PublicTensor& tensor : package.members[m].circuit().publics()) {
      const PublicValues* values = runtime::findValues(given, tensor.name());
      if (tensor.kind() == PublicTensor::INPUT && values != nullptr)
        *inputs.add_tensors() = *values;
    }
    LINDERO_ASSIGN_OR_RETURN(
        const Statement own,
        runtime::generateTrace(package.members[m], inputs, absl::StrCat(out, "/trace-", m, ".bin"),
                               options));
    all.mutable_tensors()->MergeFrom(own.tensors());
  }
  if (done != changes.size())
    return absl::NotFoundError("a change is of no link, or of no element");
  return runtime::writeStatement(absl::StrCat(out, "/statement.pb"), all);
}

absl::Status runWith(const std::vector<std::string>& arguments) {
  std::vector<Change> changes;
  for (size_t i = 3; i < arguments.size(); ++i) {
    LINDERO_ASSIGN_OR_RETURN(changes.emplace_back(), parseChange(arguments[i]));
  }
  return run(arguments[0], arguments[1], arguments[2], changes);
}

}  // namespace
}  // namespace lindero::test

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 3) {
    std::cerr << "usage: revised_run PACKAGE STATEMENT OUT CHANGE ...\n";
    return 2;
  }
  const absl::Status status = lindero::test::runWith(arguments);
  if (!status.ok()) std::cerr << "revised_run: " << status << "\n";
  return status.ok() ? 0 : 1;
}

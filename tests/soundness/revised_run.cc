// revised_run PACKAGE STATEMENT OUT SLOT altered|permuted: the run of a model cut into members in
// which what crosses a link is changed on its way, where it is taken: the first element is another,
// or exchanged with the first that differs. All that follows is computed from it, so that each
// member is right by itself. Writes traces and statement as `check --save-trace` does.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/package/bundle_package.h"
#include "runtime/package/files.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"
#include "runtime/trace/generate_trace.h"

namespace lindero::test {
namespace {

// True: there was something to change.
bool change(absl::Span<int32_t> taken, bool permuted) {
  if (!permuted) {
    taken[0] ^= 1;
    return true;
  }
  auto other = std::find_if(taken.begin(), taken.end(), [&](int32_t x) { return x != taken[0]; });
  if (other == taken.end()) return false;
  std::swap(taken[0], *other);
  return true;
}

absl::Status run(const std::string& path, const std::string& inputs_file, const std::string& out,
                 uint32_t slot, bool permuted) {
  LINDERO_ASSIGN_OR_RETURN(const runtime::BundlePackage package, runtime::openBundle(path));
  LINDERO_ASSIGN_OR_RETURN(const std::string bytes, runtime::readFile(inputs_file, 1 << 28));
  LINDERO_ASSIGN_OR_RETURN(const Statement given, runtime::decodeStatement(bytes));
  bool done = false;
  runtime::LinkValues slots;
  runtime::TraceOptions options;
  options.linked = &slots;
  options.revise = [&](const Step& step, runtime::Buffers& buffers) {
    if (!step.has_link_in() || step.link_in().slot() != slot) return;
    done |= change(buffers.at(step.link_in().out()), permuted);
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
  if (!done) return absl::NotFoundError("nothing crosses there that could be changed");
  return runtime::writeStatement(absl::StrCat(out, "/statement.pb"), all);
}

}  // namespace
}  // namespace lindero::test

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  uint32_t slot = 0;
  if (words.size() != 5 || !absl::SimpleAtoi(words[3], &slot) ||
      (words[4] != "altered" && words[4] != "permuted")) {
    std::cerr << "usage: revised_run PACKAGE STATEMENT OUT SLOT altered|permuted\n";
    return 2;
  }
  const absl::Status status =
      lindero::test::run(words[0], words[1], words[2], slot, words[4] == "permuted");
  if (!status.ok()) std::cerr << "revised_run: " << status << "\n";
  return status.ok() ? 0 : 1;
}

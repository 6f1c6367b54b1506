#include "runtime/package/bundle.h"

#include <filesystem>
#include <map>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "compiler/emit/emit.h"
#include "ir/core/status_macros.h"
#include "runtime/package/files.h"
#include "runtime/package/formats.h"
#include "runtime/package/package.h"
#include "runtime/package/proto_io.h"

namespace lindero::compiler {
namespace {

namespace fs = std::filesystem;

// The two ends of a link: ops air.public with its slot.
struct Ends {
  const ir::Op *gives = nullptr, *takes = nullptr;
  uint32_t from = 0, to = 0;  // members
};

absl::Status broken(int64_t slot, absl::string_view why) {
  return absl::InternalError(absl::StrCat("link ", slot, ": ", why));
}

absl::StatusOr<std::map<int64_t, Ends>> findEnds(llvm::ArrayRef<const ir::Module*> modules) {
  std::map<int64_t, Ends> links;
  for (uint32_t m = 0; m < modules.size(); ++m) {
    for (const ir::Op& op : modules[m]->findFunction("circuit")->body().ops()) {
      if (!op.is("air.public") || !op.has("slot")) continue;
      Ends& ends = links[op.intAttr("slot")];
      const bool gives = op.stringAttr("kind") == "output";
      if ((gives ? ends.gives : ends.takes) != nullptr) {
        return broken(op.intAttr("slot"), "an end of it is in two members");
      }
      (gives ? ends.gives : ends.takes) = &op;
      (gives ? ends.from : ends.to) = m;
    }
  }
  return links;
}

// Elements have one name at both ends, and the range that is taken holds the one that is given.
absl::Status checkEnds(int64_t slot, const Ends& ends) {
  if (ends.gives == nullptr || ends.takes == nullptr) return broken(slot, "it has one end");
  if (ends.from >= ends.to) return broken(slot, "it goes to a member before");
  for (const char* name : {"rows", "columns", "exponent", "address", "tile_rows", "tile_columns"}) {
    if (ends.gives->intAttr(name) == ends.takes->intAttr(name)) continue;
    return broken(slot, absl::StrCat("its ends differ in ", name));
  }
  if (*ends.gives->find("challenges") != *ends.takes->find("challenges")) {
    return broken(slot, "its ends differ in challenges");
  }
  if (ends.takes->intAttr("low") <= ends.gives->intAttr("low") &&
      ends.gives->intAttr("high") <= ends.takes->intAttr("high")) {
    return absl::OkStatus();
  }
  return broken(slot, "it gives what is beyond the range that is taken");
}

uint32_t groupOf(const Circuit& circuit, const ir::Op& end) {
  int group = 0;
  while (circuit.sum_groups(group).name() != end.symbolAttr("group")) ++group;
  return static_cast<uint32_t>(group);
}

}  // namespace

absl::StatusOr<Bundle> linkMembers(llvm::ArrayRef<const ir::Module*> modules,
                                   llvm::ArrayRef<Circuit> circuits,
                                   llvm::ArrayRef<std::string> names) {
  Bundle bundle;
  bundle.set_format(runtime::kBundleFormat);
  bundle.set_most_steps(1);
  std::map<std::string, uint32_t> known;  // circuits, by their bytes
  std::vector<const Circuit*> distinct;
  for (size_t m = 0; m < circuits.size(); ++m) {
    Member& member = *bundle.add_members();
    member.set_name(names[m]);
    const auto [it, fresh] = known.try_emplace(runtime::serializeProto(circuits[m]), known.size());
    if (fresh) distinct.push_back(&circuits[m]);
    member.set_circuit(it->second);
  }
  IR_ASSIGN_OR_RETURN(const auto links, findEnds(modules));
  for (const auto& [slot, ends] : links) {
    IR_RETURN_IF_ERROR(checkEnds(slot, ends));
    Link& link = *bundle.add_links();
    for (auto [member, op] : {std::pair(ends.from, ends.gives), std::pair(ends.to, ends.takes)}) {
      LinkEnd& end = *link.add_ends();
      end.set_member(member);
      end.set_group(groupOf(circuits[member], *op));
    }
  }
  IR_RETURN_IF_ERROR(runtime::checkBundle(bundle, distinct));
  return bundle;
}

absl::Status emitBundle(llvm::ArrayRef<const ir::Module*> modules,
                        llvm::ArrayRef<std::string> names, const std::string& path,
                        const std::vector<PackageFile>& files) {
  std::vector<Circuit> circuits;
  for (const ir::Module* module : modules) {
    IR_ASSIGN_OR_RETURN(Circuit circuit, makeCircuit(*module));
    circuits.push_back(std::move(circuit));
  }
  IR_ASSIGN_OR_RETURN(const Bundle bundle, linkMembers(modules, circuits, names));
  const std::string members = absl::StrCat(path, "/members/");
  std::error_code code;
  fs::create_directories(members, code);
  if (code) return runtime::systemError(absl::StrCat("cannot make ", members), code.value());
  for (size_t m = 0; m < modules.size(); ++m) {
    IR_RETURN_IF_ERROR(emitCircuit(*modules[m], circuits[m], bundle, members + names[m]));
  }
  for (const PackageFile& file : files) {
    IR_RETURN_IF_ERROR(runtime::writeFile(absl::StrCat(path, "/", file.name), file.bytes));
  }
  return runtime::writeFile(absl::StrCat(path, "/", runtime::kBundleFile),
                            runtime::serializeProto(bundle));
}

}  // namespace lindero::compiler

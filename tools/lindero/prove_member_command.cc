// lindero prove-member: one member of a proof that several processes make together.
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/package/status_macros.h"
#include "runtime/prove/job.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/prover_options.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;

struct MemberArguments {
  std::string package, job, key, member;
  int64_t step = 0;
  ProverOptions prover;
};

// Its place among the members.
absl::StatusOr<int64_t> findMember(const MemberArguments& arguments, const Bundle& bundle) {
  if (arguments.member.empty() && bundle.members_size() == 1) return 0;
  std::vector<std::string> names;
  for (const Member& member : bundle.members()) {
    if (member.name() == arguments.member) return static_cast<int64_t>(names.size());
    names.push_back(member.name());
  }
  return failure(Error::kUsage,
                 absl::StrCat("--member ", arguments.member, ": ", arguments.package,
                              " has no such member, but ", absl::StrJoin(names, ", ")));
}

std::string ifThere(std::string path) {
  std::error_code code;
  return fs::exists(path, code) ? path : "";
}

absl::Status proveMember(const MemberArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  LINDERO_ASSIGN_OR_RETURN(const runtime::OpenedPackage opened,
                           runtime::openPackage(arguments.package, 0));
  const Bundle& bundle = opened.bundle.bundle;
  LINDERO_ASSIGN_OR_RETURN(const int64_t member, findMember(arguments, bundle));
  const int64_t block = arguments.step * bundle.members_size() + member;
  const std::string& job = arguments.job;
  for (const std::string& file : {runtime::claimOf(job), runtime::traceOf(job, block)}) {
    if (!ifThere(file).empty()) continue;
    return failure(Error::kUsage,
                   absl::StrCat("there is no ", file, ": `lindero prove ", arguments.package,
                                " ... --job ", job, " --trace-only` makes those of its run"));
  }
  Stopwatch watch;
  LINDERO_ASSIGN_OR_RETURN(
      const runtime::Report report,
      prover.proveBlock({.package = opened.path,
                         .key = arguments.key.empty() ? runtime::packageKey(opened) : arguments.key,
                         .claim = runtime::claimOf(job),
                         .openings = ifThere(runtime::openingsOf(job)),
                         .parts = runtime::partsOf(job),
                         .block = block,
                         .trace = runtime::traceOf(job, block)},
                        context.monitor()));
  const bool proven = report.value("proven", false);
  const auto missing = report.value("missing_roots", int64_t{0});
  Summary summary;
  summary.add("member", "member", bundle.members(static_cast<int>(member)).name(),
              bundle.members(static_cast<int>(member)).name());
  summary.addCount("step", "step", arguments.step);
  summary.add("proven", "state", proven,
              proven ? "proven"
                     : absl::StrCat("committed; it is proven once ", missing,
                                    missing == 1 ? " other is, too" : " others are, too"));
  summary.addData("missing", missing);
  summary.addSeconds("seconds", "in", watch.seconds());
  context.result("prove-member", summary);
  return absl::OkStatus();
}

}  // namespace

void addProveMember(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<MemberArguments>();
  CLI::App* command = app.add_subcommand(
      "prove-member", "Commit, then prove one member of a job that `prove` has begun");
  command->add_option("package", arguments->package, "Package")->required();
  command->add_option("--job", arguments->job, "The folder that `prove --job` filled")
      ->type_name("FOLDER")
      ->required();
  command->add_option("--member", arguments->member, "Which, if the package has several");
  command->add_option("--step", arguments->step, "Of a run in blocks: of which")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  command->add_option("--key", arguments->key, "The key that the job is begun with");
  addThreadsOption(*command, arguments->prover.threads);
  command->callback([arguments, &chosen] {
    chosen = [arguments](Context& context) { return proveMember(*arguments, context); };
  });
}

}  // namespace lindero::cli

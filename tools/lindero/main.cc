// lindero: ONNX transformers to proofs, from the command line.
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "runtime/version/version.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/interrupt.h"

namespace lindero::cli {
namespace {

constexpr char kDescription[] =
    "Compiles ONNX transformers to provable circuits, proves runs of them, verifies the proofs.\n"
    "Example: lindero prove model.onnx --prompt \"To be\" -o run.proof; lindero verify run.proof "
    "--key run.key";

// What `--help` is to be asked of: the command that did not parse, if one was recognized.
std::string helpOf(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands()) {
    return absl::StrCat("lindero ", command->get_name(), " --help");
  }
  return "lindero --help";
}

std::string exitCodes() {
  std::string text = "Exit codes:\n";
  for (const ExitInfo& info : exitTable()) {
    absl::StrAppendFormat(&text, "  %2d  %-18s %s\n", info.code, runtime::nameOf(info.kind),
                          info.meaning);
  }
  return text;
}

// The last argument that reads "--json" decides even when the rest does not parse.
bool asksForJson(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (absl::string_view(argv[i]) == "--json") return true;
  }
  return false;
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, "lindero");
  app.set_version_flag("--version", runtime::describeVersion("lindero"));
  app.require_subcommand(1);
  app.fallthrough();
  bool json = false;
  app.add_flag("--json", json, "Write JSON, one event per line, instead of text");
  bool verbose = false;
  app.add_flag("--verbose", verbose, "Show details, too, where a summary leaves them out");
  // Commands have the footer that stands when they are added.
  app.footer("Exit codes: `lindero --help` lists them");
  Command command;
  addCompile(app, command);
  addDoctor(app, command);
  addCheck(app, command);
  addProve(app, command);
  addProveMember(app, command);
  addVerify(app, command);
  addTamper(app, command);
  addOpen(app, command);
  addAttest(app, command);
  addKeygen(app, command);
  addAudit(app, command);
  addInspect(app, command);
  addCompare(app, command);
  app.footer(exitCodes());
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    app.exit(help);
    return exitInfo(Error::kOk).code;
  } catch (const CLI::ParseError& error) {
    const std::string text = error.what();
    absl::string_view why = text;
    absl::ConsumePrefix(&why, ": ");  // after the name of a hidden option, which is none
    Context context(asksForJson(argc, argv));
    return context.finish(failure(Error::kUsage, absl::StrCat(why, "; see `", helpOf(app), "`")));
  }
  // A file over the limit is an error like a full disk, not a reason to die; provers inherit this.
  std::signal(SIGXFSZ, SIG_IGN);
  Context context(json, verbose);
  cleanUpWhenInterrupted(context.monitor());
  return context.finish(command(context));
}

}  // namespace
}  // namespace lindero::cli

int main(int argc, char** argv) {
  // Nothing of ours throws; what a library throws unexpectedly still ends in one line.
  try {
    return lindero::cli::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lindero: internal error: %s; please report it\n", error.what());
    return lindero::cli::exitInfo(lindero::runtime::Error::kInternal).code;
  }
}

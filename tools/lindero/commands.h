// The subcommands. Each adds its options to the command line and, when it is chosen, hands over
// what to run.
#pragma once

#include <functional>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

using Command = std::function<absl::Status(Context&)>;

// `chosen` is set while the command line is parsed; it must outlive that.
void addCompile(CLI::App& app, Command& chosen);
void addDoctor(CLI::App& app, Command& chosen);
void addCheck(CLI::App& app, Command& chosen);
void addCompare(CLI::App& app, Command& chosen);
void addProve(CLI::App& app, Command& chosen);
void addProveMember(CLI::App& app, Command& chosen);
void addVerify(CLI::App& app, Command& chosen);
void addTamper(CLI::App& app, Command& chosen);
void addOpen(CLI::App& app, Command& chosen);
void addAttest(CLI::App& app, Command& chosen);
void addKeygen(CLI::App& app, Command& chosen);
void addAudit(CLI::App& app, Command& chosen);
void addInspect(CLI::App& app, Command& chosen);

}  // namespace lindero::cli

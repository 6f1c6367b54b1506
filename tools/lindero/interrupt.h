// What becomes of a command when a signal ends it.
#pragma once

#include "runtime/monitor/monitor.h"

namespace lindero::cli {

// From here on SIGINT, SIGTERM and SIGHUP end the program only after the monitor's folders and
// programs are gone, and SIGPIPE does not. Called once, before other threads exist; the monitor
// must outlive all that.
void cleanUpWhenInterrupted(runtime::Monitor& monitor);

}  // namespace lindero::cli

// A run that the compiler makes of each circuit before it has a key.
//
// Passes prove of a circuit that no equation wraps and that a witness is unique; that the witness
// it accepts is the run of the program is seen here: the trace of an input must satisfy every
// constraint, lookup and sum. A circuit that refuses its own program would have no honest proofs,
// and whatever it does accept would be another program's.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "passes/quantize/calibrate.h"
#include "runtime/monitor/monitor.h"

namespace lindero::compiler {

// `home` is the package, `bucket` 0 in one without; of a sample of more tokens than fit, the first
// are run. Fails with kInternal, naming what refused. An input beyond the calibrated ranges is no
// error: a note says that nothing was tried.
absl::Status tryCircuit(const std::string& home, int64_t bucket, const passes::Sample& sample,
                        runtime::Monitor& monitor);

}  // namespace lindero::compiler

// A run that the compiler makes of each circuit before it has a key.
//
// Passes prove of a circuit that no equation wraps and that a witness is unique; that the witness
// it accepts is the run of the program is seen here: the trace of an input must satisfy every
// constraint, lookup and sum, and its outputs must be those of the interpreter, which knows nothing
// of circuits. A circuit that refuses its own program would have no honest proofs, and whatever it
// does accept would be another program's.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "ir/core/ir.h"
#include "passes/quantize/calibrate.h"
#include "runtime/monitor/monitor.h"

namespace lindero::compiler {

// `integer` is the program that was lowered, `home` the package, `bucket` 0 in one without; of a
// sample of more tokens than fit, the first are run, and a decode run chooses the second half of
// its tokens. What is run is a variation of the sample, whose values may be alike; the sample
// itself where that is beyond the calibrated ranges; a note says that nothing was tried where it
// is, too. Fails with kInternal, naming what refused or differs.
absl::Status tryCircuit(const std::string& home, int64_t bucket, const passes::Sample& sample,
                        const ir::Function& integer, runtime::Monitor& monitor);

}  // namespace lindero::compiler

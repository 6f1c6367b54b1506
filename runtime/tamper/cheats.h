// The ways to cheat in a gadget: witnesses that satisfy all of its equations but one.
//
// A change of one element mostly breaks several checks at once. A cheat changes elements together
// so that as few checks as possible are left to notice: the second solution of a rounding division
// modulo p, a remainder that is out of its range, another entry of a table, a maximum that is none.
#ifndef LINDERO_RUNTIME_TAMPER_CHEATS_H_
#define LINDERO_RUNTIME_TAMPER_CHEATS_H_

#include <string>
#include <vector>

#include "runtime/check/recheck.h"
#include "runtime/package/package.h"
#include "runtime/tamper/random.h"
#include "runtime/trace/buffers.h"

namespace lindero::runtime {

// Changes what the step wrote, at random; `cells` are changed in the trace beyond what follows from
// the buffers, by copies of an element that differ from it. The name of the cheat, or empty where
// the kind of step has none or the drawn one does not fit the values.
std::string cheat(const Package& package, const Step& step, Buffers& buffers, Draws& draws,
                  std::vector<CellChange>& cells);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_CHEATS_H_

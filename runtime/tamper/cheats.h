// The ways to cheat in a gadget: witnesses that satisfy all of its equations but one.
//
// A change of one element mostly breaks several checks at once. A cheat changes elements together
// so that as few checks as possible are left to notice: the second solution of a rounding division
// modulo p, a remainder that is out of its range, another entry of a table, a maximum that is none.
#ifndef LINDERO_RUNTIME_TAMPER_CHEATS_H_
#define LINDERO_RUNTIME_TAMPER_CHEATS_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "runtime/check/recheck.h"
#include "runtime/package/package.h"
#include "runtime/tamper/random.h"
#include "runtime/trace/buffers.h"

namespace lindero::runtime {

// What a cheat changes: what the step wrote, and `cells` of the trace beyond what follows from the
// buffers, copies of an element that differ from it.
struct CheatScene {
  const Package& package;
  const Step& step;
  Buffers& buffers;
  Draws& draws;
  std::vector<CellChange>& cells;
};

struct Cheat {
  Step::KindCase kind;
  const char* name;
  // At random; false, and nothing is changed, when it does not fit what was drawn.
  bool (*apply)(const CheatScene&);
  // Families of parts (families.h), of which one alone may notice it.
  const char* aims[5] = {};

  bool aimsAt(const std::string& family) const;
};
absl::Span<const Cheat> cheats();

// One of those for this kind of step. Its name, or empty when there is none or it does not fit.
std::string cheat(const CheatScene& scene);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_CHEATS_H_

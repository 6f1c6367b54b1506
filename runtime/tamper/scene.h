// What cheats of all gadgets share, and the list of gadgets that have some.
#ifndef LINDERO_RUNTIME_TAMPER_SCENE_H_
#define LINDERO_RUNTIME_TAMPER_SCENE_H_

#include <cstdint>
#include <vector>

#include "runtime/gadgets/gadgets.h"
#include "runtime/tamper/cheats.h"

namespace lindero::runtime {

struct Scene : CheatScene {
  explicit Scene(const CheatScene& scene) : CheatScene(scene) {}

  // A random element, or row.
  uint64_t any(uint32_t buffer) const { return draws.below(buffers.at(buffer).size()); }
  int32_t& at(uint32_t buffer, uint64_t element) const { return buffers.at(buffer)[element]; }
  void add(uint32_t buffer, uint64_t element, int64_t delta) const {
    int64_t sum = at(buffer, element) + delta;
    at(buffer, element) = static_cast<int32_t>(sum);
  }
};

// What Cheat::apply points to.
template <bool (*kApply)(const Scene&)>
bool on(const CheatScene& scene) {
  return kApply(Scene(scene));
}

// Cheats of a division with remainder by 2^shift, of the message of any step that makes one.
template <typename Division>
bool forgeRemainderOutOfRange(const Scene& s, const Division& d) {
  const uint64_t e = s.any(d.quotient());
  const int64_t sign = s.draws.sign();
  s.add(d.quotient(), e, -sign);
  s.add(d.remainder(), e, sign * (int64_t{1} << d.shift()));
  return true;
}

// q 2^s + r = x + p has the solution q + 2^(31-s), r - 1.
template <typename Division>
bool forgeQuotientModuloP(const Scene& s, const Division& d) {
  const uint64_t e = s.any(d.quotient());
  const int64_t sign = s.draws.sign(), remainder = s.at(d.remainder(), e) - sign;
  if (remainder < 0 || remainder >= int64_t{1} << d.shift()) return false;
  s.add(d.quotient(), e, sign * (int64_t{1} << (31 - d.shift())));
  s.at(d.remainder(), e) = static_cast<int32_t>(remainder);
  return true;
}

// The cells that repeat an element, one for each tile of its row; empty: it is not repeated.
std::vector<CellChange> copiesOf(const Scene& s, uint32_t buffer, uint64_t element);
// Changes the cell of one row tile: `delta` is added there.
bool changeCopy(const Scene& s, uint32_t buffer, uint64_t element, uint64_t tile, int64_t delta);
// A random row tile, or -1 when all that the row's tiles share stands in one cell.
int64_t anyTile(const Scene& s, uint32_t buffer, uint64_t element);

// In runtime/gadgets/<name>/cheats.cc.
#define LINDERO_DECLARE_CHEATS(gadget) absl::Span<const Cheat> gadget##Cheats();
LINDERO_CHEATED_GADGETS(LINDERO_DECLARE_CHEATS)
#undef LINDERO_DECLARE_CHEATS

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_SCENE_H_

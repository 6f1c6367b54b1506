// Cheats of copies by fixed maps.
#include <utility>

#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

bool anotherValue(const Scene& s) {
  const uint32_t out = s.step.copy_elements().out();
  s.add(out, s.any(out), s.draws.sign());
  return true;
}

// What stands under another tag.
bool elementOfAnotherTag(const Scene& s) {
  const uint32_t out = s.step.copy_elements().out();
  const uint64_t e = s.any(out), other = s.any(out);
  if (s.at(out, e) == s.at(out, other)) return false;
  s.at(out, e) = s.at(out, other);
  return true;
}

// No value is changed, but where it is.
bool twoElementsSwapped(const Scene& s) {
  const uint32_t out = s.step.copy_elements().out();
  const uint64_t e = s.any(out), other = s.any(out);
  if (s.at(out, e) == s.at(out, other)) return false;
  std::swap(s.at(out, e), s.at(out, other));
  return true;
}

constexpr Cheat kCheats[] = {
    {Step::kCopyElements,
     "copied element off by one",
     on<anotherValue>,
     {"lookup copies_rows.element", "lookup copies_columns.element"}},
    {Step::kCopyElements,
     "element of another tag",
     on<elementOfAnotherTag>,
     {"lookup copies_rows.element", "lookup copies_columns.element"}},
    {Step::kCopyElements,
     "two elements swapped",
     on<twoElementsSwapped>,
     {"lookup copies_rows.element", "lookup copies_columns.element"}},
};

}  // namespace

absl::Span<const Cheat> copiesCheats() { return kCheats; }

}  // namespace lindero::runtime

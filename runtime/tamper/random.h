// Random numbers as a function of a position, so that a campaign does not depend on its threads.
#ifndef LINDERO_RUNTIME_TAMPER_RANDOM_H_
#define LINDERO_RUNTIME_TAMPER_RANDOM_H_

#include <cstdint>
#include <initializer_list>

namespace lindero::runtime {

// Splitmix64's output function, over all of them.
inline uint64_t randomAt(std::initializer_list<uint64_t> position) {
  uint64_t x = 0;
  for (uint64_t p : position) {
    x += p + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
  }
  return x;
}

// As many as one asks for, at a position.
class Draws {
 public:
  Draws(uint64_t seed, uint64_t position) : seed_(seed), position_(position) {}
  // In [0, bound), bound > 0.
  uint64_t below(uint64_t bound) { return randomAt({seed_, position_, next_++}) % bound; }
  int64_t sign() { return below(2) == 0 ? 1 : -1; }

 private:
  uint64_t seed_, position_, next_ = 0;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_RANDOM_H_

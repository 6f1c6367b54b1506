// The toys that witnesses are forged for, each compiled and run once.
#pragma once

#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "tests/soundness/forgery.h"
#include "tests/soundness/general_program.h"

namespace lindero::test {

inline constexpr ToyOptions kArgmax{}, kLogits{.logits = true}, kTies{.ties = true},
    kGated{.gated = true}, kCopied{.copied = true}, kGeneral{.lanes = 2, .general = 0},
    kPadded{.lanes = 4, .general = kPaddedProgram}, kWide{.wide = true},
    kLongRows{.general = kLongRowsProgram}, kWideSums{.lanes = 4, .general = kWideSumsProgram};
// The third block of three: of the slots before, two are open and one is closed.
inline constexpr ToyOptions kBlocks{.lanes = 2, .decode = true, .block = 2, .at = 2};

// One compiled toy per set of options.
inline const ToyRun& toy(const ToyOptions& options) {
  static auto& runs = *new std::map<std::tuple<bool, bool, bool, bool, bool, int64_t, int64_t>,
                                    std::unique_ptr<ToyRun>>;
  std::unique_ptr<ToyRun>& run = runs[{options.logits, options.ties, options.gated, options.copied,
                                       options.wide, options.general.value_or(-1), options.block}];
  if (!run) run = std::move(*ToyRun::create(options));
  return *run;
}

}  // namespace lindero::test

// Names of the public inputs that a step table has, and nothing else
// (runtime/decode/decode_run.h).
#pragma once

namespace lindero::passes {

inline constexpr char kTape[] = "decode/tape";        // rows + 1 tokens
inline constexpr char kLengths[] = "decode/lengths";  // steps before and after; of them given
inline constexpr char kBlock[] = "decode/block";      // windows before, for each table of scores

}  // namespace lindero::passes

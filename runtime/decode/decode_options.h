// What a user asks of a decode run, and whether a proven run is that.
//
// Tokens are chosen by the package's own integer program, so that a decoded text does not depend on
// floating point. That each is the model's choice, which tokens were given and how many were chosen
// is proven by the step table; when a run may end is a rule about public tokens, checked here.
#ifndef LINDERO_RUNTIME_DECODE_DECODE_OPTIONS_H_
#define LINDERO_RUNTIME_DECODE_DECODE_OPTIONS_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/decode/decode_run.h"
#include "runtime/monitor/monitor.h"

namespace lindero::runtime {

struct DecodeOptions {
  int64_t generate = 0;       // tokens after the prompt, at most; 0: whatever it takes
  std::vector<int64_t> stop;  // each of these ends a run; it is the last token then

  // Without `generate` a run chooses one token.
  StopRule rule() const { return {std::max<int64_t>(1, generate), stop}; }
};

// The shortest of the buckets (ascending) that a run from `prompt` tokens fits in; without
// `generate`, any run does that chooses nothing. Fails with kInput if none is long enough.
absl::StatusOr<int64_t> chooseBucket(const std::vector<int64_t>& buckets, int64_t prompt,
                                     const DecodeOptions& options);

// Continues the tokens as the options say; without `generate` by one token, if there is room, so
// that the choice of every given one is shown. Errors: kInput if there is no room, kOutOfRange for
// a value beyond its calibrated range, kCancelled.
absl::StatusOr<DecodeRun> continueTokens(const Package& package, const DecodeOptions& options,
                                         const std::vector<int64_t>& given, int threads,
                                         Monitor& monitor);

// That a proven run is the decoding of this prompt that the options ask for. The error, kRejected,
// says why not.
absl::Status checkDecoding(const std::optional<DecodeRun>& run, const std::vector<int64_t>& prompt,
                           const DecodeOptions& options);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_DECODE_DECODE_OPTIONS_H_

#include "runtime/decode/decode_options.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/error/error.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {

absl::StatusOr<int64_t> chooseBucket(const std::vector<int64_t>& buckets, int64_t prompt,
                                     const DecodeOptions& options) {
  // A step consumes a token: all of the run but the last.
  const int64_t most = buckets.back();
  if (prompt + options.generate > most + 1) {
    return failure(Error::kInput, tooManyTokens(prompt, options.generate, most));
  }
  const int64_t steps = std::min(most, prompt + options.rule().most - 1);
  return *std::lower_bound(buckets.begin(), buckets.end(), steps);
}

absl::StatusOr<DecodeRun> continueTokens(const Package& package, const DecodeOptions& options,
                                         const std::vector<int64_t>& given, int threads,
                                         Monitor& monitor) {
  const int64_t most = mostSteps(package);
  const auto prompt = static_cast<int64_t>(given.size());
  LINDERO_RETURN_IF_ERROR(chooseBucket({most}, prompt, options).status());
  if (prompt == most + 1) return DecodeRun{given, prompt};
  const StopRule rule = options.rule();
  TraceOptions run_options;
  run_options.threads = threads;
  run_options.cancelled = [&] { return monitor.cancelled(); };
  absl::StatusOr<DecodeRun> run =
      decodeGreedily(package, given, rule, run_options, [&](int64_t generated) {
        monitor.progress("decode", static_cast<double>(generated) / static_cast<double>(rule.most));
      });
  if (!run.ok()) return withRunError(run.status());
  return run;
}

absl::Status checkDecoding(const std::optional<DecodeRun>& run, const std::vector<int64_t>& prompt,
                           const DecodeOptions& options) {
  if (!run) return failure(Error::kRejected, "the key's circuit has no step table");
  if (run->prompt != static_cast<int64_t>(prompt.size()) ||
      !std::equal(prompt.begin(), prompt.end(), run->tokens.begin())) {
    return failure(Error::kRejected, "the proven run has another prompt");
  }
  if (options.generate == 0 && options.stop.empty()) return absl::OkStatus();
  const int64_t most = options.generate > 0 ? options.generate : run->generated();
  return withError(checkStop(*run, {most, options.stop}), Error::kRejected);
}

}  // namespace lindero::runtime

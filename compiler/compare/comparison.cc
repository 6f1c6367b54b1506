#include "compiler/compare/comparison.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/error/error.h"

namespace lindero::compiler {
namespace {

using runtime::Error;
using runtime::failure;
using runtime::PublicTensorValues;

// Of each name that a transcript has, over those that have it.
template <typename Number>
Named<double> medians(absl::Span<const Transcript* const> transcripts,
                      Named<Number> Transcript::* member) {
  Named<std::vector<double>> collected;
  for (const Transcript* transcript : transcripts) {
    for (const auto& [name, number] : transcript->*member) {
      auto found = std::find_if(collected.begin(), collected.end(),
                                [&](const auto& entry) { return entry.first == name; });
      if (found == collected.end()) found = collected.insert(found, {name, {}});
      found->second.push_back(static_cast<double>(number));
    }
  }
  Named<double> result;
  for (auto& [name, numbers] : collected)
    result.emplace_back(name, spreadOf(std::move(numbers)).median);
  return result;
}

absl::Status differ(const std::string& ours, const std::string& theirs, const std::string& what) {
  return failure(Error::kInternal, absl::StrCat("the proofs of ", ours, " and ", theirs, " ", what,
                                                "; please report this model"));
}

}  // namespace

double Transcript::grindingSeconds() const {
  for (const auto& [stage, seconds] : stages) {
    if (stage == "grinding") return seconds;
  }
  return 0;
}

Spread spreadOf(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const size_t half = numbers.size() / 2;
  const double median =
      numbers.size() % 2 == 1 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
  return {median, numbers.front(), numbers.back()};
}

Measured measuredOf(size_t placement, absl::Span<const Transcript> transcripts) {
  std::vector<const Transcript*> own;
  for (const Transcript& transcript : transcripts) {
    if (transcript.placement == placement) own.push_back(&transcript);
  }
  auto spread = [&](auto number) {
    std::vector<double> numbers;
    for (const Transcript* transcript : own)
      numbers.push_back(static_cast<double>(number(*transcript)));
    return spreadOf(std::move(numbers));
  };
  return {
      .trace_seconds = spread([](const Transcript& t) { return t.trace_seconds; }),
      .prove_seconds = spread([](const Transcript& t) { return t.prove_seconds; }),
      .seconds_without_grinding =
          spread([](const Transcript& t) { return t.prove_seconds - t.grindingSeconds(); }),
      .processor_seconds = spread([](const Transcript& t) { return t.processor_seconds; }),
      .verify_seconds = spread([](const Transcript& t) { return t.verify_seconds; }),
      .peak_memory_bytes = spread([](const Transcript& t) { return t.peak_memory_bytes; }),
      .proof_bytes = spread([](const Transcript& t) { return t.proof_bytes; }),
      .stages = medians(own, &Transcript::stages),
      .parts = medians(own, &Transcript::parts),
  };
}

std::vector<Forecast> forecastsOf(const Placement& placement, const Measured& measured) {
  const Placement::Prediction& predicted = placement.predicted;
  return {
      {"online_cells", static_cast<double>(predicted.online_cells),
       static_cast<double>(placement.online_cells)},
      {"fixed_cells", static_cast<double>(predicted.fixed_cells),
       static_cast<double>(placement.fixed_cells)},
      {"seconds_without_grinding", predicted.seconds, measured.seconds_without_grinding.median},
      {"peak_memory_bytes", predicted.memory_bytes, measured.peak_memory_bytes.median},
      {"proof_bytes", predicted.proof_bytes, measured.proof_bytes.median},
  };
}

absl::Status checkEqualSecurity(absl::Span<const Placement> placements, int64_t bits,
                                const std::string& regime) {
  for (const Placement& placement : placements) {
    const Placement& first = placements.front();
    if (placement.promised_bits != bits || placement.regime != regime ||
        placement.security_bits < static_cast<double>(bits)) {
      return failure(Error::kPackage,
                     absl::StrFormat("the key of %s promises %d bits (%s) and has %.1f; asked for "
                                     "are %d (%s)",
                                     placement.policy, placement.promised_bits, placement.regime,
                                     placement.security_bits, bits, regime));
    }
    if (std::abs(placement.security_bits - first.security_bits) >= 1) {
      return failure(Error::kPackage,
                     absl::StrFormat("the keys of %s and %s have %.1f and %.1f bits (%s): costs at "
                                     "unequal security do not compare; ask for other "
                                     "--security-bits",
                                     first.policy, placement.policy, first.security_bits,
                                     placement.security_bits, regime));
    }
  }
  return absl::OkStatus();
}

absl::Status checkSameValues(std::vector<PublicTensorValues> ours,
                             std::vector<PublicTensorValues> theirs, const std::string& our_policy,
                             const std::string& their_policy) {
  auto before = [](const PublicTensorValues& a, const PublicTensorValues& b) {
    return std::pair(a.output, a.name) < std::pair(b.output, b.name);
  };
  std::sort(ours.begin(), ours.end(), before);
  std::sort(theirs.begin(), theirs.end(), before);
  if (ours.size() != theirs.size())
    return differ(our_policy, their_policy, "state other numbers of tensors");
  for (size_t i = 0; i < ours.size(); ++i) {
    const PublicTensorValues &a = ours[i], &b = theirs[i];
    if (a == b) continue;
    const std::string tensor = absl::StrCat(a.output ? "output" : "input", " '", a.name, "'");
    if (!a.values || !b.values || a.values->size() != b.values->size() || a.name != b.name) {
      return differ(our_policy, their_policy, absl::StrCat("differ in ", tensor));
    }
    const auto [x, y] = std::mismatch(a.values->begin(), a.values->end(), b.values->begin());
    if (x == a.values->end()) {
      return differ(our_policy, their_policy, absl::StrCat("differ in the shape of ", tensor));
    }
    return differ(
        our_policy, their_policy,
        absl::StrCat("state ", *x, " and ", *y, " at ", x - a.values->begin(), " of ", tensor));
  }
  return absl::OkStatus();
}

}  // namespace lindero::compiler

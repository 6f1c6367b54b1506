// What a model is given: named arrays, from a file or from a program; and how they become the
// integer values of a circuit's public inputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/inputs/numpy_file.h"
#include "runtime/model/model_facts.h"
#include "runtime/package/circuit.pb.h"
#include "runtime/package/statement.pb.h"

namespace lindero::runtime {

// An object of name -> nested list, or a bare nested list, which gets an empty name. Numbers of
// a list are all integers, or the list is one of reals.
absl::StatusOr<std::vector<InputArray>> parseInputJson(absl::string_view text);
// A file of that form, .npy or .npz. What are reals, but whole numbers, are integers, too. Errors:
// kFile, and kInput for what is none of them.
absl::StatusOr<std::vector<InputArray>> readInputFile(const std::string& path);

// Whatever can be said of the arrays before the model is compiled: names, element types, shapes
// (sizes of 1 do not count), the vocabulary, reals that are no numbers. `decode`: they are the
// prompt of a decode run. Errors name the input and what the model wants: kInput; kToken;
// kOutOfRange for NaN and infinity.
absl::Status checkInputs(const ModelFacts& facts, const std::vector<InputArray>& arrays,
                         bool decode);

// One entry per public input of the circuits, in their order. Checks what checkInputs does; rounds
// reals to the input's fixed-point type and refuses those beyond its range (kOutOfRange). Where the
// model is causal, fewer tokens than compiled for are padded with token 0 after them:
// `short_inputs` says where.
struct ShortInput {
  std::string name;
  int64_t given = 0, length = 0;  // elements
};
struct BoundInputs {
  Statement statement;
  std::vector<ShortInput> short_inputs;  // in the circuits' order
};
absl::StatusOr<BoundInputs> bindInputs(absl::Span<const Circuit* const> circuits,
                                       const ModelFacts& facts,
                                       const std::vector<InputArray>& arrays);

// The tokens that a decode run starts with: any number.
absl::StatusOr<std::vector<int64_t>> promptOf(const ModelFacts& facts,
                                              const std::vector<InputArray>& arrays);

}  // namespace lindero::runtime

// What the fuzz targets share. A target is a program of libFuzzer: it must end no input by a
// signal, a sanitizer's report, or a property that does not hold.
#ifndef LINDERO_TESTS_FUZZ_FUZZ_H_
#define LINDERO_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace lindero::fuzz {

inline absl::string_view textOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Where `run` put the seeds: the environment's LINDERO_FUZZ.
std::string seedPath(absl::string_view name);
// A file there. Ends the program if there is none.
std::string seed(absl::string_view name);

// Ends the program, as a finding, if a property does not hold.
void demand(bool holds, absl::string_view property);

// One of libFuzzer's own changes of a field of any length.
void change(std::string& field);

// For LLVMFuzzerCustomMutator: what `inside` makes of the input, if it is one that can be taken
// apart and the result fits; libFuzzer does not find the way through lengths by itself. Else one of
// its own changes.
size_t changeInside(uint8_t* data, size_t size, size_t most,
                    absl::FunctionRef<bool(std::string& input)> inside);

}  // namespace lindero::fuzz

#endif  // LINDERO_TESTS_FUZZ_FUZZ_H_

// Arrays in NumPy's files: .npy (format versions 1 to 3) and .npz (a zip archive of them, stored or
// deflated).
//
// Booleans, integers of up to 64 bits and floats of 4 or 8 bytes, little-endian, row-major.
// Anything else, and anything that does not add up, is an error of one line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lindero::runtime {

// One input as the user gave it; `integers` or `reals` holds the elements, row-major.
struct InputArray {
  std::string name;  // empty where the file gives none
  std::vector<int64_t> shape;
  bool integer = false;
  std::vector<int64_t> integers = {};
  std::vector<double> reals = {};
};

absl::StatusOr<InputArray> parseNpy(absl::string_view bytes);
// Every array of the archive, with its name, in the archive's order.
absl::StatusOr<std::vector<InputArray>> readNpz(const std::string& path);

// Format version 1, of int64 or float64.
std::string npyOf(const InputArray& array);

// A .npz archive of the arrays under their names, which appears whole or not at all. Errors: kFile.
absl::Status writeNpz(const std::string& path, const std::vector<InputArray>& arrays);

}  // namespace lindero::runtime

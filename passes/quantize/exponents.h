// What calibration chose, as integers: the only thing that passes from floating point (machine
// dependent) to the integer program (exact). A small JSON file that is part of the package and an
// input of every audit.
//
// A tensor with exponent f and b bits holds v for the real number v / 2^f, -2^(b-1) <= v < 2^(b-1).
// There is one site for each value of exponentSites() (storage.h), in that order, holding the named
// integers that quantization needs of it:
//   exponent, bits                     wherever a value is stored; more than 16 bits: it is wide
//                                      (widen_streams.h)
//   branch_exponent                    wide sums: of what is added, column by column; of columns
//                                      that have another one branch_exponent.<column>
//   key_exponent, key_bits             activations: of the table's key
//   max_exponent                       LayerNorm: the largest j, of a variance up to 2^(16 + 2j)
//   copy_exponent, copy_bits           LayerNorm: of the copy with gamma and beta, where
//                                      needsAffineCopy()
//   probability_bits                   attention, softmax
//   input_bits                         matmul, and linears and attentions that read what is stored
//                                      for readers of any kind: how many bits of it they take
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "llvm/ADT/StringRef.h"

namespace lindero::passes {

struct ExponentSite {
  std::string op;    // "tensor.linear", or "argument": checked against the function
  std::string node;  // for the reader of the file; not checked
  std::map<std::string, int64_t> values;

  bool operator==(const ExponentSite&) const = default;

  // The named value; an error that names the op if it is not there.
  absl::StatusOr<int> get(llvm::StringRef name) const;
};

struct Exponents {
  std::vector<ExponentSite> sites;
  int64_t weight_bits = 16;
  // A product whose weights would have less is of two parts (quantize.h); 0: none is.
  int64_t least_weight_bits = 0;

  bool operator==(const Exponents&) const = default;

  // The named value of a site; an error if the site or the value is not there.
  absl::StatusOr<int> get(size_t site, llvm::StringRef name) const;
};

// One site per value of the function, with its op; the message names the first that differs.
absl::Status checkSites(const Exponents& exponents, const ir::Function& function);

// Canonical JSON: keys sorted, no blanks, integers and strings alone; ends in a newline.
std::string toJson(const Exponents& exponents);
absl::StatusOr<Exponents> exponentsFromJson(llvm::StringRef text);

}  // namespace lindero::passes

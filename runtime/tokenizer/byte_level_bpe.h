// Byte-level byte pair encoding, as in the tokenizer.json of GPT-2 and its kin.
//
// Encoding: text is cut at added tokens, each of which is an id of its own; between them it is
// normalized (NFC, if the file says so) and cut into words by the file's regular expressions; the
// bytes of a word are merged pair by pair, the pair that comes first in the file's list first.
// Every text has an encoding, and decoding gives it back (but for NFC).
//
// What such a file may ask for beyond that (tokens put in front, prefix spaces, dropout, other
// normalizers) is refused, never ignored. Cost of encoding: per word, the square of its length.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "runtime/tokenizer/tokenizer.h"

namespace lindero::runtime {

// Errors say what of the file is not supported.
absl::StatusOr<std::unique_ptr<const TokenEncoding>> parseByteLevelBpe(const nlohmann::json& json);

}  // namespace lindero::runtime

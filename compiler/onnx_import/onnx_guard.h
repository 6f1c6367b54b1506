// Where the ONNX library's exceptions end: what it throws becomes a status of one line.
#pragma once

#include <exception>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace lindero::compiler {

// The library's messages have many lines.
inline std::string oneLine(const char* message) {
  std::vector<std::string> words =
      absl::StrSplit(message, absl::ByAnyChar(" \n\t\r"), absl::SkipEmpty());
  return absl::StrJoin(words, " ");
}

// Runs a step of the ONNX library. Its failure is the model's: kInvalidArgument.
template <typename Step>
absl::Status guarded(const char* what, Step step) {
  try {
    step();
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", oneLine(error.what())));
  } catch (...) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": unknown error"));
  }
}

}  // namespace lindero::compiler

// Models that take the keys and values of past tokens, and return those of past and new tokens.
//
// With an empty past such a model is the pass over all tokens that a model without a cache is, and
// that one pass is what gets proven: the past length becomes 0, the cache inputs empty constants,
// and the outputs that hold caches are dropped.
//
// An input is a cache if it is of floats, all that is read of it (through reshapes, transposes,
// splits and the like, and apart from its shape) is the first part of concatenations, or the past
// of attention ops, and their results, through the same kind of ops, are outputs of the graph,
// beside others. Names do not count. A past whose length the file or the options fix stays an input
// like any other, and what it is joined to an output.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

// Sets the past length of every cache input to 0 and drops the outputs that hold caches; returns
// the inputs' names. The past length is the one dimension that neither `dims` binds nor another
// input names. Leaves caches as they are all of whose dimensions are fixed or bound by `dims`.
// Errors: a cache without a dimension that could be the past length, or with several; a model that
// takes a single token.
absl::StatusOr<std::vector<std::string>> bindEmptyCaches(
    onnx::GraphProto& graph, const std::map<std::string, int64_t>& dims);

// Makes inputs of that name, which have static shapes without elements, constants.
void makeEmptyConstants(onnx::GraphProto& graph, const std::vector<std::string>& inputs);

}  // namespace lindero::compiler

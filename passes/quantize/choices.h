// Outputs that are discrete: what chooses them, and when another answer is as good. Integers round
// what decides, so that near ties may go either way.
#pragma once

#include <cstdint>

#include "ir/core/ir.h"
#include "ir/tensor/array.h"

namespace lindero::passes {

// What the output is chosen by: the values of an ArgMax, or the differences that a comparison is a
// function of; null for others.
const ir::Value* choiceOf(const ir::Value& output);

// Is the difference so small that either truth value will do?
bool isClose(const ir::tensor::Array& differences, int64_t element);

// Is the value at the chosen index as good as the largest one of its row?
bool asGood(const ir::tensor::Array& scores, int64_t row, int64_t chosen);

}  // namespace lindero::passes

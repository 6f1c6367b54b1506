// Numbers that are computed element by element from one truth value and constants: what they are
// where it is 0, and where it is 1. So masks are known by their values, however they are spelled:
// (1 - m) * -1e4, (m - 1) * 1e4, m * 1e4 - 1e4, (1 - m) / -1e-4.
#pragma once

#include <optional>

#include "ir/core/ir.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace lindero::passes {

struct TwoNumbers {
  double at_zero, at_one;
};

// What the op makes of operands that take two values each; of constants of one element, two equal
// ones. Each is of single precision, as runtimes compute it. Nothing if one of the operands is
// neither, or the op no function of numbers.
std::optional<TwoNumbers> twoNumbersOf(
    const ir::Op& op,
    llvm::function_ref<std::optional<TwoNumbers>(const ir::Value*)> numbersOfOperand);

}  // namespace lindero::passes

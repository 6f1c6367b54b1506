// Early returns for absl::Status and absl::StatusOr, for ir/, passes/ and compiler/.
#pragma once

#include <utility>

#include "absl/status/status.h"

#define IR_RETURN_IF_ERROR(expression)                                              \
  do {                                                                              \
    if (::absl::Status ir_status = (expression); !ir_status.ok()) return ir_status; \
  } while (false)

// IR_ASSIGN_OR_RETURN(auto x, f()): x is the value, or the error is returned.
#define IR_ASSIGN_OR_RETURN(declaration, expression) \
  IR_ASSIGN_OR_RETURN_AS(IR_STATUS_JOIN(ir_status_or_, __LINE__), declaration, expression)
#define IR_ASSIGN_OR_RETURN_AS(name, declaration, expression) \
  auto name = (expression);                                   \
  if (!name.ok()) return name.status();                       \
  declaration = *std::move(name)
#define IR_STATUS_JOIN(a, b) IR_STATUS_JOIN2(a, b)
#define IR_STATUS_JOIN2(a, b) a##b

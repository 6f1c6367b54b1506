// Early returns for absl::Status and absl::StatusOr.
#ifndef LINDERO_RUNTIME_PACKAGE_STATUS_MACROS_H_
#define LINDERO_RUNTIME_PACKAGE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"

#define LINDERO_RETURN_IF_ERROR(expression)                                   \
  do {                                                                        \
    if (::absl::Status lindero_status = (expression); !lindero_status.ok()) { \
      return lindero_status;                                                  \
    }                                                                         \
  } while (false)

#define LINDERO_STATUS_JOIN2(a, b) a##b
#define LINDERO_STATUS_JOIN(a, b) LINDERO_STATUS_JOIN2(a, b)
#define LINDERO_ASSIGN_OR_RETURN(declaration, expression) \
  LINDERO_ASSIGN_OR_RETURN_AS(LINDERO_STATUS_JOIN(lindero_or_, __LINE__), declaration, expression)
#define LINDERO_ASSIGN_OR_RETURN_AS(name, declaration, expression) \
  auto name = (expression);                                        \
  if (!name.ok()) return name.status();                            \
  declaration = *std::move(name)

#endif  // LINDERO_RUNTIME_PACKAGE_STATUS_MACROS_H_

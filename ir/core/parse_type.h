// Types as the parser reads them. Both return false after an error; the lexer keeps it.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/core/ir.h"
#include "ir/core/lexer.h"

namespace lindero::ir {

bool parseType(Lexer& lexer, Type& type);

// `4x64`, or nothing: at most 2^48 elements.
bool parseSizes(Lexer& lexer, std::vector<int64_t>& shape);

}  // namespace lindero::ir

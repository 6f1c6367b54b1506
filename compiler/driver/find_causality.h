// Does each position of a model of tokens depend on those before it alone? Then a run may have
// fewer tokens than the model was compiled for: what fills the rest decides nothing.
#pragma once

#include "ir/core/ir.h"

namespace lindero::compiler {

// The op that is not known to keep positions apart; null if there is none, and the function reads
// tokens alone. Causal attention mixes a position with those before it; all others must work along
// other axes than that of the tokens.
const ir::Op* findMixing(const ir::Function& function);

// Is it known that each position depends on those before it alone?
bool isCausal(const ir::Function& function);

}  // namespace lindero::compiler

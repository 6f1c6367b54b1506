// LayerNorm and RMSNorm of wide rows (integer.layernorm with a row_shift), row-major.
#pragma once

#include <memory>

#include "passes/lower_air/gadgets/gadget.h"

namespace lindero::passes {

std::unique_ptr<Gadget> makeWideNorms(Wiring& wiring);

}  // namespace lindero::passes

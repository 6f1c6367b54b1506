// lower-to-air: the integer function @main becomes @circuit (air) and @trace (trace); @main stays.
//
// Requires: @main in the integer dialect, with or without regions, as `quantize` leaves it.
// Guarantees: tables are stacked per kind of work over all layers; every main column is pinned by
// constraints, lookups or terms; matrix products are checked by folding, copies by address. What
// each op becomes is its gadget's (gadgets/gadget.h); this pass lists the items, chooses their
// layout (choose_layout.h) and builds the tables. Cost: the size of the module grows with the
// number of layers, not with the tensors' sizes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "passes/pass.h"

namespace lindero::passes {

// What a proof is to be, at the same security: made faster, smaller, or a balance of both.
enum class Prefer { kSpeed, kBalance, kSize };
absl::string_view nameOf(Prefer prefer);  // "speed", "balance", "size"
std::optional<Prefer> preferNamed(absl::string_view name);

struct LowerToAirOptions {
  // Most elements per row of a table of witnesses. How many it is to be is chosen by cost.
  int64_t lanes = 16;
  // As many as that, whatever it costs, if need be in partial rows; where rows must be full, as
  // many as divide them.
  bool widest = false;
  // Weights per row of a weight table; 0: by cost, too.
  int64_t weight_lanes = 0;
  // What columns, which are bytes of proofs, are worth.
  Prefer prefer = Prefer::kBalance;
  // With a step table: runs of any prompt and any number of chosen tokens that fit
  // (gadgets/steps). The program is of a causal model (positions.h): of softmaxes over stored
  // scores, that is not checked again.
  bool decode = false;
};

// An end of a link: an input or an output of @main whose other end is in another circuit of the
// bundle. Both have one tile, one first address and one slot of @trace; nothing else has them.
// Who takes has the tile whole; of who gives, the columns follow from where the tensor stands
// (`columns` 0). `rows` is the number of lanes of all items that stand down as many rows as the
// tensor has.
struct LinkEnd {
  int64_t slot = 0;
  int64_t address = 0;
  int64_t rows = 1, columns = 0;  // of the tile
};

using LinkEnds = std::map<std::string, LinkEnd>;  // by the names of inputs and outputs

// Addresses of links are from here on, those within a circuit below.
inline constexpr int64_t kFirstLinkAddress = int64_t{1} << 26;

std::unique_ptr<Pass> createLowerToAir(LowerToAirOptions options = {}, LinkEnds links = {});
absl::Status registerLowerToAir();

}  // namespace lindero::passes

#include "ir/region/ops.h"

namespace lindero::ir::region {

namespace {

using enum Arity;
using enum AttrKind;

}  // namespace

std::vector<OpDef> ops() {
  std::vector<OpDef> ops;
  ops.push_back(
      {.name = "region.region",
       .summary = "Ops that do one kind of work; values from outside are visible inside",
       .results = {{"yielded", kVariadic, "what region.yield hands out, in its order"}},
       .attributes = {{"kind", kString, true,
                       "embedding, attention, normalization, linear, lookup or decode; within "
                       "attention also views, compare, normalize and mix"},
                      {"label", kString, true, "\"layer0/attention\": names costs and errors"},
                      {"segment", kInt, false,
                       "the proof that the work belongs to; 0 if absent; outermost regions only"}},
       .constraints = {"kind is one of those listed",
                       "the results have the types of region.yield's operands",
                       "segment >= 0, not on a nested region"},
       .has_block = true,
       .block_terminator = "region.yield",
       .pure = true});
  ops.push_back({.name = "region.yield",
                 .summary = "The values that a region hands out",
                 .operands = {{"values", kVariadic, ""}},
                 .terminator = true});
  return ops;
}

}  // namespace lindero::ir::region

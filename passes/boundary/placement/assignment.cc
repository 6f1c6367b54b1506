#include "passes/boundary/placement/assignment.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/region/segment.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::region::kSegment;

// The op's own attribute; true if that changed it.
bool setSegment(Op& op, std::optional<int64_t> segment) {
  const std::optional<int64_t> before =
      op.has(kSegment) ? std::optional(op.intAttr(kSegment)) : std::nullopt;
  if (before == segment) return false;
  if (segment) {
    op.set(kSegment, *segment);
  } else {
    op.remove(kSegment);
  }
  return true;
}

class Writer {
 public:
  Writer(const PlacementGraph& graph, const Assignment& assignment)
      : graph_(graph), assignment_(assignment) {}

  bool write(ir::Block& block, bool said) {
    bool changed = false;
    for (Op& op : block.ops()) {
      if (op.def().terminator || op.is("integer.constant")) continue;
      const std::optional<int64_t> segment = segmentIn(op);
      changed |= setSegment(op, said ? std::nullopt : segment);
      if (op.block() != nullptr) changed |= write(*op.block(), said || segment);
    }
    return changed;
  }

 private:
  // Of all ops in it; none if they differ.
  std::optional<int64_t> segmentIn(const Op& op) const {
    if (op.block() == nullptr) return assignment_.segments[graph_.atomOf(op)];
    std::optional<int64_t> segment;
    bool one = true;
    ir::walk(std::as_const(*op.block()), [&](const Op& inner) {
      if (inner.block() != nullptr || inner.def().terminator || inner.is("integer.constant"))
        return;
      const int64_t own = assignment_.segments[graph_.atomOf(inner)];
      one &= segment.value_or(own) == own;
      segment = own;
    });
    return one ? segment : std::nullopt;
  }

  const PlacementGraph& graph_;
  const Assignment& assignment_;
};

absl::Status refuse(std::string why) { return absl::InvalidArgumentError(std::move(why)); }

std::string place(const Op& op) {
  return absl::StrCat(ir::describe(op), " is in segment ", *ir::region::segmentOf(op));
}

}  // namespace

int64_t Assignment::count() const {
  return segments.empty() ? 0 : 1 + *std::max_element(segments.begin(), segments.end());
}

Assignment assignmentOfCuts(size_t atoms, llvm::ArrayRef<size_t> cuts) {
  Assignment assignment;
  for (size_t atom = 0, segment = 0; atom < atoms; ++atom) {
    while (segment < cuts.size() && cuts[segment] <= atom) ++segment;
    assignment.segments.push_back(static_cast<int64_t>(segment));
  }
  return assignment;
}

absl::Status checkAssignment(const PlacementGraph& graph, const Assignment& assignment) {
  const size_t atoms = graph.atoms().size();
  if (assignment.segments.size() != atoms) {
    return refuse(absl::StrCat("an assignment of ", assignment.segments.size(),
                               " atoms, where there are ", atoms));
  }
  std::vector<bool> used(atoms);
  for (size_t atom = 0; atom < atoms; ++atom) {
    const int64_t segment = assignment.segments[atom];
    if (segment < 0 || segment >= static_cast<int64_t>(atoms)) {
      return refuse(absl::StrCat(graph.describe(atom), " is in segment ", segment,
                                 "; they are numbered from 0 without gaps"));
    }
    used[segment] = true;
  }
  for (int64_t segment = 0; segment < assignment.count(); ++segment) {
    if (used[segment]) continue;
    return refuse(absl::StrCat("no op is in segment ", segment, " of ", assignment.count(),
                               "; they are numbered from 0 without gaps"));
  }
  for (const Crossing& crossing : graph.crossings()) {
    for (size_t reader : crossing.readers) {
      const int64_t from = assignment.segments[crossing.maker], to = assignment.segments[reader];
      if (from <= to) continue;
      return refuse(absl::StrCat(graph.describe(reader), " is in segment ", to, " and reads ",
                                 ir::describe(*crossing.value->definingOp()), " of segment ", from,
                                 ": a segment reads from those before it alone"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Assignment> readAssignment(const PlacementGraph& graph) {
  for (const Op* op : workOf(graph.function())) {
    if (!ir::region::segmentOf(*op)) {
      return refuse(
          absl::StrCat(ir::describe(*op),
                       " has no segment, nor has a region around it; place-proof-boundaries "
                       "gives one to each op"));
    }
    for (const Flow& flow : flowsInto(*op)) {
      const std::string why = whyTogether(flow);
      if (why.empty() || ir::region::segmentOf(*flow.maker) == ir::region::segmentOf(*op)) continue;
      return refuse(absl::StrCat(place(*flow.maker), ", ", place(*op), " and reads it, but ", why,
                                 ": no boundary can be between them; give both one segment"));
    }
  }
  Assignment assignment;
  for (const Atom& atom : graph.atoms()) {
    assignment.segments.push_back(*ir::region::segmentOf(*atom.ops.front()));
    for (const Op* op : atom.ops) {
      if (ir::region::segmentOf(*op) == assignment.segments.back()) continue;
      return refuse(absl::StrCat(place(*atom.ops.front()), ", ", place(*op),
                                 ", but each reads of the other: give both one segment"));
    }
  }
  IR_RETURN_IF_ERROR(checkAssignment(graph, assignment));
  return assignment;
}

bool writeAssignment(const PlacementGraph& graph, const Assignment& assignment,
                     ir::Function& main) {
  return Writer(graph, assignment).write(main.body(), false);
}

bool eraseAssignment(ir::Function& main) {
  bool changed = false;
  ir::walk(main.body(), [&](Op* op) { changed |= setSegment(*op, std::nullopt); });
  return changed;
}

}  // namespace lindero::passes

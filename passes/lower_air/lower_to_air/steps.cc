// The steps of a decode run, a row each: state in, token in -> token out, state out.
//   active = 1 on the run's steps, 0 behind them; chosen = 0 while tokens are given, then 1;
//   frontier_in, frontier_out: tokens consumed before and after; given_in, given_out: those of them
//   with a given token behind; shown = active * choice, and chosen (token_out - shown) = 0.
// The first token, every token_out and the state before the first row and behind the last one are
// public; token_in is what the step's embedding reads, choice the argmax of its position.
// GADGETS.md, section 12.
#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {

void buildSteps(Lowering& l, const Steps& steps) {
  CircuitBuilder& c = l.circuit;
  TableBuilder t(c, "steps", steps.rows);
  Expr first = t.fixed("first"), within = t.fixed("within"), last = t.fixed("last");
  Expr embedding = t.fixed("embedding"), position = t.fixed("position");
  Expr tape = t.fixed("tape"), published = t.fixed("published");
  t.fillConstant(first, 0, 1, 1);
  if (steps.rows > 1) t.fillConstant(within, 1, steps.rows - 1, 1);
  t.fillConstant(last, steps.rows - 1, 1, 1);
  auto addresses = [&](Expr column, int64_t address) {
    t.fill(column, {0, {{steps.rows, 1, 1}}, address, 0});
  };
  addresses(embedding, steps.embed->address);
  addresses(position, steps.choice->address);
  addresses(tape, steps.tape + 1);
  addresses(published, steps.choices);

  const ir::Value* read = steps.embed->origin.op->result();
  const ir::Value* choose = steps.choice->origin.op->result();
  auto main = [&](const char* name, const ir::Value* value, const char* witness) {
    Expr column = t.main(name);
    t.place(column, {value, witness}, {0, {{steps.rows, 1, 1}}, 0, 0});
    return column;
  };
  Expr active = main("active", read, "active"), chosen = main("chosen", read, "chosen");
  Expr frontier_in = main("frontier_in", read, "frontier_in");
  Expr frontier_out = main("frontier_out", read, "frontier_out");
  Expr given_in = main("given_in", read, "given_in");
  Expr given_out = main("given_out", read, "given_out");
  Expr token_in = main("token_in", read, "ids"), token_out = main("token_out", read, "token_out");
  Expr choice = main("choice", choose, ""), shown = main("shown", choose, "shown");

  using enum TableBuilder::Kind;
  Expr one = t.constant(1), on = first + within;
  t.constrain(on * active * (one - active), "active is a bit");
  t.constrain(on * chosen * (one - chosen), "chosen is a bit");
  t.constrain(on * (frontier_out - frontier_in - active), "a step consumes one token");
  t.constrain(on * (given_out - given_in - one + chosen), "given tokens counted");
  t.constrain(on * (shown - active * choice), "the choice of a step of the run is shown");
  t.constrain(on * chosen * (token_out - shown), "a token that is not given is the choice");
  t.constrain(on * (one - active) * token_out, "no token behind the run");

  t.constrain(within * active * (one - t.previous(active)), "the run does not start again",
              kContinuity);
  t.constrain(within * t.previous(chosen) * (one - chosen), "nothing is given after a choice",
              kContinuity);
  t.constrain(within * (token_in - active * t.previous(token_out)), "token handed over",
              kContinuity);
  t.constrain(within * (frontier_in - t.previous(frontier_out)), "frontier handed over",
              kContinuity);
  t.constrain(within * (given_in - t.previous(given_out)), "given tokens handed over", kContinuity);

  scalarTerm(t, "embedding", on, embedding, token_in, 1);
  scalarTerm(t, "choice", on, position, choice, -1);
  if (steps.positions) {
    Expr place = t.fixed("place");
    addresses(place, steps.positions->address);
    scalarTerm(t, "place", on, place, frontier_in, 1);
  }
  scalarTerm(t, "first token", first, t.constant(steps.tape), token_in, -1, kTape);
  scalarTerm(t, "tape", on, tape, token_out, -1, kTape);
  scalarTerm(t, "choices", on, published, shown, 1, steps.choice->name);
  auto length = [&](const char* name, Expr row, int64_t index, Expr value) {
    scalarTerm(t, name, row, t.constant(steps.lengths + index), value, -1, kLengths);
  };
  length("steps before", first, 0, frontier_in);
  length("steps behind", last, 1, frontier_out);
  length("given before", first, 2, given_in);
  length("given behind", last, 3, given_out);

  ir::Location nodes = steps.embed->origin.op->location();
  llvm::append_range(nodes, steps.choice->origin.op->location());
  t.instance(0, steps.rows, "decode", nodes);
  c.publicTensor({kTape, false, steps.rows + 1, 1, 0, steps.vocabulary - 1, 0, steps.tape, 1, 1});
  c.publicTensor({kLengths, false, 4, 1, 0, steps.context, 0, steps.lengths, 1, 1});
  c.publicTensor({steps.choice->name, true, steps.rows, 1, 0, steps.choice->columns - 1, 0,
                  steps.choices, 1, 1});
}

}  // namespace lindero::passes

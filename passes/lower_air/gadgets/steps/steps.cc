#include "passes/lower_air/gadgets/steps/steps.h"

#include "passes/lower_air/gadgets/steps/public_inputs.h"

namespace lindero::passes {

void StepsTable::build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const {
  CircuitBuilder& c = l.circuit;
  const DecodeSteps& steps = *this->steps;
  const Layout& at = l.layout;
  Expr first = t.fixed("first"), within = t.fixed("within"), last = t.fixed("last");
  Expr embedding = t.fixed("embedding"), position = t.fixed("position");
  Expr tape = t.fixed("tape"), published = t.fixed("published");
  t.fillConstant(first, 0, 1, 1);
  if (steps.rows > 1) t.fillConstant(within, 1, steps.rows - 1, 1);
  t.fillConstant(last, steps.rows - 1, 1, 1);
  auto addresses = [&](Expr column, int64_t address) {
    t.fill(column, {0, {{steps.rows, 1, 1}}, address, 0});
  };
  addresses(embedding, at.address(steps.embedding->ids));
  addresses(position, at.address(steps.choice->indices));
  addresses(tape, at.address(steps.tape) + 1);
  addresses(published, at.address(steps.choices));

  const ir::Value* read = steps.embedding->origin.op->result();
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
  t.constrain(on * (one - active) * token_out, "no token after the run");

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
    addresses(place, at.address(steps.positions->ids));
    scalarTerm(t, "place", on, place, frontier_in, 1);
  }
  scalarTerm(t, "first token", first, t.constant(at.address(steps.tape)), token_in, -1, kTape);
  scalarTerm(t, "tape", on, tape, token_out, -1, kTape);
  scalarTerm(t, "choices", on, published, shown, 1, steps.choice->name);
  auto length = [&](const char* name, Expr row, int64_t index, Expr value) {
    scalarTerm(t, name, row, t.constant(at.address(steps.lengths) + index), value, -1, kLengths);
  };
  length("steps before", first, 0, frontier_in);
  length("steps after", last, 1, frontier_out);
  length("given before", first, 2, given_in);
  length("given after", last, 3, given_out);

  ir::Location nodes = steps.embedding->origin.op->location();
  llvm::append_range(nodes, steps.choice->origin.op->location());
  t.instance(0, steps.rows, "decode", nodes);
  c.publicTensor(
      {kTape, false, steps.rows + 1, 1, 0, steps.vocabulary - 1, 0, at.address(steps.tape), 1, 1});
  c.publicTensor({kLengths, false, 4, 1, 0, steps.context, 0, at.address(steps.lengths), 1, 1});
  c.publicTensor({steps.choice->name, true, steps.rows, 1, 0, steps.choice->columns - 1, 0,
                  at.address(steps.choices), 1, 1});
}

Steps::Steps(Wiring& wiring, const Embeddings& embeddings, const Products& products,
             const Results& results, SoftmaxGadget& softmax, const Argmax& argmax)
    : wiring_(wiring),
      embeddings_(embeddings),
      products_(products),
      results_(results),
      softmax_(softmax),
      argmax_(argmax) {}

absl::Status Steps::check() const {
  auto no = [](const std::string& why) {
    return absl::UnimplementedError("no decode run: " + why);
  };
  const bool windows = !products_.linked().empty();
  const auto& embeddings = embeddings_.items();
  if (embeddings.size() != (windows ? 2 : 1) ||
      wiring_.inputs() != (windows ? 3 + products_.linked().size() : 1)) {
    return no("the model's one input must be tokens, read by one embedding");
  }
  for (const Softmax& a : softmax_.items()) {
    const Softmax& first = softmax_.items().front();
    if (!a.origin.op->boolAttr("causal")) return cannotLower(*a.origin.op, "it is not causal");
    if (a.open_windows != first.open_windows || a.keys != first.keys ||
        (a.open_windows != nullptr) != windows) {
      return cannotLower(*a.origin.op,
                         "all scores must be of the same windows of steps, or of none");
    }
  }
  if (windows && (softmax_.items().empty() ||
                  embeddings.back().added != embeddings.front().origin.op->result())) {
    return no("a window of steps attends, and adds positions to its tokens");
  }
  const Choice* choice = argmax_.onlyChoice();
  if (!choice || results_.publishes() || !wiring_.publicOutputs().empty() ||
      choice->rows != embeddings.back().rows || choice->name.empty() || products_.selectsRows()) {
    return no("its one output must be the argmax of every position");
  }
  return absl::OkStatus();
}

absl::Status Steps::connect() {
  const bool windows = !products_.linked().empty();
  if (!wiring_.decode()) {
    if (!windows && llvm::none_of(softmax_.items(), [](auto& a) { return a.open_windows; })) {
      return absl::OkStatus();
    }
    return absl::UnimplementedError(
        "windows of steps are those of a decode run: give the option decode");
  }
  if (absl::Status s = check(); !s.ok()) return s;
  const Embedding& tokens = embeddings_.items().back();
  DecodeSteps& steps = table_.steps.emplace(DecodeSteps{.embedding = &tokens,
                                                        .choice = argmax_.onlyChoice(),
                                                        .rows = tokens.rows,
                                                        .context = tokens.rows,
                                                        .vocabulary = tokens.matrix->rows});
  if (windows) {
    steps.positions = &embeddings_.items().front();
    steps.context = softmax_.items().front().keys;
  }
  steps.tape = wiring_.scalars(steps.rows + 1);
  steps.lengths = wiring_.scalars(4);
  softmax_.setWindows(wiring_.scalars(softmax_.items().size()));
  steps.choices = wiring_.scalars(steps.rows);
  return absl::OkStatus();
}

// What the windows of a bundle have from one another.
void Steps::publish(AirLowering& l) const {
  if (products_.linked().empty()) return;
  const DecodeSteps& steps = *table_.steps;
  const int64_t windows = steps.context / steps.rows;
  int64_t low = 0, high = 0;
  for (const Linked& c : products_.linked()) {
    low = std::min(low, c.all->type().low), high = std::max(high, c.all->type().high);
  }
  l.circuit.link(low, high, windows);
  const SoftmaxTable& softmax = softmax_.table();
  const int64_t tables = l.layout.stacks(softmax).size();
  l.circuit.publicTensor(
      {kBlock, false, tables, 1, 0, windows - 1, 0, l.layout.address(softmax.windows), 1, 1});
}

void Steps::traceInputs(TraceWriter& t) const {
  if (!table_.steps) return;
  const DecodeSteps& steps = *table_.steps;
  const ir::Op& embedding = *steps.embedding->origin.op;
  t.setOrigin(embedding.location(), "decode");
  const Step step = t.step("decode", {{"tape", t.input(kTape)}, {"lengths", t.input(kLengths)}});
  t.keepAll(
      embedding.result(), step,
      {"active", "chosen", "frontier_in", "frontier_out", "given_in", "given_out", "token_out"});
  t.keep(embedding.result(), "ids", step["token_in"]);
  t.keep(steps.choice->origin.op->result(), "active", step["active"]);
  if (!steps.positions) return;
  t.keep(steps.positions->origin.op->result(), "ids", step["frontier_in"]);
  ir::Value* windows = t.input(kBlock);
  for (const Softmax& a : softmax_.items()) t.keep(a.open_windows, "", windows);
}

}  // namespace lindero::passes

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/emit/emit.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::compiler {
namespace {

class ProgramWriter {
 public:
  explicit ProgramWriter(const Circuit& circuit) {
    for (int t = 0; t < circuit.tables_size(); ++t) {
      tables_[circuit.tables(t).name()] = t;
      for (int c = 0; c < circuit.tables(t).columns_size(); ++c) {
        columns_[{t, circuit.tables(t).columns(c).name()}] = c;
      }
    }
    for (int p = 0; p < circuit.publics_size(); ++p) publics_[circuit.publics(p).name()] = p;
  }

  absl::StatusOr<Program> run(const ir::Function& function) {
    program_.set_format(1);
    for (const ir::Op& op : function.body().ops()) {
      for (unsigned i = 0; i < op.numResults(); ++i) addBuffer(op, i);
      if (op.is("trace.return")) continue;
      if (op.is("trace.place")) {
        Placement* p = program_.add_placements();
        p->set_buffer(in(op, 0));
        place(op, *p);
        continue;
      }
      Step* step = program_.add_steps();
      step->set_node(absl::StrJoin(op.location(), " + "));
      if (op.has("region")) step->set_region(op.stringAttr("region"));
      fill(op, *step);
    }
    if (!error_.ok()) return error_;
    return std::move(program_);
  }

 private:
  void addBuffer(const ir::Op& op, unsigned i) {
    ir::Value* v = op.result(i);
    buffers_[v] = program_.buffers_size();
    Buffer* buffer = program_.add_buffers();
    buffer->set_name(absl::StrCat(op.def().results[i].name.str(), program_.buffers_size()));
    buffer->set_size(v->type().elements());
  }

  uint32_t in(const ir::Op& op, unsigned i) const { return buffers_.lookup(op.operand(i)); }
  uint32_t out(const ir::Op& op, unsigned i = 0) const { return buffers_.lookup(op.result(i)); }

  template <typename Map, typename Key>
  uint32_t named(const Map& map, const Key& key, const std::string& name) {
    auto it = map.find(key);
    if (it != map.end()) return it->second;
    error_ = absl::InternalError(absl::StrCat("the trace program names an unknown ", name));
    return 0;
  }

  uint32_t table(const ir::Op& op, llvm::StringRef attribute) {
    const std::string& name = op.symbolAttr(attribute);
    return named(tables_, name, "table " + name);
  }
  uint32_t column(uint32_t table, const ir::Op& op, llvm::StringRef attribute) {
    const std::string& name = op.stringAttr(attribute);
    return named(columns_, std::make_pair(static_cast<int>(table), name), "column " + name);
  }
  uint32_t tensor(const ir::Op& op) {
    const std::string& name = op.stringAttr("tensor");
    return named(publics_, name, "public tensor " + name);
  }

  void place(const ir::Op& op, Placement& p) {
    p.set_table(table(op, "table"));
    p.set_column(column(p.table(), op, "column"));
    p.set_lanes(op.intAttr("lanes"));
    p.set_lane_stride(op.intAttr("lane_stride"));
    p.set_first_row(op.intAttr("first_row"));
    p.set_offset(op.intAttr("offset"));
    for (size_t i = 0; i < op.intsAttr("counts").size(); ++i) {
      Dim* dim = p.add_dims();
      dim->set_count(op.intsAttr("counts")[i]);
      dim->set_row_stride(op.intsAttr("row_strides")[i]);
      dim->set_value_stride(op.intsAttr("value_strides")[i]);
    }
  }

  void fill(const ir::Op& op, Step& step) {
    if (op.is("trace.input")) {
      step.mutable_input()->set_tensor(tensor(op));
      step.mutable_input()->set_out(out(op));
    } else if (op.is("trace.output")) {
      step.mutable_output()->set_tensor(tensor(op));
      step.mutable_output()->set_buffer(in(op, 0));
    } else if (op.is("trace.load")) {
      place(op, *step.mutable_load()->mutable_placement());
      step.mutable_load()->mutable_placement()->set_buffer(out(op));
    } else if (op.is("trace.gather_rows")) {
      gatherRows(op, *step.mutable_gather_rows());
    } else if (op.is("trace.matmul")) {
      matmul(op, *step.mutable_matmul());
    } else if (op.is("trace.requantize")) {
      requantize(op, *step.mutable_requantize());
    } else if (op.is("trace.table_lookup")) {
      tableLookup(op, *step.mutable_table_lookup());
    } else if (op.is("trace.layernorm")) {
      layerNorm(op, *step.mutable_layer_norm());
    } else if (op.is("trace.softmax")) {
      softmax(op, *step.mutable_softmax());
    } else if (op.is("trace.argmax")) {
      argmax(op, *step.mutable_argmax());
    } else if (op.is("trace.copy_rows")) {
      copyRows(op, *step.mutable_copy_rows());
    } else if (op.is("trace.decode")) {
      decode(op, *step.mutable_decode());
    } else if (op.is("trace.append_rows")) {
      step.mutable_append_rows()->set_first(in(op, 0));
      step.mutable_append_rows()->set_second(in(op, 1));
      step.mutable_append_rows()->set_out(out(op));
    } else if (op.is("trace.carry_in")) {
      step.mutable_carry_in()->set_slot(op.intAttr("slot"));
      step.mutable_carry_in()->set_out(out(op));
    } else if (op.is("trace.carry_out")) {
      step.mutable_carry_out()->set_slot(op.intAttr("slot"));
      step.mutable_carry_out()->set_buffer(in(op, 0));
      step.mutable_carry_out()->set_elements(op.intAttr("elements"));
    } else if (op.is("trace.mask")) {
      step.mutable_mask()->set_keep(in(op, 0));
      step.mutable_mask()->set_value(in(op, 1));
      step.mutable_mask()->set_out(out(op));
    } else {
      error_ = absl::InternalError(absl::StrCat("no step for ", op.name().str()));
    }
  }

  void gatherRows(const ir::Op& op, GatherRows& g) {
    g.set_ids(in(op, 0));
    place(op, *g.mutable_rows());
    g.set_vocabulary(op.intAttr("vocabulary"));
    g.set_padding(op.intAttr("padding"));
    g.set_width(op.intAttr("width"));
    g.set_has_addend(op.numOperands() > 1);
    if (op.numOperands() > 1) g.set_addend(in(op, 1));
    g.set_out(out(op));
  }

  static void strides(llvm::ArrayRef<int64_t> values, Strides& s) {
    s.set_batch(values[0]);
    s.set_row(values[1]);
    s.set_column(values[2]);
    s.set_offset(values[3]);
  }

  void matmul(const ir::Op& op, MatMul& m) {
    m.set_lhs(in(op, 0));
    m.set_rhs(in(op, 1));
    m.set_out(out(op));
    m.set_has_bias(op.numOperands() > 2);
    if (op.numOperands() > 2) m.set_bias(in(op, 2));
    m.set_batch(op.intAttr("batch"));
    m.set_m(op.intAttr("m"));
    m.set_k(op.intAttr("k"));
    m.set_n(op.intAttr("n"));
    strides(op.intsAttr("lhs_strides"), *m.mutable_lhs_strides());
    strides(op.intsAttr("rhs_strides"), *m.mutable_rhs_strides());
    strides(op.intsAttr("out_strides"), *m.mutable_out_strides());
  }

  void requantize(const ir::Op& op, Requantize& r) {
    r.set_acc(in(op, 0));
    r.set_has_addend(op.numOperands() > 1);
    if (op.numOperands() > 1) {
      r.set_addend(in(op, 1));
      r.set_addend_shift(op.intAttr("addend_shift"));
    }
    r.set_shift(op.intAttr("shift"));
    r.set_bits(op.intAttr("bits"));
    r.set_quotient(out(op, 0));
    r.set_remainder(out(op, 1));
  }

  void tableLookup(const ir::Op& op, TableLookup& t) {
    t.set_key(in(op, 0));
    t.set_table(table(op, "table"));
    t.set_column(column(t.table(), op, "column"));
    t.set_first_row(op.intAttr("first_row"));
    t.set_low(op.intAttr("low"));
    t.set_rows(op.intAttr("rows"));
    t.set_out(out(op));
  }

  void layerNorm(const ir::Op& op, LayerNorm& n) {
    n.set_x(in(op, 0));
    n.set_rows(op.intAttr("rows"));
    n.set_width(op.intAttr("width"));
    n.set_lanes(op.intAttr("lanes"));
    n.set_has_mean(op.boolAttr("has_mean"));
    n.set_square_shift(op.intAttr("square_shift"));
    n.set_epsilon(op.intAttr("epsilon"));
    n.set_output_bits(op.intAttr("output_bits"));
    n.set_max_exponent(op.intAttr("max_exponent"));
    n.set_rsqrt_table(table(op, "rsqrt_table"));
    n.set_rsqrt_column(column(n.rsqrt_table(), op, "rsqrt_column"));
    n.set_rsqrt_first_row(op.intAttr("rsqrt_first_row"));
    n.set_mean(out(op, 0));
    n.set_reciprocal(out(op, 1));
    n.set_shift(out(op, 2));
    n.set_shift_power(out(op, 3));
    n.set_mantissa(out(op, 4));
    n.set_exponent(out(op, 5));
    n.set_exponent_power(out(op, 6));
    n.set_variance_remainder(out(op, 7));
    n.set_square(out(op, 8));
    n.set_out(out(op, 9));
    n.set_remainder(out(op, 10));
    n.set_deviation_sums(out(op, 11));
    n.set_square_sums(out(op, 12));
  }

  void softmax(const ir::Op& op, Softmax& s) {
    s.set_scores(in(op, 0));
    s.set_heads(op.intAttr("heads"));
    s.set_queries(op.intAttr("queries"));
    s.set_keys(op.intAttr("keys"));
    s.set_lanes(op.intAttr("lanes"));
    s.set_causal(op.boolAttr("causal"));
    s.set_score_shift(op.intAttr("score_shift"));
    s.set_probability_bits(op.intAttr("probability_bits"));
    s.set_normalizer_low(op.intAttr("normalizer_low"));
    s.set_normalizer_bits(op.intAttr("normalizer_bits"));
    s.set_exp_table(table(op, "exp_table"));
    s.set_exp_column(column(s.exp_table(), op, "exp_column"));
    s.set_exp_first_row(op.intAttr("exp_first_row"));
    s.set_live_rows(op.intAttr("live_rows"));
    s.set_dead_rows(op.intAttr("dead_rows"));
    s.set_dead_width(op.intAttr("dead_width"));
    s.set_exp_at_minus_one(op.intAttr("exp_at_minus_one"));
    s.set_normalizer_low_limb(out(op, 0));
    s.set_normalizer_high_limb(out(op, 1));
    s.set_key(out(op, 2));
    s.set_width(out(op, 3));
    s.set_remainder(out(op, 4));
    s.set_probability(out(op, 5));
    s.set_previous_probability(out(op, 6));
    s.set_probability_sums(out(op, 7));
    s.set_previous_probability_sums(out(op, 8));
    if (op.numOperands() < 2) return;
    s.set_has_block(true);
    s.set_block(in(op, 1));
    s.set_open(out(op, 9));
  }

  void argmax(const ir::Op& op, Argmax& a) {
    a.set_values(in(op, 0));
    a.set_rows(op.intAttr("rows"));
    a.set_width(op.intAttr("width"));
    a.set_lanes(op.intAttr("lanes"));
    a.set_index(out(op, 0));
    a.set_maximum(out(op, 1));
    a.set_before(out(op, 2));
    a.set_high(out(op, 3));
    a.set_low(out(op, 4));
    a.set_index_sums(out(op, 5));
  }

  void decode(const ir::Op& op, Decode& d) {
    d.set_tape(in(op, 0));
    d.set_lengths(in(op, 1));
    d.set_active(out(op, 0));
    d.set_chosen(out(op, 1));
    d.set_frontier_in(out(op, 2));
    d.set_frontier_out(out(op, 3));
    d.set_given_in(out(op, 4));
    d.set_given_out(out(op, 5));
    d.set_token_in(out(op, 6));
    d.set_token_out(out(op, 7));
  }

  void copyRows(const ir::Op& op, CopyRows& c) {
    c.set_in(in(op, 0));
    c.set_out(out(op));
    c.set_width(op.intAttr("width"));
    for (int64_t row : op.intsAttr("rows")) c.add_rows(row);
  }

  Program program_;
  absl::Status error_;
  std::map<std::string, int> tables_, publics_;
  std::map<std::pair<int, std::string>, int> columns_;
  llvm::DenseMap<ir::Value*, uint32_t> buffers_;
};

}  // namespace

absl::StatusOr<Program> makeProgram(const ir::Module& module, const Circuit& circuit) {
  const ir::Function* function = module.findFunction("trace");
  if (!function) return absl::InvalidArgumentError("the module has no function @trace to emit");
  return ProgramWriter(circuit).run(*function);
}

}  // namespace lindero::compiler

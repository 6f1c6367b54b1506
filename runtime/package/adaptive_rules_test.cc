// The adaptive rules, case by case: what each refuses, and the nearest circuits that it accepts.
#include "runtime/package/adaptive_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/samples/circuit_builder.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

// Table "from" gives the cells of a fold to table "to", which gathers them as y, binds them where
// its fixed column s is 1, and sums products with them. What a case changes is set before build().
struct Draft {
  testing::CircuitBuilder b;
  uint32_t from = b.table("from", 2), to = b.table("to", 2);
  uint32_t early = b.drawn(b.challenge("early", 1)), other = b.drawn(b.challenge("other", 1));
  uint32_t c = b.drawn(b.challenge("c", 2)), late = b.drawn(b.challenge("late", 2)),
           later = b.drawn(b.challenge("later", 2));
  uint32_t products = b.group("products"), copies = b.group("copies");
  uint32_t zero = b.constant(0), one = b.constant(1);
  // Of "from": the row's name and the fold. Of "to": s, the row's name, a zero, two main columns.
  uint32_t fold_id = b.read(from, b.column(from, "id", 0));
  uint32_t fold_of = b.read(from, b.column(from, "x", 1)), fold_column = b.column(from, "fold", 2),
           fold = b.read(from, fold_column);
  uint32_t s_column = b.column(to, "s", 0), s = b.read(to, s_column);
  uint32_t id = b.read(to, b.column(to, "id", 0)), f = b.read(to, b.column(to, "f", 0));
  uint32_t m = b.read(to, b.column(to, "m", 1)), w = b.read(to, b.column(to, "w", 1));
  uint32_t y_column = gather("y"), y = b.read(to, y_column);
  uint32_t y_before = b.read(to, y_column, -1);

  bool zeroed = true;
  uint32_t numerator = b.mul(s, y), denominator = b.sub(c, id);  // of what binds y
  uint32_t given = b.node(Node::NEG, fold), pole = b.sub(c, fold_id);
  uint32_t product = b.mul(y, m), product_pole = b.sub(early, id);

  uint32_t gather(const std::string& name) {
    const uint32_t column = b.column(to, name, 2);
    Gather* gather = b.columnAt(to, column).mutable_gather();
    gather->set_index(id);
    GatherSource* source = gather->add_sources();
    source->set_table(from);
    source->set_column(fold_column);
    source->set_rows(4);
    return column;
  }
  uint32_t expression(const std::string& name, uint32_t phase, uint32_t value) {
    const uint32_t column = b.column(to, name, phase);
    b.columnAt(to, column).mutable_expression()->set_value(value);
    b.constrain(to, name, b.sub(b.read(to, column), value));
    return b.read(to, column);
  }
  // A column of fractions that nothing adds yet.
  uint32_t fraction(const std::string& name, uint32_t phase, uint32_t above, uint32_t below) {
    const uint32_t column = b.column(to, name, phase);
    b.columnAt(to, column).mutable_fraction()->set_numerator(above);
    b.columnAt(to, column).mutable_fraction()->set_denominator(below);
    b.constrain(to, name, b.sub(b.mul(b.read(to, column), below), above));
    return b.read(to, column);
  }
  uint32_t running(const std::string& name, uint32_t above, uint32_t below) {
    return b.read(to, b.running(to, name, 3, above, below, zero, products));
  }
  uint32_t twoPoles(uint32_t first, uint32_t second) {  // late later - a later - b late + a b
    const uint32_t left = b.sub(b.mul(late, later), b.mul(first, later));
    return b.add(b.sub(left, b.mul(second, late)), b.mul(first, second));
  }
  Constraint& constraint(uint32_t table, const std::string& name) {
    for (Constraint& k :
         *b.circuit.mutable_tables(static_cast<int>(table))->mutable_constraints()) {
      if (k.name() == name) return k;
    }
    ADD_FAILURE() << name;
    return *b.circuit.mutable_tables(0)->mutable_constraints(0);
  }
  void publicTensor(uint32_t group, uint32_t challenge) {
    PublicTensor& tensor = *b.circuit.add_publics();
    tensor.set_name("public");
    for (auto set : {&PublicTensor::set_rows, &PublicTensor::set_columns,
                     &PublicTensor::set_tile_rows, &PublicTensor::set_tile_columns}) {
      (tensor.*set)(1);
    }
    tensor.set_group(group);
    tensor.set_address_challenge(challenge);
  }
};

using Change = std::function<void(Draft&)>;

struct Case {
  std::string rule;  // that refuses it; empty: accepted
  std::string name;
  Change change;                // before columns of phase 3
  Change last = [](Draft&) {};  // after all columns
  std::string reason = "";
};

Circuit build(const Case& c) {
  Draft d;
  d.b.scan(d.from, d.fold_column, "fold", d.early, d.fold_of);
  c.change(d);
  if (d.zeroed) d.b.constrain(d.to, "zeroed", d.b.sub(d.y, d.b.mul(d.s, d.y)));
  for (uint32_t bit : {d.m, d.w}) d.b.constrain(d.to, "read", d.b.sub(d.b.mul(bit, bit), bit));
  d.b.running(d.to, "products", 2, d.product, d.product_pole, d.zero, d.products);
  d.b.running(d.from, "gives", 3, d.given, d.pole, d.zero, d.copies);
  d.b.running(d.to, "takes", 3, d.numerator, d.denominator, d.zero, d.copies);
  c.last(d);
  return std::move(d.b.circuit);
}

void expectAll(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const absl::Status status = analyzeCircuit(build(c)).status();
    if (c.rule.empty()) {
      EXPECT_TRUE(status.ok()) << c.name << ": " << status;
      continue;
    }
    EXPECT_THAT(std::string(status.message()), HasSubstr(": " + c.rule + ": ")) << c.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("circuit.pb: tables[")) << c.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.reason)) << c.name;
  }
}

const Change kNothing = [](Draft&) {};

TEST(AdaptiveRules, AcceptWhatIsBound) {
  expectAll({{"", "as it is", kNothing},
             {"", "s is 1", [](Draft& d) { d.zeroed = false, d.numerator = d.y; }}});
  EXPECT_EQ(analyzeCircuit(testing::linearSample().circuit).status(), absl::OkStatus());
  EXPECT_EQ(analyzeCircuit(testing::linkedSample()).status(), absl::OkStatus());
}

TEST(AdaptiveRules, R0Defined) {
  auto replace = [](const char* name, std::function<uint32_t(Draft&)> node) {
    return [=](Draft& d) { d.constraint(d.from, name).set_node(node(d)); };
  };
  auto before = [](Draft& d) { return d.b.read(d.from, d.fold_column, -1); };
  auto not_first = [](Draft& d) { return d.b.sub(d.one, d.b.node(Node::IS_FIRST)); };
  expectAll({
      {"R0", "a scan without its constraint", kNothing,
       replace("fold", [](Draft& d) { return d.zero; }),
       "tables[0] \"from\".columns[2] \"fold\": R0: it is filled from its generator"},
      {"R0", "a scan that goes on from the last row to the first", kNothing,
       replace("fold",
               [&](Draft& d) {
                 return d.b.sub(d.b.sub(d.fold, d.b.mul(d.early, before(d))), d.fold_of);
               })},
      {"R0", "a running sum that publishes nothing", kNothing,
       replace("gives",
               [](Draft& d) {
                 const uint32_t own = d.b.read(d.from, 3), last = d.b.read(d.from, 3, -1);
                 return d.b.sub(d.b.mul(d.b.sub(own, last), d.pole), d.given);
               })},
      {"R0", "twice what its generator says", [](Draft& d) { d.expression("v", 2, d.m); },
       [](Draft& d) {
         Constraint& k = d.constraint(d.to, "v");
         k.set_node(d.b.add(k.node(), k.node()));
       }},
      {"R0", "a sum that only reads alike", [](Draft& d) { d.expression("v", 2, d.m); },
       [](Draft& d) {
         Constraint& k = d.constraint(d.to, "v");
         k.set_node(d.b.mul(k.node(), d.s));
       }},
      {"", "in other words, and negative", kNothing,
       replace("fold",
               [&](Draft& d) {
                 const uint32_t carried = d.b.mul(d.early, d.b.mul(before(d), not_first(d)));
                 return d.b.sub(d.b.add(d.fold_of, carried), d.fold);
               })},
  });
}

// c^p - c is zero at every point of the base field, and not zero.
TEST(AdaptiveRules, RefuseDegreesThatPointsCannotTell) {
  const Case hidden = {"", "", [](Draft& d) { d.expression("v", 2, d.m); },
                       [](Draft& d) {
                         uint32_t power = d.early;  // to 2^31 - 1
                         for (int i = 1; i < 31; ++i) {
                           power = d.b.mul(d.b.mul(power, power), d.early);
                         }
                         Constraint& k = d.constraint(d.to, "v");
                         k.set_node(d.b.add(k.node(), d.b.sub(power, d.early)));
                       }};
  EXPECT_THAT(std::string(analyzeCircuit(build(hidden)).status().message()),
              HasSubstr(": its degree in all variables is more than 1048576"));
  const Case zero = {"", "", [](Draft& d) { d.b.node(Node::INVERSE, d.b.sub(d.early, d.early)); }};
  EXPECT_THAT(std::string(analyzeCircuit(build(zero)).status().message()),
              HasSubstr("INVERSE of what is zero"));
}

TEST(AdaptiveRules, R1NoZeroDenominators) {
  auto under = [](std::function<uint32_t(Draft&)> denominator) {
    return Case{"R1", "", kNothing, [=](Draft& d) { d.running("sum", d.m, denominator(d)); }};
  };
  auto accepted = [&](const char* name, std::function<uint32_t(Draft&)> denominator) {
    Case c = under(std::move(denominator));
    c.rule = "", c.name = name;
    return c;
  };
  auto refused = [&](const char* name, std::function<uint32_t(Draft&)> denominator) {
    Case c = under(std::move(denominator));
    c.name = name;
    return c;
  };
  expectAll({
      refused("a main column", [](Draft& d) { return d.w; }),
      refused("a main column times a challenge", [](Draft& d) { return d.b.mul(d.w, d.late); }),
      refused("zero", [](Draft& d) { return d.b.sub(d.one, d.one); }),
      refused("f z + w", [](Draft& d) { return d.b.add(d.b.mul(d.f, d.late), d.w); }),
      refused("z - z + w", [](Draft& d) { return d.b.add(d.b.sub(d.late, d.late), d.w); }),
      refused("z y - w", [](Draft& d) { return d.b.sub(d.b.mul(d.late, d.m), d.w); }),
      refused("a challenge that is drawn before a claimed sum",
              [](Draft& d) { return d.b.sub(d.early, d.b.published(0)); }),
      accepted("z - w", [](Draft& d) { return d.b.sub(d.late, d.w); }),
      accepted("z - w - alpha m",
               [](Draft& d) { return d.b.sub(d.b.sub(d.late, d.w), d.b.mul(d.later, d.m)); }),
      accepted("two poles, multiplied out", [](Draft& d) { return d.twoPoles(d.w, d.m); }),
      accepted("fixed columns, which rows decide", [](Draft& d) { return d.f; }),
      accepted("looked through",
               [](Draft& d) { return d.b.mul(d.f, d.b.node(Node::NEG, d.b.sub(d.w, d.late))); }),
  });
}

// Of a factor over selectors alone, the pairs that the rows of the table have decide.
TEST(AdaptiveRules, R1SelectorsOfRows) {
  struct Of {
    const char* rule;
    const char* name;
    uint32_t log_height;
    int constant, first, last;  // factors
  };
  std::vector<Case> cases;
  for (const Of& of : {Of{"R1", "first", 2, 0, 1, 0}, Of{"R1", "1 - last", 2, 1, 0, -1},
                       Of{"R1", "first + last, four rows", 2, 0, 1, 1},
                       Of{"", "first + last, two rows", 1, 0, 1, 1},
                       Of{"R1", "1 - first - last, two rows", 1, 1, -1, -1},
                       Of{"", "2 - first - last, four rows", 2, 2, -1, -1},
                       Of{"R1", "2 - first - last, one row", 0, 2, -1, -1},
                       Of{"", "first, one row", 0, 0, 1, 0}, Of{"", "1 + first", 2, 1, 1, 0}}) {
    cases.push_back({of.rule, of.name, kNothing, [of](Draft& d) {
                       auto times = [&](int by, Node::Op op) {
                         return d.b.mul(d.b.constant(by < 0 ? kModulus - 1 : by), d.b.node(op));
                       };
                       const uint32_t ends =
                           d.b.add(times(of.first, Node::IS_FIRST), times(of.last, Node::IS_LAST));
                       const uint32_t factor = d.b.add(d.b.constant(of.constant), ends);
                       // The same node is good in a table of four rows.
                       if (of.constant == 2) d.running("other", d.m, factor);
                       const uint32_t table = d.b.table("rows", of.log_height);
                       d.b.running(table, "sum", 3, d.one, factor, d.zero, d.products);
                     }});
  }
  expectAll(cases);
}

TEST(AdaptiveRules, R2ReadAsAFactorOnly) {
  expectAll({
      {"R2", "an expression", [](Draft& d) { d.expression("v", 2, d.b.mul(d.s, d.y)); }, kNothing,
       "columns[5] \"y\": R2: \"v\" reads it"},
      {"R2", "another row", [](Draft& d) { d.product = d.b.mul(d.y_before, d.m); }},
      {"R2", "a denominator", kNothing,
       [](Draft& d) { d.running("sum", d.one, d.b.sub(d.late, d.y)); }},
      {"R2", "what a running sum adds", kNothing,
       [](Draft& d) { d.b.running(d.to, "sum", 3, d.zero, d.one, d.y, d.products); }},
      {"R2", "another constraint", kNothing,
       [](Draft& d) { d.b.constrain(d.to, "bad", d.b.sub(d.y, d.m)); },
       "the constraint \"bad\" reads it"},
      {"R2", "a constraint that zeroes by a main column", kNothing,
       [](Draft& d) { d.b.constrain(d.to, "bad", d.b.sub(d.y, d.b.mul(d.m, d.y))); }},
      {"R2", "gathered once more",
       [](Draft& d) {
         const uint32_t twice = d.gather("twice");
         GatherSource* s = d.b.columnAt(d.to, twice).mutable_gather()->mutable_sources(0);
         s->set_table(d.to), s->set_column(d.y_column);
       }},
      {"R2", "a lookup",
       [](Draft& d) { d.b.lookup(d.to, "look", d.b.bus("bus", 1, 2), d.one, {d.y}); }},
  });
}

TEST(AdaptiveRules, R3BoundOnce) {
  // A second gathered column, with its own numerator under the same challenge.
  auto second = [](Draft& d) { return d.b.read(d.to, d.gather("y2")); };
  auto times = [](Draft& d, uint32_t a, uint32_t b) { return d.b.mul(a, b); };
  auto split = [](Draft& d, bool twice) {
    // Its own column of fractions, which a running sum adds.
    const uint32_t part = d.fraction("part", 3, d.b.mul(d.s, d.y), d.b.sub(d.c, d.id));
    d.b.running(d.to, "sum", 3, d.zero, d.one, twice ? d.b.add(part, part) : part, d.copies);
  };
  expectAll({
      {"R3", "nothing binds it", [](Draft& d) { d.numerator = d.zero; }, kNothing,
       "columns[5] \"y\": R3: 0 fractions"},
      {"R3", "two fractions do", kNothing,
       [](Draft& d) { d.running("again", d.numerator, d.denominator); }, "R3: 2 fractions"},
      {"R3", "an early challenge", [](Draft& d) { d.denominator = d.b.sub(d.other, d.id); },
       kNothing, "R3: 0 fractions"},
      {"R3", "two gathered columns in one fraction",
       [&](Draft& d) { d.numerator = d.b.mul(d.s, d.b.add(d.y, second(d))); }, kNothing,
       "sums another gathered column"},
      {"R3", "a rest that depends on it",
       [](Draft& d) {
         const uint32_t v = d.fraction("v", 2, d.b.mul(d.s, d.y), d.b.sub(d.early, d.id));
         d.numerator = d.b.add(d.numerator, v);
       },
       kNothing, "or what depends on one"},
      {"R3", "c f", [&](Draft& d) { d.denominator = times(d, d.c, d.f); }, kNothing,
       "is not c - a"},
      {"R3", "two challenges", [](Draft& d) { d.denominator = d.b.sub(d.denominator, d.late); },
       kNothing, "is not c - a"},
      {"R3", "a pole that a prover chooses", [](Draft& d) { d.denominator = d.b.sub(d.c, d.m); },
       kNothing, "is not c - a"},
      {"R3", "a main column as selector", [](Draft& d) { d.numerator = d.b.mul(d.m, d.y); },
       kNothing, "is not s y + rest"},
      {"R3", "two selectors", [&](Draft& d) { d.numerator = d.b.mul(d.f, d.numerator); }, kNothing,
       "is not s y + rest"},
      {"R3", "a chosen pole under its challenge", kNothing,
       [](Draft& d) { d.running("sum", d.m, d.b.sub(d.c, d.w)); }, "is not c - a over fixed"},
      {"R3", "its challenge in a numerator", kNothing,
       [](Draft& d) { d.running("sum", d.b.mul(d.c, d.m), d.one); }, "is read by \"sum\" as well"},
      {"R3", "its challenge in a public tensor", kNothing,
       [](Draft& d) { d.publicTensor(d.products, 2); }, "is read by \"public\" as well"},
      {"R3", "its group is public", kNothing, [](Draft& d) { d.publicTensor(d.copies, 0); },
       "has a public tensor"},
      {"R3", "a part that nothing adds", kNothing,
       [](Draft& d) { d.fraction("part", 3, d.m, d.denominator); }, "alone and once"},
      {"R3", "a part that is added twice", [](Draft& d) { d.numerator = d.zero; },
       [&](Draft& d) { split(d, true); }, "alone and once"},
      {"", "a part that is added once", [](Draft& d) { d.numerator = d.zero; },
       [&](Draft& d) { split(d, false); }},
      {"", "-s y + rest over a - c",
       [](Draft& d) {
         d.numerator = d.b.sub(d.b.mul(d.m, d.f), d.numerator);
         d.denominator = d.b.sub(d.id, d.c);
       }},
      {"", "a second gathered column with a fraction of its own",
       [&](Draft& d) {
         const uint32_t y2 = second(d);
         const uint32_t d2 = d.b.sub(d.c, d.b.add(d.id, d.one));
         // Two single fractions in one column.
         d.numerator = d.b.add(d.b.mul(d.numerator, d2), d.b.mul(y2, d.denominator));
         d.denominator = d.b.mul(d.denominator, d2);
       }},
  });
}

TEST(AdaptiveRules, R4NothingWhereUnbound) {
  auto free = [](std::function<void(Draft&)> change) {
    return [=](Draft& d) { d.zeroed = false, change(d); };
  };
  expectAll({
      {"R4", "a product where s is 0", free(kNothing), kNothing,
       "columns[5] \"y\": R4: it is free where \"s\" is 0, and \"products\" sums it there"},
      {"R4", "zeroed by another column",
       free([](Draft& d) { d.b.constrain(d.to, "zero", d.b.sub(d.y, d.b.mul(d.f, d.y))); })},
      {"R4", "a factor that s does not switch off",
       free([](Draft& d) { d.product = d.b.mul(d.b.add(d.s, d.f), d.y); })},
      {"R4", "s of another row",
       free([](Draft& d) { d.product = d.b.mul(d.b.read(d.to, d.s_column, -1), d.y); })},
      {"", "s switches the product off",
       free([](Draft& d) { d.product = d.b.mul(d.b.mul(d.s, d.y), d.m); })},
      {"", "zeroed, and negative",
       free([](Draft& d) { d.b.constrain(d.to, "zero", d.b.sub(d.b.mul(d.s, d.y), d.y)); })},
      {"", "in sum it is not there",
       free([](Draft& d) { d.product = d.b.sub(d.b.add(d.y, d.m), d.y); })},
  });
}

TEST(AdaptiveRules, R5NoLateValuesUnderEarlyChallenges) {
  auto tuple = [](uint32_t Draft::* weight, bool claimed_sum) {
    return [=](Draft& d) {
      const uint32_t v = claimed_sum ? d.b.published(0) : d.b.read(d.to, 6);
      const uint32_t weighted = d.b.mul(d.*weight, v);
      d.running("sum", d.m, d.b.sub(d.late, d.b.add(d.w, weighted)));
    };
  };
  auto column = [](Draft& d) { d.expression("v", 2, d.b.mul(d.early, d.m)); };
  expectAll({
      {"R5", "a tuple with a late column under an early weight", column,
       tuple(&Draft::early, false), "the challenge \"early\" of its denominator"},
      {"R5", "under another one", column, tuple(&Draft::other, false), "\"other\""},
      {"R5", "a claimed sum under an early weight", column, tuple(&Draft::early, true),
       "\"early\""},
      {"", "under a late one", column, tuple(&Draft::later, false)},
      {"", "a claimed sum under a late one", column, tuple(&Draft::later, true)},
  });
}

TEST(AdaptiveRules, R6RunningSumsAreReadByNobody) {
  auto sum = [](Draft& d, int offset = 0) {  // "products" of "to"
    return d.b.read(d.to, d.y_column + 1, offset);
  };
  expectAll({
      {"R6", "an expression", kNothing, [&](Draft& d) { d.expression("v", 3, sum(d)); },
       "\"products\": R6: \"v\" reads it"},
      {"R6", "another row", kNothing, [&](Draft& d) { d.running("sum", sum(d, -1), d.one); }},
      {"R6", "a constraint", kNothing,
       [&](Draft& d) {
         const uint32_t first = d.b.node(Node::IS_FIRST);
         d.b.constrain(d.to, "start", d.b.mul(first, d.b.sub(sum(d), d.m)));
       }},
      {"R6", "a lookup", kNothing,
       [&](Draft& d) { d.b.lookup(d.to, "look", d.b.bus("bus", 1, 2), d.one, {sum(d)}); }},
      {"", "its claimed sum", kNothing,
       [&](Draft& d) { d.running("sum", d.b.mul(d.m, d.b.published(0)), d.one); }},
  });
}

// Work is bounded: what shares its nodes with all others is refused, and deep graphs are walked.
TEST(AdaptiveRules, BoundTheirWork) {
  const Case shared = {"", "", kNothing, [](Draft& d) {
                         uint32_t sum = d.m;
                         for (int i = 0; i < 200000; ++i) {
                           sum = d.b.add(sum, d.w);
                           if (i >= 199000) d.b.constrain(d.to, "k" + std::to_string(i), sum);
                         }
                       }};
  EXPECT_THAT(std::string(analyzeCircuit(build(shared)).status().message()),
              HasSubstr("has more than 16777216 nodes"));
  const Case deep = {"", "", kNothing, [](Draft& d) {
                       uint32_t above = d.m, below = d.late;
                       for (int i = 0; i < 60000; ++i) below = d.b.node(Node::NEG, below);
                       for (int i = 0; i < 300000; ++i) above = d.b.add(above, d.w);
                       d.running("deep", above, below);
                     }};
  EXPECT_EQ(analyzeCircuit(build(deep)).status(), absl::OkStatus());
  // The same fraction over and over.
  auto doubled = [](int times) {
    return Case{"", "", kNothing, [=](Draft& d) {
                  uint32_t above = d.m, below = d.one;
                  for (int i = 0; i < times; ++i) {
                    const uint32_t half = d.b.mul(above, below);
                    above = d.b.add(half, half);
                    below = d.b.mul(below, below);
                  }
                  d.running("doubled", above, below);
                }};
  };
  EXPECT_EQ(analyzeCircuit(build(doubled(10))).status(), absl::OkStatus());
  EXPECT_THAT(std::string(analyzeCircuit(build(doubled(11))).status().message()),
              HasSubstr("\"doubled\": F25: it sums more than 1024 fractions"));
  // Repeated squares: 2^60 factors, of which one is different, and 2^60 single fractions.
  const Case squares = {"", "", kNothing, [](Draft& d) {
                          uint32_t above = d.m, below = d.b.sub(d.late, d.w);
                          for (int i = 0; i < 60; ++i) {
                            const uint32_t half = d.b.mul(above, below);
                            above = d.b.add(half, half);
                            below = d.b.mul(below, below);
                          }
                          d.running("squares", above, below);
                        }};
  EXPECT_FALSE(analyzeCircuit(build(squares)).ok());
}

}  // namespace
}  // namespace lindero::runtime

//! The adaptive rules (FORMAT.md), each with circuits that it refuses and the nearest ones that it accepts. All are changes of one
//! small circuit, in which `rows` folds a column and copies the fold, row by row, as tables of matrix products do.

use lindero_package::proto::{self, node::Op, GatherSource};
use lindero_package::{encode, Circuit};
use lindero_testkit::Builder;

mod binding;
mod definitions;
mod gathers;
mod running;

/// Nodes of the circuit.
struct Base {
    b: Builder,
    table: u32,
    /// Fixed: a key per row, and two selectors.
    key: u32,
    s: u32,
    t: u32,
    /// Of the witness.
    x: u32,
    w: u32,
    /// Challenges, drawn before `fold` and `y` are committed, and after.
    rho: u32,
    early: u32,
    gamma: u32,
    z: u32,
    alpha: u32,
    fold: u32,
    /// Gathered from `fold`.
    y: u32,
    zero: u32,
    one: u32,
    tensors: u32,
    copies: u32,
    lookups: u32,
}

type Part = fn(&mut Base);
type Fraction = fn(&mut Base) -> (u32, u32);

/// What a case has otherwise than the circuit of all.
#[derive(Clone, Copy)]
struct Case {
    /// More columns of phase 2.
    fold: Part,
    /// The running sum of phase 2 that reads y.
    products: Fraction,
    /// The running sum of phase 3 that binds y.
    copies: Fraction,
    /// More columns of phase 3.
    lookups: Part,
    /// What is said of y where s is 0.
    zeroed: Part,
    change: fn(&mut proto::Circuit),
}

const BASE: Case = Case {
    fold: |_| {},
    products: |c| (c.b.mul(c.y, c.fold), c.b.sub(c.early, c.key)),
    copies: |c| {
        let (given, taken) = (c.b.mul(c.t, c.fold), c.b.mul(c.s, c.y));
        (c.b.sub(given, taken), c.b.sub(c.gamma, c.key))
    },
    lookups: |_| {},
    zeroed: |c| {
        let part = c.b.mul(c.s, c.y);
        let equation = c.b.sub(c.y, part);
        c.b.constrain(c.table, "zero", equation);
    },
    change: |_| {},
};

/// The case with another denominator under a lookup, of numerator 1.
const fn looking_up(lookups: Part) -> Case {
    Case { lookups, ..BASE }
}

impl Base {
    fn new() -> Self {
        let mut b = Builder::new();
        let (tensors, copies, lookups) = (b.group("tensors"), b.group("copies"), b.group("lookups"));
        let table = b.table("rows", 5);
        let [key, s, t] = ["key", "s", "t"].map(|name| b.fixed(table, name, |_| 0));
        let [x, w] = ["x", "w"].map(|name| b.main(table, name, |_| 0));
        let [rho, early] = ["rho", "early"].map(|name| b.challenge(name, 1));
        let [gamma, z, alpha] = ["gamma", "z", "alpha"].map(|name| b.challenge(name, 2));
        let (zero, one) = (b.constant(0), b.constant(1));
        let equation = b.sub(x, w);
        b.constrain(table, "witness", equation);
        let fold = b.scan(table, "fold", 2, rho, x);
        b.define("fold", fold);
        let index = b.mul(s, key);
        let source = GatherSource { table, column: b.column_index(fold), base: 0, rows: 32 };
        let y = b.gather(table, "y", 2, index, &[source]);
        Base {
            b,
            table,
            key,
            s,
            t,
            x,
            w,
            rho,
            early,
            gamma,
            z,
            alpha,
            fold,
            y,
            zero,
            one,
            tensors,
            copies,
            lookups,
        }
    }

    /// A running sum of phase 3.
    fn looked_up(&mut self, numerator: u32, denominator: u32) {
        self.b.running(self.table, "looked up", 3, numerator, denominator, self.zero, self.lookups);
    }

    fn one_over(&mut self, denominator: u32) {
        self.looked_up(self.one, denominator);
    }

    /// A second gathered column like y.
    fn second(&mut self) -> u32 {
        let index = self.b.mul(self.s, self.key);
        let source =
            GatherSource { table: self.table, column: self.b.column_index(self.fold), base: 0, rows: 32 };
        self.b.gather(self.table, "y2", 2, index, &[source])
    }

    fn expression(&mut self, name: &str, phase: u32, value: u32) -> u32 {
        let column = self.b.expression(self.table, name, phase, value);
        self.b.define(name, column);
        column
    }

    fn fraction(&mut self, name: &str, phase: u32, numerator: u32, denominator: u32) -> u32 {
        let column = self.b.fraction(self.table, name, phase, numerator, denominator);
        self.b.define(name, column);
        column
    }

    /// a - b * c
    fn minus(&mut self, a: u32, b: u32, c: u32) -> u32 {
        let product = self.b.mul(b, c);
        self.b.sub(a, product)
    }
}

/// The node of a column by its name, at an offset.
fn column(circuit: &mut proto::Circuit, name: &str, offset: i32) -> u32 {
    let b = circuit.tables[0].columns.iter().position(|column| column.name == name).unwrap() as u32;
    push(circuit, Op::Column, 0, b, offset)
}

fn push(circuit: &mut proto::Circuit, op: Op, a: u32, b: u32, offset: i32) -> u32 {
    circuit.nodes.push(proto::Node { op: op as i32, a, b, offset });
    circuit.nodes.len() as u32 - 1
}

/// Puts another node in the place of a constraint's.
fn constraint(circuit: &mut proto::Circuit, name: &str, change: fn(&mut proto::Circuit, u32) -> u32) {
    let index = circuit.tables[0].constraints.iter().position(|constraint| constraint.name == name).unwrap();
    let node = circuit.tables[0].constraints[index].node;
    circuit.tables[0].constraints[index].node = change(circuit, node);
}

fn decode(case: &Case) -> Result<(), String> {
    let mut c = Base::new();
    (case.fold)(&mut c);
    let (numerator, denominator) = (case.products)(&mut c);
    c.b.running(c.table, "products", 2, numerator, denominator, c.zero, c.tensors);
    let (numerator, denominator) = (case.copies)(&mut c);
    c.b.running(c.table, "copies", 3, numerator, denominator, c.zero, c.copies);
    (case.lookups)(&mut c);
    (case.zeroed)(&mut c);
    let mut circuit = c.b.finish().circuit;
    (case.change)(&mut circuit);
    Circuit::decode(&encode(&circuit)).map(|_| ()).map_err(|error| error.to_string())
}

/// `refused` with what the message begins with.
fn check(refused: &[(&str, &str, Case)], accepted: &[(&str, Case)]) {
    for (what, begin, case) in refused {
        match decode(case) {
            Ok(()) => panic!("{what}: accepted"),
            Err(error) => assert!(error.starts_with(begin), "{what}: {error}"),
        }
    }
    for (what, case) in accepted {
        assert_eq!(decode(case), Ok(()), "{what}");
    }
}

/// Circuits of little text and much to do: deep, with cones that overlap, with fractions that split without end.
#[test]
fn what_takes_too_long_is_refused() {
    let sums = |c: &mut proto::Circuit| {
        // Each constraint reads all nodes before it.
        let mut node = column(c, "fold", 0);
        for _ in 0..40_000 {
            node = push(c, Op::Add, node, node, 0);
            let constraint = proto::Constraint { name: "sum".into(), node, kind: 0 };
            c.tables[0].constraints.push(constraint);
        }
    };
    let splits = |c: &mut Base| {
        let (mut numerator, mut denominator) = (c.x, c.b.sub(c.z, c.x));
        for _ in 0..40 {
            let half = c.b.mul(numerator, denominator);
            (numerator, denominator) = (c.b.add(half, half), c.b.mul(denominator, denominator));
        }
        let v = c.b.fraction(c.table, "v", 3, numerator, denominator);
        c.b.running(c.table, "looked up", 3, c.zero, c.one, v, c.lookups);
    };
    let inverse = |c: &mut Base| {
        let nothing = c.b.sub(c.z, c.z);
        let inverse = c.b.inverse(nothing);
        c.one_over(inverse);
    };
    check(
        &[
            ("overlapping cones", "F26: checking the rules takes more than", Case { change: sums, ..BASE }),
            (
                "endless splitting",
                "table rows: column v: F25: sums more than 1024 fractions",
                looking_up(splits),
            ),
            ("an inverse of zero", "F24: node ", looking_up(inverse)),
        ],
        &[(
            "a deep DAG",
            Case {
                change: |c| {
                    constraint(c, "fold", |c, mut node| {
                        (0..1 << 18).for_each(|_| node = push(c, Op::Neg, node, 0, 0));
                        node
                    });
                },
                ..BASE
            },
        )],
    );
}

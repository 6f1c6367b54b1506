//! R5 and R6.

use lindero_package::proto::{self, node::Op, GatherSource};

use crate::{check, column, constraint, looking_up, push, Base, Case, BASE};

#[test]
fn r5_challenges_are_drawn_late() {
    let begin = "table rows: column looked up: R5: ";
    check(
        &[
            (
                "a late column in a tuple under an early challenge",
                begin,
                looking_up(|c| {
                    let tuple = c.minus(c.z, c.rho, c.fold);
                    c.one_over(tuple);
                }),
            ),
            (
                "beside a sound factor",
                begin,
                looking_up(|c| {
                    let (pole, tuple) = (c.b.sub(c.z, c.x), c.minus(c.z, c.rho, c.fold));
                    let product = c.b.mul(pole, tuple);
                    c.one_over(product);
                }),
            ),
            (
                "an early challenge in the constant term",
                begin,
                looking_up(|c| {
                    let sum = c.b.add(c.early, c.fold);
                    let tuple = c.b.sub(c.z, sum);
                    c.one_over(tuple);
                }),
            ),
        ],
        &[
            (
                "a column of the witness in that tuple",
                looking_up(|c| {
                    let tuple = c.minus(c.z, c.rho, c.x);
                    c.one_over(tuple);
                }),
            ),
            (
                "a late challenge in that tuple",
                looking_up(|c| {
                    let tuple = c.minus(c.z, c.alpha, c.fold);
                    c.one_over(tuple);
                }),
            ),
            (
                "a late column that is a function of the witness, in a numerator",
                looking_up(|c| {
                    let pole = c.b.sub(c.early, c.x);
                    c.looked_up(c.fold, pole);
                }),
            ),
        ],
    );
}

#[test]
fn r6_running_sums_are_read_by_nobody() {
    let begin = "table rows: column products: R6: ";
    check(
        &[
            (
                "a numerator",
                begin,
                looking_up(|c| {
                    let (sum, pole) = (running(c, 0), c.b.sub(c.z, c.x));
                    c.looked_up(sum, pole);
                }),
            ),
            (
                "an expression, its step",
                begin,
                looking_up(|c| {
                    let (sum, before) = (running(c, 0), running(c, -1));
                    let step = c.b.sub(sum, before);
                    c.expression("v", 3, step);
                }),
            ),
            (
                "a constraint",
                begin,
                looking_up(|c| {
                    let (sum, first) = (running(c, 0), c.b.is_first());
                    let product = c.b.mul(first, sum);
                    c.b.constrain(c.table, "first", product);
                }),
            ),
            (
                "another's constraint, where it cancels",
                begin,
                Case {
                    change: |c| {
                        constraint(c, "copies", |c, node| {
                            let sum = column(c, "products", 0);
                            let more = push(c, Op::Add, node, sum, 0);
                            push(c, Op::Sub, more, sum, 0)
                        });
                    },
                    ..BASE
                },
            ),
            (
                "a lookup",
                begin,
                Case {
                    change: |c| {
                        c.buses.push(proto::Bus { name: "bus".into(), width: 1, phase: 2 });
                        let (sum, one) = (column(c, "products", 0), push(c, Op::Constant, 1, 0, 0));
                        let lookup = proto::Lookup {
                            name: "one".into(),
                            tuple: vec![sum],
                            multiplicity: one,
                            ..Default::default()
                        };
                        c.tables[0].lookups.push(lookup);
                    },
                    ..BASE
                },
            ),
            (
                "a gather",
                "table rows: column sum: R6: ",
                Case {
                    fold: |c| {
                        c.b.running(c.table, "sum", 2, c.x, c.one, c.zero, c.lookups);
                        let column = c.b.column_index(c.y) + 1;
                        let source = GatherSource { table: c.table, column, base: 0, rows: 32 };
                        c.b.gather(c.table, "v", 2, c.key, &[source]);
                    },
                    lookups: |c| {
                        let (v, pole) = (c.b.at(c.table, c.b.column_index(c.y) + 2, 0), c.b.sub(c.z, c.key));
                        c.looked_up(v, pole);
                    },
                    ..BASE
                },
            ),
        ],
        &[(
            "what is summed, in a column of its own",
            looking_up(|c| {
                let product = c.b.mul(c.x, c.fold);
                let v = c.expression("v", 3, product);
                let pole = c.b.sub(c.z, c.x);
                c.looked_up(v, pole);
            }),
        )],
    );
}

/// The running sum of products, at an offset.
fn running(c: &mut Base, offset: i32) -> u32 {
    let column = c.b.column_index(c.y) + 1;
    c.b.at(c.table, column, offset)
}

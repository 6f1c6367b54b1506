//! R2 and R4.

use lindero_package::proto::{self, node::Op, GatherSource};

use crate::{check, column, constraint, looking_up, push, Case, BASE};

#[test]
fn r2_gathered_columns_are_read_in_numerators() {
    let begin = "table rows: column y: R2: ";
    check(
        &[
            (
                "a denominator",
                begin,
                looking_up(|c| {
                    let pole = c.b.sub(c.z, c.y);
                    c.one_over(pole);
                }),
            ),
            (
                "an expression",
                begin,
                Case {
                    fold: |c| {
                        let product = c.b.mul(c.y, c.x);
                        c.expression("v", 2, product);
                    },
                    ..BASE
                },
            ),
            (
                "what a scan adds",
                begin,
                Case {
                    fold: |c| {
                        let v = c.b.scan(c.table, "v", 2, c.rho, c.y);
                        c.b.define("v", v);
                    },
                    ..BASE
                },
            ),
            (
                "what a running sum adds",
                begin,
                looking_up(|c| c.b.running(c.table, "sum", 3, c.zero, c.one, c.y, c.lookups)),
            ),
            (
                "another gather",
                begin,
                Case {
                    fold: |c| {
                        let source =
                            GatherSource { table: c.table, column: c.b.column_index(c.y), base: 0, rows: 32 };
                        c.b.gather(c.table, "y2", 2, c.key, &[source]);
                    },
                    ..BASE
                },
            ),
            (
                "the row before",
                begin,
                Case {
                    products: |c| {
                        let before = c.b.shift(c.y, -1);
                        (c.b.mul(before, c.fold), c.b.sub(c.early, c.key))
                    },
                    ..BASE
                },
            ),
            (
                "another constraint",
                begin,
                looking_up(|c| {
                    let product = c.b.mul(c.x, c.y);
                    c.b.constrain(c.table, "product", product);
                }),
            ),
            (
                "y - x y of a witness x",
                begin,
                looking_up(|c| {
                    let equation = c.minus(c.y, c.x, c.y);
                    c.b.constrain(c.table, "zero for some", equation);
                }),
            ),
            (
                "a lookup",
                begin,
                Case {
                    change: |c| {
                        c.buses.push(proto::Bus { name: "bus".into(), width: 1, phase: 2 });
                        let (y, one) = (column(c, "y", 0), push(c, Op::Constant, 1, 0, 0));
                        let lookup = proto::Lookup {
                            name: "one".into(),
                            tuple: vec![y],
                            multiplicity: one,
                            ..Default::default()
                        };
                        c.tables[0].lookups.push(lookup);
                    },
                    ..BASE
                },
            ),
            (
                "the definition of a column that has nothing to do with it",
                begin,
                Case {
                    change: |c| {
                        constraint(c, "fold", |c, node| {
                            let y = column(c, "y", 0);
                            let more = push(c, Op::Add, node, y, 0);
                            push(c, Op::Sub, more, y, 0)
                        });
                    },
                    ..BASE
                },
            ),
        ],
        &[
            (
                "two numerators of one column",
                Case {
                    products: |c| {
                        let (d1, d2) = (c.b.sub(c.early, c.key), c.b.add(c.early, c.one));
                        let (n1, n2) = (c.b.mul(c.y, c.fold), c.b.mul(c.y, c.x));
                        let (left, right) = (c.b.mul(n1, d2), c.b.mul(n2, d1));
                        (c.b.add(left, right), c.b.mul(d1, d2))
                    },
                    ..BASE
                },
            ),
            (
                "zeroed twice, one of it by another column",
                looking_up(|c| {
                    let equation = c.minus(c.y, c.t, c.y);
                    c.b.constrain(c.table, "zero, too", equation);
                }),
            ),
        ],
    );
}

#[test]
fn r4_what_is_unbound_has_no_effect() {
    let begin = "table rows: column y: R4: ";
    let open = Case { zeroed: |_| {}, ..BASE };
    check(
        &[
            ("free where s is 0", begin, open),
            (
                "zero where another column is 0",
                begin,
                Case {
                    zeroed: |c| {
                        let equation = c.minus(c.y, c.t, c.y);
                        c.b.constrain(c.table, "zero", equation);
                    },
                    ..BASE
                },
            ),
            (
                "read where one of two is not 0",
                begin,
                Case {
                    products: |c| {
                        let either = c.b.add(c.s, c.t);
                        (c.b.mul(c.y, either), c.b.sub(c.early, c.key))
                    },
                    ..open
                },
            ),
            (
                "read where s is not 0 on the next row",
                begin,
                Case {
                    products: |c| {
                        let next = c.b.shift(c.s, 1);
                        (c.b.mul(c.y, next), c.b.sub(c.early, c.key))
                    },
                    ..open
                },
            ),
        ],
        &[
            (
                "read where s is not 0",
                Case {
                    products: |c| {
                        let part = c.b.mul(c.s, c.y);
                        (c.b.mul(part, c.fold), c.b.sub(c.early, c.key))
                    },
                    ..open
                },
            ),
            ("bound on all rows", Case { copies: |c| (c.y, c.b.sub(c.gamma, c.key)), ..open }),
            ("read by nobody else", Case { products: |c| (c.fold, c.b.sub(c.early, c.key)), ..open }),
            (
                "s y - y",
                Case {
                    zeroed: |c| {
                        let part = c.b.mul(c.s, c.y);
                        let equation = c.b.sub(part, c.y);
                        c.b.constrain(c.table, "zero", equation);
                    },
                    ..BASE
                },
            ),
        ],
    );
}

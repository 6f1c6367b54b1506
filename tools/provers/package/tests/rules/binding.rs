//! R3.

use lindero_package::proto::{self, PublicTensor};

use crate::{check, looking_up, Case, BASE};

/// A public tensor of the group of copies or under the challenge that binds.
fn public(circuit: &mut proto::Circuit, group: u32, challenge: u32) {
    circuit.publics.push(PublicTensor {
        name: "public".into(),
        rows: 1,
        columns: 1,
        tile_rows: 1,
        tile_columns: 1,
        group,
        address_challenge: challenge,
        ..Default::default()
    });
}

#[test]
fn r3_gathered_columns_are_bound_once() {
    let begin = "table rows: column y: R3: ";
    let copying = |copies| Case { copies, ..BASE };
    check(
        &[
            (
                "two gathered cells in one fraction",
                begin,
                Case {
                    fold: |c| {
                        c.second();
                    },
                    copies: |c| {
                        let second = c.y + 2;
                        let (sum, given) = (c.b.add(c.y, second), c.b.mul(c.t, c.fold));
                        let taken = c.b.mul(c.s, sum);
                        (c.b.sub(taken, given), c.b.sub(c.gamma, c.key))
                    },
                    ..BASE
                },
            ),
            (
                "a rest that depends on the cell",
                begin,
                Case {
                    fold: |c| {
                        let (part, pole) = (c.b.mul(c.s, c.y), c.b.sub(c.early, c.key));
                        c.fraction("v", 2, part, pole);
                    },
                    copies: |c| {
                        let v = c.b.at(c.table, c.b.column_index(c.y) + 1, 0);
                        let taken = c.b.mul(c.s, c.y);
                        (c.b.sub(taken, v), c.b.sub(c.gamma, c.key))
                    },
                    ..BASE
                },
            ),
            ("nothing that binds", begin, copying(|c| (c.fold, c.b.sub(c.gamma, c.key)))),
            (
                "two that bind",
                begin,
                looking_up(|c| {
                    let pole = c.b.sub(c.z, c.key);
                    c.looked_up(c.y, pole);
                }),
            ),
            (
                "the same fraction twice",
                begin,
                copying(|c| {
                    let (taken, pole) = (c.b.mul(c.s, c.y), c.b.sub(c.gamma, c.key));
                    let term = c.b.mul(taken, pole);
                    (c.b.add(term, term), c.b.mul(pole, pole))
                }),
            ),
            ("bound by an early challenge", begin, copying(|c| (c.b.mul(c.s, c.y), c.b.sub(c.early, c.key)))),
            ("c f of a fixed f", begin, copying(|c| (c.b.mul(c.s, c.y), c.b.mul(c.gamma, c.key)))),
            ("c - x of a witness", begin, copying(|c| (c.b.mul(c.s, c.y), c.b.sub(c.gamma, c.x)))),
            (
                "c - is_first",
                begin,
                copying(|c| {
                    let first = c.b.is_first();
                    (c.b.mul(c.s, c.y), c.b.sub(c.gamma, first))
                }),
            ),
            (
                "2 c - a",
                begin,
                copying(|c| {
                    let twice = c.b.add(c.gamma, c.gamma);
                    (c.b.mul(c.s, c.y), c.b.sub(twice, c.key))
                }),
            ),
            (
                "two selectors",
                begin,
                copying(|c| {
                    let both = c.b.mul(c.s, c.t);
                    (c.b.mul(both, c.y), c.b.sub(c.gamma, c.key))
                }),
            ),
            ("a witness as selector", begin, copying(|c| (c.b.mul(c.x, c.y), c.b.sub(c.gamma, c.key)))),
            (
                "the square of the cell",
                begin,
                copying(|c| {
                    let square = c.b.mul(c.y, c.y);
                    (c.b.mul(c.s, square), c.b.sub(c.gamma, c.key))
                }),
            ),
            (
                "a witness under the same challenge elsewhere",
                begin,
                looking_up(|c| {
                    let pole = c.b.sub(c.gamma, c.x);
                    c.one_over(pole);
                }),
            ),
            (
                "the challenge in a numerator",
                begin,
                looking_up(|c| {
                    let pole = c.b.sub(c.z, c.x);
                    c.looked_up(c.gamma, pole);
                }),
            ),
            (
                "the challenge in an expression",
                begin,
                looking_up(|c| {
                    c.expression("v", 3, c.gamma);
                }),
            ),
            (
                "the challenge in what is added",
                begin,
                looking_up(|c| {
                    let pole = c.b.sub(c.z, c.x);
                    c.b.running(c.table, "looked up", 3, c.one, pole, c.gamma, c.lookups);
                }),
            ),
            (
                "the challenge in a constraint",
                begin,
                looking_up(|c| {
                    let product = c.b.mul(c.gamma, c.x);
                    c.b.constrain(c.table, "product", product);
                }),
            ),
            (
                "the challenge in a tuple",
                begin,
                looking_up(|c| {
                    let tuple = c.minus(c.z, c.gamma, c.x);
                    c.one_over(tuple);
                }),
            ),
            (
                "a numerator that depends on the challenge",
                begin,
                Case {
                    copies: |c| {
                        let pole = c.b.sub(c.gamma, c.key);
                        let v = c.fraction("v", 3, c.fold, pole);
                        let taken = c.b.mul(c.s, c.y);
                        (c.b.sub(v, taken), pole)
                    },
                    ..BASE
                },
            ),
            (
                "a fraction under the challenge that nobody adds",
                begin,
                looking_up(|c| {
                    let pole = c.b.sub(c.gamma, c.key);
                    c.fraction("v", 3, c.fold, pole);
                }),
            ),
            (
                "a fraction under the challenge that counts twice",
                begin,
                looking_up(|c| {
                    let pole = c.b.sub(c.gamma, c.key);
                    let v = c.fraction("v", 3, c.fold, pole);
                    let twice = c.b.add(v, v);
                    c.b.running(c.table, "sum", 3, c.zero, c.one, twice, c.copies);
                }),
            ),
            (
                "a fraction under the challenge that two add",
                begin,
                looking_up(|c| {
                    let pole = c.b.sub(c.gamma, c.key);
                    let v = c.fraction("v", 3, c.fold, pole);
                    c.b.running(c.table, "sum", 3, c.zero, c.one, v, c.copies);
                    c.b.running(c.table, "another sum", 3, c.zero, c.one, v, c.lookups);
                }),
            ),
            ("a public tensor of the group", begin, Case { change: |c| public(c, 1, 0), ..BASE }),
            ("a public tensor under the challenge", begin, Case { change: |c| public(c, 0, 2), ..BASE }),
            (
                // Other checks refuse it before: exported groups are of phase 2, what binds is of phase 3.
                "an exported group",
                "F19: column copies makes a claimed sum of an exported group in phase 3",
                Case {
                    fold: |c| c.b.running(c.table, "left", 2, c.x, c.one, c.zero, c.lookups),
                    change: |c| c.sum_groups[1].exported = true,
                    ..BASE
                },
            ),
        ],
        &[
            ("no selector", copying(|c| (c.b.neg(c.y), c.b.sub(c.key, c.gamma)))),
            (
                "a pole that is an expression of fixed columns",
                copying(|c| {
                    let pole = c.b.mul(c.key, c.t);
                    let pole = c.b.add(pole, c.one);
                    let neighbour = c.b.shift(c.t, 1);
                    let pole = c.b.add(pole, neighbour);
                    (c.b.mul(c.s, c.y), c.b.sub(pole, c.gamma))
                }),
            ),
            (
                "summed with a fraction of its own column",
                copying(|c| {
                    let (d1, d2) = (c.b.sub(c.gamma, c.key), c.b.sub(c.z, c.x));
                    let taken = c.b.mul(c.s, c.y);
                    let (left, right) = (c.b.mul(taken, d2), c.b.mul(c.w, d1));
                    (c.b.add(left, right), c.b.mul(d1, d2))
                }),
            ),
            (
                "a giver that a running sum adds once",
                looking_up(|c| {
                    let pole = c.b.sub(c.gamma, c.key);
                    let v = c.fraction("v", 3, c.fold, pole);
                    c.b.running(c.table, "sum", 3, c.zero, c.one, v, c.copies);
                }),
            ),
            ("a public tensor of another group", Case { change: |c| public(c, 0, 0), ..BASE }),
        ],
    );
}

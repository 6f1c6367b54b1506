//! R0 and R1.

use lindero_package::proto::node::Op;

use crate::{check, column, constraint, looking_up, push, Case, BASE};

#[test]
fn r0_generated_columns_are_defined() {
    let changed = |change| Case { change, ..BASE };
    check(
        &[
            (
                "no definition of a fold, which others read",
                "table rows: column fold: R0: ",
                changed(|c| {
                    constraint(c, "fold", |c, _| {
                        let (fold, x) = (column(c, "fold", 0), column(c, "x", 0));
                        push(c, Op::Mul, fold, x, 0)
                    });
                }),
            ),
            (
                "a definition with one term more",
                "table rows: column fold: R0: ",
                changed(|c| {
                    constraint(c, "fold", |c, node| {
                        let w = column(c, "w", 0);
                        push(c, Op::Add, node, w, 0)
                    });
                }),
            ),
            (
                "a definition on some rows",
                "table rows: column copies: R0: ",
                changed(|c| {
                    constraint(c, "copies", |c, node| {
                        let s = column(c, "s", 0);
                        push(c, Op::Mul, s, node, 0)
                    });
                }),
            ),
            (
                "a running sum that begins with its claimed sum and something",
                "table rows: column products: R0: ",
                changed(|c| {
                    constraint(c, "products", |c, node| {
                        let first = push(c, Op::IsFirst, 0, 0, 0);
                        push(c, Op::Add, node, first, 0)
                    });
                }),
            ),
            (
                "a scan that goes on from the last row",
                "table rows: column fold: R0: ",
                changed(|c| {
                    constraint(c, "fold", |c, node| {
                        let (fold, first) = (column(c, "fold", -1), push(c, Op::IsFirst, 0, 0, 0));
                        let wrapped = push(c, Op::Mul, fold, first, 0);
                        push(c, Op::Sub, node, wrapped, 0)
                    });
                }),
            ),
            (
                "a column of fractions without one",
                "table rows: column v: R0: ",
                looking_up(|c| {
                    let denominator = c.b.sub(c.z, c.x);
                    let v = c.b.fraction(c.table, "v", 3, c.one, denominator);
                    c.b.running(c.table, "sum", 3, c.zero, c.one, v, c.lookups);
                }),
            ),
            (
                // rho^(2^31) - rho^2 is zero at every point of F_p, where rho^p = rho, and is not the zero polynomial.
                "a power that points of F_p do not see",
                "F23: node ",
                changed(|c| {
                    constraint(c, "fold", |c, node| {
                        let rho = push(c, Op::Challenge, 0, 0, 0);
                        let mut power = rho;
                        (0..31).for_each(|_| power = push(c, Op::Mul, power, power, 0));
                        let square = push(c, Op::Mul, rho, rho, 0);
                        let hidden = push(c, Op::Sub, power, square, 0);
                        push(c, Op::Add, node, hidden, 0)
                    });
                }),
            ),
        ],
        &[
            ("the circuit", BASE),
            (
                "the other sign",
                changed(|c| {
                    constraint(c, "fold", |c, node| push(c, Op::Neg, node, 0, 0));
                }),
            ),
            (
                "a term that cancels",
                changed(|c| {
                    constraint(c, "fold", |c, node| {
                        let w = column(c, "w", 0);
                        let more = push(c, Op::Add, node, w, 0);
                        push(c, Op::Sub, more, w, 0)
                    });
                }),
            ),
            (
                "twice the same",
                changed(|c| {
                    let again = c.tables[0].constraints.clone();
                    c.tables[0].constraints.extend(again);
                }),
            ),
        ],
    );
}

#[test]
fn r1_denominators_are_not_zero() {
    let begin = "table rows: column looked up: R1: ";
    check(
        &[
            ("a witness", begin, looking_up(|c| c.one_over(c.x))),
            (
                "c f + 1 of a fixed f",
                begin,
                looking_up(|c| {
                    let product = c.b.mul(c.z, c.key);
                    let sum = c.b.add(product, c.one);
                    c.one_over(sum);
                }),
            ),
            (
                "f z + w of a fixed f",
                begin,
                looking_up(|c| {
                    let product = c.b.mul(c.key, c.z);
                    let sum = c.b.add(product, c.w);
                    c.one_over(sum);
                }),
            ),
            (
                "z - z + w",
                begin,
                looking_up(|c| {
                    let nothing = c.b.sub(c.z, c.z);
                    let sum = c.b.add(nothing, c.w);
                    c.one_over(sum);
                }),
            ),
            (
                "a late factor before an early pole",
                begin,
                looking_up(|c| {
                    let pole = c.b.sub(c.early, c.fold);
                    let product = c.b.mul(c.z, pole);
                    c.one_over(product);
                }),
            ),
            (
                "a tuple without its point",
                begin,
                looking_up(|c| {
                    let tuple = c.b.mul(c.alpha, c.x);
                    let sum = c.b.add(tuple, c.key);
                    c.one_over(sum);
                }),
            ),
            (
                "an early challenge before a late one",
                begin,
                looking_up(|c| {
                    let led = c.b.mul(c.early, c.z);
                    let sum = c.b.sub(led, c.fold);
                    c.one_over(sum);
                }),
            ),
            (
                "the point under an inverse",
                begin,
                looking_up(|c| {
                    let inverse = c.b.inverse(c.z);
                    let sum = c.b.add(inverse, c.x);
                    c.one_over(sum);
                }),
            ),
            (
                "5 - 5",
                begin,
                looking_up(|c| {
                    let five = c.b.constant(5);
                    let zero = c.b.sub(five, five);
                    c.one_over(zero);
                }),
            ),
            (
                "degree 128",
                begin,
                looking_up(|c| {
                    let mut power = c.z;
                    (0..7).for_each(|_| power = c.b.mul(power, power));
                    let sum = c.b.sub(power, c.x);
                    c.one_over(sum);
                }),
            ),
        ],
        &[
            (
                "degree 64",
                looking_up(|c| {
                    let mut power = c.z;
                    (0..6).for_each(|_| power = c.b.mul(power, power));
                    let sum = c.b.sub(power, c.x);
                    c.one_over(sum);
                }),
            ),
            (
                "z - x - alpha w",
                looking_up(|c| {
                    let tuple = c.b.sub(c.z, c.x);
                    let tuple = c.minus(tuple, c.alpha, c.w);
                    c.one_over(tuple);
                }),
            ),
            (
                "(z - x) (alpha - w), multiplied out",
                looking_up(|c| {
                    let product = c.b.mul(c.z, c.alpha);
                    let product = c.minus(product, c.z, c.w);
                    let product = c.minus(product, c.alpha, c.x);
                    let corner = c.b.mul(c.x, c.w);
                    let product = c.b.add(product, corner);
                    c.one_over(product);
                }),
            ),
            ("a fixed column, which is checked row by row", looking_up(|c| c.one_over(c.key))),
            (
                "-(z - x) z * 5",
                looking_up(|c| {
                    let pole = c.b.sub(c.z, c.x);
                    let product = c.b.mul(pole, c.z);
                    let (negative, five) = (c.b.neg(product), c.b.constant(5));
                    let product = c.b.mul(negative, five);
                    c.one_over(product);
                }),
            ),
        ],
    );
}

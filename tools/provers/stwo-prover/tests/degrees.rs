//! Degrees of a stranger's circuit: sums that vanish at every element of the field, though they are not zero, have no key; and
//! none takes long to count.

mod common;

use common::{make_key, QUICK};
use lindero_package::proto::{public_tensor::Kind, PublicTensor};
use lindero_package::{Circuit, Error};
use lindero_stwo_verifier::security::Sizes;
use lindero_stwo_verifier::Layout;
use lindero_testkit::{Builder, Sample};

const FIELD: u128 = 2147483647u128.pow(4);

/// "The public output is 5", said by a sum of (x - 5) (z^|F| - z) / (c - row). With `hidden`, two claims that cancel have
/// degrees that overflow, so that their sum's are no number.
fn vanishing(hidden: bool) -> Sample {
    let mut b = Builder::new();
    let (edges, fives, noise) = (b.group("edges"), b.group("fives"), b.group("noise"));
    let t = b.table("t", 5);
    let row = b.fixed(t, "row", |row| row as i64);
    let on = b.fixed(t, "on", |row| (row == 0) as i64);
    let x = b.main(t, "x", |row| if row == 0 { 5 } else { 0 });
    let (za, zr, zc) = (b.challenge("za", 1), b.challenge("zr", 1), b.challenge("zc", 1));
    let (z, c) = (b.challenge("z", 1), b.challenge("c", 1));
    let (zero, one, five) = (b.constant(0), b.constant(1), b.constant(5));
    let off = b.sub(one, on);
    let rest = b.mul(off, x);
    b.constrain(t, "rest", rest);
    let (at_row, at_column) = (b.inverse(zr), b.inverse(zc));
    let weight = b.mul(at_row, at_column);
    let (own, pole) = (b.mul(x, on), b.sub(za, row));
    let edge = b.mul(own, weight);
    b.running(t, "edge", 2, edge, pole, zero, edges);
    let mut power = b.expression(t, "power", 2, z);
    b.define("power", power);
    for bit in (0..FIELD.ilog2()).rev() {
        let square = b.mul(power, power);
        let value = if FIELD >> bit & 1 == 1 { b.mul(square, z) } else { square };
        let name = format!("power {bit}");
        power = b.expression(t, &name, 2, value);
        b.define(&name, power);
    }
    let (nought, difference) = (b.sub(power, z), b.sub(x, five));
    let wrong = b.mul(difference, on);
    let numerator = b.mul(wrong, nought);
    let pole = b.sub(c, row);
    b.running(t, "is five", 2, numerator, pole, zero, fives);
    let mut value = one;
    for level in 0..if hidden { 210 } else { 0 } {
        let name = format!("level {level}");
        value = b.scan(t, &name, 2, if level == 0 { at_row } else { value }, x);
        b.define(&name, value);
    }
    b.running(t, "one", 2, value, one, zero, noise);
    let minus = b.neg(value);
    b.running(t, "other", 2, minus, one, zero, noise);
    let [address_challenge, row_challenge, column_challenge] =
        [za, zr, zc].map(|node| b.challenge_index(node));
    let tensor = PublicTensor {
        name: "y".into(),
        kind: Kind::Output as i32,
        rows: 1,
        columns: 1,
        group: edges,
        negative: true,
        tile_rows: 1,
        tile_columns: 1,
        address_challenge,
        row_challenge,
        column_challenge,
        high: 100,
        ..Default::default()
    };
    b.public(tensor, vec![5]);
    b.finish()
}

#[test]
fn sums_that_vanish_everywhere_have_no_key() {
    for hidden in [false, true] {
        let error = make_key(&vanishing(hidden), &QUICK).unwrap_err().to_string();
        assert!(
            error.contains("out of reach") || error.contains("beyond the field's size"),
            "{hidden}: {error}"
        );
    }
}

/// The sizes of a circuit that sums 1 / denominator. `denominator` has a challenge to begin with.
fn count(denominator: fn(&mut Builder, u32) -> u32) -> Result<Sizes, Error> {
    let mut b = Builder::new();
    let group = b.group("sums");
    let t = b.table("t", 5);
    let x = b.main(t, "x", |_| 0);
    let z = b.challenge("z", 1);
    let (zero, one) = (b.constant(0), b.constant(1));
    b.constrain(t, "x", x);
    let denominator = denominator(&mut b, z);
    b.running(t, "sum", 2, one, denominator, zero, group);
    sizes(b)
}

fn sizes(b: Builder) -> Result<Sizes, Error> {
    let circuit = Circuit::decode(&b.finish().circuit_bytes())?;
    Sizes::of(&circuit, &Layout::new(&circuit))
}

/// A product of few nodes has many factors: 2^60 of them are the same constant, or each node is one more to descend into.
#[test]
fn factors_of_denominators_are_looked_at_once() {
    let squares = |b: &mut Builder, z| {
        let mut power = b.constant(2);
        (0..60).for_each(|_| power = b.mul(power, power));
        b.mul(power, z)
    };
    let deep = |b: &mut Builder, z| {
        let two = b.constant(2);
        (0..400_000).fold(z, |product, _| b.mul(product, two))
    };
    let inverted = |b: &mut Builder, z| {
        let mut power = b.constant(2);
        (0..60).for_each(|_| power = b.mul(power, power));
        let inverse = b.inverse(power);
        b.mul(inverse, z)
    };
    for denominator in [squares, deep, inverted] {
        // 0 + 1 / (constant z) = z / (constant z), on all rows alike; z is of phase 1.
        assert_eq!(count(denominator).unwrap().log_degrees, [1.0, 0.0]);
    }
}

/// Every further sum of a group, and every further source of a gather, would be put over all denominators of those before.
#[test]
fn many_shared_denominators_take_too_long() {
    const INVERSES: usize = 256;
    let mut b = Builder::new();
    let group = b.group("sums");
    let t = b.table("t", 5);
    let x = b.main(t, "x", |_| 0);
    let z = b.challenge("z", 1);
    let zero = b.constant(0);
    let one = b.constant(1);
    b.constrain(t, "x", x);
    for sum in 0..256 {
        // A balanced tree: few powers are kept of each column.
        let mut terms: Vec<u32> = (0..INVERSES)
            .map(|term| {
                let root = b.constant((sum * INVERSES + term) as i64);
                let factor = b.sub(z, root);
                b.inverse(factor)
            })
            .collect();
        while terms.len() > 1 {
            terms = terms.chunks(2).map(|pair| b.add(pair[0], pair[1])).collect();
        }
        b.running(t, &format!("sum {sum}"), 2, terms[0], one, zero, group);
    }
    let error = sizes(b).unwrap_err().to_string();
    assert!(error.contains("take too long to count"), "{error}");
}

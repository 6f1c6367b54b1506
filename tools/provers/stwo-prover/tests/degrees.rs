//! Sums that vanish at every element of the field, though they are not zero: no key of such a circuit promises anything.

mod common;

use common::{make_key, QUICK};
use lindero_package::proto::{public_tensor::Kind, PublicTensor};
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

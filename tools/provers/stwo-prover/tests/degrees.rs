//! Degrees of a stranger's circuit: sums that vanish at every element of the field, though they are not zero, have no key; and
//! none takes long to count. Scans that declare runs shorter than they have win a bounded number of bits.

mod common;

use common::{make_key, QUICK};
use lindero_package::proto::{public_tensor::Kind, PublicTensor};
use lindero_package::{Circuit, Error};
use lindero_stwo_verifier::security::{BundleSizes, Regime, Sizes};
use lindero_stwo_verifier::{Key, KeyParts, Layout, Parameters};
use lindero_testkit::{Builder, Sample};

const FIELD: u128 = 2147483647u128.pow(4);

/// How a stranger makes z^|F|.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Power {
    /// Column after column, a square each.
    Squares,
    /// The same, and two claimed sums that cancel have degrees that overflow, so that their sum's are no number.
    Hidden,
    /// By scans of scans, which declare runs of this number of rows; 0: of the whole table.
    Scans(u32),
}

const ROWS: usize = 32;

/// Level 1 is z^row, on the last row z^31, and each further level the product of the one below over all rows so far: C(30 + k,
/// k) is the exponent on the last row of level k. |F| is a sum of such, few of each.
fn power_by_scans(b: &mut Builder, t: u32, z: u32, rows: u32) -> u32 {
    let (first, mut level, mut exponent) = (b.is_first(), z, 1u128);
    let mut levels = vec![];
    for k in 1.. {
        let Some(above) = exponent.checked_mul(ROWS as u128 + k - 2).map(|product| product / k) else {
            break;
        };
        levels.push((level, exponent));
        let name = format!("level {k}");
        level = b.short_scan(t, &name, 2, level, first, rows);
        b.define(&name, level);
        exponent = above;
    }
    levels.push((level, exponent));
    let (mut power, mut rest) = (b.constant(1), FIELD);
    for (level, exponent) in levels.into_iter().rev() {
        while rest >= exponent {
            rest -= exponent;
            let product = b.mul(power, level);
            let name = format!("rest {rest}");
            power = b.expression(t, &name, 2, product);
            b.define(&name, power);
        }
    }
    power
}

fn power_by_squares(b: &mut Builder, t: u32, z: u32) -> u32 {
    let mut power = b.expression(t, "power", 2, z);
    b.define("power", power);
    for bit in (0..FIELD.ilog2()).rev() {
        let square = b.mul(power, power);
        let value = if FIELD >> bit & 1 == 1 { b.mul(square, z) } else { square };
        let name = format!("power {bit}");
        power = b.expression(t, &name, 2, value);
        b.define(&name, power);
    }
    power
}

/// "The public output is 5", said by a sum of (x - 5) (z^|F| - z) / (c - row), where x is `actual`.
fn vanishing(how: Power, actual: i64) -> Sample {
    let mut b = Builder::new();
    let (edges, fives, noise) = (b.group("edges"), b.group("fives"), b.group("noise"));
    let t = b.table("t", ROWS.ilog2());
    let last = ROWS - 1;
    let row = b.fixed(t, "row", |row| row as i64);
    let on = b.fixed(t, "on", |row| (row == last) as i64);
    let x = b.main(t, "x", |row| if row == last { actual } else { 0 });
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
    let power = match how {
        Power::Scans(rows) => power_by_scans(&mut b, t, z, rows),
        _ => power_by_squares(&mut b, t, z),
    };
    let (nought, difference) = (b.sub(power, z), b.sub(x, five));
    let wrong = b.mul(difference, on);
    let numerator = b.mul(wrong, nought);
    let pole = b.sub(c, row);
    b.running(t, "is five", 2, numerator, pole, zero, fives);
    let mut value = one;
    for level in 0..if how == Power::Hidden { 210 } else { 0 } {
        let name = format!("hidden {level}");
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
        address: last as u32,
        address_challenge,
        row_challenge,
        column_challenge,
        high: 100,
        ..Default::default()
    };
    b.public(tensor, vec![actual]);
    b.finish()
}

#[test]
fn sums_that_vanish_everywhere_have_no_key() {
    for how in [Power::Squares, Power::Hidden, Power::Scans(0), Power::Scans(1), Power::Scans(31)] {
        let error = make_key(&vanishing(how, 7), &QUICK).unwrap_err().to_string();
        assert!(
            error.contains("out of reach") || error.contains("beyond the field's size"),
            "{how:?}: {error}"
        );
    }
}

/// Scans of scans that go on over all rows, whatever they declare; the last level is summed up.
fn nested(levels: usize, rows: u32) -> Sample {
    let mut b = Builder::new();
    let group = b.group("sums");
    let t = b.table("t", ROWS.ilog2());
    let on = b.fixed(t, "on", |_| 1);
    let x = b.main(t, "x", |_| 0);
    let z = b.challenge("z", 1);
    let (zero, one) = (b.constant(0), b.constant(1));
    b.constrain(t, "x", x);
    let mut value = b.mul(on, z);
    for level in 0..levels {
        let name = format!("level {level}");
        value = b.short_scan(t, &name, 2, value, x, rows);
        b.define(&name, value);
    }
    b.running(t, "sum", 2, value, one, zero, group);
    b.finish()
}

/// A key for the circuit that nobody has set up.
fn own_key(sample: &Sample, parameters: Parameters) -> Result<Key, Error> {
    let key = KeyParts {
        circuits: vec![sample.circuit_bytes()],
        bundle: sample.bundle.clone(),
        parameters,
        bits: 20,
        regime: Regime::Proven,
        fixed_roots: vec![[0; 32]],
        model: Vec::new(),
    };
    Key::decode(&key.encode())
}

/// The degree of k levels is 32^k, and 1 as they declare it.
#[test]
fn runs_declared_too_short_win_a_bounded_number_of_bits() {
    let parameters = Key::decode(&make_key(&nested(1, 1), &QUICK).unwrap()).unwrap().parameters;
    let sizes = |sample: &Sample| {
        let circuit = Circuit::decode(&sample.circuit_bytes()).unwrap();
        Sizes::of(&circuit, &Layout::new(&circuit)).unwrap()
    };
    for (levels, degree) in [(1, 5.0), (4, 20.0), (12, 60.0)] {
        let (honest, lying) = (sizes(&nested(levels, 0)), sizes(&nested(levels, 1)));
        assert!(lying.log_degrees[0] < 1.0, "{lying:?}");
        assert!((honest.log_degrees[0] - degree).abs() < 0.2, "{honest:?}");
        assert_eq!(lying.log_degrees_of_whole_tables, honest.log_degrees);
        assert_eq!(honest.log_degrees_of_whole_tables, honest.log_degrees);
        let left = BundleSizes::from(lying).challenges_of_whole_tables(&parameters);
        assert!((left - (124.0 - degree)).abs() < 0.3, "{left}");
        assert!(own_key(&nested(levels, 1), parameters).is_ok());
        assert!(make_key(&nested(levels, 1), &QUICK).is_ok());
    }
    // 2^65: with grinding of 1 bit it would do.
    assert!(make_key(&nested(13, 1), &QUICK).is_ok());
    let lacks = |error: Error| error.to_string().contains("bits, and 60 are asked for");
    for levels in [13, 24] {
        assert!(lacks(own_key(&nested(levels, 1), parameters).err().unwrap()), "{levels}");
    }
    assert!(lacks(make_key(&nested(14, 1), &QUICK).unwrap_err()));
    let error = own_key(&nested(25, 1), parameters).err().unwrap().to_string();
    assert!(error.contains("beyond the field's size"), "{error}");
}

/// What the declared lengths are worth is theirs, as long as they are shorter than the table.
#[test]
fn runs_are_shorter_than_the_table() {
    for rows in [ROWS as u32, u32::MAX] {
        let error = Circuit::decode(&nested(1, rows).circuit_bytes()).unwrap_err().to_string();
        assert!(error.contains("the table 32 rows in all"), "{error}");
    }
    assert!(Circuit::decode(&nested(1, ROWS as u32 - 1).circuit_bytes()).is_ok());
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

//! Small circuits with a satisfying witness.

use lindero_package::proto::{public_tensor::Kind, GatherSource, PublicTensor};

use crate::builder::{Builder, Sample};

/// Deterministic values below 2^bits.
fn noise(seed: usize, row: usize, bits: u32) -> i64 {
    let mixed = ((seed as u64) << 32 | row as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> (64 - bits)) as i64
}

/// `lanes` columns (an even number) of 2^log_height values below 2^bits, looked up two per fraction column in a table of
/// 2^bits rows; and their squares.
pub fn range_lookup(log_height: u32, lanes: usize, bits: u32) -> Sample {
    let mut b = Builder::new();
    let group = b.group("range");
    let (user, range) = (b.table("user", log_height), b.table("range", bits));
    let values = move |lane: usize, row: usize| noise(lane, row, bits);
    let x: Vec<u32> = (0..lanes).map(|l| b.main(user, &format!("x{l}"), move |row| values(l, row))).collect();
    let y: Vec<u32> =
        (0..lanes).map(|l| b.main(user, &format!("y{l}"), move |row| values(l, row).pow(2))).collect();
    let value = b.fixed(range, "value", |row| row as i64);
    let mut counts = vec![0i64; 1 << bits];
    for row in 0..1 << log_height {
        (0..lanes).for_each(|lane| counts[values(lane, row) as usize] += 1);
    }
    let count = b.main(range, "count", |row| counts[row]);
    let z = b.challenge("z", 2);
    let zero = b.constant(0);
    for lane in 0..lanes {
        let square = b.mul(x[lane], x[lane]);
        let equation = b.sub(y[lane], square);
        b.constrain(user, &format!("square{lane}"), equation);
    }
    let mut sum = zero;
    for pair in 0..lanes / 2 {
        let (left, right) = (b.sub(z, x[2 * pair]), b.sub(z, x[2 * pair + 1]));
        let (numerator, denominator) = (b.add(left, right), b.mul(left, right));
        let column = b.fraction(user, &format!("lookup{pair}"), 3, numerator, denominator);
        b.define(&format!("lookup{pair}"), column);
        sum = if pair == 0 { column } else { b.add(sum, column) };
    }
    let one = b.constant(1);
    b.running(user, "lookups", 3, zero, one, sum, group);
    let (provided, missing) = (b.sub(z, value), b.neg(count));
    b.running(range, "provided", 3, missing, provided, zero, group);
    b.finish()
}

/// `lanes` fixed columns folded with powers of a challenge, with a constant and two signs, times a main column; the first of
/// them, times that column, is checked by itself. The fold of a second table is a column as it stands.
pub fn folded_weights(log_height: u32, lanes: usize) -> Sample {
    let mut b = Builder::new();
    let (long, short) = (b.table("weights", log_height), b.table("bias", 5));
    let c = b.challenge("c", 1);
    let fold = |b: &mut Builder, table: u32| {
        let (mut sum, mut power) = (b.constant(7), b.constant(1));
        let mut first = sum;
        for lane in 0..lanes {
            let weight = b.fixed(table, &format!("w{lane}"), |row| noise(lane, row, 16));
            first = if lane == 0 { weight } else { first };
            let term = b.mul(weight, power);
            sum = if lane % 3 == 1 { b.sub(sum, term) } else { b.add(term, sum) };
            power = b.mul(power, c);
        }
        (b.neg(sum), first)
    };
    let (folded, first) = fold(&mut b, long);
    let x = b.main(long, "x", |row| noise(lanes, row, 12));
    let y = b.main(long, "y", |row| noise(0, row, 16) * noise(lanes, row, 12));
    let value = b.mul(folded, x);
    let column = b.expression(long, "folded", 2, value);
    b.define("folded", column);
    let product = b.mul(first, x);
    let equation = b.sub(product, y);
    b.constrain(long, "first", equation);
    let (folded, _) = fold(&mut b, short);
    let column = b.expression(short, "folded bias", 2, folded);
    b.define("folded bias", column);
    b.finish()
}

const LANES: usize = 4;

/// Uses every operation, generator and phase, on tables of two heights: a public input of 16 x 4 tied to a
/// table of 2^7 rows, its random linear combinations copied to a table of 2^5 rows and compared there, a
/// column read at three offsets, a fixed column read at an offset, a generator that reads a claimed sum.
pub fn everything() -> Sample {
    everything_of_run(0)
}

/// The same circuit with the inputs of another run.
pub fn everything_of_run(run: usize) -> Sample {
    let mut b = Builder::new();
    let (edges, copies) = (b.group("edges"), b.group("copies"));
    let (long, short) = (b.table("long", 7), b.table("short", 5));
    let input =
        move |row: usize, lane: usize| if row < 16 { noise(16 * run + lane, row, 9) - 256 } else { 0 };

    let address = b.fixed(long, "address", |row| row as i64 + 3);
    let live = b.fixed(long, "live", |row| (row < 16) as i64);
    let copied = b.fixed(long, "is copied", |row| (row % 4 == 0) as i64);
    let x: Vec<u32> =
        (0..LANES).map(|lane| b.main(long, &format!("x{lane}"), |row| input(row, lane))).collect();
    let square = b.main(long, "square", |row| input(row, 0).pow(2));
    let index = b.fixed(short, "index", |row| 1 + 4 * row as i64 + 10);
    let ramp = b.main(short, "ramp", |row| 5 * row as i64 - 7);

    let (za, zr, zc) = (b.challenge("za", 1), b.challenge("zr", 1), b.challenge("zc", 1));
    let rho = b.challenge("rho", 1);
    let gamma = b.challenge("gamma", 2);
    let (zero, one, two) = (b.constant(0), b.constant(1), b.constant(2));
    let (first, last) = (b.is_first(), b.is_last());
    let (not_first, not_last) = (b.sub(one, first), b.sub(one, last));

    let folded = lanes(&mut b, &x, zc);
    let row_pole = b.inverse(zr);
    let weighted = b.mul(folded, row_pole);
    let numerator = b.mul(weighted, live);
    let denominator = b.sub(za, address);
    // The address in the table counts from 3, the tensor's from 3 as well, one tile per row.
    b.running(long, "input", 2, numerator, denominator, zero, edges);
    let horner = b.scan(long, "horner", 2, rho, x[1]);
    b.define("horner", horner);
    let source = GatherSource { table: long, column: b.column_index(horner), base: 10, rows: 128 };
    let gathered = b.gather(short, "gathered", 2, index, &[source]);

    let (square_of_own, known) = (b.mul(horner, horner), b.claimed_sum("input"));
    let power = b.add(square_of_own, known);
    let square_of_horner = b.expression(long, "horner squared", 3, power);
    b.define("horner squared", square_of_horner);
    // Row r of the long table is copied to row r / 4 of the short one under address r + 3.
    let (copy, pole) = (b.mul(copied, horner), b.sub(gamma, address));
    b.running(long, "copied", 3, copy, pole, zero, copies);
    let eight = b.constant(8);
    let index_address = b.sub(index, eight);
    let (own, pole) = (b.neg(gathered), b.sub(gamma, index_address));
    b.running(short, "copies", 3, own, pole, zero, copies);

    let product = b.mul(x[0], x[0]);
    let equation = b.sub(square, product);
    b.constrain(long, "square", equation);
    let rest = b.sub(one, live);
    for (lane, &x) in x.iter().enumerate() {
        let equation = b.mul(rest, x);
        b.constrain(long, &format!("rest{lane}"), equation);
    }
    let (up, down, twice) = (b.shift(ramp, 1), b.shift(ramp, -1), b.mul(two, ramp));
    let ends = b.add(up, down);
    let curvature = b.sub(ends, twice);
    let inner = b.mul(not_first, not_last);
    let equation = b.mul(inner, curvature);
    b.constrain(short, "ramp", equation);
    let (previous, four) = (b.shift(index, -1), b.constant(4));
    let difference = b.sub(index, previous);
    let equation = b.sub(difference, four);
    let equation = b.mul(not_first, equation);
    b.constrain(short, "index", equation);

    let tensor = PublicTensor {
        name: "input".into(),
        rows: 16,
        columns: LANES as u32,
        low: -256,
        high: 255,
        group: edges,
        negative: true,
        address: 3,
        tile_rows: 1,
        tile_columns: LANES as u32,
        address_challenge: b.challenge_index(za),
        row_challenge: b.challenge_index(zr),
        column_challenge: b.challenge_index(zc),
        ..Default::default()
    };
    let values = (0..16).flat_map(|row| (0..LANES).map(move |lane| input(row, lane))).collect();
    b.public(tensor, values);
    b.finish()
}

/// Most steps of [`linked`]'s and [`network`]'s bundles.
pub const MOST_BLOCKS: usize = 4;

const STEPS: usize = 64;

fn drawn(run: usize, block: usize, step: usize) -> i64 {
    noise(1000 * run + block, step, 5)
}

/// What a block of [`linked`] leaves.
pub fn left(run: usize, block: usize, before: i64) -> i64 {
    (0..STEPS).fold(before, |state, step| state + drawn(run, block, step))
}

/// A block of a run with a running sum: each row adds a drawn value to the state that the row before leaves; the first
/// row takes what the block before leaves, here `before`. The drawn values and the last state are public, each in a sum group
/// of its own. Drawn values are looked up, under a challenge that blocks do not share.
pub fn linked(run: usize, block: usize, before: i64) -> Sample {
    let mut b = Builder::new();
    let (edges, ends, lookups) = (b.group("drawn"), b.group("state"), b.group("range"));
    let (taken, left) = (b.group("taken"), b.group("left"));
    let (steps, range) = (b.table("steps", STEPS.ilog2()), b.table("range", 5));
    let mut states = vec![before];
    (0..STEPS).for_each(|step| states.push(states[step] + drawn(run, block, step)));
    let mut counts = vec![0i64; 32];
    (0..STEPS).for_each(|step| counts[drawn(run, block, step) as usize] += 1);

    let address = b.fixed(steps, "address", |row| row as i64);
    let x = b.main(steps, "draw", |row| drawn(run, block, row));
    let state = b.main(steps, "before", |row| states[row]);
    let after = b.main(steps, "after", |row| states[row + 1]);
    let value = b.fixed(range, "value", |row| row as i64);
    let count = b.main(range, "count", |row| counts[row]);

    let (za, zr, zc) = (b.challenge("za", 1), b.challenge("zr", 1), b.challenge("zc", 1));
    let z = b.challenge("z", 2);
    let (zero, one) = (b.constant(0), b.constant(1));
    let (first, last) = (b.is_first(), b.is_last());
    let not_first = b.sub(one, first);

    let sum = b.add(state, x);
    let equation = b.sub(after, sum);
    b.constrain(steps, "step", equation);
    let previous = b.shift(after, -1);
    let difference = b.sub(state, previous);
    let equation = b.mul(not_first, difference);
    b.constrain(steps, "state", equation);

    let at_address = b.sub(za, address);
    let lanes = b.mul(zr, zc);
    let lane = b.inverse(lanes);
    let numerator = b.mul(x, lane);
    b.running(steps, "drawn", 2, numerator, at_address, zero, edges);
    let end = b.mul(last, after);
    let numerator = b.mul(end, lane);
    b.running(steps, "end", 2, numerator, at_address, zero, ends);
    let slot = b.constant(7);
    let at_slot = b.sub(za, slot);
    let start = b.mul(first, state);
    let numerator = b.neg(start);
    b.running(steps, "taken", 2, numerator, at_slot, zero, taken);
    b.running(steps, "left", 2, end, at_slot, zero, left);

    let pole = b.sub(z, x);
    b.running(steps, "lookups", 3, one, pole, zero, lookups);
    let (provided, missing) = (b.sub(z, value), b.neg(count));
    b.running(range, "provided", 3, missing, provided, zero, lookups);

    let challenges = [za, zr, zc].map(|node| b.challenge_index(node));
    let tensor = |name: &str, rows: usize, high: i64, group: u32| PublicTensor {
        name: name.into(),
        rows: rows as u32,
        columns: 1,
        high,
        group,
        tile_rows: 1,
        tile_columns: 1,
        address_challenge: challenges[0],
        row_challenge: challenges[1],
        column_challenge: challenges[2],
        ..Default::default()
    };
    let values = (0..STEPS).map(|step| drawn(run, block, step)).collect();
    b.public(PublicTensor { negative: true, ..tensor("drawn", STEPS, 31, edges) }, values);
    let end = tensor("state", 1, 1 << 20, ends);
    let (kind, address) = (Kind::Output as i32, STEPS as u32 - 1);
    b.public(PublicTensor { negative: true, kind, address, ..end }, vec![states[STEPS]]);
    b.link(taken, left, MOST_BLOCKS as u32);
    b.finish()
}

/// A bundle of a run's first blocks.
pub fn linked_blocks(run: usize, blocks: usize) -> Sample {
    let mut state = 0;
    let blocks: Vec<Sample> = (0..blocks)
        .map(|block| {
            let sample = linked(run, block, state);
            state = left(run, block, state);
            sample
        })
        .collect();
    Sample::bundle(&blocks)
}

/// A step of a bundle of three members, with `before` from the step before: the first squares public draws, the second takes the
/// squares, finds their roots again and adds them to a running sum, of which the end is public; the third is the range table of
/// both. The first two have the challenges that they share in another order.
pub fn network(run: usize, step: usize, before: i64) -> Sample {
    let draws: Vec<i64> = (0..STEPS).map(|row| drawn(run, step, row)).collect();
    Sample::join(
        &[("squares", squares(&draws)), ("sums", sums(&draws, before)), ("table", table(&draws))],
        &[
            &[("squares", "edge", false), ("sums", "edge", false)],
            &[("squares", "range", false), ("table", "squares", false)],
            &[("sums", "range", false), ("table", "sums", false)],
            &[("sums", "taken", false), ("sums", "left", true)],
        ],
        MOST_BLOCKS as u32,
    )
}

/// Two members of one circuit, whose main columns repeat their fixed ones; these are different.
pub fn twins() -> Sample {
    let twin = |factor: i64| {
        let mut b = Builder::new();
        let t = b.table("twin", 5);
        let fixed = b.fixed(t, "fixed", |row| factor * row as i64);
        let main = b.main(t, "main", |row| factor * row as i64);
        let equation = b.sub(main, fixed);
        b.constrain(t, "main is fixed", equation);
        b.finish()
    };
    Sample::join(&[("first", twin(1)), ("second", twin(2))], &[], 1)
}

/// What a step of [`network`] leaves.
pub fn network_left(run: usize, step: usize, before: i64) -> i64 {
    (0..STEPS).fold(before, |state, row| state + drawn(run, step, row).pow(2))
}

/// A run's first steps.
pub fn network_steps(run: usize, steps: usize) -> Sample {
    let mut state = 0;
    let steps: Vec<Sample> = (0..steps)
        .map(|step| {
            let sample = network(run, step, state);
            state = network_left(run, step, state);
            sample
        })
        .collect();
    Sample::bundle(&steps)
}

/// A tensor of one column in tiles of one element.
fn column(b: &Builder, name: &str, rows: usize, group: u32, challenges: [u32; 3]) -> PublicTensor {
    let [za, zr, zc] = challenges.map(|node| b.challenge_index(node));
    PublicTensor {
        name: name.into(),
        rows: rows as u32,
        columns: 1,
        high: 1 << 20,
        group,
        negative: true,
        tile_rows: 1,
        tile_columns: 1,
        address_challenge: za,
        row_challenge: zr,
        column_challenge: zc,
        ..Default::default()
    }
}

fn squares(draws: &[i64]) -> Sample {
    let mut b = Builder::new();
    let (inputs, edge, range) = (b.group("inputs"), b.group("edge"), b.group("range"));
    b.export(edge);
    b.export(range);
    let t = b.table("squares", STEPS.ilog2());
    let address = b.fixed(t, "address", |row| row as i64);
    let (x, y) = (b.main(t, "x", |row| draws[row]), b.main(t, "y", |row| draws[row].pow(2)));
    let [za, zr, zc, ze, z] = ["za", "zr", "zc", "edge", "range"].map(|name| b.challenge(name, 1));
    let (zero, one) = (b.constant(0), b.constant(1));
    let square = b.mul(x, x);
    let equation = b.sub(y, square);
    b.constrain(t, "square", equation);
    let lanes = b.mul(zr, zc);
    let lane = b.inverse(lanes);
    let (input, at_address) = (b.mul(x, lane), b.sub(za, address));
    b.running(t, "input", 2, input, at_address, zero, inputs);
    let at_edge = b.sub(ze, address);
    b.running(t, "edge", 2, y, at_edge, zero, edge);
    let pole = b.sub(z, x);
    b.running(t, "range", 2, one, pole, zero, range);
    let tensor = column(&b, "draws", STEPS, inputs, [za, zr, zc]);
    b.public(PublicTensor { high: 31, ..tensor }, draws.to_vec());
    b.finish()
}

fn sums(draws: &[i64], before: i64) -> Sample {
    let mut b = Builder::new();
    let [range, taken, left, edge] = ["range", "taken", "left", "edge"].map(|name| {
        let group = b.group(name);
        b.export(group);
        group
    });
    let ends = b.group("ends");
    let t = b.table("sums", STEPS.ilog2());
    let mut states = vec![before];
    (0..STEPS).for_each(|row| states.push(states[row] + draws[row].pow(2)));
    let address = b.fixed(t, "address", |row| row as i64);
    let (root, y) = (b.main(t, "root", |row| draws[row]), b.main(t, "y", |row| draws[row].pow(2)));
    let (state, after) = (b.main(t, "before", |row| states[row]), b.main(t, "after", |row| states[row + 1]));
    let [z, ze, za, zr, zc] = ["range", "edge", "za", "zr", "zc"].map(|name| b.challenge(name, 1));
    let (zero, one) = (b.constant(0), b.constant(1));
    let (first, last) = (b.is_first(), b.is_last());
    let square = b.mul(root, root);
    let equation = b.sub(y, square);
    b.constrain(t, "root", equation);
    let sum = b.add(state, y);
    let equation = b.sub(after, sum);
    b.constrain(t, "step", equation);
    let (not_first, previous) = (b.sub(one, first), b.shift(after, -1));
    let difference = b.sub(state, previous);
    let equation = b.mul(not_first, difference);
    b.constrain(t, "state", equation);
    let pole = b.sub(z, root);
    b.running(t, "range", 2, one, pole, zero, range);
    let (at_edge, minus) = (b.sub(ze, address), b.neg(y));
    b.running(t, "edge", 2, minus, at_edge, zero, edge);
    let (start, end) = (b.mul(first, state), b.mul(last, after));
    let minus = b.neg(start);
    b.running(t, "taken", 2, minus, at_edge, zero, taken);
    // The slot of the last row is that of the first one.
    let slot = b.sub(ze, zero);
    b.running(t, "left", 2, end, slot, zero, left);
    let lanes = b.mul(zr, zc);
    let lane = b.inverse(lanes);
    let (output, at_address) = (b.mul(end, lane), b.sub(za, address));
    b.running(t, "end", 2, output, at_address, zero, ends);
    let tensor = column(&b, "total", 1, ends, [za, zr, zc]);
    let (kind, address) = (Kind::Output as i32, STEPS as u32 - 1);
    b.public(PublicTensor { kind, address, ..tensor }, vec![states[STEPS]]);
    b.finish()
}

/// Provides what both others look up, each by a link of its own.
fn table(draws: &[i64]) -> Sample {
    let mut b = Builder::new();
    let groups = ["squares", "sums"].map(|name| b.group(name));
    let t = b.table("range", 5);
    let value = b.fixed(t, "value", |row| row as i64);
    let count = |row: usize| draws.iter().filter(|&&x| x == row as i64).count() as i64;
    let counts = ["of squares", "of sums"].map(|name| b.main(t, name, count));
    let z = b.challenge("range", 1);
    let (zero, provided) = (b.constant(0), b.sub(z, value));
    for ((group, count), name) in groups.into_iter().zip(counts).zip(["to squares", "to sums"]) {
        b.export(group);
        let missing = b.neg(count);
        b.running(t, name, 2, missing, provided, zero, group);
    }
    b.finish()
}

/// `sum_b x_b / (z - b)`
fn lanes(b: &mut Builder, x: &[u32], z: u32) -> u32 {
    let mut sum = None;
    for (lane, &x) in x.iter().enumerate() {
        let lane = b.constant(lane as i64);
        let distance = b.sub(z, lane);
        let pole = b.inverse(distance);
        let term = b.mul(x, pole);
        sum = Some(match sum {
            None => term,
            Some(sum) => b.add(sum, term),
        });
    }
    sum.expect("there are lanes")
}

//! Which multiples of directions make sums come out.

use num_traits::Zero;
use stwo::core::fields::qm31::SecureField;
use stwo::core::fields::FieldExpOps;

use super::scan::Direction;

/// Factors with which the directions add `wanted` to the groups of `equations`, if there are some.
pub fn combine(
    directions: &[Direction],
    equations: &[usize],
    wanted: &[SecureField],
) -> Option<Vec<SecureField>> {
    // One row per equation: the directions' effects, and what is wanted.
    let mut rows: Vec<Vec<SecureField>> = equations
        .iter()
        .map(|&group| {
            let effects = directions.iter().map(|direction| direction.effect[group]);
            effects.chain([wanted[group]]).collect()
        })
        .collect();
    let mut pivots = Vec::new();
    for column in 0..directions.len() {
        let at = pivots.len();
        let Some(pivot) = (at..rows.len()).find(|&row| !rows[row][column].is_zero()) else { continue };
        rows.swap(at, pivot);
        let inverse = rows[at][column].inverse();
        rows[at].iter_mut().for_each(|value| *value *= inverse);
        let pivot = rows[at].clone();
        for (row, values) in rows.iter_mut().enumerate() {
            let factor = values[column];
            if row != at && !factor.is_zero() {
                values.iter_mut().zip(&pivot).for_each(|(value, &pivot)| *value -= factor * pivot);
            }
        }
        pivots.push(column);
    }
    if rows[pivots.len()..].iter().any(|row| !row[directions.len()].is_zero()) {
        return None;
    }
    let mut factors = vec![SecureField::zero(); directions.len()];
    for (row, &column) in pivots.iter().enumerate() {
        factors[column] = rows[row][directions.len()];
    }
    Some(factors)
}

/// How much of a cell adds `wanted`, if one of it adds `one` and two of it add `two`, and a denominator may be affine in
/// it: it adds a x / (1 + c x).
pub fn in_a_denominator(one: SecureField, two: SecureField, wanted: SecureField) -> Option<SecureField> {
    let divided = |a: SecureField, b: SecureField| (!b.is_zero()).then(|| a * b.inverse());
    let c = divided(one + one - two, two + two - one - one)?;
    divided(wanted, one + one * c - c * wanted)
}

#[cfg(test)]
mod tests {
    use super::super::scan::Kind;
    use super::super::world::Change;
    use super::*;
    use stwo::core::fields::m31::BaseField;

    fn number(value: u32) -> SecureField {
        BaseField::from(value).into()
    }

    fn direction(effect: &[u32]) -> Direction {
        let effect = effect.iter().map(|&value| number(value)).collect();
        Direction { kind: Kind::Gathered, change: Change::default(), effect }
    }

    #[test]
    fn sums_are_solved_for() {
        let directions = [direction(&[1, 2, 9]), direction(&[2, 4, 9]), direction(&[1, 3, 9])];
        let wanted = [number(7), number(5), number(0)];
        let factors = combine(&directions, &[0, 1], &wanted).unwrap();
        for group in 0..2 {
            let sum: SecureField =
                directions.iter().zip(&factors).map(|(d, &factor)| d.effect[group] * factor).sum();
            assert_eq!(sum, wanted[group]);
        }
        assert!(combine(&directions[..2], &[0, 1], &wanted).is_none());
        assert!(combine(&[], &[2], &wanted).is_some_and(|factors| factors.is_empty()));
    }

    #[test]
    fn a_cell_of_a_denominator_is_solved_for() {
        let (a, c) = (number(12), number(5));
        let adds = |x: SecureField| a * x * (number(1) + c * x).inverse();
        let x = in_a_denominator(adds(number(1)), adds(number(2)), adds(number(77))).unwrap();
        assert_eq!(x, number(77));
    }
}

//! The points on which the rows of a table stand, and the weights by which a column's value at any other point is a sum over its
//! rows.

use num_traits::One;
use rayon::prelude::*;
use stwo::core::circle::{CirclePoint, CirclePointIndex, Coset};
use stwo::core::constraints::{coset_vanishing, coset_vanishing_derivative};
use stwo::core::fields::m31::BaseField;
use stwo::core::fields::qm31::SecureField;
use stwo::core::fields::FieldExpOps;
use stwo::core::poly::circle::CanonicCoset;
use stwo::prover::backend::simd::m31::{PackedM31, LOG_N_LANES, N_LANES};
use stwo::prover::backend::simd::qm31::PackedQM31;

use super::super::field::{broadcast, Combine, Extension};
use super::kernels;

/// The points of natural rows, packed.
pub struct Rows {
    log_height: u32,
    x: Vec<PackedM31>,
    y: Vec<PackedM31>,
}

/// A point and what the weights of all rows have in common, but for the sign.
struct At<F> {
    point: CirclePoint<F>,
    scale: F,
}

impl Rows {
    pub fn new(log_height: u32) -> Self {
        // After this number of packs, points are computed anew; a step is an addition.
        const RUN: usize = 64;
        let coset = CanonicCoset::new(log_height).coset;
        let step = coset.step.mul(N_LANES as u128);
        let step = CirclePoint { x: PackedM31::broadcast(step.x), y: PackedM31::broadcast(step.y) };
        let zero = PackedM31::broadcast(BaseField::from(0u32));
        let packs = 1usize << (log_height - LOG_N_LANES);
        let (mut x, mut y) = (vec![zero; packs], vec![zero; packs]);
        x.par_chunks_mut(RUN).zip(y.par_chunks_mut(RUN)).enumerate().for_each(|(run, (x, y))| {
            let points: [CirclePoint<BaseField>; N_LANES] =
                std::array::from_fn(|lane| coset.at(run * RUN * N_LANES + lane));
            let mut at = CirclePoint {
                x: PackedM31::from_array(points.map(|point| point.x)),
                y: PackedM31::from_array(points.map(|point| point.y)),
            };
            for (x, y) in x.iter_mut().zip(y) {
                (*x, *y) = (at.x, at.y);
                at = at + step;
            }
        });
        Rows { log_height, x, y }
    }

    /// Values of columns at a point of the extension field.
    pub fn evaluate(&self, columns: &[&[PackedM31]], point: CirclePoint<SecureField>) -> Vec<SecureField> {
        let at = At { point, scale: self.scale(point) };
        let values = kernels::dots(columns, 4, |first, out| {
            let packs = out.len() / 4;
            for (pack, weights) in self.weights(&at, first, packs).into_iter().enumerate() {
                (0..4).for_each(|coordinate| out[coordinate * packs + pack] = weights[coordinate]);
            }
        });
        let element =
            |value: Vec<BaseField>| SecureField::from_m31_array(value.try_into().expect("four coordinates"));
        values.into_iter().map(element).collect()
    }

    /// Values of columns at points of the base field that no row stands on: `[column][point]`.
    pub fn evaluate_base(
        &self,
        columns: &[&[PackedM31]],
        points: &[CirclePoint<BaseField>],
    ) -> Vec<Vec<BaseField>> {
        let at = |&point: &CirclePoint<BaseField>| {
            let scale = self.scale(point.into_ef()).to_m31_array()[0];
            At { point, scale }
        };
        let points: Vec<At<BaseField>> = points.iter().map(at).collect();
        kernels::dots(columns, points.len(), |first, out| {
            let packs = out.len() / points.len();
            out.chunks_mut(packs).zip(&points).for_each(|(out, at)| self.base_weights(at, first, out));
        })
    }

    /// Of [`Rows::weights`], what is the same for all even rows; it is negated for odd ones. With V the polynomial that
    /// vanishes on all rows, it is V(p) / (-2 y V'), V' and y at row 0.
    fn scale(&self, point: CirclePoint<SecureField>) -> SecureField {
        let coset = CanonicCoset::new(self.log_height).coset;
        let first = coset.at(0).into_ef::<SecureField>();
        let subgroup = Coset::new(CirclePointIndex::generator(), self.log_height);
        let derivative = coset_vanishing_derivative(subgroup, first);
        let denominator = first.y * SecureField::from(-BaseField::from(2u32)) * derivative;
        denominator.inverse() * coset_vanishing(coset, point)
    }

    fn signs() -> PackedM31 {
        let sign = |lane: usize| if lane % 2 == 0 { BaseField::one() } else { -BaseField::one() };
        PackedM31::from_array(std::array::from_fn(sign))
    }

    /// The barycentric weights of the rows of some packs: scale (1 + h.x) / h.y, with h the point minus the row's.
    fn weights(&self, at: &At<SecureField>, first: usize, packs: usize) -> Vec<Extension> {
        let (px, py) = (broadcast(at.point.x), broadcast(at.point.y));
        let one = broadcast(SecureField::one());
        let (mut weights, mut denominators) = (Vec::with_capacity(packs), Vec::with_capacity(packs));
        // All denominators are inverted at once: a weight is its numerator times the denominators before it, until then.
        let mut product = one;
        for (&x, &y) in self.x[first..first + packs].iter().zip(&self.y[first..]) {
            let denominator = py.times(x).minus(px.times(y));
            weights.push(one.plus(px.times(x)).plus(py.times(y)).times(product));
            product = product.times(denominator);
            denominators.push(denominator);
        }
        let inverse = PackedQM31::from_packed_m31s(product).inverse().into_packed_m31s();
        let mut inverse = inverse.times(broadcast(at.scale)).times(Self::signs());
        for (weight, denominator) in weights.iter_mut().zip(denominators).rev() {
            *weight = weight.times(inverse);
            inverse = inverse.times(denominator);
        }
        weights
    }

    fn base_weights(&self, at: &At<BaseField>, first: usize, out: &mut [PackedM31]) {
        let (px, py) = (PackedM31::broadcast(at.point.x), PackedM31::broadcast(at.point.y));
        let one = PackedM31::broadcast(BaseField::one());
        let mut denominators = [one; kernels::BLOCK];
        let mut product = one;
        let rows = self.x[first..].iter().zip(&self.y[first..]);
        for ((out, denominator), (&x, &y)) in out.iter_mut().zip(&mut denominators).zip(rows) {
            *denominator = py.times(x) - px.times(y);
            *out = (one + px.times(x) + py.times(y)).times(product);
            product = product.times(*denominator);
        }
        let mut inverse = product.inverse() * PackedM31::broadcast(at.scale) * Self::signs();
        for (out, &denominator) in out.iter_mut().zip(&denominators).rev() {
            *out = out.times(inverse);
            inverse = inverse.times(denominator);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stwo::core::utils::bit_reverse_index;
    use stwo::prover::backend::simd::SimdBackend;
    use stwo::prover::backend::Column;
    use stwo::prover::poly::circle::PolyOps;

    use super::super::super::load::canonical_column;

    #[test]
    fn values_are_those_of_the_polynomial() {
        for log_height in [5, 6, 9, 12] {
            let natural: Vec<u32> =
                (0..3u32 << log_height).map(|i| i.wrapping_mul(0x9e37_79b9) >> 2).collect();
            let natural: Vec<&[u32]> = natural.chunks(1 << log_height).collect();
            let packed: Vec<Vec<PackedM31>> = natural
                .iter()
                .map(|column| {
                    let values: Vec<BaseField> =
                        column.iter().map(|&value| BaseField::from_u32_unchecked(value)).collect();
                    values.chunks(N_LANES).map(|c| PackedM31::from_array(c.try_into().unwrap())).collect()
                })
                .collect();
            let columns: Vec<&[PackedM31]> = packed.iter().map(Vec::as_slice).collect();
            let twiddles = SimdBackend::precompute_twiddles(
                CanonicCoset::new(log_height + 2).circle_domain().half_coset,
            );
            let polynomials: Vec<_> = natural
                .iter()
                .map(|column| canonical_column(log_height, column).interpolate_with_twiddles(&twiddles))
                .collect();
            let rows = Rows::new(log_height);
            let point = CirclePoint::<SecureField>::get_point(123_456_789);
            let values = rows.evaluate(&columns, point);
            let domain = CanonicCoset::new(log_height + 2).circle_domain();
            let positions = [0usize, 1, 2, 17, 31, 100, (4 << log_height) - 1];
            let at: Vec<_> =
                positions.iter().map(|&at| domain.at(bit_reverse_index(at, log_height + 2))).collect();
            let opened = rows.evaluate_base(&columns, &at);
            for (index, polynomial) in polynomials.iter().enumerate() {
                assert_eq!(values[index], polynomial.eval_at_point(point), "height 2^{log_height}");
                let extended = polynomial.evaluate_with_twiddles(domain, &twiddles);
                for (&position, &value) in positions.iter().zip(&opened[index]) {
                    assert_eq!(value, extended.at(position), "height 2^{log_height}, position {position}");
                }
            }
        }
    }
}

//! Arithmetic on 16 extension elements at a time, coordinate by coordinate.
//!
//! An extension element is (a + bi) + (c + di)u with i^2 = -1, u^2 = 2 + i. Kept apart from Stwo's packed
//! types, whose products are not inlined across crates.

use std::simd::cmp::SimdOrd;
use std::simd::Simd;

use stwo::core::fields::m31::P;
use stwo::core::fields::qm31::SecureField;
use stwo::prover::backend::simd::m31::PackedM31;

pub type Base = PackedM31;
pub type Extension = [PackedM31; 4];

#[inline(always)]
pub fn broadcast(value: SecureField) -> Extension {
    value.to_m31_array().map(PackedM31::broadcast)
}

/// Of values in [0, P], in [0, P].
#[inline(always)]
fn product(a: Base, b: Base) -> Base {
    type Wide = Simd<u64, 8>;
    let pairs = |value: Base| Wide::from_array(bytemuck::cast(value));
    let (a, b) = (pairs(a), pairs(b));
    let (word, half) = (Wide::splat(u32::MAX as u64), Wide::splat(32));
    // Twice the products: P^2 has 62 bits, so the high word is the quotient by 2^31, and the low word twice the rest.
    let even = (a & word) * ((b & word) << Wide::splat(1));
    let odd = (a >> half) * ((b >> half) << Wide::splat(1));
    let quotient = (even >> half) | (odd & !word);
    let rest = ((even & word) >> Wide::splat(1)) | ((odd & word) << Wide::splat(31));
    let words = |pairs: Wide| Simd::<u32, 16>::from_array(bytemuck::cast(pairs.to_array()));
    let sum = words(quotient) + words(rest);
    bytemuck::cast(sum.simd_min(sum - Simd::splat(P)).to_array())
}

#[inline(always)]
fn complex_mul(a: Base, b: Base, c: Base, d: Base) -> (Base, Base) {
    let (ac, bd) = (product(a, c), product(b, d));
    (ac - bd, product(a + b, c + d) - ac - bd)
}

/// What the interpreter does with a pair of operands, each in the base or the extension field.
pub trait Combine<Right> {
    type Output;
    fn plus(self, right: Right) -> Self::Output;
    fn minus(self, right: Right) -> Self::Output;
    fn times(self, right: Right) -> Self::Output;
}

impl Combine<Base> for Base {
    type Output = Base;
    #[inline(always)]
    fn plus(self, right: Base) -> Base {
        self + right
    }
    #[inline(always)]
    fn minus(self, right: Base) -> Base {
        self - right
    }
    #[inline(always)]
    fn times(self, right: Base) -> Base {
        product(self, right)
    }
}

impl Combine<Extension> for Base {
    type Output = Extension;
    #[inline(always)]
    fn plus(self, [a, b, c, d]: Extension) -> Extension {
        [self + a, b, c, d]
    }
    #[inline(always)]
    fn minus(self, [a, b, c, d]: Extension) -> Extension {
        [self - a, -b, -c, -d]
    }
    #[inline(always)]
    fn times(self, right: Extension) -> Extension {
        right.map(|coordinate| product(self, coordinate))
    }
}

impl Combine<Base> for Extension {
    type Output = Extension;
    #[inline(always)]
    fn plus(self, right: Base) -> Extension {
        let [a, b, c, d] = self;
        [a + right, b, c, d]
    }
    #[inline(always)]
    fn minus(self, right: Base) -> Extension {
        let [a, b, c, d] = self;
        [a - right, b, c, d]
    }
    #[inline(always)]
    fn times(self, right: Base) -> Extension {
        self.map(|coordinate| product(coordinate, right))
    }
}

impl Combine<Extension> for Extension {
    type Output = Extension;
    #[inline(always)]
    fn plus(self, right: Extension) -> Extension {
        std::array::from_fn(|i| self[i] + right[i])
    }
    #[inline(always)]
    fn minus(self, right: Extension) -> Extension {
        std::array::from_fn(|i| self[i] - right[i])
    }
    #[inline(always)]
    fn times(self, right: Extension) -> Extension {
        let ([a, b, c, d], [e, f, g, h]) = (self, right);
        let (low_r, low_i) = complex_mul(a, b, e, f);
        let (high_r, high_i) = complex_mul(c, d, g, h);
        let (both_r, both_i) = complex_mul(a + c, b + d, e + g, f + h);
        // u^2 = 2 + i takes (r + si) to (2r - s) + (r + 2s)i.
        [
            low_r + high_r + high_r - high_i,
            low_i + high_r + high_i + high_i,
            both_r - low_r - high_r,
            both_i - low_i - high_i,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stwo::core::fields::m31::M31;
    use stwo::prover::backend::simd::qm31::PackedQM31;

    #[test]
    fn product_agrees_with_stwo() {
        let values = [
            0,
            1,
            2,
            3,
            5,
            1 << 16,
            (1 << 16) + 1,
            1 << 30,
            0x5555_5555,
            P / 2,
            P / 2 + 1,
            P - 3,
            P - 2,
            P - 1,
            P,
            7,
        ];
        let left: Base = bytemuck::cast(values);
        for turn in 0..16 {
            let mut turned = values;
            turned.rotate_left(turn);
            let right: Base = bytemuck::cast(turned);
            let found: [u32; 16] = bytemuck::cast(product(left, right));
            assert!(found.iter().all(|&value| value <= P));
            assert_eq!(product(left, right).to_array(), (left * right).to_array());
        }
    }

    #[test]
    fn extension_product_agrees_with_stwo() {
        let value = |seed: u32| -> Extension {
            std::array::from_fn(|coordinate| {
                PackedM31::from_array(std::array::from_fn(|lane| {
                    M31::from(seed.wrapping_mul(0x9e37_79b9).rotate_left((coordinate * 16 + lane) as u32))
                }))
            })
        };
        let (x, y) = (value(12345), value(987_654));
        let product = PackedQM31::from_packed_m31s(x) * PackedQM31::from_packed_m31s(y);
        assert_eq!(PackedQM31::from_packed_m31s(x.times(y)).to_array(), product.to_array());
    }
}

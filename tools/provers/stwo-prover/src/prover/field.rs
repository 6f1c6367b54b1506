//! Arithmetic on 16 extension elements at a time, coordinate by coordinate.
//!
//! An extension element is (a + bi) + (c + di)u with i^2 = -1, u^2 = 2 + i. Kept apart from Stwo's packed
//! type, whose operations are not inlined across crates.

use stwo::core::fields::qm31::SecureField;
use stwo::prover::backend::simd::m31::PackedM31;

pub type Base = PackedM31;
pub type Extension = [PackedM31; 4];

#[inline(always)]
pub fn broadcast(value: SecureField) -> Extension {
    value.to_m31_array().map(PackedM31::broadcast)
}

#[inline(always)]
fn complex_mul(a: Base, b: Base, c: Base, d: Base) -> (Base, Base) {
    let (ac, bd) = (a * c, b * d);
    (ac - bd, (a + b) * (c + d) - ac - bd)
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
        self * right
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
        right.map(|coordinate| self * coordinate)
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
        self.map(|coordinate| coordinate * right)
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

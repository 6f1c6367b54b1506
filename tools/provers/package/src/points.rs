//! Nodes as polynomials in their variables (columns at an offset, selectors, challenges, claimed sums), compared at random
//! points.
//!
//! A variable is a random element of F_p at each of [`POINTS`] points, drawn from the circuit's own bytes: nobody can write
//! a circuit for points that he knows. Two polynomials of degree d that differ agree at one point with a chance of d / p,
//! at all of them with (d / p)^16. So a degree is bounded, too: as functions on F_p, x^p and x are the same, but a challenge
//! is an element of the extension, where they are not. With [`MOST_DEGREE`] the chance is below 2^-175 per comparison.

use sha2::{Digest, Sha256};

use crate::canonical::digest;
use crate::circuit::{Node, NodeId};
use crate::cones::Cones;
use crate::error::Error;
use crate::format_rules::{obey, Rule};

pub(crate) const POINTS: usize = 16;
/// Of a node, in all variables. An argmax over n tokens takes 2 n.
const MOST_DEGREE: u32 = 1 << 20;
/// At a point, an inverse of zero has no value.
const TRIES: u8 = 64;
/// What an inversion takes, in visits.
const INVERSION: u64 = 64;

/// A value at each point.
pub(crate) type Values = [u32; POINTS];

/// Canonical residues of a modulus below 2^31.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    modulus: u64,
    /// 2^64 / modulus, rounded down.
    reciprocal: u64,
}

impl Field {
    pub fn new(modulus: u32) -> Self {
        Field { modulus: modulus as u64, reciprocal: u64::MAX / modulus as u64 }
    }

    /// Barrett's quotient is at most one too small.
    fn reduce(self, x: u64) -> u32 {
        let quotient = ((x as u128 * self.reciprocal as u128) >> 64) as u64;
        let rest = x - quotient * self.modulus;
        (if rest >= self.modulus { rest - self.modulus } else { rest }) as u32
    }

    fn zip(self, a: &Values, b: &Values, of: impl Fn(u64, u64) -> u64) -> Values {
        std::array::from_fn(|i| self.reduce(of(a[i] as u64, b[i] as u64)))
    }

    pub fn add(self, a: &Values, b: &Values) -> Values {
        self.zip(a, b, |a, b| a + b)
    }

    pub fn sub(self, a: &Values, b: &Values) -> Values {
        self.zip(a, b, |a, b| a + self.modulus - b)
    }

    pub fn mul(self, a: &Values, b: &Values) -> Values {
        self.zip(a, b, |a, b| a * b)
    }

    pub fn neg(self, a: &Values) -> Values {
        self.sub(&[0; POINTS], a)
    }

    /// The same value at all points.
    pub fn constant(self, value: u64) -> Values {
        [self.reduce(value); POINTS]
    }

    /// None if one is zero.
    fn inverse(self, a: &Values) -> Option<Values> {
        if a.contains(&0) {
            return None;
        }
        let (mut power, mut result) = (*a, self.constant(1));
        let mut exponent = self.modulus - 2;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(&result, &power);
            }
            power = self.mul(&power, &power);
            exponent >>= 1;
        }
        Some(result)
    }

    /// Up to sign.
    pub fn equal(self, a: &Values, b: &Values) -> bool {
        a == b || *a == self.neg(b)
    }

    /// A polynomial by its values at 0, 1, ..: its degree, as it is at all points alike, and its highest coefficient times the
    /// factorial of the degree. None for zero, or where points differ in degree.
    pub fn leading(self, mut values: Vec<Values>) -> Option<(usize, Values)> {
        let mut highest = None;
        for degree in 0..values.len() {
            let difference = values[0];
            if difference != [0; POINTS] {
                highest = Some((degree, difference));
            }
            for i in 0..values.len() - degree - 1 {
                values[i] = self.sub(&values[i + 1], &values[i]);
            }
        }
        highest.filter(|(_, difference)| !difference.contains(&0))
    }
}

/// Values of all nodes under two independent assignments of the variables.
pub(crate) struct Points {
    pub field: Field,
    seed: [u8; 32],
    assignments: [Assignment; 2],
}

struct Assignment {
    index: u8,
    attempt: u8,
    values: Vec<Values>,
}

/// Which of the two assignments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    One,
    Other,
}

impl Points {
    /// `bytes` are the circuit's.
    pub fn new(bytes: &[u8], cones: &mut Cones) -> Result<Self, Error> {
        degrees(cones)?;
        let assignment = |index| Assignment { index, attempt: 0, values: Vec::new() };
        let (seed, field) = (digest(bytes), Field::new(cones.circuit.modulus));
        let mut points = Points { seed, field, assignments: [assignment(0), assignment(1)] };
        for of in [Of::One, Of::Other] {
            points.assign(of, cones)?;
        }
        Ok(points)
    }

    fn assign(&mut self, of: Of, cones: &mut Cones) -> Result<(), Error> {
        let circuit = cones.circuit;
        let mut failed = 0;
        for attempt in 0..TRIES {
            self.assignments[of as usize].attempt = attempt;
            let mut values: Vec<Values> = Vec::with_capacity(circuit.nodes.len());
            cones.charge(circuit.nodes.len() as u64)?;
            for &node in &circuit.nodes {
                if let Node::Inverse(_) = node {
                    cones.charge(INVERSION)?;
                }
                match self.value(of, node, |operand| values[operand as usize]) {
                    Some(value) => values.push(value),
                    None => break,
                }
            }
            failed = values.len();
            if failed == circuit.nodes.len() {
                self.assignments[of as usize].values = values;
                return Ok(());
            }
        }
        Err(Error::of(
            Rule::ZeroInverses,
            format!("node {failed} is the inverse of what is zero at {TRIES} random points"),
        ))
    }

    /// None for an inverse of zero.
    fn value(&self, of: Of, node: Node, operand: impl Fn(NodeId) -> Values) -> Option<Values> {
        let field = self.field;
        Some(match node {
            Node::Constant(value) => field.constant(value as u64),
            Node::Add(a, b) => field.add(&operand(a), &operand(b)),
            Node::Sub(a, b) => field.sub(&operand(a), &operand(b)),
            Node::Mul(a, b) => field.mul(&operand(a), &operand(b)),
            Node::Neg(a) => field.neg(&operand(a)),
            Node::Inverse(a) => field.inverse(&operand(a))?,
            variable => self.variable(of, variable),
        })
    }

    /// Of a column, selector, challenge or claimed sum. 64 random bits are within 2^-33 of uniform.
    pub fn variable(&self, of: Of, variable: Node) -> Values {
        let (kind, a, b) = match variable {
            Node::Column { table, column, offset } => ((1 + offset) as u8, table, column),
            Node::Challenge(challenge) => (3, challenge, 0),
            Node::ClaimedSum(claimed_sum) => (4, claimed_sum, 0),
            Node::IsFirst => (5, 0, 0),
            Node::IsLast => (6, 0, 0),
            _ => unreachable!("{variable:?} is no variable"),
        };
        let Assignment { index, attempt, .. } = self.assignments[of as usize];
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update([index, attempt, kind]);
        hash.update((a as u32).to_le_bytes());
        hash.update((b as u32).to_le_bytes());
        let mut values = [0; POINTS];
        for (block, values) in values.chunks_mut(4).enumerate() {
            let bytes: [u8; 32] = hash.clone().chain_update([block as u8]).finalize().into();
            for (value, word) in values.iter_mut().zip(bytes.chunks(8)) {
                *value = self.field.reduce(word.iter().fold(0, |word, &byte| word << 8 | byte as u64));
            }
        }
        values
    }

    /// Of a node.
    pub fn of(&self, of: Of, node: NodeId) -> Values {
        self.assignments[of as usize].values[node as usize]
    }

    /// What of `root` has to be computed again when the chosen variables have other values.
    pub fn part(cones: &mut Cones, root: NodeId, is_chosen: impl Fn(Node) -> bool) -> Result<Part, Error> {
        let mut part = Part { root, steps: Vec::new(), degrees: Vec::new(), under_inverse: false };
        for node in cones.of(&[root])? {
            let local = |operand: NodeId| cones.places[operand as usize];
            let what = match cones.circuit.nodes[node as usize] {
                Node::Add(a, b) => Node::Add(local(a), local(b)),
                Node::Sub(a, b) => Node::Sub(local(a), local(b)),
                Node::Mul(a, b) => Node::Mul(local(a), local(b)),
                Node::Neg(a) => Node::Neg(local(a)),
                Node::Inverse(a) => Node::Inverse(local(a)),
                variable => variable,
            };
            cones.places[node as usize] = node;
            if is_chosen(what) || what.operands().any(|operand| operand & LOCAL != 0) {
                cones.places[node as usize] = LOCAL | part.steps.len() as u32;
                part.push(what);
            }
        }
        Ok(part)
    }

    /// The value of a part's root where the chosen variables have values of `chosen`; None if that inverts zero.
    pub fn with(
        &self,
        of: Of,
        cones: &mut Cones,
        part: &Part,
        chosen: impl Fn(Node) -> Values,
    ) -> Result<Option<Values>, Error> {
        cones.charge(part.steps.len() as u64)?;
        let mut values: Vec<Values> = Vec::with_capacity(part.steps.len());
        for &step in &part.steps {
            let value = match step.operands().next() {
                None => Some(chosen(step)),
                Some(_) => self.value(of, step, |operand| match operand & LOCAL {
                    0 => self.of(of, operand),
                    _ => values[(operand & !LOCAL) as usize],
                }),
            };
            match value {
                Some(value) => values.push(value),
                None => return Ok(None),
            }
        }
        Ok(Some(values.last().copied().unwrap_or_else(|| self.of(of, part.root))))
    }
}

/// In a part's step, an operand that is a step itself. There are fewer nodes.
const LOCAL: NodeId = 1 << 31;

/// The nodes of a cone that depend on chosen variables, these included, operands first.
pub(crate) struct Part {
    root: NodeId,
    steps: Vec<Node>,
    /// Of the steps, in the chosen variables.
    degrees: Vec<u32>,
    under_inverse: bool,
}

impl Part {
    fn push(&mut self, step: Node) {
        let degree = |operand: NodeId| match operand & LOCAL {
            0 => 0,
            _ => self.degrees[(operand & !LOCAL) as usize],
        };
        self.under_inverse |= matches!(step, Node::Inverse(_));
        self.degrees.push(match step {
            Node::Mul(a, b) => degree(a).saturating_add(degree(b)),
            Node::Add(a, b) | Node::Sub(a, b) => degree(a).max(degree(b)),
            Node::Neg(a) | Node::Inverse(a) => degree(a),
            _ => 1,
        });
        self.steps.push(step);
    }

    /// A bound of the root's degree in the chosen variables; None if an inverse reads one.
    pub fn degree(&self) -> Option<u32> {
        (!self.under_inverse).then(|| self.degrees.last().copied().unwrap_or(0))
    }
}

/// Refuses nodes of too high a degree: that of numerator and denominator together, as inverses make fractions.
fn degrees(cones: &mut Cones) -> Result<(), Error> {
    cones.charge(cones.circuit.nodes.len() as u64)?;
    let mut degrees: Vec<(u32, u32)> = Vec::with_capacity(cones.circuit.nodes.len());
    for (index, &node) in cones.circuit.nodes.iter().enumerate() {
        let of = |operand: NodeId| degrees[operand as usize];
        // All are at most 2^20: no sum of four of them overflows.
        let degree = match node {
            Node::Constant(_) => (0, 0),
            Node::Add(a, b) | Node::Sub(a, b) => {
                let ((n, d), (m, e)) = (of(a), of(b));
                ((n + e).max(m + d), d + e)
            }
            Node::Mul(a, b) => (of(a).0 + of(b).0, of(a).1 + of(b).1),
            Node::Neg(a) => of(a),
            Node::Inverse(a) => (of(a).1, of(a).0),
            _ => (1, 0),
        };
        obey!(
            TotalDegree,
            degree.0 + degree.1 <= MOST_DEGREE,
            "node {index}: has a degree of more than {MOST_DEGREE}, challenges and inverses included"
        );
        degrees.push(degree);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULI: [u32; 2] = [(1 << 31) - 1, (1 << 31) - (1 << 24) + 1];

    #[test]
    fn residues_are_canonical() {
        for modulus in MODULI {
            let field = Field::new(modulus);
            let p = modulus as u64;
            for x in [0, 1, p - 1, p, p + 1, 2 * p - 1, 2 * p, (p - 1) * (p - 1), u64::MAX, u64::MAX / p * p]
            {
                assert_eq!(field.reduce(x) as u64, x % p, "{x} modulo {p}");
            }
            let values = std::array::from_fn(|i| [1, 2, modulus - 1, modulus / 2, 0x1234_5678][i % 5]);
            let inverse = field.inverse(&values).unwrap();
            assert_eq!(field.mul(&values, &inverse), [1; POINTS]);
            let mut zero = [1; POINTS];
            zero[2] = 0;
            assert_eq!(field.inverse(&zero), None);
            assert!(field.equal(&values, &field.neg(&values)));
        }
    }

    #[test]
    fn the_highest_coefficient_is_found() {
        // The coefficients, lowest first, and the degree, with its factorial times the last coefficient.
        type Case = (&'static [u64], Option<(usize, u32)>);
        let cases: [Case; 5] = [
            (&[0], None),
            (&[7], Some((0, 7))),
            (&[1, 2, 3], Some((2, 6))),
            (&[9, 0, 0, 5], Some((3, 30))),
            (&[4, 8, 0, 0], Some((1, 8))),
        ];
        for (coefficients, expected) in cases {
            let field = Field::new(MODULI[0]);
            let at = |t: u64| {
                let horner = coefficients.iter().rev().fold(0, |value, coefficient| value * t + coefficient);
                field.constant(horner)
            };
            let found = field.leading((0..=5).map(at).collect());
            assert_eq!(found, expected.map(|(degree, value)| (degree, [value; POINTS])), "{coefficients:?}");
        }
        // Of degree 1 at one point, a constant at the others.
        let mut mixed = vec![[1; POINTS]; 2];
        mixed[1][0] = 2;
        assert_eq!(Field::new(MODULI[0]).leading(mixed), None);
    }
}

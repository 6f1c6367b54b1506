//! Degrees, in the circuit's challenges, of the sums that must cancel.
//!
//! For fixed columns of phase 1 every value of a later phase is a rational function of the challenges: [`Rational`] bounds
//! its degrees. A sum over rows has the denominators of all rows, so those are counted once per row. An `inverse` node is
//! the same on all rows: all share its denominator, which is counted once, with the highest power in which a term has it.
//!
//! A scan's value depends on the rows of its run, back to where its factor is zero. That stands in fixed columns, which a reader of
//! the key does not have: the circuit says how long runs are at most, and whoever compiles the model checks it
//! (`verify-intervals`). So there are two counts, by [`Runs`].

use std::collections::{BTreeMap, BTreeSet};

use lindero_package::{fill_order, proto, Circuit, Error, Generator, Node, NodeId, Scheduler, Scope};

/// What a wrong run must hit: a zero of the sum's numerator, or of a denominator.
#[derive(Clone, Debug, PartialEq)]
pub struct Degrees {
    /// Of each group of claimed sums, in all challenges, which are drawn after phase 1 was committed, or after that.
    pub groups: Vec<Degree>,
    /// Of all groups, in those alone that are drawn after phase 2 was committed.
    pub late: f64,
}

/// Of a sum, as a rational function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Degree {
    pub numerator: f64,
    pub denominator: f64,
}

impl Degree {
    pub fn total(&self) -> f64 {
        self.numerator + self.denominator
    }

    /// Of the sum of the two, which may be of different circuits and share no denominator.
    pub fn plus(&self, other: &Degree) -> Degree {
        let raised = |a: &Degree, b: &Degree| a.numerator + b.denominator;
        Degree {
            numerator: raised(self, other).max(raised(other, self)),
            denominator: self.denominator + other.denominator,
        }
    }
}

/// How many rows a scan's value is taken to depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// As many as the circuit declares.
    Declared,
    /// All of its table: whatever the fixed columns are.
    WholeTables,
}

impl Degrees {
    /// Of the groups of claimed sums of a block, with the public tensors' terms. An error where they are beyond what the field
    /// is good for, or many denominators are in many nodes: the circuit may be a stranger's.
    pub fn of(circuit: &Circuit, runs: Runs) -> Result<Self, Error> {
        let groups = Walk::new(circuit, runs, 1).groups()?;
        let late = Walk::new(circuit, runs, 2).groups()?.iter().map(Degree::total).sum();
        Ok(Degrees { groups, late })
    }
}

/// A rational function: degrees of the numerator and of the denominators that belong to a row, and the powers of those
/// that all rows share, ascending.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rational {
    numerator: f64,
    own: f64,
    shared: Vec<Power>,
}

/// A power of a polynomial of this degree.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Power {
    node: NodeId,
    degree: f64,
    exponent: f64,
}

/// Exponents of a and b, combined.
fn merged(a: &[Power], b: &[Power], combine: impl Fn(f64, f64) -> f64) -> Vec<Power> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut result = Vec::new();
    while let Some(next) = [a.peek(), b.peek()].into_iter().flatten().min_by_key(|power| power.node) {
        let next = **next;
        let left = a.next_if(|power| power.node == next.node).map_or(0.0, |power| power.exponent);
        let right = b.next_if(|power| power.node == next.node).map_or(0.0, |power| power.exponent);
        result.push(Power { exponent: combine(left, right), ..next });
    }
    result
}

fn degree_of(powers: &[Power]) -> f64 {
    powers.iter().map(|power| power.degree * power.exponent).sum()
}

impl Rational {
    fn polynomial(degree: f64) -> Self {
        Rational { numerator: degree, ..Rational::default() }
    }

    /// 1 / p^exponent for a polynomial p, which is the same on all rows.
    fn shared(node: NodeId, degree: f64, exponent: f64) -> Self {
        let shared = if degree > 0.0 { vec![Power { node, degree, exponent }] } else { Vec::new() };
        Rational { shared, ..Rational::default() }
    }

    fn denominator(&self) -> f64 {
        self.own + degree_of(&self.shared)
    }

    fn plus(&self, other: &Self) -> Self {
        let shared = merged(&self.shared, &other.shared, f64::max);
        let whole = degree_of(&shared);
        let raised = |a: &Self, b: &Self| a.numerator + b.own + whole - degree_of(&a.shared);
        Rational {
            numerator: raised(self, other).max(raised(other, self)),
            own: self.own + other.own,
            shared,
        }
    }

    fn times(&self, other: &Self) -> Self {
        Rational {
            numerator: self.numerator + other.numerator,
            own: self.own + other.own,
            shared: merged(&self.shared, &other.shared, |a, b| a + b),
        }
    }

    /// Of a row.
    fn inverse(&self) -> Self {
        Rational { numerator: self.denominator(), own: self.numerator, shared: Vec::new() }
    }

    /// Either of the two.
    fn or(&self, other: &Self) -> Self {
        let own = self.own.max(other.own);
        let shared = merged(&self.shared, &other.shared, f64::max);
        let raised = |a: &Self| a.numerator + own + degree_of(&shared) - a.denominator();
        Rational { numerator: raised(self).max(raised(other)), own, shared }
    }

    /// The sum over `count` rows.
    fn summed(&self, count: f64) -> Self {
        Rational {
            numerator: self.numerator + (count - 1.0) * self.own,
            own: count * self.own,
            shared: self.shared.clone(),
        }
    }

    /// The last of `count` values, each `mul` times the one before plus one like this.
    fn scanned(&self, mul: &Self, count: f64) -> Self {
        let added = self.summed(count);
        let power = |power: &Power| Power { exponent: count * power.exponent, ..*power };
        let shared: Vec<Power> = mul.shared.iter().map(power).collect();
        Rational {
            numerator: added.numerator + count * mul.numerator.max(mul.denominator()),
            own: added.own + count * mul.own,
            shared: merged(&added.shared, &shared, |a, b| a + b),
        }
    }
}

struct Walk<'a> {
    circuit: &'a Circuit,
    runs: Runs,
    /// Challenges of earlier phases count as constants.
    first_phase: usize,
    columns: Vec<Vec<Rational>>,
    nodes: Vec<Option<Rational>>,
    scheduler: Scheduler,
    /// 1 / node, of denominators and their factors.
    reciprocals: BTreeMap<NodeId, Rational>,
    /// Powers that are kept.
    powers: usize,
}

/// Beyond the field's size a degree says nothing.
const MOST_DEGREE: f64 = (1u128 << 124) as f64;
const MOST_POWERS: usize = 1 << 22;

/// The value, if it is a number within bounds: sums of what has overflowed are none, and are not at most anything. `powers`
/// counts those that are kept.
fn bounded(powers: &mut usize, value: Rational) -> Result<Rational, Error> {
    *powers += value.shared.len();
    if value.numerator + value.denominator() <= MOST_DEGREE && *powers <= MOST_POWERS {
        return Ok(value);
    }
    Err(Error::new(
        "the degrees of the circuit's sums are beyond the field's size, or take too long to count",
    ))
}

impl<'a> Walk<'a> {
    fn new(circuit: &'a Circuit, runs: Runs, first_phase: usize) -> Self {
        let columns = circuit.tables.iter().map(|table| vec![Rational::default(); table.columns.len()]);
        Walk {
            circuit,
            runs,
            first_phase,
            columns: columns.collect(),
            nodes: vec![None; circuit.nodes.len()],
            scheduler: Scheduler::new(circuit),
            reciprocals: BTreeMap::new(),
            powers: 0,
        }
    }

    /// Per group of claimed sums, the degrees of its sum's numerator and denominators.
    fn groups(mut self) -> Result<Vec<Degree>, Error> {
        let mut sums = vec![Rational::default(); self.circuit.sum_groups.len()];
        for phase in 2..4 {
            for (table, column) in fill_order(self.circuit, phase)?.into_iter().flatten() {
                self.fill(table, column)?;
            }
        }
        for (table, columns) in self.circuit.tables.iter().zip(&self.columns) {
            for (column, value) in table.columns.iter().zip(columns) {
                if let Some(Generator::RunningFraction { claimed_sum, .. }) = column.generator {
                    let sum = &mut sums[self.circuit.claimed_sums[claimed_sum].group as usize];
                    *sum = bounded(&mut self.powers, sum.plus(value))?;
                }
            }
        }
        for tensor in &self.circuit.publics {
            let sum = &mut sums[tensor.group as usize];
            let value = sum.plus(&self.public_term(tensor));
            *sum = bounded(&mut self.powers, value)?;
        }
        let degree = |sum: &Rational| Degree { numerator: sum.numerator, denominator: sum.denominator() };
        Ok(sums.iter().map(degree).collect())
    }

    fn fill(&mut self, table: usize, column: usize) -> Result<(), Error> {
        let circuit = self.circuit;
        let height = circuit.tables[table].height() as f64;
        let Some(generator) = &circuit.tables[table].columns[column].generator else { return Ok(()) };
        let new =
            self.scheduler.schedule(circuit, &generator.roots(), |node| self.nodes[node as usize].is_none());
        for node in new {
            let value = self.value(node)?;
            self.nodes[node as usize] = Some(bounded(&mut self.powers, value)?);
        }
        let value = match generator {
            Generator::Expression { value } => self.of(*value),
            Generator::Scan { mul, add, rows } => {
                let rows = match self.runs {
                    Runs::Declared => *rows as f64,
                    Runs::WholeTables => height,
                };
                self.of(*add).scanned(&self.of(*mul), rows)
            }
            Generator::Fraction { numerator, denominator } => {
                self.of(*numerator).times(&self.reciprocal(*denominator)?)
            }
            Generator::RunningFraction { numerator, denominator, add, .. } => {
                let own = self.of(*numerator).times(&self.reciprocal(*denominator)?);
                own.plus(&self.of(*add)).summed(height)
            }
            Generator::Gather { sources, .. } => {
                // Each column once, however many rows are taken from it.
                let columns: BTreeSet<_> =
                    sources.iter().map(|source| (source.table as usize, source.column as usize)).collect();
                let mut values = columns.into_iter().map(|(table, column)| &self.columns[table][column]);
                let first = values.next().cloned().unwrap_or_default();
                values.try_fold(first, |either, value| bounded(&mut self.powers, either.or(value)))?
            }
        };
        self.columns[table][column] = bounded(&mut self.powers, value)?;
        Ok(())
    }

    /// Over one common denominator: the poles at all addresses, rows and columns (`sums.rs`).
    fn public_term(&self, tensor: &proto::PublicTensor) -> Rational {
        let tiles = tensor.rows.div_ceil(tensor.tile_rows) as f64
            * tensor.columns.div_ceil(tensor.tile_columns) as f64;
        let degree = tiles * self.challenge(tensor.address_challenge as usize)
            + tensor.tile_rows.min(tensor.rows) as f64 * self.challenge(tensor.row_challenge as usize)
            + tensor.tile_columns.min(tensor.columns) as f64
                * self.challenge(tensor.column_challenge as usize);
        Rational { numerator: degree, own: degree, shared: Vec::new() }
    }

    fn challenge(&self, index: usize) -> f64 {
        (self.circuit.challenges[index].phase as usize >= self.first_phase) as u32 as f64
    }

    fn of(&self, node: NodeId) -> Rational {
        self.nodes[node as usize].clone().unwrap_or_default()
    }

    fn value(&mut self, node: NodeId) -> Result<Rational, Error> {
        Ok(match self.circuit.nodes[node as usize] {
            Node::Constant(_) | Node::IsFirst | Node::IsLast => Rational::default(),
            Node::ClaimedSum(claimed_sum) => {
                let (table, column) = self.circuit.claimed_sum_columns[claimed_sum];
                self.columns[table][column].clone()
            }
            Node::Challenge(index) => Rational::polynomial(self.challenge(index)),
            Node::Column { table, column, .. } => self.columns[table][column].clone(),
            Node::Add(a, b) | Node::Sub(a, b) => self.of(a).plus(&self.of(b)),
            Node::Mul(a, b) => self.of(a).times(&self.of(b)),
            Node::Neg(a) => self.of(a),
            Node::Inverse(a) => self.reciprocal(a)?,
        })
    }

    /// 1 / node. Factors are looked at once and without recursion: 60 squares are 2^60 factors, and a product may be as deep as
    /// the circuit is long.
    fn reciprocal(&mut self, root: NodeId) -> Result<Rational, Error> {
        let circuit = self.circuit;
        let mut stack = vec![root];
        while let Some(&node) = stack.last() {
            if self.reciprocals.contains_key(&node) {
                stack.pop();
                continue;
            }
            let of = circuit.nodes[node as usize];
            let before = stack.len();
            if matches!(of, Node::Mul(..) | Node::Neg(_)) {
                stack.extend(of.operands().filter(|factor| !self.reciprocals.contains_key(factor)));
            }
            if stack.len() > before {
                continue;
            }
            let value = match of {
                Node::Mul(a, b) => self.reciprocals[&a].times(&self.reciprocals[&b]),
                Node::Neg(a) => self.reciprocals[&a].clone(),
                _ => self.reciprocal_of_factor(node),
            };
            self.reciprocals.insert(node, bounded(&mut self.powers, value)?);
        }
        Ok(self.reciprocals[&root].clone())
    }

    /// A factor that is equal on all rows is shared by them, and by all of its powers.
    fn reciprocal_of_factor(&self, node: NodeId) -> Rational {
        let value = self.of(node);
        match self.circuit.facts(node).scope {
            Scope::Uniform => {
                Rational::shared(node, value.numerator, 1.0).times(&Rational::polynomial(value.denominator()))
            }
            _ => value.inverse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pole() -> Rational {
        Rational::polynomial(1.0).inverse()
    }

    #[test]
    fn denominators_of_a_row_add_up() {
        assert_eq!(pole(), Rational { numerator: 0.0, own: 1.0, shared: vec![] });
        // Two poles over a common denominator: one in the numerator, two below.
        assert_eq!(pole().plus(&pole()), Rational { numerator: 1.0, own: 2.0, shared: vec![] });
        assert_eq!(pole().summed(100.0), Rational { numerator: 99.0, own: 100.0, shared: vec![] });
        // x^3 on each row, times x / y from row to row.
        let cube = Rational::polynomial(3.0);
        let quotient = Rational::polynomial(1.0).times(&pole());
        assert_eq!(cube.scanned(&quotient, 10.0), Rational { numerator: 13.0, own: 10.0, shared: vec![] });
        assert_eq!(pole().scanned(&cube, 2.0), Rational { numerator: 7.0, own: 2.0, shared: vec![] });
    }

    /// The circuits of an attacker: y = 5 times what vanishes at every point of the field; degrees that overflow in between.
    #[test]
    fn what_is_no_number_is_beyond_all_bounds() {
        let mut powers = 0;
        let mut value = Rational::polynomial(1.0).inverse();
        for _ in 0..210 {
            value = Rational::polynomial(1.0).scanned(&value, 32.0);
        }
        assert!(value.numerator.is_infinite());
        let undefined = value.or(&value);
        assert!(undefined.numerator.is_nan());
        assert!(bounded(&mut powers, value).is_err() && bounded(&mut powers, undefined).is_err());
        assert!(bounded(&mut powers, Rational::polynomial(MOST_DEGREE)).is_ok());
        let many =
            Rational { shared: vec![Power { node: 0, degree: 0.0, exponent: 0.0 }; MOST_POWERS], ..pole() };
        assert!(bounded(&mut powers, many.clone()).is_ok() && bounded(&mut powers, many).is_err());
    }

    #[test]
    fn a_shared_denominator_counts_once() {
        let (first, second) = (Rational::shared(1, 2.0, 1.0), Rational::shared(4, 3.0, 2.0));
        // On every row the same: a million rows change nothing.
        assert_eq!(first.summed(1e6), first);
        // 1 / p + 1 / q^2 = (q^2 + p) / (p q^2), deg p = 2, deg q = 3.
        let sum = first.plus(&second);
        assert_eq!((sum.numerator, sum.own, sum.denominator()), (6.0, 0.0, 8.0));
        assert_eq!(sum.plus(&first), sum);
        // (1 / p)^3 is one denominator of a higher power; 1 / p + 1 / p^3 has that one.
        let cube = first.times(&first).times(&first);
        assert_eq!(cube, Rational::shared(1, 2.0, 3.0));
        assert_eq!(cube.plus(&first), Rational { numerator: 4.0, ..cube.clone() });
        // A pole beside it is a row's own: 1 / p + 1 / x on 10 rows is N / (p x_1 .. x_10).
        let mixed = first.plus(&pole()).summed(10.0);
        assert_eq!((mixed.numerator, mixed.own, degree_of(&mixed.shared)), (11.0, 10.0, 2.0));
        // As a row's own denominator, p + 0: (1 / p)^-1 = p.
        assert_eq!(first.inverse(), Rational::polynomial(2.0));
        // A scan multiplies: 5 rows, each time by 1 / p.
        let scanned = Rational::polynomial(1.0).scanned(&first, 5.0);
        assert_eq!((scanned.numerator, scanned.denominator()), (11.0, 10.0));
    }

    #[test]
    fn either_of_two_has_the_degrees_of_both() {
        let (first, second) = (Rational::shared(1, 2.0, 1.0), pole());
        // As functions over p x: x / (p x) or p / (p x).
        let either = first.or(&second);
        assert_eq!((either.numerator, either.own, degree_of(&either.shared)), (2.0, 1.0, 2.0));
    }
}

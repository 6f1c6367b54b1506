//! How likely a false statement is accepted, over the whole protocol.
//!
//! Notation: F the extension field, |F| = (2^31 - 1)^4; N = 2^(L + b) the evaluation domain for tables of up
//! to 2^L rows and a blowup of 2^b; rho = 2^-b the rate; q queries; g and h the bits of grinding before the
//! queries and before the circuit's challenges; M the values opened out of domain; C the constraints; B the most blocks
//! of a bundle. A list has at most l codewords.
//!
//! | part         | error                                        | conjectured              | proven, for some m >= 3            |
//! |--------------|----------------------------------------------|--------------------------|------------------------------------|
//! | queries      | (1 - theta)^q 2^-g                           | 1 - theta = rho          | 1 - theta = sqrt(rho) (1 + 1/(2m)) |
//! | proximity    | batching and folding keep the distance       | N / \|F\|                | (M + 8) c N^2 / \|F\|, see below   |
//! | out of domain| l * 8 * 2^L / \|F\|: degree 3, two sides     | l = 1                    | l = (m + 1/2) / sqrt(rho)          |
//! | constraints  | l * C / \|F\|: powers of one coefficient     |                          |                                    |
//! | challenges   | l^k * D 2^-h / \|F\|: D, k as below          |                          |                                    |
//!
//! Each is that of one block. Blocks have their own constraints, points out of domain, FRI and queries, and a false bundle has
//! a false block or a false carry between two: every error is B times as large, and that is what is stated, whatever the number
//! of blocks in a proof.
//!
//! with c = (m + 1/2)^7 / (3 rho^(3/2)) (Ben-Sasson, Carmon, Ishai, Kopparty, Saraf 2020, theorems 5.1 and
//! 6.2; the folding rounds, on ever smaller domains, add less than 8 batched columns would). The conjecture
//! is the usual one: no attack on FRI does better than guessing queries at the rate.
//!
//! D is the degree, numerator and denominators, of the sums that must cancel, as rational functions of the
//! circuit's challenges: for fixed columns of phase 1 they cancel identically or for at most D values of a
//! challenge (Schwartz-Zippel). It is computed from the generators: a running fraction of n rows adds n
//! denominators, a scan multiplies n times. Each claim is in one sum, be it of its block or of a carry, so B blocks have degree
//! B * D. A commitment that is close to l codewords leaves as many witnesses to hope for; the sum of a carry is over the main columns
//! of two blocks, pairs of codewords: k = 2 with carries, else 1.
//!
//! The field bounds everything but the queries: around 2^20 rows, 124 - 21 = 103 bits remain, and a proven
//! regime ends near 60 bits however many queries are made.

use lindero_package::{fill_order, proto, schedule, Circuit, Error, Generator, Node};

use crate::layout::Layout;
use crate::parameters::{Parameters, MAX_QUERIES};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    Conjectured,
    Proven,
}

impl TryFrom<i32> for Regime {
    type Error = Error;

    fn try_from(value: i32) -> Result<Self, Error> {
        match proto::security_target::Regime::try_from(value) {
            Ok(proto::security_target::Regime::Conjectured) => Ok(Regime::Conjectured),
            Ok(proto::security_target::Regime::Proven) => Ok(Regime::Proven),
            Err(_) => Err(Error::new(format!("the key names an unknown regime, {value}"))),
        }
    }
}

impl From<Regime> for i32 {
    fn from(regime: Regime) -> i32 {
        match regime {
            Regime::Conjectured => proto::security_target::Regime::Conjectured as i32,
            Regime::Proven => proto::security_target::Regime::Proven as i32,
        }
    }
}

/// log2 of the field's size, rounded down far below what is reported.
const FIELD_BITS: f64 = 123.999_999;

/// Bits (-log2 of the error) of each part, for the largest bundle.
#[derive(Clone, Copy, Debug)]
pub struct Soundness {
    pub queries: f64,
    pub proximity: f64,
    pub out_of_domain: f64,
    pub constraints: f64,
    pub challenges: f64,
}

/// What the formulas need to know of a circuit.
struct Sizes {
    log_height: f64,
    opened: f64,
    constraints: f64,
    /// log2 of D.
    log_degree: f64,
    /// log2 of B.
    log_blocks: f64,
}

impl Soundness {
    pub fn of(
        circuit: &Circuit,
        layout: &Layout,
        parameters: &Parameters,
        regime: Regime,
    ) -> Result<Self, Error> {
        Ok(Self::best(&Sizes::of(circuit, layout)?, parameters, regime))
    }

    /// Bits of the whole: the errors add up.
    pub fn total(&self) -> f64 {
        let parts = [self.queries, self.proximity, self.out_of_domain, self.constraints, self.challenges];
        -parts.iter().map(|bits| (-bits).exp2()).sum::<f64>().log2()
    }

    fn best(sizes: &Sizes, parameters: &Parameters, regime: Regime) -> Self {
        match regime {
            Regime::Conjectured => Self::conjectured(sizes, parameters),
            Regime::Proven => (3..200)
                .map(|m| Self::proven(sizes, parameters, m as f64))
                .max_by(|a, b| a.total().total_cmp(&b.total()))
                .expect("the range is not empty"),
        }
        .of_any_block(sizes)
    }

    fn of_any_block(self, sizes: &Sizes) -> Self {
        Soundness {
            queries: self.queries - sizes.log_blocks,
            proximity: self.proximity - sizes.log_blocks,
            out_of_domain: self.out_of_domain - sizes.log_blocks,
            constraints: self.constraints - sizes.log_blocks,
            challenges: self.challenges - sizes.log_blocks,
        }
    }

    fn conjectured(sizes: &Sizes, parameters: &Parameters) -> Self {
        let log_domain = sizes.log_height + parameters.log_blowup as f64;
        Soundness {
            queries: (parameters.log_blowup * parameters.queries + parameters.pow_bits) as f64,
            proximity: FIELD_BITS - log_domain,
            ..Self::of_lists(sizes, parameters, 0.0)
        }
    }

    fn proven(sizes: &Sizes, parameters: &Parameters, m: f64) -> Self {
        let log_rate = -(parameters.log_blowup as f64);
        let log_domain = sizes.log_height + parameters.log_blowup as f64;
        let log_agreement = log_rate / 2.0 + (1.0 + 1.0 / (2.0 * m)).log2();
        let log_c = 7.0 * (m + 0.5).log2() - 3f64.log2() - 1.5 * log_rate;
        Soundness {
            queries: parameters.pow_bits as f64 - log_agreement * parameters.queries as f64,
            proximity: FIELD_BITS - 2.0 * log_domain - log_c - (sizes.opened + 8.0).log2(),
            ..Self::of_lists(sizes, parameters, (m + 0.5).log2() - log_rate / 2.0)
        }
    }

    /// The parts that depend on the regime through the list size only.
    fn of_lists(sizes: &Sizes, parameters: &Parameters, log_list: f64) -> Self {
        let lists = if sizes.log_blocks > 0.0 { 2.0 } else { 1.0 };
        Soundness {
            queries: f64::INFINITY,
            proximity: f64::INFINITY,
            out_of_domain: FIELD_BITS - log_list - 3.0 - sizes.log_height,
            constraints: FIELD_BITS - log_list - sizes.constraints.log2(),
            challenges: FIELD_BITS - lists * log_list - sizes.log_degree
                + parameters.challenge_pow_bits as f64,
        }
    }
}

/// What parameters are chosen for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub bits: u32,
    pub regime: Regime,
    pub log_blowup: u32,
    /// At most this much grinding before the queries.
    pub pow_bits: u32,
    pub fold_step: u32,
    pub log_last_layer_degree: u32,
}

impl Target {
    /// Measured best on a char GPT, see tools/provers/README.md.
    pub const DEFAULT: Target = Target {
        bits: 96,
        regime: Regime::Conjectured,
        log_blowup: 2,
        pow_bits: 18,
        fold_step: 3,
        log_last_layer_degree: 5,
    };

    /// The fewest queries that reach the target with its grinding, then the least grinding with that many
    /// queries, and the least before the circuit's challenges.
    pub fn parameters(&self, circuit: &Circuit, layout: &Layout) -> Result<Parameters, Error> {
        let sizes = Sizes::of(circuit, layout)?;
        let bits = |parameters: &Parameters| Soundness::best(&sizes, parameters, self.regime);
        let enough = |parameters: &Parameters| bits(parameters).total() >= self.bits as f64;
        let mut parameters = self.with_queries(MAX_QUERIES, layout.max_log_height);
        parameters.check(layout.max_log_height)?;
        // Three bits above the target leave most of the error to the queries, which are the cheaper part.
        let missing = self.bits as f64 + 3.0 - bits(&parameters).challenges;
        parameters.challenge_pow_bits = missing.ceil().clamp(0.0, MAX_CHALLENGE_POW_BITS) as u32;
        if !enough(&parameters) {
            return Err(self.out_of_reach(bits(&parameters).total()));
        }
        let all: Vec<u32> = (1..=MAX_QUERIES).collect();
        let fewer = all.partition_point(|&queries| !enough(&Parameters { queries, ..parameters }));
        parameters.queries = all[fewer.min(all.len() - 1)];
        while parameters.pow_bits > 0
            && enough(&Parameters { pow_bits: parameters.pow_bits - 1, ..parameters })
        {
            parameters.pow_bits -= 1;
        }
        Ok(parameters)
    }

    /// Small circuits fold as far as they can.
    fn with_queries(&self, queries: u32, max_log_height: u32) -> Parameters {
        let fold_step = self.fold_step.min(max_log_height);
        Parameters {
            log_blowup: self.log_blowup,
            queries,
            pow_bits: self.pow_bits,
            challenge_pow_bits: 0,
            fold_step,
            log_last_layer_degree: self.log_last_layer_degree.min(max_log_height - fold_step),
        }
    }

    fn out_of_reach(&self, cap: f64) -> Error {
        let regime = match self.regime {
            Regime::Conjectured => "conjectured",
            Regime::Proven => "proven",
        };
        Error::new(format!(
            "{} bits are out of reach for this circuit in the {regime} regime: the extension field of 124 bits \
             allows {cap:.1}; ask for at most {}, or take the conjectured regime or smaller tables",
            self.bits,
            cap.floor()
        ))
    }
}

/// More would take longer than the proof.
const MAX_CHALLENGE_POW_BITS: f64 = 24.0;

impl Sizes {
    fn of(circuit: &Circuit, layout: &Layout) -> Result<Self, Error> {
        let opened: usize = layout.sample_counts(circuit).iter().flatten().sum();
        let constraints: usize = circuit.tables.iter().map(|table| table.constraints.len()).sum();
        Ok(Sizes {
            log_height: layout.max_log_height as f64,
            opened: opened as f64,
            constraints: constraints as f64,
            log_degree: degree_of_sums(circuit)?.max(1.0).log2(),
            log_blocks: (circuit.most_blocks as f64).log2(),
        })
    }
}

/// Degrees of a rational function of the challenges.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Rational {
    numerator: f64,
    denominator: f64,
}

impl Rational {
    fn plus(self, other: Self) -> Self {
        Rational {
            numerator: (self.numerator + other.denominator).max(other.numerator + self.denominator),
            denominator: self.denominator + other.denominator,
        }
    }

    fn times(self, other: Self) -> Self {
        Rational {
            numerator: self.numerator + other.numerator,
            denominator: self.denominator + other.denominator,
        }
    }

    fn inverse(self) -> Self {
        Rational { numerator: self.denominator, denominator: self.numerator }
    }

    /// The sum of `count` functions like this one.
    fn summed(self, count: f64) -> Self {
        Rational {
            numerator: self.numerator + (count - 1.0) * self.denominator,
            denominator: count * self.denominator,
        }
    }

    /// The last of `count` values, each `mul` times the one before plus one like this.
    fn scanned(self, mul: Self, count: f64) -> Self {
        let added = self.summed(count);
        Rational {
            numerator: added.numerator + count * mul.numerator.max(mul.denominator),
            denominator: added.denominator + count * mul.denominator,
        }
    }
}

/// D: numerator and denominators of all claims and of the public tensors' terms.
fn degree_of_sums(circuit: &Circuit) -> Result<f64, Error> {
    let mut columns: Vec<Vec<Rational>> =
        circuit.tables.iter().map(|table| vec![Rational::default(); table.columns.len()]).collect();
    let mut nodes: Vec<Option<Rational>> = vec![None; circuit.nodes.len()];
    let mut degree = 0.0;
    for phase in 2..4 {
        for (table, column) in fill_order(circuit, phase)?.into_iter().flatten() {
            let height = circuit.tables[table].height() as f64;
            let Some(generator) = &circuit.tables[table].columns[column].generator else { continue };
            for node in schedule(circuit, &generator.roots()) {
                let known = nodes[node as usize];
                nodes[node as usize] =
                    known.or_else(|| Some(degree_of_node(circuit, node, &nodes, &columns)));
            }
            let of = |node: u32| nodes[node as usize].unwrap_or_default();
            columns[table][column] = match generator {
                Generator::Expression { value } => of(*value),
                Generator::Scan { mul, add } => of(*add).scanned(of(*mul), height),
                Generator::Fraction { numerator, denominator } => {
                    of(*numerator).times(of(*denominator).inverse())
                }
                Generator::RunningFraction { numerator, denominator, add, .. } => {
                    of(*numerator).times(of(*denominator).inverse()).plus(of(*add)).summed(height)
                }
                Generator::Gather { sources, .. } => sources
                    .iter()
                    .map(|source| columns[source.table as usize][source.column as usize])
                    .fold(Rational::default(), |a, b| Rational {
                        numerator: a.numerator.max(b.numerator),
                        denominator: a.denominator.max(b.denominator),
                    }),
            };
            if matches!(generator, Generator::RunningFraction { .. }) {
                degree += columns[table][column].numerator + columns[table][column].denominator;
            }
        }
    }
    let public: f64 = circuit.publics.iter().map(|tensor| tensor.rows as f64 * tensor.columns as f64).sum();
    Ok(degree + 3.0 * public)
}

fn degree_of_node(
    circuit: &Circuit,
    node: u32,
    nodes: &[Option<Rational>],
    columns: &[Vec<Rational>],
) -> Rational {
    let of = |node: u32| nodes[node as usize].unwrap_or_default();
    match circuit.nodes[node as usize] {
        Node::Constant(_) | Node::IsFirst | Node::IsLast => Rational::default(),
        Node::Claim(claim) => {
            let (table, column) = circuit.claim_columns[claim];
            columns[table][column]
        }
        Node::Challenge(_) => Rational { numerator: 1.0, denominator: 0.0 },
        Node::Column { table, column, .. } => columns[table][column],
        Node::Add(a, b) | Node::Sub(a, b) => of(a).plus(of(b)),
        Node::Mul(a, b) => of(a).times(of(b)),
        Node::Neg(a) => of(a),
        Node::Inverse(a) => of(a).inverse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(log_height: f64, log_degree: f64) -> Sizes {
        Sizes { log_height, opened: 1000.0, constraints: 500.0, log_degree, log_blocks: 0.0 }
    }

    fn total(regime: Regime, queries: u32, log_blowup: u32, log_height: f64) -> f64 {
        let target = Target { log_blowup, pow_bits: 20, ..Target::DEFAULT };
        let parameters = target.with_queries(queries, 20);
        Soundness::best(&sizes(log_height, 20.0), &parameters, regime).total()
    }

    #[test]
    fn totals_match_figures_computed_by_hand() {
        // Queries and grinding give 96 and 98 bits; out of domain 101, proximity 103 and 102.
        assert!((95.9..96.0).contains(&total(Regime::Conjectured, 76, 1, 20.0)));
        assert!((97.7..97.8).contains(&total(Regime::Conjectured, 39, 2, 20.0)));
        // Johnson bound, m = 3: c = 3.5^7 / (3 * 2^-1.5) = 2^12.57, N = 2^21, 1008 columns: 124 - 42 - 12.57 - 9.98.
        let field = total(Regime::Proven, 512, 1, 20.0);
        assert!((59.0..59.5).contains(&field), "{field}");
        // Up to half a bit per query, as long as the field does not bound.
        let few = total(Regime::Proven, 40, 1, 10.0);
        assert!((31.0..40.0).contains(&few), "{few}");
    }

    #[test]
    fn a_bundle_has_the_bits_of_all_its_blocks() {
        let parameters = Target::DEFAULT.with_queries(40, 20);
        let parts = |log_blocks, regime| {
            let soundness = Soundness::best(&Sizes { log_blocks, ..sizes(20.0, 20.0) }, &parameters, regime);
            let Soundness { queries, proximity, out_of_domain, constraints, challenges } = soundness;
            [queries, proximity, out_of_domain, constraints, challenges, soundness.total()]
        };
        let losses = |regime| {
            let (one, many) = (parts(0.0, regime), parts(4.0, regime));
            one.iter().zip(many).map(|(one, many)| one - many).collect::<Vec<_>>()
        };
        for loss in losses(Regime::Conjectured) {
            assert!((loss - 4.0).abs() < 1e-9, "{loss}");
        }
        // Queries bound, so the list size is the same, (m + 1/2) 2: it counts once more for the sums of carries.
        let proven = losses(Regime::Proven);
        assert!((proven[0] - 4.0).abs() < 1e-9 && (proven[5] - 4.0).abs() < 0.1, "{proven:?}");
        assert!(proven[4] > 4.0 + 7f64.log2() - 1e-9, "{proven:?}");
    }

    #[test]
    fn rational_degrees_add_up() {
        let pole = Rational { numerator: 1.0, denominator: 0.0 }.inverse();
        assert_eq!(pole, Rational { numerator: 0.0, denominator: 1.0 });
        // Two poles over a common denominator: one in the numerator, two below.
        assert_eq!(pole.plus(pole), Rational { numerator: 1.0, denominator: 2.0 });
        assert_eq!(pole.summed(100.0), Rational { numerator: 99.0, denominator: 100.0 });
        // x^3 on each row, times x / y from row to row.
        let cube = Rational { numerator: 3.0, denominator: 0.0 };
        let quotient = Rational { numerator: 1.0, denominator: 1.0 };
        assert_eq!(cube.scanned(quotient, 10.0), Rational { numerator: 13.0, denominator: 10.0 });
        assert_eq!(pole.scanned(cube, 2.0), Rational { numerator: 7.0, denominator: 2.0 });
    }
}

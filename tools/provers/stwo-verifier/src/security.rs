//! How likely a false statement is accepted, over the whole protocol.
//!
//! Notation: F the extension field, |F| = (2^31 - 1)^4; k = 2^L the rows of the tallest table, n = 2^b k the points at
//! which columns are committed, rho = k / n the rate; q queries; C the constraints; M the quotients that are batched: the
//! values opened out of domain and, as Stwo adds it, one more for each base column that is opened at exactly two points;
//! S the most steps of a bundle. g, h, ... are the bits of grinding before a draw, delta a distance from the code.
//!
//! | term          | a false statement passes if                          | error, times 2^-grinding               |
//! |---------------|------------------------------------------------------|----------------------------------------|
//! | queries       | no query falls where words differ from the code      | (1 - delta)^q                          |
//! | batching      | a batch of words far from the code is near it        | (M - 1) E(n) / \|F\|: powers of one coefficient |
//! | folds         | so is a fold                                         | sum of (2^s - 1) E / \|F\|, s halvings each |
//! | out of domain | a wrong composition has the right value at the point | (4 k + 8) / \|F\|                      |
//! | constraints   | constraints that fail cancel each other              | C / \|F\|: powers of one coefficient  |
//! | challenges    | sums that differ agree, or a denominator is zero     | D / \|F\|, for phase 1 and phase 2: `degrees.rs` |
//!
//! Each is that of one block. Blocks have their own constraints, points out of domain, FRI and queries, and a false bundle has
//! a false block or a false link: errors of all members add up, and are S times as large, and that is what is stated, whatever the
//! number of steps in a proof. What is promised is the sum of all errors. The least term alone, which is the security of each round
//! by itself, is information.
//!
//! The term of the challenges has one part for each member, of its groups that no link names, and one for each link: the degree of
//! the sum over its ends, times l^e for a link of e ends, l being the number of codewords that a commitment may stand for when the
//! challenges are drawn. All regimes here have l = 1: unique decoding leaves one, and so does the conjecture.
//!
//! A regime says what is known of delta and E, the number of points of a line that may be near the code although the line
//! is not:
//!
//! - *proven*, which is unique decoding, in all of the argument of runtime/SOUNDNESS.md: delta = (1 - rho') / 2 less
//!   a loss, rho' = (k + 3) / n (a column is a polynomial of one degree more than k coefficients have, and its quotients are
//!   of one more still). Where a distance d goes down to d', E = max((1 - rho' - d') / (d' (1 - rho' - 2 d')), d / (d - d'))
//!   (lemma 2; for lines it is theorem 1.3 of ePrint 2025/2055). Half of the loss is the batching's, the rest the folds'.
//! - *list-decoding*, which rests on [`CONJECTURE`]: 1 - delta = rho + h(rho) / 31 with the binary entropy h, one codeword, E = n, and
//!   one more for a fold, of which n is its own.
//! - the *best known attack* guesses queries, 1 - delta = rho, and at every other draw hopes for a root of one polynomial of its
//!   choice, E = 1. Information only.
//!
//! D is the degree of the sums that must cancel, as rational functions of the challenges: for fixed columns of phase 1 they cancel
//! identically or for at most D values of a challenge (Schwartz-Zippel). Grinding comes before the challenges of phase 1, which
//! the whole of D hangs on; those of phase 2 are counted without.
//!
//! D is counted by the lengths of folds that the circuit declares, which rest on whoever made the key, like all that is said of fixed
//! columns. Were they false, D would still be at most what folds over whole tables give: the term is never less than
//! [`LEAST_CHALLENGES`] of that count, or the key is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use lindero_package::{Bundle, Circuit, Error};

use crate::degrees::{Degree, Degrees, Runs};
use crate::layout::Layout;
use crate::parameters::Parameters;
pub use crate::proximity::Radius;
use crate::proximity::{losses, Code};
pub use crate::regime::{Regime, CONJECTURE};

/// Bits that the challenges' term must have left where folds are as long as their tables: what a key can win by false lengths ends
/// there.
pub const LEAST_CHALLENGES: f64 = 60.0;

/// log2 of the field's size, rounded down far below what is reported.
const FIELD_BITS: f64 = 123.999_999;

/// Bits (-log2 of the error) of each term, for the largest bundle.
#[derive(Clone, Copy, Debug)]
pub struct Soundness {
    pub radius: Radius,
    pub queries: f64,
    pub batching: f64,
    pub folds: f64,
    pub out_of_domain: f64,
    pub constraints: f64,
    pub challenges: f64,
}

impl Soundness {
    pub fn terms(&self) -> [(&'static str, f64); 6] {
        [
            ("queries", self.queries),
            ("batching", self.batching),
            ("folds", self.folds),
            ("out_of_domain", self.out_of_domain),
            ("constraints", self.constraints),
            ("challenges", self.challenges),
        ]
    }

    /// Bits of the whole: the errors add up.
    pub fn total(&self) -> f64 {
        sum(self.terms().map(|(_, bits)| bits))
    }

    /// The term with the largest error.
    pub fn binding(&self) -> (&'static str, f64) {
        self.terms().into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).expect("there are terms")
    }
}

/// Bits of the sum of errors of these bits.
fn sum(bits: impl IntoIterator<Item = f64>) -> f64 {
    -bits.into_iter().map(|bits| (-bits).exp2()).sum::<f64>().log2()
}

/// What the formulas need to know of a member.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// L.
    pub log_height: u32,
    /// M.
    pub quotients: f64,
    /// C.
    pub constraints: f64,
    /// log2 of D, for the challenges of phase 1 and of phase 2, without groups that a link names.
    pub log_degrees: [f64; 2],
    /// The same with folds as long as their tables.
    pub log_degrees_of_whole_tables: [f64; 2],
}

/// Of a circuit, whatever is linked.
struct Counts {
    log_height: u32,
    quotients: f64,
    constraints: f64,
    declared: Degrees,
    whole_tables: Degrees,
}

impl Counts {
    fn of(circuit: &Circuit, layout: &Layout) -> Result<Self, Error> {
        let counts = layout.sample_counts(circuit);
        let quotients = counts.iter().flatten().map(|&count| count + (count == 2) as usize).sum::<usize>();
        let constraints: usize = circuit.tables.iter().map(|table| table.constraints.len()).sum();
        Ok(Counts {
            log_height: layout.max_log_height,
            quotients: quotients as f64,
            constraints: constraints as f64,
            declared: Degrees::of(circuit, Runs::Declared)?,
            whole_tables: Degrees::of(circuit, Runs::WholeTables)?,
        })
    }

    fn sizes(&self, is_linked: impl Fn(usize) -> bool) -> Sizes {
        let log_degrees = |degrees: &Degrees| {
            let own = degrees.groups.iter().enumerate().filter(|&(group, _)| !is_linked(group));
            let all: f64 = own.map(|(_, degree)| degree.total()).sum();
            [all, degrees.late].map(log_of_degree)
        };
        Sizes {
            log_height: self.log_height,
            quotients: self.quotients,
            constraints: self.constraints,
            log_degrees: log_degrees(&self.declared),
            log_degrees_of_whole_tables: log_degrees(&self.whole_tables),
        }
    }
}

fn log_of_degree(degree: f64) -> f64 {
    degree.max(1.0).log2()
}

impl Sizes {
    /// Of a circuit by itself.
    pub fn of(circuit: &Circuit, layout: &Layout) -> Result<Self, Error> {
        Ok(Counts::of(circuit, layout)?.sizes(|_| false))
    }

    /// Of one block.
    pub fn at(&self, parameters: &Parameters, radius: Radius) -> Soundness {
        let code = Code::new(self.log_height, parameters);
        let [agreement, batch, folds] = code.errors(radius);
        Soundness {
            radius,
            queries: parameters.pow_bits as f64 - agreement.log2() * parameters.queries as f64,
            batching: bits(((self.quotients - 1.0).max(1.0) * batch).log2(), parameters.batching_pow_bits),
            folds: bits(folds.log2(), parameters.fold_pow_bits),
            out_of_domain: bits((4.0 * code.dimension + 8.0).log2(), parameters.out_of_domain_pow_bits),
            constraints: bits(self.constraints.log2(), parameters.composition_pow_bits),
            challenges: challenges(self.log_degrees, parameters),
        }
    }
}

/// What the formulas need to know of a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkSizes {
    pub ends: u32,
    /// log2 of the degree of the sum over its ends, as declared and with folds as long as their tables.
    pub log_degree: f64,
    pub log_degree_of_whole_tables: f64,
}

/// What the formulas need to know of a bundle.
#[derive(Clone, Debug)]
pub struct BundleSizes {
    pub members: Vec<Sizes>,
    pub links: Vec<LinkSizes>,
    /// log2 of S.
    pub log_steps: f64,
}

impl From<Sizes> for BundleSizes {
    /// Of a circuit by itself.
    fn from(sizes: Sizes) -> Self {
        BundleSizes { members: vec![sizes], links: Vec::new(), log_steps: 0.0 }
    }
}

impl BundleSizes {
    /// `layouts` has those of the circuits, by their index.
    pub fn of(bundle: &Bundle, layouts: &[Arc<Layout>]) -> Result<Self, Error> {
        let mut counts: Vec<Counts> = Vec::new();
        for member in &bundle.members {
            if member.circuit_index == counts.len() {
                counts.push(Counts::of(&member.circuit, &layouts[member.circuit_index])?);
            }
        }
        let unlinked: Vec<Sizes> = counts.iter().map(|counts| counts.sizes(|_| false)).collect();
        let members = bundle.members.iter().map(|member| {
            let circuit = member.circuit_index;
            if member.linked.is_empty() {
                return unlinked[circuit];
            }
            let linked: BTreeSet<usize> = member.linked.iter().copied().collect();
            counts[circuit].sizes(|group| linked.contains(&group))
        });
        let link = |ends: &Vec<lindero_package::End>| {
            let log_degree = |of: fn(&Counts) -> &Degrees| {
                let degree = |end: &lindero_package::End| {
                    of(&counts[bundle.members[end.member].circuit_index]).groups[end.group]
                };
                let sum = ends.iter().map(degree).reduce(|a, b| a.plus(&b));
                log_of_degree(sum.as_ref().map_or(0.0, Degree::total))
            };
            LinkSizes {
                ends: ends.len() as u32,
                log_degree: log_degree(|counts| &counts.declared),
                log_degree_of_whole_tables: log_degree(|counts| &counts.whole_tables),
            }
        };
        Ok(BundleSizes {
            members: members.collect(),
            links: bundle.links.iter().map(link).collect(),
            log_steps: (bundle.most_steps as f64).log2(),
        })
    }

    /// Of the lowest of the members' tallest tables.
    pub fn least_log_height(&self) -> u32 {
        self.members.iter().map(|sizes| sizes.log_height).min().unwrap_or(0)
    }

    pub fn soundness(&self, parameters: &Parameters, regime: Regime) -> Soundness {
        self.radii(regime)
            .map(|radius| self.at(parameters, radius))
            .max_by(|a, b| a.total().total_cmp(&b.total()))
            .expect("there are radii")
    }

    /// The radii that the regime's bound may be of. What is proven holds whatever is conjectured besides.
    pub fn radii(&self, regime: Regime) -> impl Iterator<Item = Radius> {
        let holds = regime != Regime::BestKnownAttack;
        let proven = losses().filter(move |_| holds).map(|loss| Radius::Unique { loss });
        let other = match regime {
            Regime::Proven => None,
            Regime::ListDecoding => Some(Radius::Elias),
            Regime::BestKnownAttack => Some(Radius::Rate),
        };
        other.into_iter().chain(proven)
    }

    /// Of the largest bundle: errors of all blocks and links add up.
    pub fn at(&self, parameters: &Parameters, radius: Radius) -> Soundness {
        let blocks: Vec<Soundness> = self.members.iter().map(|sizes| sizes.at(parameters, radius)).collect();
        let all = |term: fn(&Soundness) -> f64| sum(blocks.iter().map(term)) - self.log_steps;
        let link = |link: &LinkSizes| {
            let lists = link.ends as f64 * radius.list_size().log2();
            bits(link.log_degree + lists, parameters.challenge_pow_bits)
        };
        let challenges = blocks.iter().map(|block| block.challenges).chain(self.links.iter().map(link));
        Soundness {
            radius,
            queries: all(|block| block.queries),
            batching: all(|block| block.batching),
            folds: all(|block| block.folds),
            out_of_domain: all(|block| block.out_of_domain),
            constraints: all(|block| block.constraints),
            challenges: sum(challenges) - self.log_steps,
        }
    }

    /// The term of the challenges, for the largest bundle, whatever the lengths of folds are.
    pub fn challenges_of_whole_tables(&self, parameters: &Parameters) -> f64 {
        let member = |sizes: &Sizes| challenges(sizes.log_degrees_of_whole_tables, parameters);
        let link = |link: &LinkSizes| bits(link.log_degree_of_whole_tables, parameters.challenge_pow_bits);
        sum(self.members.iter().map(member).chain(self.links.iter().map(link))) - self.log_steps
    }

    /// That a key with false lengths of folds is bounded in what it wins.
    pub fn check_whole_tables(&self, parameters: &Parameters) -> Result<(), Error> {
        let left = self.challenges_of_whole_tables(parameters);
        // What is not a number is not enough.
        if left >= LEAST_CHALLENGES {
            return Ok(());
        }
        Err(Error::new(format!(
            "whatever lengths the circuit declares for its folds: were they as long as their tables, the challenges would have \
             {left:.1} bits, and {LEAST_CHALLENGES} are asked for",
        )))
    }
}

fn bits(log_error: f64, grinding: u32) -> f64 {
    FIELD_BITS - log_error + grinding as f64
}

fn challenges([all, late]: [f64; 2], parameters: &Parameters) -> f64 {
    sum([bits(all, parameters.challenge_pow_bits), bits(late, 0)])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::target::Target;

    /// Those of a char GPT, with 1,101 quotients.
    pub(crate) const CHAR_GPT: Sizes = Sizes {
        log_height: 17,
        quotients: 1101.0,
        constraints: 153.0,
        log_degrees: [24.0, 17.0],
        log_degrees_of_whole_tables: [37.0, 17.0],
    };

    /// So little of one that it does not count.
    const NO_LOSS: f64 = 1e-6;

    pub(crate) fn with_queries(queries: u32, pow_bits: u32, log_blowup: u32) -> Parameters {
        let target = Target { log_blowup, ..Target::DEFAULT };
        Parameters { queries, pow_bits, ..target.unground(queries, 20) }
    }

    fn assert_terms(soundness: Soundness, expected: [f64; 6]) {
        for ((name, bits), expected) in soundness.terms().into_iter().zip(expected) {
            assert!((bits - expected).abs() < 0.01, "{name}: {bits}, expected {expected}: {soundness:?}");
        }
    }

    #[test]
    fn terms_are_those_computed_by_hand() {
        let parameters = with_queries(40, 17, 2);
        // 124 - log2(4 * 2^17); 124 - log2(153); 124 - 24, and 0.01 for phase 2.
        let shared = [105.0, 116.743, 99.989];
        // 1/4 + h(1/4) / 31 = 0.27617; 1100 * 2^19; 7 * 2^19 * (1 + 1/8 + 1/64 + 1/512).
        assert_terms(
            CHAR_GPT.at(&parameters, Radius::Elias),
            [91.255, 94.897, 102.0, shared[0], shared[1], shared[2]],
        );
        // 1100; 4 folds of 7.
        assert_terms(
            CHAR_GPT.at(&parameters, Radius::Rate),
            [97.0, 113.897, 119.193, shared[0], shared[1], shared[2]],
        );
        // A loss of 1/64, 1/128 of it the batching's: d = 3/8, d' = 3/8 - 1/128 = 0.36719; max(0.38281 / (0.36719 * 0.015625), 48)
        // = 66.72. Each of 4 folds loses 1/512; the third has the largest, max(0.38867 / (0.36133 * 0.027344), 186) and so on.
        let soundness = CHAR_GPT.at(&parameters, Radius::Unique { loss: 1.0 / 64.0 });
        assert!((soundness.batching - (124.0 - (1100.0 * 66.72f64).log2())).abs() < 0.01, "{soundness:?}");
        assert!((soundness.queries - (17.0 - 40.0 * (0.625 + 1.0 / 64.0f64).log2())).abs() < 0.01);
        let folds = 7.0
            * ((0.375f64 - 4.0 / 512.0)
                + (0.375 - 5.0 / 512.0)
                + (0.375 - 6.0 / 512.0)
                + (0.375 - 7.0 / 512.0));
        assert!((soundness.folds - (124.0 - (folds * 512.0).log2())).abs() < 0.02, "{soundness:?}");
    }

    /// Other implementations, term by term, where their formula is ours; ours adds up all folds, p3-security takes one.
    #[test]
    fn terms_agree_with_other_implementations() {
        let table = include_str!("../../../../tests/soundness/security/references.tsv");
        let mut cases = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let number = |index: usize| fields[index].parse::<f64>().unwrap();
            let sizes = Sizes {
                log_height: number(1) as u32,
                quotients: number(2),
                constraints: number(3),
                ..CHAR_GPT
            };
            let parameters = with_queries(number(5) as u32, number(6) as u32, number(4) as u32);
            let radius = match fields[7] {
                // The queries' term of theirs is without a loss.
                "unique" => Radius::Unique { loss: NO_LOSS },
                "elias" => Radius::Elias,
                "rate" => Radius::Rate,
                _ => panic!("{line}"),
            };
            let terms = sizes.at(&parameters, radius).terms();
            let (_, bits) = terms.iter().find(|(name, _)| *name == fields[8]).unwrap();
            assert!((bits - number(9)).abs() < 0.2, "{line}: {bits}");
            cases += 1;
        }
        assert!(cases >= 25, "{cases}");
    }

    #[test]
    fn grinding_counts_for_its_term_alone() {
        let bare = with_queries(40, 0, 2);
        let cases: [(&str, fn(&mut Parameters)); 6] = [
            ("queries", |p| p.pow_bits = 7),
            ("batching", |p| p.batching_pow_bits = 7),
            ("folds", |p| p.fold_pow_bits = 7),
            ("out_of_domain", |p| p.out_of_domain_pow_bits = 7),
            ("constraints", |p| p.composition_pow_bits = 7),
            ("challenges", |p| p.challenge_pow_bits = 7),
        ];
        for radius in [Radius::Unique { loss: 0.01 }, Radius::Elias, Radius::Rate] {
            for (name, grind) in cases {
                let mut ground = bare;
                grind(&mut ground);
                let (before, after) =
                    (CHAR_GPT.at(&bare, radius).terms(), CHAR_GPT.at(&ground, radius).terms());
                for (before, after) in before.iter().zip(&after) {
                    let gained = after.1 - before.1;
                    // The challenges of phase 2 are drawn without: 2^24 and 2^17 become 2^17 and 2^17.
                    let expected = if before.0 != name {
                        0.0
                    } else if name == "challenges" {
                        6.011
                    } else {
                        7.0
                    };
                    assert!((gained - expected).abs() < 0.01, "{name}, {}: {gained}", before.0);
                }
            }
        }
    }

    #[test]
    fn a_bundle_has_the_bits_of_all_its_blocks() {
        let parameters = with_queries(40, 17, 2);
        let bundle = BundleSizes { members: vec![CHAR_GPT; 2], log_steps: 3.0, ..CHAR_GPT.into() };
        let losses = |radius| {
            let (one, many) = (CHAR_GPT.at(&parameters, radius), bundle.at(&parameters, radius));
            let mut losses: Vec<f64> =
                one.terms().iter().zip(many.terms()).map(|(one, many)| one.1 - many.1).collect();
            losses.push(one.total() - many.total());
            losses
        };
        for radius in [Radius::Unique { loss: 0.01 }, Radius::Elias, Radius::Rate] {
            assert!(losses(radius).iter().all(|loss| (loss - 4.0).abs() < 1e-9), "{radius:?}");
        }
    }

    /// By hand: 124 bits less 30, twice; two members have 2^24 and, in phase 2, 2^17 each.
    #[test]
    fn links_count_with_the_challenges() {
        let parameters = with_queries(40, 17, 2);
        let link = LinkSizes { ends: 2, log_degree: 30.0, log_degree_of_whole_tables: 40.0 };
        let sizes = BundleSizes {
            members: vec![CHAR_GPT; 2],
            links: vec![link; 2],
            log_steps: 4.0,
            ..CHAR_GPT.into()
        };
        for radius in [Radius::Unique { loss: 0.01 }, Radius::Elias, Radius::Rate] {
            let degree = 2f64.powi(31) + 2f64.powi(25) + 2f64.powi(18);
            let challenges = sizes.at(&parameters, radius).challenges;
            assert!((challenges - (124.0 - degree.log2() - 4.0)).abs() < 1e-5, "{challenges}");
        }
        let degree = 2f64.powi(41) + 2f64.powi(38) + 2f64.powi(18);
        let whole = sizes.challenges_of_whole_tables(&parameters);
        assert!((whole - (124.0 - degree.log2() - 4.0)).abs() < 1e-5, "{whole}");
    }

    #[test]
    fn the_regimes_are_the_best_of_their_bounds() {
        let few = with_queries(40, 17, 2);
        // 40 * -log2(5/8) + 17 bits of queries, less what a loss takes.
        let proven = BundleSizes::from(CHAR_GPT).soundness(&few, Regime::Proven);
        assert!((44.0..44.2).contains(&proven.total()), "{proven:?}");
        let many = with_queries(118, 18, 2);
        let proven = BundleSizes::from(CHAR_GPT).soundness(&many, Regime::Proven);
        assert!(matches!(proven.radius, Radius::Unique { .. }), "{proven:?}");
        assert!((97.5..98.0).contains(&proven.total()), "{proven:?}");
        // What is proven holds in the other regime, too, where its own radius gives less.
        assert_eq!(BundleSizes::from(CHAR_GPT).soundness(&many, Regime::ListDecoding).radius, proven.radius);
        let assumed = BundleSizes::from(CHAR_GPT).soundness(&few, Regime::ListDecoding);
        assert!(assumed.radius == Radius::Elias && assumed.binding().0 == "queries", "{assumed:?}");
    }
}

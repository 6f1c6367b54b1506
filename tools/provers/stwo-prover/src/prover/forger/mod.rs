//! A forger: a cheating prover that adapts.
//!
//! It is given traces and a claim that do not belong together, and commits the traces. Then, before each later phase, it
//! sees what the sums come to under the challenges drawn so far, looks for every freedom that the circuit leaves it, and
//! solves for values that make the sums come out. It knows circuits by their structure alone, so that a freedom that nobody
//! thought of is found as well. What it makes is shown to the real verifier: see tests/soundness/README.md.
//!
//! Of a bundle it knows all blocks: what the two ends of a link come to is known as soon as the challenges are that all
//! members share, and the error may be made up for at either end.
//!
//! Where constraints would notice what it does, it proves the others: it takes the noticed ones for zero.

mod links;
mod scan;
mod solve;
mod structure;
mod uses;
mod world;

use std::borrow::Cow;
use std::sync::Arc;

use lindero_package::{Circuit, ColumnFile, Error, Node, NodeFacts, NodeId, Package, Scope, Statement};
use lindero_stwo_verifier::{check_sums, sums, transcript, uniform_values, Key};
use num_traits::Zero;
use stwo::core::fields::qm31::SecureField;
use stwo::core::vcs::blake2_hash::Blake2sHash;

use links::Equations;
use scan::Scan;
pub use scan::{Findings, Kind, Rows};
use structure::Structure;
use uses::Use;
use world::World;

use super::fill::Columns;
use super::grind::HONEST;
use super::prepared::{Means, Prepared, TreeZero, Twiddles};
use super::program::Known;
use super::strategy::{Published, Step, Strategy};
use super::Failure;
use crate::progress::Progress;

/// What a forger makes use of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freedom {
    /// Nothing: shows which check the lie itself runs into.
    Nothing,
    /// Everything that no constraint notices.
    Free,
    /// Cells of a kind, noticed or not.
    Forced { phase: usize, kind: Kind, rows: Rows },
    /// Claimed sums other than the last rows of their columns.
    ClaimedSums,
    /// Such claimed sums at both ends of each link, which cancel.
    Partners,
    /// Such a claimed sum of another link, or group, than that of which the sum does not come out.
    OtherSums,
    /// Fingerprints of other values than those that the digests are of.
    Fingerprints,
}

/// At which end of a link its error is made up for, where constraints notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Earlier,
    Later,
}

/// How the forger keeps to the protocol, and how not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Kept,
    /// The transcript absorbs the roots of main columns in another order.
    RootsReversed,
    /// A block is proven under challenges of phase 1 that are drawn for it alone.
    OwnChallenges {
        block: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempt {
    pub freedom: Freedom,
    pub side: Side,
    pub protocol: Protocol,
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Default)]
pub struct Report {
    /// Cells that were looked at, and those among them that no constraint binds.
    pub cells: usize,
    pub free: usize,
    /// Directions that were tried for what they do to the sums.
    pub directions: usize,
    /// The cells that were chosen.
    pub used: Vec<String>,
    /// Whether all sums came out.
    pub cancelled: bool,
    /// Constraints that were taken for zero.
    pub dropped: Vec<String>,
}

/// Why an attempt ends without a proof: it would be that of [`Freedom::Nothing`].
pub const NOTHING_TO_MOVE: &str = "no cell of the kind moves a sum that fails";

/// Makes a proof of the traces and the claim.
pub fn forge(
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    attempt: Attempt,
) -> Result<(Vec<u8>, Report), Failure> {
    let structures = key.members.iter().map(|member| Structure::new(&member.circuit));
    let mut forger = Forger {
        package,
        traces,
        key,
        structures: structures.collect::<Result<_, Error>>()?,
        attempt,
        scan: Scan::new(attempt.seed),
        report: Report { cancelled: true, ..Report::default() },
        shared: Vec::new(),
        own: Vec::new(),
        totals: Vec::new(),
        dropped: Vec::new(),
        moved: attempt.protocol != Protocol::Kept,
    };
    let progress = Arc::new(Progress::new(None));
    let twiddles = Twiddles::of(key, &progress);
    let prepared = Prepared::new(package, key, &twiddles, &mut |_| Ok(TreeZero::Committed), &progress)?;
    let means = Means { grind: HONEST, strategy: &mut forger, parts: None };
    let proof = prepared.prove_with(means, traces, statement, &progress)?;
    Ok((proof, forger.report))
}

struct Forger<'a> {
    package: &'a Package,
    traces: &'a [ColumnFile],
    key: &'a Key,
    /// Of the members.
    structures: Vec<Structure<'a>>,
    attempt: Attempt,
    scan: Scan,
    report: Report,
    /// The challenges that all blocks share, and those of a block that has its own.
    shared: Vec<SecureField>,
    own: Vec<SecureField>,
    /// Per block and group, its sum; of blocks that are not proven yet what phase 2 has of it by the trace. Empty where nothing is
    /// linked.
    totals: Vec<Vec<SecureField>>,
    /// Of the block at hand.
    dropped: Vec<(usize, usize)>,
    moved: bool,
}

impl Strategy for Forger<'_> {
    fn absorbed(&mut self, mut roots: Vec<Blake2sHash>) -> Vec<Blake2sHash> {
        if self.attempt.protocol == Protocol::RootsReversed {
            roots.reverse();
        }
        roots
    }

    fn drawn(&mut self, block: usize, shared: &[SecureField]) -> Vec<SecureField> {
        if block == 0 {
            self.shared = shared.to_vec();
            self.own = shared.iter().map(|_| self.scan.element()).collect();
        }
        self.drawn_of(block).to_vec()
    }

    fn filled(
        &mut self,
        step: &Step,
        phase: usize,
        columns: &mut Columns,
        claimed_sums: &mut [SecureField],
    ) -> Result<(), Error> {
        self.predict(step)?;
        let member = step.block % self.structures.len();
        let (challenges, last_phase) = (self.guess(step, phase), self.last_phase(member));
        let equations = Equations::new(step.bundle, step.block, step.blocks);
        let name = self.name(member);
        let structure = &self.structures[member];
        let mut world =
            World::new(structure, step, &challenges, columns, claimed_sums, &equations, &self.totals)?;
        if phase == 2 {
            world.fill(&structure.places(3).collect())?;
        }
        let mut use_it = Use {
            equations: &equations,
            side: self.attempt.side,
            scan: &mut self.scan,
            report: &mut self.report,
            phase,
            name: &name,
        };
        let moved = match self.attempt.freedom {
            Freedom::Free => use_it.free(&mut world, step)?,
            Freedom::Forced { phase: of, kind, rows } if of == phase => {
                use_it.forced(&mut world, kind, rows)?
            }
            Freedom::ClaimedSums if phase == last_phase => use_it.claimed_sums(&mut world),
            Freedom::Partners if phase == last_phase => use_it.partners(&mut world),
            Freedom::OtherSums if phase == last_phase => use_it.other_sums(&mut world),
            _ => false,
        };
        self.moved |= moved;
        if phase == last_phase {
            self.dropped = world.failing_constraints()?;
        }
        claimed_sums.copy_from_slice(&world.claimed_sums);
        Ok(())
    }

    fn publish(&mut self, step: &Step, claimed_sums: &mut [SecureField]) -> Result<Published, Error> {
        let Step { circuit, stated, block, blocks, challenges, .. } = *step;
        let mut fingerprints = lindero_stwo_verifier::fingerprints(circuit, stated, challenges)?;
        let mut totals = sums(circuit, stated, challenges, claimed_sums, &fingerprints)?;
        if self.attempt.freedom == Freedom::Fingerprints {
            let by_digest = (0..circuit.publics.len()).filter(|&tensor| stated.by_digest(tensor));
            for (tensor, fingerprint) in by_digest.zip(&mut fingerprints) {
                let tensor = &circuit.publics[tensor];
                let rest = std::mem::replace(&mut totals[tensor.group as usize], SecureField::zero());
                *fingerprint += if tensor.negative { rest } else { -rest };
                self.moved |= !rest.is_zero();
                self.report.used.push(format!("the fingerprint of {}", tensor.name));
            }
        }
        let last = block + 1 == blocks;
        if last && !self.moved && !matches!(self.attempt.freedom, Freedom::Nothing | Freedom::Free) {
            return Err(Error::new(NOTHING_TO_MOVE));
        }
        if let Some(known) = self.totals.get_mut(block) {
            known.clone_from(&totals);
        }
        Ok(Published { fingerprints, sums: totals })
    }

    /// Whatever the sums are, the proof is made; the verifier shall say what is wrong with it.
    fn check(&mut self, step: &Step, sums: &[SecureField]) -> Result<(), Error> {
        let sums = [step.earlier, &[sums.to_vec()]].concat();
        self.report.cancelled &= check_sums(step.bundle, step.before, &sums).is_ok();
        Ok(())
    }

    fn proven<'c>(&mut self, circuit: &'c Circuit) -> Cow<'c, Circuit> {
        if self.dropped.is_empty() {
            return Cow::Borrowed(circuit);
        }
        let mut rest = circuit.clone();
        let zero = rest.nodes.len() as NodeId;
        rest.nodes.push(Node::Constant(0));
        rest.facts.push(NodeFacts {
            scope: Scope::Uniform,
            extension: false,
            degree: 0,
            ready: 0,
            claimed_sums: false,
        });
        for (table, constraint) in self.dropped.drain(..) {
            let table = &mut rest.tables[table];
            let constraint = &mut table.constraints[constraint];
            constraint.node = zero;
            self.report.dropped.push(format!("{}.{}", table.name, constraint.name));
        }
        Cow::Owned(rest)
    }
}

impl Forger<'_> {
    fn last_phase(&self, member: usize) -> usize {
        self.structures[member].batches.last().map_or(2, |&(phase, _)| phase)
    }

    /// With a space after it; nothing where there is one member.
    fn name(&self, member: usize) -> String {
        match &self.key.members[..] {
            [_] => String::new(),
            members => format!("{} ", members[member].name),
        }
    }

    fn drawn_of(&self, block: usize) -> &[SecureField] {
        match self.attempt.protocol {
            Protocol::OwnChallenges { block: of } if of == block => &self.own,
            _ => &self.shared,
        }
    }

    /// The challenges, those that are not drawn yet at random.
    fn guess(&mut self, step: &Step, phase: usize) -> Vec<SecureField> {
        let mut challenges = step.challenges.to_vec();
        for drawn_later in phase..3 {
            step.circuit
                .challenges_after(drawn_later)
                .for_each(|index| challenges[index] = self.scan.element());
        }
        challenges
    }

    /// The sums of all blocks, of which those that are linked are known as soon as the challenges of phase 1 are.
    fn predict(&mut self, step: &Step) -> Result<(), Error> {
        if step.bundle.links.is_empty() || !self.totals.is_empty() {
            return Ok(());
        }
        self.totals = (0..step.blocks).map(|block| self.predicted(block)).collect::<Result<_, Error>>()?;
        Ok(())
    }

    fn predicted(&self, block: usize) -> Result<Vec<SecureField>, Error> {
        let index = block % self.key.members.len();
        let (member, fixed) = (&self.key.members[index], &self.package.files[index].fixed);
        let circuit = &*member.circuit;
        let challenges = transcript::challenges_of(member, self.drawn_of(block));
        let mut claimed_sums = vec![SecureField::zero(); circuit.claimed_sums.len()];
        let uniform = uniform_values(circuit, &challenges, &claimed_sums, 2)?;
        let mut columns = Columns::new(circuit, fixed, &self.traces[block], Known::new());
        columns.fill(2, &uniform, &mut claimed_sums)?;
        let mut totals = vec![SecureField::zero(); circuit.sum_groups.len()];
        for (claimed_sum, value) in circuit.claimed_sums.iter().zip(claimed_sums) {
            totals[claimed_sum.group as usize] += value;
        }
        Ok(totals)
    }
}

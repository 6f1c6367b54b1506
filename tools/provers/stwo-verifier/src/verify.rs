//! The verifier.

use std::panic::{catch_unwind, AssertUnwindSafe};

use lindero_package::{proto, Error, Stated, Statement};
use stwo::core::air::Component;
use stwo::core::fields::qm31::SecureField;
use stwo::core::pcs::CommitmentSchemeVerifier;
use stwo::core::vcs::blake2_hash::Blake2sHash;

use crate::air::TableAir;
use crate::channel::{Drawn, GivenNonces, GrindingChannel, GrindingMerkleChannel};
use crate::codec::{self, Commitment};
use crate::key::{decode_proof, Key, Member};
use crate::sums::{check_sums, sums};
use crate::transcript;
use crate::values::uniform_values;

/// What an accepted proof says.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The public tensors.
    pub statement: Statement,
    /// Those that the claim gives by digest and nobody opened. Their fingerprints are the prover's own word, so the sum of a
    /// group with one of them shows nothing: neither of the tensors in it, nor of what it would tie together in the tables. Other
    /// groups show what they always do.
    pub unopened: Vec<usize>,
    /// The challenges of the bundle, then those of each block.
    pub drawn: Vec<Vec<Drawn>>,
}

/// Verifies a proof. An error says why it is rejected; no input makes this panic.
///
/// What Stwo leaves to its caller is checked here: the configuration and the number and shape of everything
/// in the proof (they come from key and claim), the root of tree 0, the grinding before every challenge, that short
/// columns which are read at three offsets repeat with their table's height, that claimed sums and public values
/// cancel, those of links over all of their ends, and that all was absorbed before what it must precede.
///
/// `openings` are of the tensors that the claim gives by digest: all of them, or the verdict says what is missing.
pub fn verify(key: &Key, proof: &[u8], openings: Option<&[u8]>) -> Result<Verdict, Error> {
    let message = decode_proof(proof)?;
    if message.key_digest != key.digest {
        return Err(Error::new("the proof was made for another key"));
    }
    let mut statement = Statement::decode(&message.claim, &key.bundle)?;
    if let Some(openings) = openings {
        statement.open(openings, &key.bundle)?;
    }
    let (steps, members) = (statement.steps(), key.members.len());
    if message.blocks.len() != steps * members {
        return Err(Error::new(format!(
            "there are {} blocks; key and claim are of {steps} steps and {members} members",
            message.blocks.len()
        )));
    }
    let nonces = codec::decode_nonces(&transcript::draws_of_bundle(key), &message.nonce)?;
    let places = key.bundle.blocks(steps).zip(&message.blocks);
    let decode = |((step, member), block)| {
        Block::decode(key, &statement, step, member, block)
            .map_err(|error| within(key, &statement, step, member, error))
    };
    let blocks = places.map(decode).collect::<Result<Vec<_>, Error>>()?;
    // Lengths that depend on the queries are asserted inside Stwo.
    let drawn = catch_unwind(AssertUnwindSafe(|| check_bundle(key, &statement, nonces, blocks)))
        .unwrap_or_else(|_| Err(Error::new("the proof is malformed")))?;
    let tensors = key.bundle.publics().count();
    let unopened = (0..tensors).filter(|&tensor| statement.values(tensor).is_none()).collect();
    Ok(Verdict { statement, unopened, drawn })
}

/// Says which block is meant where there are several.
fn within(key: &Key, statement: &Statement, step: usize, member: usize, error: Error) -> Error {
    let error = match key.members.len() {
        1 => error,
        _ => error.within(format!("member {}", key.members[member].name)),
    };
    match statement.steps() {
        1 => error,
        _ => error.within(format!("step {step}")),
    }
}

struct Block<'a> {
    step: usize,
    member_index: usize,
    member: &'a Member,
    stated: Stated<'a>,
    claimed_sums: Vec<SecureField>,
    fingerprints: Vec<SecureField>,
    commitment: Commitment,
}

impl<'a> Block<'a> {
    fn decode(
        key: &'a Key,
        statement: &'a Statement,
        step: usize,
        member_index: usize,
        message: &proto::Block,
    ) -> Result<Self, Error> {
        let member = &key.members[member_index];
        let stated = statement.at(&key.bundle, member_index, step);
        let commitment = codec::decode(member, &message.commitment)?;
        if commitment.stark.commitments[0].0 != member.fixed_root {
            return Err(Error::new("the proof's fixed columns are not the key's"));
        }
        check_periods(member, &commitment)?;
        let claimed_sums = member.circuit.claimed_sums.len();
        Ok(Block {
            step,
            member_index,
            member,
            stated,
            claimed_sums: codec::decode_elements(&message.claimed_sums, claimed_sums, "claimed sums")?,
            fingerprints: codec::decode_elements(&message.fingerprints, stated.digests(), "fingerprints")?,
            commitment,
        })
    }

    fn main_root(&self) -> Blake2sHash {
        self.commitment.stark.commitments[self.member.layout.main_tree()]
    }
}

/// Returns what was drawn, by the bundle and by each block.
fn check_bundle(
    key: &Key,
    statement: &Statement,
    nonces: Vec<u64>,
    blocks: Vec<Block>,
) -> Result<Vec<Vec<Drawn>>, Error> {
    let main_roots: Vec<_> = blocks.iter().map(Block::main_root).collect();
    let mut channel = transcript::begin(key, statement.digest(), &main_roots, GivenNonces::new(nonces));
    let shared = transcript::draw_shared(&mut channel, key);
    channel.finish()?;
    let mut drawn = vec![channel.drawn().to_vec()];
    let (mut before, mut sums) = (None, Vec::new());
    for (index, mut block) in blocks.into_iter().enumerate() {
        let nonces = GivenNonces::new(std::mem::take(&mut block.commitment.nonces));
        let (step, member) = (block.step, block.member_index);
        let challenges = transcript::challenges_of(block.member, &shared);
        let mut channel = transcript::begin_block(block.member, &channel, index, nonces);
        let checked = check_block(block, challenges, &mut channel).and_then(|own| {
            sums.push(own);
            check_sums(&key.bundle, before.as_deref(), &sums)
        });
        checked.map_err(|error| within(key, statement, step, member, error))?;
        if sums.len() == key.members.len() {
            before = Some(std::mem::take(&mut sums));
        }
        drawn.push(channel.drawn().to_vec());
    }
    Ok(drawn)
}

/// Everything but what the block has to do with others: its sums, per sum group. `challenges` has those of phase 1.
fn check_block(
    block: Block,
    mut challenges: Vec<SecureField>,
    channel: &mut GrindingChannel<GivenNonces>,
) -> Result<Vec<SecureField>, Error> {
    let Block { member, stated, claimed_sums, fingerprints, commitment, .. } = block;
    let (circuit, layout) = (&*member.circuit, &*member.layout);
    let mut scheme = CommitmentSchemeVerifier::<GrindingMerkleChannel<GivenNonces>>::new(member.config());
    let mut commit = |phase: usize, channel: &mut GrindingChannel<GivenNonces>| {
        if let Some(tree) = layout.tree_of_phase[phase] {
            scheme.commit(commitment.stark.commitments[tree], &layout.log_heights[tree], channel);
        }
    };
    (0..3).for_each(|phase| commit(phase, channel));
    transcript::draw_late(channel, circuit, &mut challenges);
    channel.failure()?;
    commit(3, channel);
    transcript::absorb_claimed_sums(channel, &claimed_sums, &fingerprints);
    let sums = sums(circuit, stated, &challenges, &claimed_sums, &fingerprints)?;
    let uniform = uniform_values(circuit, &challenges, &claimed_sums, 4)?;
    let airs: Vec<TableAir> = (0..circuit.tables.len())
        .map(|table| TableAir { circuit, layout, table, uniform: &uniform })
        .collect();
    let components: Vec<&dyn Component> = airs.iter().map(|air| air as &dyn Component).collect();
    let verdict = stwo::core::verifier::verify(&components, channel, &mut scheme, commitment.stark);
    // Stwo goes on whether or not its challenges were paid for.
    channel.failure()?;
    verdict.map_err(|error| {
        Error::new(format!(
            "the proof does not hold, or claim, proof or key are not as they were made (Stwo: {error})"
        ))
    })?;
    channel.finish()?;
    Ok(sums)
}

/// See [`crate::Layout::openings`].
fn check_periods(member: &Member, commitment: &Commitment) -> Result<(), Error> {
    let (circuit, layout) = (&*member.circuit, &*member.layout);
    for (table_index, table) in circuit.tables.iter().enumerate() {
        for column in 0..table.columns.len() {
            if table.columns[column].phase == 0 || !layout.opens_period(circuit, table_index, column) {
                continue;
            }
            let (tree, first) = layout.position(circuit, table_index, column);
            let width = if table.columns[column].phase >= 2 { circuit.extension_degree as usize } else { 1 };
            for values in &commitment.stark.sampled_values[tree][first..first + width] {
                // Offsets -1, 0, 1, then offset 0 one period on.
                if values[1] != values[3] {
                    return Err(Error::new(format!(
                        "column {} of table {} does not repeat with the height of its table",
                        table.columns[column].name, table.name
                    )));
                }
            }
        }
    }
    Ok(())
}

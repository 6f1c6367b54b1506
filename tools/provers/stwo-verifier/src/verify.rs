//! The verifier.

use std::panic::{catch_unwind, AssertUnwindSafe};

use lindero_package::{proto, Error, Statement};
use num_traits::Zero;
use stwo::core::air::Component;
use stwo::core::fields::qm31::SecureField;
use stwo::core::pcs::CommitmentSchemeVerifier;

use crate::air::TableAir;
use crate::channel::{Drawn, GivenNonces, GrindingChannel, GrindingMerkleChannel};
use crate::codec::{self, Commitment};
use crate::key::{decode_proof, Key};
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
/// in the proof (they come from the key), the root of tree 0, the grinding before every challenge, that short
/// columns which are read at three offsets repeat with their table's height, that claimed sums and public values
/// cancel, that each block takes what the one before leaves, and that all was absorbed before what it must precede.
///
/// `openings` are of the tensors that the claim gives by digest: all of them, or the verdict says what is missing.
pub fn verify(key: &Key, proof: &[u8], openings: Option<&[u8]>) -> Result<Verdict, Error> {
    let message = decode_proof(proof)?;
    if message.key_digest != key.digest {
        return Err(Error::new("the proof was made for another key"));
    }
    let mut statement = Statement::decode(&message.claim, &key.circuit, message.blocks.len())?;
    if let Some(openings) = openings {
        statement.open(openings, &key.circuit)?;
    }
    let nonces = codec::decode_nonces(&transcript::draws_of_bundle(key), &message.nonce)?;
    let decode = |(index, block)| {
        Block::decode(key, &statement, block).map_err(|error| within(&statement, index, error))
    };
    let blocks = message.blocks.iter().enumerate().map(decode).collect::<Result<Vec<_>, Error>>()?;
    // Lengths that depend on the queries are asserted inside Stwo.
    let drawn = catch_unwind(AssertUnwindSafe(|| check_bundle(key, &statement, nonces, blocks)))
        .unwrap_or_else(|_| Err(Error::new("the proof is malformed")))?;
    let unopened =
        (0..key.circuit.publics.len()).filter(|&tensor| statement.values(tensor).is_none()).collect();
    Ok(Verdict { statement, unopened, drawn })
}

/// Says which block is meant where there are several.
fn within(statement: &Statement, block: usize, error: Error) -> Error {
    match statement.blocks() {
        1 => error,
        _ => error.within(format!("block {block}")),
    }
}

struct Block {
    claimed_sums: Vec<SecureField>,
    fingerprints: Vec<SecureField>,
    commitment: Commitment,
}

impl Block {
    fn decode(key: &Key, statement: &Statement, message: &proto::Block) -> Result<Self, Error> {
        let commitment = codec::decode(key, &message.commitment)?;
        if commitment.stark.commitments[0].0 != key.fixed_root {
            return Err(Error::new("the proof's fixed columns are not the key's"));
        }
        check_periods(key, &commitment)?;
        Ok(Block {
            claimed_sums: codec::decode_elements(
                &message.claimed_sums,
                key.circuit.claimed_sums.len(),
                "claimed sums",
            )?,
            fingerprints: codec::decode_elements(&message.fingerprints, statement.digests(), "fingerprints")?,
            commitment,
        })
    }
}

/// Returns what was drawn, by the bundle and by each block.
fn check_bundle(
    key: &Key,
    statement: &Statement,
    nonces: Vec<u64>,
    blocks: Vec<Block>,
) -> Result<Vec<Vec<Drawn>>, Error> {
    let main_roots: Vec<_> =
        blocks.iter().map(|block| block.commitment.stark.commitments[key.layout.main_tree()]).collect();
    let mut channel = transcript::begin(key, statement.digest(), &main_roots, GivenNonces::new(nonces));
    let mut challenges = vec![SecureField::zero(); key.circuit.challenges.len()];
    transcript::draw_challenges(&mut channel, &key.circuit, 1, &mut challenges);
    channel.finish()?;
    let (mut before, mut drawn) = (None, vec![channel.drawn().to_vec()]);
    for (index, mut block) in blocks.into_iter().enumerate() {
        let nonces = GivenNonces::new(std::mem::take(&mut block.commitment.nonces));
        let mut channel = transcript::begin_block(key, &channel, index, nonces);
        let sums = check_block(key, statement, index, block, challenges.clone(), &mut channel)
            .and_then(|sums| check_sums(&key.circuit, before.as_deref(), &sums).map(|()| sums))
            .map_err(|error| within(statement, index, error))?;
        before = Some(sums);
        drawn.push(channel.drawn().to_vec());
    }
    Ok(drawn)
}

/// Everything but what the block has to do with others: its sums, per sum group. `challenges` has those of phase 1.
fn check_block(
    key: &Key,
    statement: &Statement,
    index: usize,
    block: Block,
    mut challenges: Vec<SecureField>,
    channel: &mut GrindingChannel<GivenNonces>,
) -> Result<Vec<SecureField>, Error> {
    let layout = &key.layout;
    let Block { claimed_sums, fingerprints, commitment } = &block;
    let mut scheme = CommitmentSchemeVerifier::<GrindingMerkleChannel<GivenNonces>>::new(key.config());
    let mut commit = |phase: usize, channel: &mut GrindingChannel<GivenNonces>| {
        if let Some(tree) = layout.tree_of_phase[phase] {
            scheme.commit(commitment.stark.commitments[tree], &layout.log_heights[tree], channel);
        }
    };
    (0..3).for_each(|phase| commit(phase, channel));
    transcript::draw_challenges(channel, &key.circuit, 2, &mut challenges);
    channel.failure()?;
    commit(3, channel);
    transcript::absorb_claimed_sums(channel, claimed_sums, fingerprints);
    let sums = sums(&key.circuit, statement, index, &challenges, claimed_sums, fingerprints)?;
    let uniform = uniform_values(&key.circuit, &challenges, claimed_sums, 4)?;
    let airs: Vec<TableAir> = (0..key.circuit.tables.len())
        .map(|table| TableAir { circuit: &key.circuit, layout, table, uniform: &uniform })
        .collect();
    let components: Vec<&dyn Component> = airs.iter().map(|air| air as &dyn Component).collect();
    let verdict = stwo::core::verifier::verify(&components, channel, &mut scheme, block.commitment.stark);
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
fn check_periods(key: &Key, commitment: &Commitment) -> Result<(), Error> {
    let (circuit, layout) = (&key.circuit, &key.layout);
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

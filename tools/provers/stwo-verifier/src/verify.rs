//! The verifier.

use std::panic::{catch_unwind, AssertUnwindSafe};

use lindero_package::{decode_canonical, proto, Error, Statement};
use num_traits::Zero;
use stwo::core::air::Component;
use stwo::core::channel::{Blake2sChannel, Channel};
use stwo::core::fields::qm31::SecureField;
use stwo::core::pcs::CommitmentSchemeVerifier;
use stwo::core::vcs_lifted::blake2_merkle::Blake2sMerkleChannel;

use crate::air::TableAir;
use crate::claims::check_claims;
use crate::codec::{self, Commitment};
use crate::key::Key;
use crate::transcript;
use crate::values::uniform_values;

/// What an accepted proof says.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The public tensors.
    pub statement: Statement,
    /// Those that the claim gives by digest and nobody opened. Their fingerprints are the prover's own word, so the sums of
    /// their groups show nothing, and what the tables hold is tied neither to each other nor to any public value.
    pub unopened: Vec<usize>,
}

/// Verifies a proof. An error says why it is rejected; no input makes this panic.
///
/// What Stwo leaves to its caller is checked here: the configuration and the number and shape of everything
/// in the proof (they come from the key), the root of tree 0, the grinding before challenges, that short
/// columns which are read at three offsets repeat with their table's height, that claims and public values
/// cancel, and that they were absorbed before what they must precede.
///
/// `openings` are of the tensors that the claim gives by digest: all of them, or the verdict says what is missing.
pub fn verify(key: &Key, proof: &[u8], openings: Option<&[u8]>) -> Result<Verdict, Error> {
    let message: proto::Proof = decode_canonical(proof, "the proof")?;
    if message.format != 1 {
        return Err(Error::new(format!(
            "proof format {} is not supported (this reads format 1)",
            message.format
        )));
    }
    if message.key_digest != key.digest {
        return Err(Error::new("the proof was made for another key"));
    }
    let mut statement = Statement::decode(&message.claim, &key.circuit)?;
    if let Some(openings) = openings {
        statement.open(openings, &key.circuit)?;
    }
    let published = Published {
        claims: codec::decode_elements(&message.claims, key.circuit.claims.len(), "claims")?,
        fingerprints: codec::decode_elements(&message.fingerprints, statement.digests(), "fingerprints")?,
    };
    let commitment = codec::decode(key, &message.commitment)?;
    if commitment.stark.commitments[0].0 != key.fixed_root {
        return Err(Error::new("the proof's fixed columns are not the key's"));
    }
    check_periods(key, &commitment)?;
    let channel = transcript::begin(key, statement.digest());
    // Lengths that depend on the queries are asserted inside Stwo.
    catch_unwind(AssertUnwindSafe(|| check_proof(key, &statement, &published, commitment, channel)))
        .unwrap_or_else(|_| Err(Error::new("the proof is malformed")))?;
    let unopened =
        (0..key.circuit.publics.len()).filter(|&tensor| statement.values(tensor).is_none()).collect();
    Ok(Verdict { statement, unopened })
}

/// What a proof says beside its commitment.
struct Published {
    claims: Vec<SecureField>,
    fingerprints: Vec<SecureField>,
}

fn check_proof(
    key: &Key,
    statement: &Statement,
    published: &Published,
    commitment: Commitment,
    mut channel: Blake2sChannel,
) -> Result<(), Error> {
    let channel = &mut channel;
    let layout = &key.layout;
    let mut scheme = CommitmentSchemeVerifier::<Blake2sMerkleChannel>::new(key.config());
    let roots = commitment.stark.commitments.clone();
    let mut challenges = vec![SecureField::zero(); key.circuit.challenges.len()];
    for phase in 0..4 {
        if let Some(tree) = layout.tree_of_phase[phase] {
            scheme.commit(roots[tree], &layout.log_heights[tree], channel);
        }
        if phase == 1 || phase == 2 {
            check_grinding(key, phase, commitment.nonces[phase - 1], channel)?;
            transcript::draw_challenges(channel, &key.circuit, phase, &mut challenges);
        }
    }
    let Published { claims, fingerprints } = published;
    transcript::absorb_claims(channel, claims, fingerprints);
    check_claims(&key.circuit, statement, &challenges, claims, fingerprints)?;
    let uniform = uniform_values(&key.circuit, &challenges, claims, 4)?;
    let airs: Vec<TableAir> = (0..key.circuit.tables.len())
        .map(|table| TableAir { circuit: &key.circuit, layout, table, uniform: &uniform })
        .collect();
    let components: Vec<&dyn Component> = airs.iter().map(|air| air as &dyn Component).collect();
    stwo::core::verifier::verify(&components, channel, &mut scheme, commitment.stark)
        .map_err(|error| Error::new(format!("the proof does not hold: {error}")))
}

fn check_grinding(key: &Key, phase: usize, nonce: u64, channel: &mut Blake2sChannel) -> Result<(), Error> {
    if !transcript::grinds(key, phase) {
        return Ok(());
    }
    if !channel.verify_pow_nonce(key.parameters.challenge_pow_bits, nonce) {
        return Err(Error::new(format!(
            "the proof lacks the grinding before the challenges of phase {phase}"
        )));
    }
    channel.mix_u64(nonce);
    Ok(())
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

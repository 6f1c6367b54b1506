//! Setup, and the prover's side of the protocol of [`lindero_stwo_verifier::transcript`].

use std::sync::Arc;

use lindero_package::{digest, encode, proto, ColumnFile, Error, Package, Statement};
use lindero_stwo_verifier::codec::{encode_elements, Commitment};
use lindero_stwo_verifier::{
    check_claims, codec, fingerprints, transcript, uniform_values, Key, Layout, Parameters, TableAir, Target,
};
use num_traits::Zero;
use stwo::core::channel::{Blake2sChannel, Channel};
use stwo::core::fields::qm31::SecureField;
use stwo::core::pcs::PcsConfig;
use stwo::core::poly::circle::CanonicCoset;
use stwo::core::proof_of_work::GrindOps;
use stwo::core::utils::MaybeOwned;
use stwo::core::vcs_lifted::blake2_merkle::Blake2sMerkleChannel;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::mempool::BaseColumnPool;
use stwo::prover::poly::circle::PolyOps;
use stwo::prover::poly::twiddles::TwiddleTree;
use stwo::prover::{CommitmentSchemeProver, CommitmentTreeProver, ComponentProver};

use super::component::TableProver;
use super::fill::Columns;
use super::load::{self, Evaluation};
use super::stages::with_stages;
use super::Failure;
use crate::progress::Progress;

type Tree = CommitmentTreeProver<SimdBackend, Blake2sMerkleChannel>;
type Scheme<'a> = CommitmentSchemeProver<'a, SimdBackend, Blake2sMerkleChannel>;

/// Makes the bytes of model.key: chooses parameters and commits the fixed columns.
pub fn setup(package: &Package, target: &Target, progress: &Progress) -> Result<Vec<u8>, Error> {
    let circuit = &package.circuit;
    lindero_stwo_verifier::check_circuit(circuit)?;
    let layout = Layout::new(circuit);
    let parameters = target.parameters(circuit, &layout)?;
    progress.begin("commit_fixed");
    let twiddles = twiddles(layout.max_log_height, &parameters);
    let config = parameters.config(layout.max_log_height);
    let tree = commit(load::fixed_columns(circuit, &layout, &package.fixed)?, config, &twiddles);
    progress.end();
    let root = tree.commitment.root().0;
    let (circuit, model) = (package.circuit_bytes.clone(), package.model.clone());
    Ok(Key::encode(circuit, parameters, target.bits, target.regime, root, model))
}

/// The root of the main columns under the key's parameters.
pub fn main_root(package: &Package, trace: &ColumnFile, key: &Key) -> Result<[u8; 32], Error> {
    let twiddles = twiddles(key.layout.max_log_height, &key.parameters);
    let tree = commit(load::main_columns(&package.circuit, trace)?, key.config(), &twiddles);
    Ok(tree.commitment.root().0)
}

/// Makes the bytes of a proof. Tensors that the claim gives by digest must be opened in the statement.
pub fn prove(
    package: &Package,
    trace: &ColumnFile,
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
) -> Result<Vec<u8>, Failure> {
    if digest(&package.circuit_bytes) != key.circuit_digest {
        return Err(Failure::Input(Error::new("the key is of another circuit than the package")));
    }
    progress.begin("twiddles");
    let twiddles = twiddles(key.layout.max_log_height, &key.parameters);
    let mut session = Session {
        key,
        progress,
        scheme: Scheme::new(key.config(), &twiddles),
        channel: transcript::begin(key, statement.digest()),
        challenges: vec![SecureField::zero(); key.circuit.challenges.len()],
        claims: vec![SecureField::zero(); key.circuit.claims.len()],
        nonces: [0; 2],
    };
    // A value out of domain is a sum over the coefficients; from evaluations it takes weights of its own, per
    // height and point, which cost ten times as much.
    session.scheme.set_store_polynomials_coefficients();
    session.commit_base_phases(package, trace)?;
    session.commit_challenge_phases(&package.fixed, trace)?;
    let fingerprints = fingerprints(&key.circuit, statement, &session.challenges)?;
    transcript::absorb_claims(&mut session.channel, &session.claims, &fingerprints);
    check_claims(&key.circuit, statement, &session.challenges, &session.claims, &fingerprints)
        .map_err(Failure::Witness)?;
    let claims = encode_elements(&session.claims);
    let commitment = session.finish()?;
    Ok(encode(&proto::Proof {
        format: 1,
        key_digest: key.digest.to_vec(),
        claim: statement.claim().to_vec(),
        claims,
        fingerprints: encode_elements(&fingerprints),
        commitment: codec::encode(key, &commitment),
    }))
}

/// A proof in the making.
struct Session<'a> {
    key: &'a Key,
    progress: &'a Arc<Progress>,
    scheme: Scheme<'a>,
    channel: Blake2sChannel,
    challenges: Vec<SecureField>,
    claims: Vec<SecureField>,
    nonces: [u64; 2],
}

impl Session<'_> {
    fn commit_base_phases(&mut self, package: &Package, trace: &ColumnFile) -> Result<(), Failure> {
        let key = self.key;
        self.progress.begin("load_fixed");
        let fixed = load::fixed_columns(&package.circuit, &key.layout, &package.fixed)?;
        self.progress.begin("commit_fixed");
        let tree = commit(fixed, key.config(), self.scheme.twiddles);
        if tree.commitment.root().0 != key.fixed_root {
            return Err(Failure::Input(Error::new("fixed.bin is not the one that the key was made from")));
        }
        self.scheme.commit_tree(MaybeOwned::Owned(tree), &mut self.channel);
        self.progress.begin("load_main");
        let main = load::main_columns(&package.circuit, trace)?;
        self.progress.begin("commit_main");
        self.commit(main);
        Ok(())
    }

    fn commit_challenge_phases(&mut self, fixed: &ColumnFile, trace: &ColumnFile) -> Result<(), Failure> {
        let circuit = &self.key.circuit;
        let mut columns = Columns::new(circuit, fixed, trace);
        for (phase, fill, commit) in [(2, "fill_fold", "commit_fold"), (3, "fill_lookup", "commit_lookup")] {
            self.progress.begin(fill);
            self.draw_challenges(phase - 1);
            if self.key.layout.tree_of_phase[phase].is_none() {
                continue;
            }
            let uniform =
                uniform_values(circuit, &self.challenges, &self.claims, phase).map_err(Failure::Witness)?;
            columns.fill(phase, &uniform, &mut self.claims).map_err(Failure::Witness)?;
            self.progress.begin(commit);
            self.commit(evaluations(self.key, &columns, phase));
        }
        Ok(())
    }

    fn draw_challenges(&mut self, phase: usize) {
        if transcript::grinds(self.key, phase) {
            let nonce = SimdBackend::grind(&self.channel, self.key.parameters.challenge_pow_bits);
            self.channel.mix_u64(nonce);
            self.nonces[phase - 1] = nonce;
        }
        transcript::draw_challenges(&mut self.channel, &self.key.circuit, phase, &mut self.challenges);
    }

    fn commit(&mut self, columns: Vec<Evaluation>) {
        let tree = commit(columns, self.scheme.config, self.scheme.twiddles);
        self.scheme.commit_tree(MaybeOwned::Owned(tree), &mut self.channel);
    }

    fn finish(mut self) -> Result<Commitment, Failure> {
        let circuit = &self.key.circuit;
        let uniform = uniform_values(circuit, &self.challenges, &self.claims, 4).map_err(Failure::Witness)?;
        let tables: Vec<TableProver> = (0..circuit.tables.len())
            .map(|table| {
                TableProver(TableAir { circuit, layout: &self.key.layout, table, uniform: &uniform })
            })
            .collect();
        let components: Vec<&dyn ComponentProver<SimdBackend>> =
            tables.iter().map(|table| table as &dyn ComponentProver<SimdBackend>).collect();
        let (channel, scheme) = (&mut self.channel, self.scheme);
        let stark = with_stages(self.progress, || {
            stwo::prover::prove::<SimdBackend, Blake2sMerkleChannel>(&components, channel, scheme)
        });
        self.progress.end();
        let stark = stark.map_err(|_| {
            Failure::Witness(Error::new(
                "the witness does not satisfy the constraints; `lindero check` names the first row that fails",
            ))
        })?;
        Ok(Commitment { nonces: self.nonces, stark })
    }
}

/// The columns of a challenge phase in the order of their tree.
fn evaluations(key: &Key, columns: &Columns, phase: usize) -> Vec<Evaluation> {
    use rayon::prelude::*;
    let mut planes = Vec::new();
    for (index, table) in key.circuit.tables.iter().enumerate() {
        for column in table.columns_of_phase(phase) {
            planes.extend(columns.planes(index, column).iter().map(|plane| (table.log_height, plane)));
        }
    }
    planes
        .par_iter()
        .map(|(log_height, plane)| load::canonical_column(*log_height, bytemuck::cast_slice(plane)))
        .collect()
}

pub(super) fn commit(
    columns: Vec<Evaluation>,
    config: PcsConfig,
    twiddles: &TwiddleTree<SimdBackend>,
) -> Tree {
    let polynomials = SimdBackend::interpolate_columns(columns, twiddles);
    let log_blowup = config.fri_config.log_blowup_factor;
    Tree::new(polynomials, log_blowup, twiddles, true, config.lifting_log_size, &BaseColumnPool::new())
}

/// For the largest domain: the committed one, or that of the composition polynomial.
pub(super) fn twiddles(max_log_height: u32, parameters: &Parameters) -> TwiddleTree<SimdBackend> {
    let log_domain = max_log_height + parameters.log_blowup.max(1);
    SimdBackend::precompute_twiddles(CanonicCoset::new(log_domain).circle_domain().half_coset)
}

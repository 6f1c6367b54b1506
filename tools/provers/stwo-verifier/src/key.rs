//! Verifying keys, and `model.key`, which holds them.

use std::collections::BTreeSet;
use std::sync::Arc;

use lindero_package::{
    decode_canonical, digest, encode, ensure_field_count, proto, Bundle, Circuit, Error, Package, Work,
};
use stwo::core::fields::m31::P;
use stwo::core::pcs::PcsConfig;

use crate::layout::Layout;
use crate::parameters::Parameters;
use crate::security::{BundleSizes, Regime, Soundness};

/// Library, version and transcript that a key is made for.
pub const BACKEND: &str = "stwo-2.3.0/5";
/// Of [`proto::KeySet`] and [`proto::VerifyingKey`].
pub const KEY_FORMAT: u32 = 2;
/// Of [`proto::Proof`].
pub const PROOF_FORMAT: u32 = 4;
/// Of a key file. Real ones have a hundredth of it; what it is decoded into may take a hundred times as much.
const MAX_KEY_BYTES: usize = 1 << 24;
/// Of a table.
const MIN_LOG_HEIGHT: u32 = 5;
/// Blocks, and what else a proof has.
const MAX_PROOF_FIELDS: usize = (1 << 16) + 4;
/// Versions of [`BACKEND`] before this one are of circuits that accept false proofs.
const UNSOUND_BACKENDS: [&str; 3] = ["stwo-2.3.0/1", "stwo-2.3.0/2", "stwo-2.3.0/3"];

/// A decoded and checked verifying key.
pub struct Key {
    pub bundle: Bundle,
    /// Those of the bundle.
    pub members: Vec<Member>,
    pub parameters: Parameters,
    /// What was promised, in bits and by which regime.
    pub bits: u32,
    pub regime: Regime,
    sizes: BundleSizes,
    /// SHA-256 of the bundle's canonical bytes.
    pub bundle_digest: [u8; 32],
    /// SHA-256 of the key's bytes.
    pub digest: [u8; 32],
}

/// What a block is proven by.
pub struct Member {
    pub name: String,
    pub circuit: Arc<Circuit>,
    /// SHA-256 of the circuit's bytes.
    pub circuit_digest: [u8; 32],
    pub layout: Arc<Layout>,
    /// Those of the key.
    pub parameters: Parameters,
    /// Root of tree 0.
    pub fixed_root: [u8; 32],
    /// [`lindero_package::Member::shared`]
    pub shared: Arc<[(usize, usize)]>,
}

impl Member {
    pub fn config(&self) -> PcsConfig {
        self.parameters.config(self.layout.max_log_height)
    }
}

/// What a key is made of.
pub struct KeyParts {
    /// Those of [`check_circuit`].
    pub circuits: Vec<Vec<u8>>,
    pub bundle: proto::Bundle,
    pub parameters: Parameters,
    pub bits: u32,
    pub regime: Regime,
    pub fixed_roots: Vec<[u8; 32]>,
    /// What the circuits are of.
    pub model: Vec<u8>,
}

impl KeyParts {
    /// The bytes of the key.
    pub fn encode(self) -> Vec<u8> {
        encode(&proto::VerifyingKey {
            format: KEY_FORMAT,
            backend: BACKEND.to_string(),
            circuits: self.circuits,
            security: Some(proto::SecurityTarget { bits: self.bits, regime: self.regime.into() }),
            stwo: Some(self.parameters.into()),
            fixed_roots: self.fixed_roots.iter().map(|root| root.to_vec()).collect(),
            model: self.model,
            bundle: Some(self.bundle),
        })
    }
}

impl Key {
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_with(bytes, Circuit::decode)
    }

    /// With circuits of [`Circuit::decode_ignoring_rules`].
    #[cfg(feature = "forger")]
    pub fn decode_ignoring_rules(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_with(bytes, Circuit::decode_ignoring_rules)
    }

    fn decode_with(bytes: &[u8], decode: fn(&[u8]) -> Result<Circuit, Error>) -> Result<Self, Error> {
        let message: proto::VerifyingKey = decode_canonical(bytes, "the key")?;
        check_version(&message)?;
        let (Some(security), Some(parameters), Some(bundle)) =
            (message.security, message.stwo, &message.bundle)
        else {
            return Err(Error::new("the key lacks its parameters or its bundle"));
        };
        // What a circuit is decoded into takes far more than its bytes.
        if message.circuits.len() > bundle.members.len() {
            return Err(Error::new(format!(
                "the key has {} circuits, but {} members",
                message.circuits.len(),
                bundle.members.len()
            )));
        }
        let mut work = Work::default();
        let circuits = message.circuits.iter().map(|bytes| {
            let circuit = decode(bytes)?;
            work.count(&circuit).map(|()| Arc::new(circuit))
        });
        let circuits = circuits.collect::<Result<Vec<_>, Error>>()?;
        let digests: Vec<[u8; 32]> = message.circuits.iter().map(|bytes| digest(bytes)).collect();
        if digests.iter().collect::<BTreeSet<_>>().len() < digests.len() {
            return Err(Error::new("the key holds a circuit twice"));
        }
        let bundle_digest = digest(&encode(bundle));
        let bundle = Bundle::new(bundle, &circuits).map_err(|error| error.within("the key's bundle"))?;
        for circuit in &circuits {
            check_circuit(circuit)?;
        }
        let parameters = Parameters::from(parameters);
        let layouts: Vec<Arc<Layout>> =
            circuits.iter().map(|circuit| Arc::new(Layout::new(circuit))).collect();
        for layout in &layouts {
            parameters.check(layout.max_log_height)?;
        }
        let roots = message.fixed_roots.iter().map(|root| root.as_slice().try_into().ok());
        let roots = roots.collect::<Option<Vec<[u8; 32]>>>();
        let roots = roots
            .filter(|roots| roots.len() == bundle.members.len())
            .ok_or_else(|| Error::new("the key does not have a root of 32 bytes for each member"))?;
        let regime = Regime::try_from(security.regime)?;
        let sizes = BundleSizes::of(&bundle, &layouts)?;
        let total = sizes.soundness(&parameters, regime).total();
        // A total that is not a number keeps no promise.
        if total.is_nan() || total < security.bits as f64 {
            return Err(Error::new(format!(
                "the key promises {} bits of security ({}), its parameters give {total:.1}",
                security.bits,
                regime.name()
            )));
        }
        sizes.check_whole_tables(&parameters).map_err(|error| error.within("the key"))?;
        let member = |(member, fixed_root): (&lindero_package::Member, [u8; 32])| Member {
            name: member.name.clone(),
            circuit: member.circuit.clone(),
            circuit_digest: digests[member.circuit_index],
            layout: layouts[member.circuit_index].clone(),
            parameters,
            fixed_root,
            shared: member.shared.clone(),
        };
        let members = bundle.members.iter().zip(roots).map(member).collect();
        Ok(Key {
            bundle,
            members,
            parameters,
            bits: security.bits,
            regime,
            sizes,
            bundle_digest,
            digest: digest(bytes),
        })
    }

    /// What [`Key::soundness`] depends on, besides the parameters.
    pub fn sizes(&self) -> &BundleSizes {
        &self.sizes
    }

    /// What the parameters give for this bundle, by this regime.
    pub fn soundness(&self, regime: Regime) -> Soundness {
        self.sizes.soundness(&self.parameters, regime)
    }
}

fn check_version(message: &proto::VerifyingKey) -> Result<(), Error> {
    if UNSOUND_BACKENDS.contains(&message.backend.as_str()) {
        return Err(Error::new(format!(
            "the key is for {:?}, whose circuits accept proofs of false statements (.github/SECURITY.md, \
             LINDERO-2026-1); compile the model and prove the run again, with {BACKEND:?}",
            message.backend
        )));
    }
    if message.format != KEY_FORMAT || message.backend != BACKEND {
        return Err(Error::new(format!(
            "the key is of format {} for {:?}; this reads format {KEY_FORMAT} for {BACKEND:?}, of which the transcript names \
             the members of a bundle: compile the model and prove the run again",
            message.format, message.backend
        )));
    }
    Ok(())
}

/// `model.key`: the verifying keys of one model, one per bucket, in their encoded form. That they are of one model is for
/// `lindero` to check; here a proof names its key, and nothing is taken from the others.
pub struct KeySet(Vec<Vec<u8>>);

impl KeySet {
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_KEY_BYTES {
            return Err(Error::new(format!(
                "the key is larger than the {} MiB that a key file may have",
                MAX_KEY_BYTES >> 20
            )));
        }
        let message: proto::KeySet = decode_canonical(bytes, "the key")?;
        if message.format != KEY_FORMAT || message.keys.is_empty() {
            // What is in it says more.
            if let Some(key) = message.keys.first() {
                check_version(&decode_canonical(key, "the key")?)?;
            }
            return Err(Error::new(format!(
                "the key is of format {} with {} keys; this reads format {KEY_FORMAT} with at least one",
                message.format,
                message.keys.len()
            )));
        }
        Ok(KeySet(message.keys))
    }

    pub fn encode(keys: Vec<Vec<u8>>) -> Vec<u8> {
        encode(&proto::KeySet { format: KEY_FORMAT, keys })
    }

    /// The bytes of the key that the proof names.
    pub fn of_proof(&self, proof: &[u8]) -> Result<&[u8], Error> {
        let proof = decode_proof(proof)?;
        self.find(|key| Ok(digest(key)[..] == proof.key_digest), "the proof was made for another key")
    }

    /// The bytes of the key of the package.
    pub fn of_package(&self, package: &Package) -> Result<&[u8], Error> {
        let is_of_package = |key: &[u8]| {
            let message: proto::VerifyingKey = decode_canonical(key, "the key")?;
            Ok(message.circuits == package.circuits && message.bundle.as_ref() == Some(&package.message))
        };
        self.find(is_of_package, "the key is of another circuit than the package")
    }

    /// The bytes of all keys.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// The bytes of the key of the shortest bucket.
    pub fn first(&self) -> &[u8] {
        &self.0[0]
    }

    fn find(&self, test: impl Fn(&[u8]) -> Result<bool, Error>, otherwise: &str) -> Result<&[u8], Error> {
        for key in &self.0 {
            if test(key)? {
                return Ok(key);
            }
        }
        Err(Error::new(match self.0.len() {
            1 => otherwise.to_string(),
            count => format!("{otherwise}: none of the {count} keys of the file"),
        }))
    }
}

/// Proofs of formats 1 and 2 were made for circuits that accept false proofs.
pub(crate) fn decode_proof(bytes: &[u8]) -> Result<proto::Proof, Error> {
    ensure_field_count(bytes, "the proof", MAX_PROOF_FIELDS)?;
    let proof: proto::Proof = decode_canonical(bytes, "the proof")?;
    let why = match proof.format {
        PROOF_FORMAT => return Ok(proof),
        1 | 2 => {
            ", of a version that accepts proofs of false statements (.github/SECURITY.md, LINDERO-2026-1): prove the \
             run again"
        }
        3 => ", of a version whose transcript does not name the members of a bundle: compile the model and prove the run again",
        _ => "",
    };
    Err(Error::new(format!(
        "proof format {} is not supported (this reads {PROOF_FORMAT}){why}",
        proof.format
    )))
}

/// What this backend demands of a circuit besides its validity.
pub fn check_circuit(circuit: &Circuit) -> Result<(), Error> {
    if circuit.modulus != P {
        return Err(Error::new(format!(
            "the circuit is over the field of {}, Stwo's has {P}",
            circuit.modulus
        )));
    }
    if let Some(table) = circuit.tables.iter().find(|table| table.log_height < MIN_LOG_HEIGHT) {
        return Err(Error::new(format!(
            "table {} has 2^{} rows, and this backend proves 2^{MIN_LOG_HEIGHT} or more",
            table.name, table.log_height
        )));
    }
    if circuit.segments.len() > 1 {
        return Err(Error::new("the circuit has several segments; this backend proves one"));
    }
    if circuit.tables.iter().all(|table| table.columns_of_phase(1).is_empty()) {
        return Err(Error::new("the circuit has no main column, so there is nothing to prove"));
    }
    if circuit.tables.iter().all(|table| table.constraints.is_empty()) {
        return Err(Error::new("the circuit has no constraint, so there is nothing to prove"));
    }
    Ok(())
}

//! Verifying keys, and `model.key`, which holds them.

use lindero_package::{decode_canonical, digest, encode, ensure_field_count, proto, Circuit, Error};
use stwo::core::fields::m31::P;
use stwo::core::pcs::PcsConfig;

use crate::layout::Layout;
use crate::parameters::Parameters;
use crate::security::{Regime, Sizes, Soundness};

/// Library, version and transcript that a key is made for.
pub const BACKEND: &str = "stwo-2.3.0/4";
/// Of [`proto::KeySet`] and [`proto::VerifyingKey`].
pub const KEY_FORMAT: u32 = 1;
/// Of [`proto::Proof`].
pub const PROOF_FORMAT: u32 = 3;
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
    pub circuit: Circuit,
    pub layout: Layout,
    pub parameters: Parameters,
    /// Root of tree 0.
    pub fixed_root: [u8; 32],
    /// What was promised, in bits and by which regime.
    pub bits: u32,
    pub regime: Regime,
    sizes: Sizes,
    /// SHA-256 of the key's bytes.
    pub digest: [u8; 32],
    /// SHA-256 of the circuit's bytes.
    pub circuit_digest: [u8; 32],
}

impl Key {
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_with(bytes, Circuit::decode)
    }

    /// With a circuit of [`Circuit::decode_ignoring_rules`].
    #[cfg(feature = "forger")]
    pub fn decode_ignoring_rules(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_with(bytes, Circuit::decode_ignoring_rules)
    }

    fn decode_with(bytes: &[u8], decode: fn(&[u8]) -> Result<Circuit, Error>) -> Result<Self, Error> {
        let message: proto::VerifyingKey = decode_canonical(bytes, "the key")?;
        if UNSOUND_BACKENDS.contains(&message.backend.as_str()) {
            return Err(Error::new(format!(
                "the key is for {:?}, whose circuits accept proofs of false statements (.github/SECURITY.md, \
                 LINDERO-2026-1); compile the model and prove the run again, with {BACKEND:?}",
                message.backend
            )));
        }
        if message.format != KEY_FORMAT || message.backend != BACKEND {
            return Err(Error::new(format!(
                "the key is of format {} for {:?}; this reads format {KEY_FORMAT} for {BACKEND:?}",
                message.format, message.backend
            )));
        }
        let circuit = decode(&message.circuit)?;
        check_circuit(&circuit)?;
        let fixed_root = message
            .fixed_root
            .as_slice()
            .try_into()
            .map_err(|_| Error::new("the key's root is not 32 bytes long"))?;
        let (Some(security), Some(parameters)) = (message.security, message.stwo) else {
            return Err(Error::new("the key lacks its parameters"));
        };
        let parameters = Parameters::from(parameters);
        parameters.check(circuit.max_log_height())?;
        let regime = Regime::try_from(security.regime)?;
        let layout = Layout::new(&circuit);
        let sizes = Sizes::of(&circuit, &layout)?;
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
        let (circuit_digest, digest) = (digest(&message.circuit), digest(bytes));
        let bits = security.bits;
        Ok(Key { circuit, layout, parameters, fixed_root, bits, regime, sizes, digest, circuit_digest })
    }

    /// The bytes of a key for a circuit of [`check_circuit`]; `model` says what the circuit is of.
    pub fn encode(
        circuit: Vec<u8>,
        parameters: Parameters,
        bits: u32,
        regime: Regime,
        fixed_root: [u8; 32],
        model: Vec<u8>,
    ) -> Vec<u8> {
        encode(&proto::VerifyingKey {
            format: KEY_FORMAT,
            backend: BACKEND.to_string(),
            circuit,
            security: Some(proto::SecurityTarget { bits, regime: regime.into() }),
            stwo: Some(parameters.into()),
            fixed_root: fixed_root.to_vec(),
            model,
        })
    }

    /// What [`Key::soundness`] depends on, besides the parameters.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// What the parameters give for this circuit, by this regime.
    pub fn soundness(&self, regime: Regime) -> Soundness {
        self.sizes.soundness(&self.parameters, regime)
    }

    pub fn config(&self) -> PcsConfig {
        self.parameters.config(self.layout.max_log_height)
    }
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

    /// The bytes of the key whose circuit has this digest.
    pub fn of_circuit(&self, circuit: &[u8; 32]) -> Result<&[u8], Error> {
        let is_of_circuit = |key: &[u8]| {
            let message: proto::VerifyingKey = decode_canonical(key, "the key")?;
            Ok(digest(&message.circuit) == *circuit)
        };
        self.find(is_of_circuit, "the key is of another circuit than the package")
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

/// Proofs of earlier formats were made for circuits that accept false proofs.
pub(crate) fn decode_proof(bytes: &[u8]) -> Result<proto::Proof, Error> {
    ensure_field_count(bytes, "the proof", MAX_PROOF_FIELDS)?;
    let proof: proto::Proof = decode_canonical(bytes, "the proof")?;
    let why = match proof.format {
        PROOF_FORMAT => return Ok(proof),
        1 | 2 => {
            ", of a version that accepts proofs of false statements (.github/SECURITY.md, LINDERO-2026-1): prove the \
             run again"
        }
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

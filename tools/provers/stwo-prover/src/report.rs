//! The JSON that the program prints.

use lindero_package::proto::public_tensor::Kind;
use lindero_package::{decode_canonical, proto, Error};
use lindero_stwo_verifier::channel::{Challenge, Drawn};
use lindero_stwo_verifier::security::{BundleSizes, Regime, CONJECTURE, LEAST_CHALLENGES};
use lindero_stwo_verifier::{codec, Key, Member, Parameters, Verdict};
use serde_json::{json, Map, Value};

pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bits(bits: f64) -> Value {
    json!((bits * 10.0).floor() / 10.0)
}

/// What a key gives: digests, parameters, and bits of security.
pub fn key(key: &Key) -> Value {
    json!({
        "key_digest": hexadecimal(&key.digest),
        "bundle_digest": hexadecimal(&key.bundle_digest),
        "members": key.members.iter().map(member).collect::<Value>(),
        "parameters": parameters(&key.parameters),
        "security":
            security(key.sizes(), &key.parameters, key.bits, key.regime, key.bundle.most_blocks()),
    })
}

fn member(member: &Member) -> Value {
    json!({
        "name": member.name,
        "circuit_digest": hexadecimal(&member.circuit_digest),
        "fixed_root": hexadecimal(&member.fixed_root),
    })
}

pub fn parameters(parameters: &Parameters) -> Value {
    json!({
        "log_blowup": parameters.log_blowup,
        "queries": parameters.queries,
        "pow_bits": parameters.pow_bits,
        "challenge_pow_bits": parameters.challenge_pow_bits,
        "composition_pow_bits": parameters.composition_pow_bits,
        "out_of_domain_pow_bits": parameters.out_of_domain_pow_bits,
        "batching_pow_bits": parameters.batching_pow_bits,
        "fold_pow_bits": parameters.fold_pow_bits,
        "fold_step": parameters.fold_step,
        "log_last_layer_degree": parameters.log_last_layer_degree,
    })
}

/// What is promised, what the challenges have by the declared lengths of folds and without them, and per regime the bits of the whole and of its terms, for the largest bundle.
pub fn security(
    sizes: &BundleSizes,
    parameters: &Parameters,
    promised: u32,
    promised_by: Regime,
    blocks: usize,
) -> Value {
    let regimes = Regime::ALL.map(|regime| {
        let soundness = sizes.soundness(parameters, regime);
        let (binding, least) = soundness.binding();
        let terms: Map<String, Value> =
            soundness.terms().into_iter().map(|(name, term)| (name.to_string(), bits(term))).collect();
        json!({
            "regime": regime.name(),
            "bits": bits(soundness.total().max(0.0)),
            "rests_on": rests_on(regime),
            "radius": soundness.radius.to_string(),
            "terms": terms,
            "binding": binding,
            "round_by_round": bits(least.max(0.0)),
        })
    });
    let members = sizes.members.iter().map(|sizes| {
        json!({
            "log_height": sizes.log_height,
            "quotients": sizes.quotients,
            "constraints": sizes.constraints,
            "log_degrees": sizes.log_degrees,
            "log_degrees_of_whole_tables": sizes.log_degrees_of_whole_tables,
        })
    });
    let links = sizes.links.iter().map(|link| {
        json!({
            "ends": link.ends,
            "log_degree": link.log_degree,
            "log_degree_of_whole_tables": link.log_degree_of_whole_tables,
        })
    });
    json!({
        "regime": promised_by.name(),
        "promised_bits": promised,
        "bits": bits(sizes.soundness(parameters, promised_by).total()),
        "blocks": blocks,
        "steps": sizes.log_steps.exp2().round(),
        "sizes": members.collect::<Value>(),
        "links": links.collect::<Value>(),
        "fold_lengths": {
            "rests_on": "as the key declares them; `lindero audit` confirms",
            "challenges": bits(sizes.soundness(parameters, promised_by).challenges),
            "challenges_of_whole_tables": bits(sizes.challenges_of_whole_tables(parameters)),
            "least_of_whole_tables": LEAST_CHALLENGES,
        },
        "regimes": regimes,
    })
}

fn rests_on(regime: Regime) -> &'static str {
    match regime {
        Regime::Proven => "unique decoding (circle transfer: SOUNDNESS.md, lemma 1)",
        Regime::ListDecoding => CONJECTURE,
        Regime::BestKnownAttack => "information only: what the best known attack takes",
    }
}

/// What an accepted proof states.
pub fn verdict(key: &Key, verdict: &Verdict) -> Value {
    let tensors = key.bundle.publics().enumerate().map(|(index, tensor)| {
        json!({
            "name": tensor.name,
            "kind": if tensor.kind() == Kind::Input { "input" } else { "output" },
            "rows": tensor.rows as usize * verdict.statement.steps(),
            "columns": tensor.columns,
            "exponent": tensor.exponent,
            "values": verdict.statement.values(index), // null: given by digest and not opened
        })
    });
    let mut report = self::key(key);
    report["verdict"] = json!(if verdict.unopened.is_empty() { "accepted" } else { "unopened" });
    report["claim_digest"] = json!(hexadecimal(&verdict.statement.digest()));
    report["statement"] = Value::Array(tensors.collect());
    report
}

/// What was drawn: a list for the bundle, then one for each block.
pub fn transcript(verdict: &Verdict) -> Value {
    let name = |challenge| match challenge {
        Challenge::Circuit { phase } => format!("circuit_{phase}"),
        Challenge::Composition => "composition".into(),
        Challenge::OutOfDomain => "out_of_domain".into(),
        Challenge::Batching => "batching".into(),
        Challenge::Fold { layer } => format!("fold_{layer}"),
    };
    let entry = |drawn: &Drawn| {
        let values: Vec<_> = drawn.values.iter().map(|v| v.to_m31_array().map(|m31| m31.0)).collect();
        json!({
            "challenge": name(drawn.draw.challenge),
            "pow_bits": drawn.draw.pow_bits,
            "nonce": drawn.nonce,
            "values": values,
        })
    };
    verdict.drawn.iter().map(|drawn| drawn.iter().map(entry).collect::<Value>()).collect()
}

/// Bytes of a proof by what they are for, over all blocks.
pub fn parts(key: &Key, proof: &[u8]) -> Result<Value, Error> {
    let message: proto::Proof = decode_canonical(proof, "the proof")?;
    let (base, secure, hash) = (4, 16, 32);
    let [mut values, mut rows, mut paths, mut fri, mut claimed_sums] = [0; 5];
    for (block, member) in message.blocks.iter().zip(key.members.iter().cycle()) {
        let stark = codec::decode(member, &block.commitment)?.stark.0;
        values += stark.sampled_values.iter().flatten().map(Vec::len).sum::<usize>();
        rows += stark.queried_values.iter().flatten().map(Vec::len).sum::<usize>();
        paths += stark.decommitments.iter().map(|witness| witness.hash_witness.len()).sum::<usize>();
        for layer in std::iter::once(&stark.fri_proof.first_layer).chain(&stark.fri_proof.inner_layers) {
            fri += secure * layer.fri_witness.len() + hash * (1 + layer.decommitment.hash_witness.len());
        }
        fri += secure * stark.fri_proof.last_layer_poly.len();
        claimed_sums += block.claimed_sums.len() + block.fingerprints.len();
    }
    Ok(json!({
        "out_of_domain": secure * values,
        "opened_rows": base * rows,
        "merkle_paths": hash * paths,
        "fri": fri,
        "claimed_sums": claimed_sums,
        "claim": message.claim.len(),
    }))
}

//! The JSON that the program prints.

use lindero_package::proto::public_tensor::Kind;
use lindero_stwo_verifier::security::Regime;
use lindero_stwo_verifier::{Key, Verdict};
use serde_json::{json, Value};

pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bits(bits: f64) -> Value {
    json!((bits * 10.0).floor() / 10.0)
}

/// What a key gives: digests, parameters, and bits of security per part and over all.
pub fn key(key: &Key) -> Value {
    let (soundness, parameters) = (&key.soundness, &key.parameters);
    json!({
        "key_digest": hexadecimal(&key.digest),
        "circuit_digest": hexadecimal(&key.circuit_digest),
        "fixed_root": hexadecimal(&key.fixed_root),
        "parameters": {
            "log_blowup": parameters.log_blowup,
            "queries": parameters.queries,
            "pow_bits": parameters.pow_bits,
            "challenge_pow_bits": parameters.challenge_pow_bits,
            "fold_step": parameters.fold_step,
            "log_last_layer_degree": parameters.log_last_layer_degree,
        },
        "security": {
            "regime": match key.regime { Regime::Conjectured => "conjectured", Regime::Proven => "proven" },
            "bits": bits(soundness.total()),
            "queries": bits(soundness.queries),
            "proximity": bits(soundness.proximity),
            "out_of_domain": bits(soundness.out_of_domain),
            "constraints": bits(soundness.constraints),
            "challenges": bits(soundness.challenges),
        },
    })
}

/// What an accepted proof states.
pub fn verdict(key: &Key, verdict: &Verdict) -> Value {
    let tensors = key.circuit.publics.iter().enumerate().map(|(index, tensor)| {
        json!({
            "name": tensor.name,
            "kind": if tensor.kind() == Kind::Input { "input" } else { "output" },
            "rows": tensor.rows,
            "columns": tensor.columns,
            "exponent": tensor.exponent,
            "values": verdict.statement.values(index),
        })
    });
    let mut report = self::key(key);
    report["verdict"] = json!("accepted");
    report["statement_digest"] = json!(hexadecimal(&verdict.statement.digest()));
    report["document_digest"] = json!(hexadecimal(&lindero_package::digest(&verdict.document)));
    report["document_bytes"] = json!(verdict.document.len());
    report["statement"] = Value::Array(tensors.collect());
    report
}

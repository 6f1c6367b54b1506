"""The files of a verifier, taken apart, so that each of them can be made to say something else."""

import base64
import hashlib
import json

from messages import decoded, encoded, key_file, keys_of

TAPE, LENGTHS, BLOCK = "decode/tape", "decode/lengths", "decode/block"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def frontier(claim, tokens):
    """The state after tokens, as a claim names it."""
    state = {"model": claim["model"]["id"], "position": len(tokens), "tokens": tokens}
    return {"digest": sha256(canonical(state)), "position": len(tokens)}


def tensors(claim):
    return {tensor["name"]: tensor["values"] for tensor in claim["inputs"]}


def joined(tape, lengths):
    """The tokens on the tape of all blocks; each but the first starts with the last one of the block before."""
    width = len(tape) // max(1, len(lengths) // 4)
    return tape[:1] + [token for i, token in enumerate(tape) if i % max(1, width)]


class World:
    """The files of a verifier, taken apart."""

    def __init__(self, base):
        self.base = base
        self.proof, self.signer = decoded("Proof", base["run"]), base["signer"]
        (self.key,) = keys_of(base["key"])
        self.claim = json.loads(self.proof.claim)
        self.frontier = json.loads(self.proof.claim)["frontier"]
        self.claim_bytes = None  # in place of the canonical form of `claim`
        self.after_proof = b""
        envelope = json.loads(base["attestation"])
        self.envelope, self.statement = envelope, json.loads(base64.b64decode(envelope["payload"]))
        self.statement_bytes = self.envelope_bytes = None
        self.attested = {}  # members of the statement that stay as they are when digests are put right

    def proof_bytes(self):
        self.proof.claim = self.claim_bytes or canonical(self.claim)
        return encoded(self.proof) + self.after_proof

    def put_frontier_right(self):
        """Of a decode run that can be read; a frontier that was changed stays."""
        tape, lengths = map(tensors(self.claim).get, (TAPE, LENGTHS))
        if tape and lengths and self.claim["frontier"] == self.frontier:
            tokens, ends = joined(tape, lengths), {"start": lengths[-1] + 1, "end": lengths[-3] + 1}
            self.claim["frontier"] = {end: frontier(self.claim, tokens[:position]) for end, position in ends.items()}

    def put_digests_right(self):
        self.put_frontier_right()
        self.proof.key_digest = hashlib.sha256(self.key).digest()
        proof = self.proof_bytes()
        digests = {
            "claim": sha256(self.proof.claim),
            "key": sha256(self.key),
            "onnx": self.claim.get("model", {}).get("onnx", "00" * 32),
            "proof": sha256(proof),
        }
        for subject in self.statement["subject"]:
            if subject["name"] in digests and subject["name"] not in self.attested:
                subject["digest"]["sha256"] = digests[subject["name"]]
        if "predicate" not in self.attested:
            self.statement["predicate"]["claim"] = self.claim

    def put_payload(self):
        payload = self.statement_bytes or canonical(self.statement)
        self.envelope["payload"] = base64.b64encode(payload).decode()
        return payload

    def sign(self, key):
        kind, payload = self.envelope["payloadType"].encode(), self.put_payload()
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        self.envelope["signatures"][0]["sig"] = base64.b64encode(key.sign(message)).decode()

    def files(self):
        return {
            "run.proof": self.proof_bytes(),
            "model.key": key_file(self.key),
            "run.attestation": self.envelope_bytes or canonical(self.envelope),
        }

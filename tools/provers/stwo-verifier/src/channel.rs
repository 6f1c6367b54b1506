//! Stwo's channel, which makes whoever wants another challenge work for it.
//!
//! Stwo draws all challenges from a channel and is generic over it. [`GrindingChannel`] is the one of Blake2s, and knows which
//! challenges the protocol draws, in which order, and after what ([`transcript`](crate::transcript) has the list). Where the key asks for
//! g bits of grinding before a draw, the channel takes a nonce for which Stwo's proof of work of g bits holds,
//! `H(H(prefix, digest, g), nonce)` ends with g zero bits, absorbs it, and draws. So a prover that does not like a challenge pays 2^g
//! hashes for another one, whatever it changes in what it absorbed before. Where the key asks for none, nothing is absorbed.
//!
//! Positions of queries are no elements of the field: before them Stwo does its own proof of work.
//!
//! Stwo's calls cannot fail, so what is wrong is remembered, and whoever uses the channel asks after Stwo has returned
//! ([`GrindingChannel::failure`], [`GrindingChannel::finish`]): a nonce that is missing, wrong or left over, a challenge too many, too
//! few, or in another place than the list says. A channel of `Default`, which Stwo could make but does not, has failed from the start.

use std::collections::VecDeque;
use std::fmt::{self, Debug, Display};
use std::marker::PhantomData;

use lindero_package::Error;
use stwo::core::channel::{Blake2sChannel, Channel, MerkleChannel};
use stwo::core::fields::qm31::SecureField;
use stwo::core::vcs::blake2_hash::Blake2sHash;
use stwo::core::vcs_lifted::blake2_merkle::{Blake2sMerkleChannel, Blake2sMerkleHasher};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// The circuit's, of a phase.
    Circuit { phase: usize },
    /// The coefficient that combines the constraints.
    Composition,
    /// The point out of domain.
    OutOfDomain,
    /// The coefficient that combines the quotients.
    Batching,
    /// The coefficient with which a layer of FRI is folded, the first layer's first.
    Fold { layer: usize },
}

impl Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Challenge::Circuit { phase } => write!(f, "the challenges of phase {phase}"),
            Challenge::Composition => write!(f, "the coefficient of the constraints"),
            Challenge::OutOfDomain => write!(f, "the point out of domain"),
            Challenge::Batching => write!(f, "the coefficient of the quotients"),
            Challenge::Fold { layer } => write!(f, "the fold of FRI's layer {layer}"),
        }
    }
}

/// What a channel absorbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absorbed {
    Root,
    Elements,
    Words,
}

/// A draw that the protocol has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    pub challenge: Challenge,
    /// What comes right before it.
    pub after: Absorbed,
    /// Elements drawn.
    pub count: usize,
    /// Bits of grinding before it; 0: none.
    pub pow_bits: u32,
}

/// A draw that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    pub draw: Draw,
    /// That of the grinding, if there is any.
    pub nonce: Option<u64>,
    pub values: Vec<SecureField>,
}

/// Where nonces come from: a proof, or a search.
pub trait Nonces: Clone + Debug + Default {
    /// One for this channel and `pow_bits` bits; none where there are no more. Nobody relies on its being right.
    fn next(&mut self, channel: &Blake2sChannel, pow_bits: u32) -> Option<u64>;

    /// Whether there are nonces that nobody asked for.
    fn are_left(&self) -> bool;
}

/// The nonces of a proof, in order.
#[derive(Clone, Debug, Default)]
pub struct GivenNonces(VecDeque<u64>);

impl GivenNonces {
    pub fn new(nonces: Vec<u64>) -> Self {
        GivenNonces(nonces.into())
    }
}

impl Nonces for GivenNonces {
    fn next(&mut self, _channel: &Blake2sChannel, _pow_bits: u32) -> Option<u64> {
        self.0.pop_front()
    }

    fn are_left(&self) -> bool {
        !self.0.is_empty()
    }
}

#[derive(Clone, Debug)]
pub struct GrindingChannel<N> {
    channel: Blake2sChannel,
    nonces: N,
    /// Still to be made, in order.
    draws: VecDeque<Draw>,
    drawn: Vec<Drawn>,
    /// The last thing since the last draw.
    absorbed: Option<Absorbed>,
    /// The first.
    failure: Option<String>,
}

impl<N: Nonces> Default for GrindingChannel<N> {
    fn default() -> Self {
        let mut channel = Self::new(Blake2sChannel::default(), Vec::new(), N::default());
        channel.fail("a channel is of no protocol".into());
        channel
    }
}

impl<N: Nonces> GrindingChannel<N> {
    /// Goes on from `channel`; draws are those of the list alone.
    pub fn new(channel: Blake2sChannel, draws: Vec<Draw>, nonces: N) -> Self {
        let draws = draws.into();
        GrindingChannel { channel, nonces, draws, drawn: Vec::new(), absorbed: None, failure: None }
    }

    /// Without nonces and draws.
    pub fn inner(&self) -> &Blake2sChannel {
        &self.channel
    }

    /// What was drawn so far, in order.
    pub fn drawn(&self) -> &[Drawn] {
        &self.drawn
    }

    /// Those that were absorbed so far, in order.
    pub fn used_nonces(&self) -> Vec<u64> {
        self.drawn.iter().filter_map(|drawn| drawn.nonce).collect()
    }

    /// An error if a draw so far was not as it must be.
    pub fn failure(&self) -> Result<(), Error> {
        self.failure.as_ref().map_or(Ok(()), |failure| Err(Error::new(failure)))
    }

    /// The same, once the protocol is over: all draws were made, and all nonces are used.
    pub fn finish(&self) -> Result<(), Error> {
        self.failure()?;
        if let Some(draw) = self.draws.front() {
            return Err(Error::new(format!("{} was never drawn", draw.challenge)));
        }
        if self.nonces.are_left() {
            return Err(Error::new("the proof has nonces of no grinding"));
        }
        Ok(())
    }

    fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    fn draw(&mut self, count: usize) -> Vec<SecureField> {
        let place = self.absorbed.take();
        let next = self.draws.pop_front();
        let Some(draw) = next.filter(|draw| Some(draw.after) == place && draw.count == count) else {
            let expected = next.map_or("nothing".into(), |draw| draw.challenge.to_string());
            self.fail(format!(
                "{count} elements are drawn after {place:?}, where the protocol draws {expected}"
            ));
            return self.channel.draw_secure_felts(count);
        };
        let nonce = (draw.pow_bits > 0).then(|| self.grind(&draw));
        let values = self.channel.draw_secure_felts(count);
        self.drawn.push(Drawn { draw, nonce, values: values.clone() });
        values
    }

    /// Absorbs a nonce, be it as it must be or not.
    fn grind(&mut self, draw: &Draw) -> u64 {
        let nonce = self.nonces.next(&self.channel, draw.pow_bits);
        if !nonce.is_some_and(|nonce| self.channel.verify_pow_nonce(draw.pow_bits, nonce)) {
            self.fail(format!("the proof lacks the grinding before {}", draw.challenge));
        }
        let nonce = nonce.unwrap_or_default();
        self.channel.mix_u64(nonce);
        nonce
    }
}

impl<N: Nonces> Channel for GrindingChannel<N> {
    const BYTES_PER_HASH: usize = Blake2sChannel::BYTES_PER_HASH;

    fn verify_pow_nonce(&self, n_bits: u32, nonce: u64) -> bool {
        self.channel.verify_pow_nonce(n_bits, nonce)
    }

    fn mix_u32s(&mut self, data: &[u32]) {
        self.channel.mix_u32s(data);
        self.absorbed = Some(Absorbed::Words);
    }

    fn mix_felts(&mut self, felts: &[SecureField]) {
        self.channel.mix_felts(felts);
        self.absorbed = Some(Absorbed::Elements);
    }

    fn mix_u64(&mut self, value: u64) {
        self.channel.mix_u64(value);
        self.absorbed = Some(Absorbed::Words);
    }

    fn draw_secure_felt(&mut self) -> SecureField {
        self.draw(1)[0]
    }

    fn draw_secure_felts(&mut self, n_felts: usize) -> Vec<SecureField> {
        self.draw(n_felts)
    }

    fn draw_u32s(&mut self) -> Vec<u32> {
        if let Some(draw) = self.draws.front() {
            let challenge = draw.challenge;
            self.fail(format!("queries are drawn before {challenge}"));
        }
        self.channel.draw_u32s()
    }
}

/// Stwo's hashes with a [`GrindingChannel`].
#[derive(Default)]
pub struct GrindingMerkleChannel<N>(PhantomData<N>);

impl<N: Nonces> MerkleChannel for GrindingMerkleChannel<N> {
    type C = GrindingChannel<N>;
    type H = Blake2sMerkleHasher;

    fn mix_root(channel: &mut Self::C, root: Blake2sHash) {
        Blake2sMerkleChannel::mix_root(&mut channel.channel, root);
        channel.absorbed = Some(Absorbed::Root);
    }
}

/// Stwo asks that the backend grinds for the channel: what it grinds for are the queries.
#[cfg(feature = "prover")]
mod prover {
    use stwo::core::proof_of_work::GrindOps;
    use stwo::prover::backend::simd::SimdBackend;
    use stwo::prover::backend::BackendForChannel;

    use super::{GrindingChannel, GrindingMerkleChannel, Nonces};

    impl<N: Nonces> GrindOps<GrindingChannel<N>> for SimdBackend {
        fn grind(channel: &GrindingChannel<N>, pow_bits: u32) -> u64 {
            SimdBackend::grind(&channel.channel, pow_bits)
        }
    }

    impl<N: Nonces> BackendForChannel<GrindingMerkleChannel<N>> for SimdBackend {}
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tested = GrindingChannel<GivenNonces>;
    const DRAW: Draw =
        Draw { challenge: Challenge::Batching, after: Absorbed::Elements, count: 1, pow_bits: 3 };

    fn search(channel: &Blake2sChannel, pow_bits: u32) -> u64 {
        (0..).find(|&nonce| channel.verify_pow_nonce(pow_bits, nonce)).unwrap()
    }

    /// A channel that has absorbed elements, and the nonce that it wants next.
    fn channel(draws: &[Draw], nonces: impl Fn(u64) -> Vec<u64>) -> Tested {
        let mut inner = Blake2sChannel::default();
        inner.mix_felts(&[SecureField::from(7)]);
        let nonce = search(&inner, DRAW.pow_bits);
        let mut channel =
            Tested::new(Blake2sChannel::default(), draws.to_vec(), GivenNonces::new(nonces(nonce)));
        channel.mix_felts(&[SecureField::from(7)]);
        channel
    }

    fn failure(channel: &Tested) -> String {
        channel.finish().unwrap_err().to_string()
    }

    #[test]
    fn a_nonce_is_absorbed_before_the_draw() {
        let mut channel = channel(&[DRAW], |nonce| vec![nonce]);
        let mut inner = channel.inner().clone();
        let value = channel.draw_secure_felt();
        let [drawn] = channel.drawn() else { panic!("one draw was made") };
        inner.mix_u64(drawn.nonce.unwrap());
        assert_eq!(inner.draw_secure_felt(), value);
        assert_eq!(drawn.values, [value]);
        channel.draw_u32s();
        channel.finish().unwrap();
    }

    #[test]
    fn without_bits_it_is_the_channel_of_blake2s() {
        let mut channel = channel(&[Draw { pow_bits: 0, count: 3, ..DRAW }], |_| vec![]);
        let mut inner = channel.inner().clone();
        assert_eq!(inner.draw_secure_felts(3), channel.draw_secure_felts(3));
        assert_eq!(inner.draw_u32s(), channel.draw_u32s());
        channel.mix_u64(5);
        inner.mix_u64(5);
        assert_eq!(inner.digest(), channel.inner().digest());
        channel.finish().unwrap();
    }

    #[test]
    fn nonces_must_be_there_and_right_and_no_more() {
        let cases: [(&str, fn(u64) -> Vec<u64>, &str); 4] = [
            ("missing", |_| vec![], "lacks the grinding before the coefficient of the quotients"),
            ("wrong", |nonce| vec![nonce + 1], "lacks the grinding before the coefficient of the quotients"),
            ("wrong, then right", |nonce| vec![nonce + 1, nonce], "lacks the grinding before"),
            ("one more", |nonce| vec![nonce, nonce], "nonces of no grinding"),
        ];
        for (what, nonces, words) in cases {
            let mut channel = channel(&[DRAW], nonces);
            channel.draw_secure_felt();
            assert!(failure(&channel).contains(words), "{what}: {}", failure(&channel));
        }
    }

    #[test]
    fn draws_of_another_place_fail() {
        type Use = fn(&mut Tested);
        let cases: [(&str, Use, &str); 7] = [
            ("none", |_| (), "was never drawn"),
            ("too many elements", |c| drop(c.draw_secure_felts(2)), "2 elements are drawn"),
            (
                "after a root",
                |c| {
                    GrindingMerkleChannel::mix_root(c, Blake2sHash::default());
                    c.draw_secure_felt();
                },
                "after Some(Root)",
            ),
            (
                "after words",
                |c| {
                    c.mix_u32s(&[1]);
                    c.draw_secure_felt();
                },
                "after Some(Words)",
            ),
            (
                "once more without absorbing",
                |c| {
                    c.draw_secure_felt();
                    c.draw_secure_felt();
                },
                "after None, where the protocol draws nothing",
            ),
            (
                "once more",
                |c| {
                    c.draw_secure_felt();
                    c.mix_felts(&[]);
                    c.draw_secure_felt();
                },
                "where the protocol draws nothing",
            ),
            (
                "queries first",
                |c| {
                    c.draw_u32s();
                    c.draw_secure_felt();
                },
                "queries are drawn before",
            ),
        ];
        for (what, misuse, words) in cases {
            let mut channel = channel(&[DRAW], |nonce| vec![nonce]);
            misuse(&mut channel);
            assert!(failure(&channel).contains(words), "{what}: {}", failure(&channel));
        }
    }

    #[test]
    fn a_default_channel_has_failed() {
        assert!(Tested::default().failure().is_err());
        let mut channel = Tested::default();
        channel.mix_felts(&[]);
        channel.draw_secure_felt();
        assert!(channel.finish().is_err());
    }
}

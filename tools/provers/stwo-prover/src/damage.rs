//! Damage to files, at random but repeatable.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    BitFlipped,
    Truncated,
    BytesAppended,
    ByteInserted,
    ByteRemoved,
    /// Two ranges of the same length exchanged.
    RangesSwapped,
}

impl Damage {
    pub const ALL: [Damage; 6] = [
        Damage::BitFlipped,
        Damage::Truncated,
        Damage::BytesAppended,
        Damage::ByteInserted,
        Damage::ByteRemoved,
        Damage::RangesSwapped,
    ];

    /// A damaged copy of `bytes`, which are not empty, and where it was hit. It may come out unchanged.
    pub fn apply(self, bytes: &[u8], random: &mut Random) -> (usize, Vec<u8>) {
        let mut out = bytes.to_vec();
        let at = random.below(bytes.len());
        match self {
            Damage::BitFlipped => out[at] ^= 1 << random.below(8),
            Damage::Truncated => out.truncate(at),
            Damage::BytesAppended => {
                // Zeros are what padding would be.
                let zeros = random.below(2) == 0;
                let added = 1 + random.below(64);
                out.extend((0..added).map(|_| if zeros { 0 } else { random.next() as u8 }));
            }
            Damage::ByteInserted => out.insert(at, random.next() as u8),
            Damage::ByteRemoved => drop(out.remove(at)),
            Damage::RangesSwapped => {
                let length = [4, 16, 32][random.below(3)].min(bytes.len() - at);
                let other = random.below(bytes.len() + 1 - length);
                for i in 0..length {
                    out.swap(at + i, other + i);
                }
            }
        }
        (at, out)
    }
}

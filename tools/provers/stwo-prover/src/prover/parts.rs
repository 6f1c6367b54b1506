//! What is done of a proof, kept in a folder: a prover that was ended goes on from there, and several make one proof together.
//!
//! A part is named by what it is of, so that none is taken for another: a root by key, claim and block; the proof of a block by
//! its channel, which has absorbed these and the roots of all blocks. A file that is not whole counts as none.

use std::path::{Path, PathBuf};

use lindero_package::{decode_canonical, digest, encode, proto, Error};
use stwo::core::vcs::blake2_hash::Blake2sHash;

use super::grind::ProverChannel;
use crate::files;

pub struct Parts {
    folder: PathBuf,
}

impl Parts {
    /// Makes the folder if it is missing.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::new(format!("cannot make {}: {error}", folder.display())))?;
        Ok(Parts { folder: folder.to_path_buf() })
    }

    pub(super) fn root(&self, name: &RootName) -> Option<Blake2sHash> {
        self.read(&name.0)?.try_into().ok().map(Blake2sHash)
    }

    pub(super) fn keep_root(&self, name: &RootName, root: Blake2sHash) -> Result<(), Error> {
        self.write(&name.0, &root.0)
    }

    pub(super) fn block(&self, name: &BlockName) -> Option<proto::Block> {
        decode_canonical(&self.read(&name.0)?, "the block").ok()
    }

    pub(super) fn keep_block(&self, name: &BlockName, block: &proto::Block) -> Result<(), Error> {
        self.write(&name.0, &encode(block))
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = std::fs::read(self.folder.join(name)).ok()?;
        let end = bytes.len().checked_sub(32)?;
        let whole = digest(&bytes[..end]) == bytes[end..];
        bytes.truncate(end);
        whole.then_some(bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        files::write(&self.folder.join(name), &[bytes, &digest(bytes)].concat())
    }
}

/// The file of a block's root.
pub(super) struct RootName(String);

impl RootName {
    pub(super) fn new(key: [u8; 32], claim: [u8; 32], block: usize) -> Self {
        RootName(name("root", &[&key[..], &claim[..], &(block as u64).to_le_bytes()[..]].concat()))
    }
}

/// The file of the block whose columns the channel has absorbed, up to those of phase 1.
pub(super) struct BlockName(String);

impl BlockName {
    pub(super) fn new(channel: &ProverChannel) -> Self {
        BlockName(name("block", &channel.inner().digest().0))
    }
}

fn name(kind: &str, of: &[u8]) -> String {
    let hexadecimal: String = digest(of)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}-{hexadecimal}")
}

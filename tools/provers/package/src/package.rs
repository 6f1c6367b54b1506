//! The folder of a package.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bundle::{bundle_of_one, Bundle};
use crate::canonical::decode_canonical;
use crate::circuit::Circuit;
use crate::columns::ColumnFile;
use crate::cones::Work;
use crate::error::Error;
use crate::format_rules::obey;
use crate::proto;

/// Of a message in a file.
const MAX_MESSAGE_BYTES: u64 = 1 << 28;

/// What is proven together: members with their circuits and fixed columns.
pub struct Package {
    pub bundle: Bundle,
    /// That of `bundle.pb`, or what stands for it.
    pub message: proto::Bundle,
    /// The bytes of the circuits, each once, as they first appear.
    pub circuits: Vec<Vec<u8>>,
    /// Per member.
    pub files: Vec<MemberFiles>,
    /// The bytes of `model.json`; empty if the circuits are of no model.
    pub model: Vec<u8>,
}

pub struct MemberFiles {
    /// Where they are: the package's folder where there is one member, else `members/NAME`.
    pub folder: PathBuf,
    pub fixed: ColumnFile,
}

impl Package {
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_with(folder, Circuit::decode)
    }

    /// With circuits of [`Circuit::decode_ignoring_rules`].
    #[cfg(feature = "forger")]
    pub fn open_ignoring_rules(folder: &Path) -> Result<Self, Error> {
        Self::open_with(folder, Circuit::decode_ignoring_rules)
    }

    fn open_with(folder: &Path, decode: fn(&[u8]) -> Result<Circuit, Error>) -> Result<Self, Error> {
        let message = match read_message(&folder.join("bundle.pb"))? {
            Some(bytes) => decode_canonical::<proto::Bundle>(&bytes, "bundle.pb")?,
            None => bundle_of_one(),
        };
        let folders: Vec<PathBuf> = match &message.members[..] {
            [_] => vec![folder.to_path_buf()],
            members => {
                for member in members {
                    // Before it is the name of a folder.
                    crate::bundle::check_name(&member.name)?;
                }
                members.iter().map(|member| folder.join("members").join(&member.name)).collect()
            }
        };
        let (mut known, mut circuits, mut decoded) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut work = Work::default();
        for (folder, member) in folders.iter().zip(&message.members) {
            obey!(
                Members,
                folders.len() == 1 || !folder.join("bundle.pb").exists(),
                "the folder of member {} has a bundle.pb of its own",
                member.name
            );
            let path = folder.join("circuit.pb");
            let bytes =
                read_message(&path)?.ok_or_else(|| Error::new(format!("{} is missing", path.display())))?;
            let index = *known.entry(bytes.clone()).or_insert(circuits.len());
            obey!(
                Members,
                member.circuit as usize == index,
                "bundle.pb says that member {} has circuit {}; by its files it is {index}",
                member.name,
                member.circuit
            );
            if index == circuits.len() {
                let circuit = decode(&bytes).map_err(|error| error.within(path.display()))?;
                work.count(&circuit)?;
                decoded.push(Arc::new(circuit));
                circuits.push(bytes);
            }
        }
        let bundle = Bundle::new(&message, &decoded)?;
        let open = |(folder, member): (PathBuf, &crate::bundle::Member)| {
            let fixed = ColumnFile::open(&folder.join("fixed.bin"), &member.circuit, 0)?;
            Ok(MemberFiles { folder, fixed })
        };
        let files = folders.into_iter().zip(&bundle.members).map(open).collect::<Result<Vec<_>, Error>>()?;
        let model = read_message(&folder.join("model.json"))?.unwrap_or_default();
        Ok(Package { bundle, message, circuits, files, model })
    }

    pub fn circuit(&self, member: usize) -> &Circuit {
        &self.bundle.members[member].circuit
    }

    /// Opens the traces of a run: one per block, in order.
    pub fn open_traces(&self, paths: &[impl AsRef<Path>]) -> Result<Vec<ColumnFile>, Error> {
        let members = self.files.len();
        let open =
            |(at, path): (usize, _)| ColumnFile::open(AsRef::as_ref(path), self.circuit(at % members), 1);
        paths.iter().enumerate().map(open).collect()
    }
}

/// The bytes of a file, if there is one.
fn read_message(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let fail = |error: std::io::Error| Error::new(format!("cannot read {}: {error}", path.display()));
    let size = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    obey!(Limits, size <= MAX_MESSAGE_BYTES, "{} has more than {MAX_MESSAGE_BYTES} bytes", path.display());
    std::fs::read(path).map(Some).map_err(fail)
}

//! Whole files.

use std::path::{Path, PathBuf};

use lindero_package::Error;

pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::new(format!("cannot read {}: {error}", path.display())))
}

/// Writes beside the target and renames, so that there never is half a file. What exists and is no file, a device
/// for instance, stays as it is.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if std::fs::metadata(path).is_ok_and(|target| !target.is_file()) {
        return Err(Error::new(format!(
            "cannot write {}: it exists and is not a file; choose another name",
            path.display()
        )));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        // It may not be there at all.
        let _ = std::fs::remove_file(&beside);
        Error::new(format!("cannot write {}: {error}", path.display()))
    })
}

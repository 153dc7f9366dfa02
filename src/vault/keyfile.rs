//! The key ring's file: for its owner's eyes only, and made once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::error::VaultError;
use super::ring::KeyRing;
use crate::random::Random;

/// Far more than any ring needs, and little enough for memory when a wrong path is named.
const LONGEST: usize = 64 * 1024;

/// The ring in the file at `path`; none if there is no such file. A file that others than its owner
/// may use is refused.
pub fn open(path: &Path) -> Result<Option<KeyRing>, VaultError> {
    let failed = |source| VaultError::File { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(VaultError::Mode { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST + 1));
    let read = file.take(LONGEST as u64 + 1).read_to_string(&mut text).map_err(failed)?;
    if read > LONGEST {
        return Err(VaultError::TooBig { path: path.to_owned() });
    }
    KeyRing::read(&text).map(Some)
}

/// A new ring in a new file at `path`, mode 0600, on disk when this returns. Never overwrites.
pub fn create(path: &Path, random: &dyn Random) -> Result<KeyRing, VaultError> {
    let failed = |source| VaultError::File { path: path.to_owned(), source };
    let ring = KeyRing::generate(random);
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(VaultError::Exists { path: path.to_owned() });
        }
        Err(error) => return Err(failed(error)),
    };
    let written = file.write_all(ring.to_text().as_bytes()).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| sync_directory_of(path)) {
        // Half a key file would stop every later start. If it cannot be removed, the next start
        // says what is wrong with it; the first error is the one worth telling.
        let _ = fs::remove_file(path);
        return Err(failed(error));
    }
    Ok(ring)
}

/// Makes the file's name as durable as its content.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

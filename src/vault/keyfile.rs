//! The key ring's file: for its owner's eyes only, made once, and replaced whole or not at all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

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
    let ring = KeyRing::generate(random);
    write_new(path, &ring)?;
    Ok(ring)
}

/// The ring of the file at `path` with a new active key, in a new file at `output`. Nothing uses it
/// until it is put in the old one's place.
pub fn rotate_into(path: &Path, output: &Path, random: &dyn Random) -> Result<KeyRing, VaultError> {
    let ring = open(path)?.ok_or_else(|| VaultError::Missing { path: path.to_owned() })?;
    let next = ring.rotated(random);
    write_new(output, &next)?;
    Ok(next)
}

/// Replaces the ring in the file at `path` by what `change` makes of it, whole or not at all, and on
/// disk when this returns. One process at a time: a change is never made to a ring that is no longer
/// there.
pub fn exchange(
    path: &Path,
    change: impl FnOnce(&KeyRing) -> Result<KeyRing, VaultError>,
) -> Result<KeyRing, VaultError> {
    let fixed = |source| VaultError::Fixed { path: path.to_owned(), source };
    // Where it really lies: a link to it stays a link.
    let real = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(VaultError::Missing { path: path.to_owned() });
        }
        real => real.map_err(fixed)?,
    };
    let directory = File::open(directory_of(&real)).map_err(fixed)?;
    match directory.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(VaultError::Busy { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => return Err(fixed(error)),
    }
    let ring = open(path)?.ok_or_else(|| VaultError::Missing { path: path.to_owned() })?;
    let next = change(&ring)?;
    let fresh = beside(&real);
    // What a process left that was killed here; nobody else writes while the lock is held.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fixed(error)),
        _ => {}
    }
    let written = match write_new(&fresh, &next) {
        Err(VaultError::File { source, .. }) => Err(source),
        Err(other) => return Err(other),
        Ok(()) => Ok(()),
    };
    if let Err(error) = written.and_then(|()| fs::rename(&fresh, &real)) {
        // Best effort: the next exchange removes it too.
        let _ = fs::remove_file(&fresh);
        return Err(fixed(error));
    }
    directory.sync_all().map_err(fixed)?;
    Ok(next)
}

/// Where the next ring is written before it takes its place.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// A ring in a new file for its owner alone, on disk when this returns.
fn write_new(path: &Path, ring: &KeyRing) -> Result<(), VaultError> {
    let failed = |source| VaultError::File { path: path.to_owned(), source };
    let text = ring.to_text();
    if text.len() > LONGEST {
        let rule = "has no room for another key; remove the lines of retired keys that no backup \
                    was sealed with";
        return Err(VaultError::Ring { rule });
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(VaultError::Exists { path: path.to_owned() });
        }
        Err(error) => return Err(failed(error)),
    };
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let named = written.and_then(|()| File::open(directory_of(path))?.sync_all());
    named.map_err(|error| {
        // Half a key file would stop every later start. If it cannot be removed, the next start
        // says what is wrong with it; the first error is the one worth telling.
        let _ = fs::remove_file(path);
        failed(error)
    })
}

fn directory_of(path: &Path) -> &Path {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

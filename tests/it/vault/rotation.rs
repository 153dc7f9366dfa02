//! Another key ring in place of the one in use.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use calbridge::random::OsRandom;
use calbridge::vault::{self, Foundation, KeyRing, KeyState, Vault, VaultError, key_of, keyfile};
use tempfile::TempDir;

use super::{PLACE, SECRET};

/// A vault whose ring lies in a file of a directory of its own.
struct Kept {
    directory: TempDir,
    foundation: Foundation,
    vault: Vault,
}

fn kept() -> Kept {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("master.key");
    let ring = keyfile::create(&file, &OsRandom).unwrap();
    let foundation = vault::found(&ring, &OsRandom).unwrap();
    let vault = vault::unlock(ring, &foundation, Arc::new(OsRandom)).unwrap().kept_in(file);
    Kept { directory, foundation, vault }
}

impl Kept {
    fn file(&self) -> PathBuf {
        self.directory.path().join("master.key")
    }

    fn states(&self) -> Vec<KeyState> {
        let states = |ring: &KeyRing| ring.keys().map(|(_, state)| state).collect();
        let held: Vec<KeyState> = states(&self.vault.ring());
        let stored: Vec<KeyState> = states(&keyfile::open(&self.file()).unwrap().unwrap());
        assert_eq!(held, stored, "the file holds what is in use");
        held
    }

    /// As a start after a stop would find it.
    fn reopened(&self) -> Result<Vault, VaultError> {
        let ring = keyfile::open(&self.file()).unwrap().unwrap();
        vault::unlock(ring, &self.foundation, Arc::new(OsRandom))
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_key_seals_and_the_old_one_opens() {
    let kept = kept();
    let old = kept.vault.seal(&PLACE, SECRET).unwrap();
    let tag = kept.vault.tag("test", &[b"x"]);
    let name = kept.vault.rotate(&kept.foundation).unwrap();
    assert_eq!(kept.states(), [KeyState::Active, KeyState::DecryptOnly]);
    let new = kept.vault.seal(&PLACE, SECRET).unwrap();
    assert_eq!(key_of(&new), Some(name));
    assert_ne!(key_of(&old), Some(name));
    for sealed in [&old, &new] {
        assert_eq!(kept.vault.open(&PLACE, sealed).unwrap().as_slice(), SECRET);
        assert_eq!(kept.reopened().unwrap().open(&PLACE, sealed).unwrap().as_slice(), SECRET);
    }
    assert_eq!(kept.vault.tag("test", &[b"x"]), tag, "what things are found by stays");
}

#[test]
fn what_is_sealed_anew_is_on_the_active_key_and_what_is_already_is_left_alone() {
    let kept = kept();
    let old = kept.vault.seal(&PLACE, SECRET).unwrap();
    assert_eq!(kept.vault.reseal(&PLACE, &old).unwrap(), None);
    let name = kept.vault.rotate(&kept.foundation).unwrap();
    let new = kept.vault.reseal(&PLACE, &old).unwrap().expect("it is on the older key");
    assert_eq!(key_of(&new), Some(name));
    assert_eq!(kept.vault.open(&PLACE, &new).unwrap().as_slice(), SECRET);
    let elsewhere = vault::Place { version: 8, ..PLACE };
    assert!(kept.vault.reseal(&elsewhere, &old).is_err(), "only what opens is sealed anew");
    assert!(kept.vault.open(&elsewhere, &new).is_err());
}

#[test]
fn the_foundation_moves_to_the_active_key_and_its_index_key_stays() {
    let kept = kept();
    let tag = kept.vault.tag("test", &[b"x"]);
    assert_eq!(kept.vault.refound(&kept.foundation).unwrap(), None);
    let before = keyfile::open(&kept.file()).unwrap().unwrap();
    kept.vault.rotate(&kept.foundation).unwrap();
    let moved = kept.vault.refound(&kept.foundation).unwrap().expect("it is on the older key");
    let ring = keyfile::open(&kept.file()).unwrap().unwrap();
    let reopened = vault::unlock(ring, &moved, Arc::new(OsRandom)).unwrap();
    assert_eq!(reopened.tag("test", &[b"x"]), tag);
    // A copy of the key file from before the rotation is refused by name.
    let refused = vault::unlock(before, &moved, Arc::new(OsRandom)).unwrap_err();
    assert!(matches!(refused, VaultError::WrongKey { .. }));
    let newer = kept.vault.ring().active_name().to_string();
    for word in ["lacks the newer key", &newer] {
        assert!(refused.to_string().contains(word), "{refused}");
    }
}

#[test]
fn the_key_file_is_replaced_whole_for_its_owner_alone() {
    let kept = kept();
    // What a process left that was killed on the way, and a ring that is reached by a link.
    std::fs::write(kept.directory.path().join("master.key.new"), "half a ring").unwrap();
    let link = kept.directory.path().join("link.key");
    std::os::unix::fs::symlink(kept.file(), &link).unwrap();
    let ring = keyfile::open(&link).unwrap().unwrap();
    let linked = vault::unlock(ring, &kept.foundation, Arc::new(OsRandom)).unwrap();
    linked.kept_in(link.clone()).rotate(&kept.foundation).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(mode(&kept.file()), 0o600);
    assert_eq!(keyfile::open(&kept.file()).unwrap().unwrap().keys().count(), 2);
    let names = std::fs::read_dir(kept.directory.path()).unwrap();
    assert_eq!(names.count(), 2, "nothing is left beside it");
}

#[test]
fn a_key_is_retired_in_the_file_and_opens_nothing_from_then_on() {
    let kept = kept();
    let old = kept.vault.seal(&PLACE, SECRET).unwrap();
    let first = kept.vault.ring().active_name();
    kept.vault.rotate(&kept.foundation).unwrap();
    let moved = kept.vault.refound(&kept.foundation).unwrap().unwrap();
    let refused = kept.vault.retire(&kept.foundation, &[first]);
    assert!(matches!(refused, Err(VaultError::RetiredKey { .. })), "the store hangs on it");
    assert_eq!(kept.states(), [KeyState::Active, KeyState::DecryptOnly]);
    kept.vault.retire(&moved, &[first]).unwrap();
    assert_eq!(kept.states(), [KeyState::Active, KeyState::Retired]);
    let refused = kept.vault.open(&PLACE, &old).unwrap_err();
    assert!(matches!(refused, VaultError::RetiredKey { id } if id == first));
    let active = kept.vault.ring().active_name();
    kept.vault.retire(&moved, &[active]).unwrap();
    assert_eq!(kept.states(), [KeyState::Active, KeyState::Retired], "the active key never is");
}

#[test]
fn a_key_file_that_cannot_be_replaced_changes_nothing_and_says_the_way_out() {
    let kept = kept();
    let before = kept.vault.ring().to_text();
    // What lies at the name of the next ring cannot be taken away.
    let blocked = kept.directory.path().join("master.key.new");
    std::fs::create_dir(&blocked).unwrap();
    let refused = kept.vault.rotate(&kept.foundation).unwrap_err();
    assert!(matches!(refused, VaultError::Fixed { .. }), "{refused}");
    for word in ["nothing was changed", "vault rotate --output", "SIGHUP", "systemctl restart"] {
        assert!(refused.to_string().contains(word), "{refused}");
    }
    assert_eq!(*kept.vault.ring().to_text(), *before);
    assert_eq!(kept.states(), [KeyState::Active]);

    let output = kept.directory.path().join("next.key");
    let next = keyfile::rotate_into(&kept.file(), &output, &OsRandom).unwrap();
    assert_eq!(mode(&output), 0o600);
    assert_eq!(kept.states(), [KeyState::Active], "nothing uses it yet");
    let again = keyfile::rotate_into(&kept.file(), &output, &OsRandom);
    assert!(matches!(again, Err(VaultError::Exists { .. })));
    // Whoever keeps the secrets puts it in place.
    std::fs::rename(&output, kept.file()).unwrap();
    assert!(kept.vault.reload(&kept.foundation).unwrap());
    assert_eq!(kept.vault.ring().active_name(), next.active_name());
    assert!(!kept.vault.reload(&kept.foundation).unwrap(), "it is the same");
}

#[test]
fn one_process_at_a_time_replaces_the_key_file() {
    let kept = kept();
    let holder = std::fs::File::open(kept.directory.path()).unwrap();
    holder.lock().unwrap();
    let refused = kept.vault.rotate(&kept.foundation).unwrap_err();
    assert!(matches!(refused, VaultError::Busy { .. }), "{refused}");
    drop(holder);
    kept.vault.rotate(&kept.foundation).unwrap();
}

#[test]
fn a_rotation_goes_on_from_the_ring_in_the_file() {
    let kept = kept();
    let other = kept.reopened().unwrap().kept_in(kept.file());
    let first = other.rotate(&kept.foundation).unwrap();
    kept.vault.rotate(&kept.foundation).unwrap();
    let decrypt_only: Vec<_> = kept.vault.ring().keys().skip(1).map(|(name, _)| name).collect();
    assert!(decrypt_only.contains(&first), "the key that another process made is not lost");
    assert_eq!(kept.states().len(), 3);
}

#[test]
fn a_ring_that_is_not_the_stores_is_not_taken() {
    let kept = kept();
    let before = kept.vault.ring().to_text();
    std::fs::write(kept.file(), &*KeyRing::generate(&OsRandom).to_text()).unwrap();
    assert!(matches!(kept.vault.reload(&kept.foundation), Err(VaultError::WrongKey { .. })));
    assert!(matches!(kept.vault.rotate(&kept.foundation), Err(VaultError::WrongKey { .. })));
    std::fs::write(kept.file(), "no ring").unwrap();
    assert!(matches!(kept.vault.reload(&kept.foundation), Err(VaultError::Line { .. })));
    std::fs::remove_file(kept.file()).unwrap();
    assert!(matches!(kept.vault.reload(&kept.foundation), Err(VaultError::Missing { .. })));
    assert!(matches!(kept.vault.rotate(&kept.foundation), Err(VaultError::Missing { .. })));
    assert_eq!(*kept.vault.ring().to_text(), *before, "it goes on with the ring it has");
    std::fs::write(kept.file(), &*before).unwrap();
    assert!(kept.vault.seal(&PLACE, SECRET).is_ok());
}

#[test]
fn a_record_on_a_key_that_another_process_made_opens() {
    let kept = kept();
    let other = kept.reopened().unwrap().kept_in(kept.file());
    other.rotate(&kept.foundation).unwrap();
    let sealed = other.seal(&PLACE, SECRET).unwrap();
    assert_eq!(kept.vault.open(&PLACE, &sealed).unwrap().as_slice(), SECRET);
    let next = kept.vault.seal(&PLACE, SECRET).unwrap();
    assert_eq!(key_of(&next), key_of(&sealed), "it seals with that key now");
    // A record that opens with neither changes nothing.
    let stranger = Vault::new(KeyRing::generate(&OsRandom), [9; 32].into(), Arc::new(OsRandom));
    let foreign = stranger.seal(&PLACE, SECRET).unwrap();
    let refused = kept.vault.open(&PLACE, &foreign);
    assert!(matches!(refused, Err(VaultError::UnknownKey { .. })));
}

#[test]
fn a_ring_without_room_for_another_key_says_so() {
    let kept = kept();
    let line = |n: u32| format!("calbridge-key:v1:{n:08x}:retired:{}=\n", "A".repeat(43));
    let retired: String = (0..900).map(line).collect();
    let full = format!("{}{retired}", *kept.vault.ring().to_text());
    std::fs::write(kept.file(), full.get(..65_536).unwrap().rsplit_once('\n').unwrap().0).unwrap();
    let refused = kept.vault.rotate(&kept.foundation).unwrap_err().to_string();
    assert!(refused.contains("remove the lines of retired keys"), "{refused}");
    assert!(kept.vault.seal(&PLACE, SECRET).is_ok());
}

//! The vault: envelopes open in their own place under their own key, and nowhere else.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use calbridge::model::sealed::Sealed;
use calbridge::random::{CountingRandom, OsRandom, Random};
use calbridge::vault::{
    self, Foundation, KeyRing, KeyState, Place, Vault, VaultError, keyfile, same_digest,
};
use zeroize::Zeroizing;

mod rotation;
mod vectors;

const PLACE: Place<'static> = Place {
    kind: "connection",
    owner: b"ana",
    record: b"0123456789abcdef",
    field: "token",
    version: 7,
};
const SECRET: &[u8] = b"1//a-refresh-token";

fn ring(seed: u64) -> KeyRing {
    KeyRing::generate(&CountingRandom::new(seed))
}

fn vault_over(ring: KeyRing) -> Vault {
    Vault::new(ring, Zeroizing::new([9; 32]), Arc::new(CountingRandom::new(99)))
}

fn foundation_of(ring: &KeyRing) -> Foundation {
    vault::found(ring, &CountingRandom::new(5)).unwrap()
}

/// The same ring with every key in `state`, and a new active key before them.
fn rotated(old: &KeyRing, state: KeyState) -> KeyRing {
    let old = old.to_text().replace(":active:", &format!(":{}:", state.as_str()));
    KeyRing::read(&format!("{}{old}", *ring(77).to_text())).unwrap()
}

#[test]
fn what_is_sealed_opens_in_its_place() {
    let vault = vault_over(ring(1));
    let long = vec![0; 40_000];
    for text in [&b""[..], SECRET, &long] {
        let sealed = vault.seal(&PLACE, text).unwrap();
        assert_eq!(vault.open(&PLACE, &sealed).unwrap().as_slice(), text);
    }
}

#[test]
fn an_envelope_is_laid_out_as_documented() {
    let ring = ring(1);
    let (id, _) = ring.keys().next().unwrap();
    let sealed = vault_over(ring).seal(&PLACE, SECRET).unwrap();
    let bytes = sealed.as_bytes();
    assert_eq!(bytes[0], 1);
    assert_eq!(data_encoding::HEXLOWER.encode(&bytes[1..5]), id.to_string());
    assert_eq!(bytes.len(), 1 + 4 + 16 + 12 + SECRET.len() + 16);
}

#[test]
fn two_seals_of_one_text_differ() {
    let vault = vault_over(ring(1));
    let (one, two) = (vault.seal(&PLACE, SECRET).unwrap(), vault.seal(&PLACE, SECRET).unwrap());
    assert_ne!(one.as_bytes()[5..21], two.as_bytes()[5..21], "salt");
    assert_ne!(one.as_bytes()[21..33], two.as_bytes()[21..33], "nonce");
    assert_ne!(one.as_bytes()[33..], two.as_bytes()[33..], "ciphertext");
}

#[test]
fn no_flipped_bit_and_no_cut_goes_unseen() {
    let vault = vault_over(ring(1));
    let sealed = vault.seal(&PLACE, SECRET).unwrap();
    let whole = sealed.as_bytes();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(vault.open(&PLACE, &Sealed::from_bytes(flipped)).is_err(), "bit {bit}");
    }
    for length in 0..whole.len() {
        let cut = Sealed::from_bytes(whole[..length].to_vec());
        assert!(vault.open(&PLACE, &cut).is_err(), "{length} bytes");
    }
    let longer = Sealed::from_bytes([whole, b"x"].concat());
    assert!(vault.open(&PLACE, &longer).is_err());
}

#[test]
fn an_envelope_opens_in_no_other_place() {
    let vault = vault_over(ring(1));
    let sealed = vault.seal(&PLACE, SECRET).unwrap();
    let elsewhere = [
        Place { kind: "event", ..PLACE },
        Place { owner: b"bob", ..PLACE },
        Place { record: b"0123456789abcdeg", ..PLACE },
        Place { field: "profile", ..PLACE },
        Place { version: 8, ..PLACE },
        // The same bytes, divided differently.
        Place { owner: b"ana0", record: b"123456789abcdef", ..PLACE },
    ];
    for place in elsewhere {
        let refused = vault.open(&place, &sealed);
        assert!(matches!(refused, Err(VaultError::Damaged)), "{place:?}");
    }
}

#[test]
fn another_key_opens_nothing() {
    let sealed = vault_over(ring(1)).seal(&PLACE, SECRET).unwrap();
    let refused = vault_over(ring(2)).open(&PLACE, &sealed);
    assert!(matches!(refused, Err(VaultError::UnknownKey { .. })));

    // The same id before other bytes.
    let (one, two) = (ring(1).to_text(), ring(2).to_text());
    let (id, _) = ring(1).keys().next().unwrap();
    let (other, _) = ring(2).keys().next().unwrap();
    assert_ne!(*one, *two);
    let impostor = KeyRing::read(&two.replace(&other.to_string(), &id.to_string())).unwrap();
    let refused = vault_over(impostor).open(&PLACE, &sealed);
    assert!(matches!(refused, Err(VaultError::Damaged)));
}

#[test]
fn an_older_key_opens_until_it_is_retired() {
    let old = ring(1);
    let sealed = vault_over(old.clone()).seal(&PLACE, SECRET).unwrap();
    let rotated_vault = vault_over(rotated(&old, KeyState::DecryptOnly));
    assert_eq!(rotated_vault.open(&PLACE, &sealed).unwrap().as_slice(), SECRET);
    let fresh = rotated_vault.seal(&PLACE, SECRET).unwrap();
    assert_ne!(fresh.as_bytes()[1..5], sealed.as_bytes()[1..5], "the new key seals");
    let refused = vault_over(rotated(&old, KeyState::Retired)).open(&PLACE, &sealed);
    assert!(matches!(refused, Err(VaultError::RetiredKey { .. })));
}

#[test]
fn the_canary_tells_the_right_ring_from_a_wrong_one() {
    let right = ring(1);
    let foundation = foundation_of(&right);
    let unlock = |ring| vault::unlock(ring, &foundation, Arc::new(CountingRandom::new(6)));
    let (first, again) = (unlock(right.clone()).unwrap(), unlock(right.clone()).unwrap());
    assert_eq!(first.tag("test", &[b"x"]), again.tag("test", &[b"x"]), "the index key stays");
    assert!(unlock(rotated(&right, KeyState::DecryptOnly)).is_ok());

    let refused = unlock(ring(2)).unwrap_err();
    assert!(matches!(refused, VaultError::WrongKey { .. }));
    let (needed, _) = right.keys().next().unwrap();
    let (held, _) = ring(2).keys().next().unwrap();
    for word in ["Restore the key file", &needed.to_string(), &held.to_string()] {
        assert!(refused.to_string().contains(word), "{refused}");
    }
    let retired = unlock(rotated(&right, KeyState::Retired)).unwrap_err();
    assert!(matches!(retired, VaultError::RetiredKey { .. }));
    for word in ["mark it `decrypt-only`", "vault rewrap", &needed.to_string()] {
        assert!(retired.to_string().contains(word), "{retired}");
    }
}

#[test]
fn a_key_of_the_right_name_and_other_bytes_is_refused() {
    let right = ring(1);
    let (needed, _) = right.keys().next().unwrap();
    let (other, _) = ring(2).keys().next().unwrap();
    let impostor = ring(2).to_text().replace(&other.to_string(), &needed.to_string());
    let impostor = KeyRing::read(&impostor).unwrap();
    let refused = vault::unlock(impostor, &foundation_of(&right), Arc::new(OsRandom)).unwrap_err();
    assert!(matches!(refused, VaultError::Unfounded { .. }));
    assert!(refused.to_string().contains("Restore the key file"), "{refused}");
}

#[test]
fn a_foundation_with_its_parts_swapped_is_refused() {
    let right = ring(1);
    let Foundation { canary, index_key } = foundation_of(&right);
    let swapped = Foundation { canary: index_key, index_key: canary };
    let refused = vault::unlock(right, &swapped, Arc::new(CountingRandom::new(6)));
    assert!(matches!(refused, Err(VaultError::Unfounded { .. })));
}

#[test]
fn tags_follow_from_key_domain_and_parts() {
    let vault = vault_over(ring(1));
    let tag = vault.tag("account", &[b"ab", b"c"]);
    assert!(same_digest(&tag, &vault_over(ring(2)).tag("account", &[b"ab", b"c"])));
    let other_key = Vault::new(ring(1), Zeroizing::new([8; 32]), Arc::new(OsRandom));
    for other in [
        vault.tag("calendar", &[b"ab", b"c"]),
        vault.tag("account", &[b"a", b"bc"]),
        vault.tag("account", &[b"abc"]),
        vault.tag("account", &[]),
        other_key.tag("account", &[b"ab", b"c"]),
    ] {
        assert!(!same_digest(&tag, &other));
    }
}

#[test]
fn a_ring_reads_back_what_it_wrote() {
    let whole = rotated(&ring(1), KeyState::DecryptOnly);
    let read = KeyRing::read(&whole.to_text()).unwrap();
    assert_eq!(*read.to_text(), *whole.to_text());
    let states: Vec<KeyState> = read.keys().map(|(_, state)| state).collect();
    assert_eq!(states, [KeyState::Active, KeyState::DecryptOnly]);
}

#[test]
fn a_faulty_ring_is_refused_by_line_and_never_quoted() {
    let good = "calbridge-key:v1:0a0b0c0d:active:TUFSS0VSTUFSS0VSTUFSS0VSTUFSS0VSTUFSS0VSTUE=";
    assert!(KeyRing::read(&format!("# a comment\n\n{good}\n")).is_ok());
    let second_active = good.replace("0a0b0c0d", "01020304");
    for (text, named) in [
        (format!("# one\nTUFSS0VS\n{good}"), "line 2"),
        (good.replace("v1", "v2"), "line 1"),
        (good.replace("0a0b0c0d", "0a0b0c"), "line 1"),
        (good.replace("active", "brisk"), "line 1"),
        (good.replace("TUFSS0VSTUE=", ""), "line 1"),
        (format!("{good}:more"), "line 1"),
        (format!("{good}\n{second_active}"), "line 2: is a second active key"),
        (format!("{good}\n{}", good.replace("active", "retired")), "the same key id"),
        (good.replace("active", "retired"), "no active key"),
        (String::new(), "no active key"),
    ] {
        let refused = KeyRing::read(&text).unwrap_err();
        let told = format!("{refused} {refused:?}");
        assert!(told.contains(named), "{told}");
        assert!(!told.contains("TUFSS0VS"), "{told}");
    }
}

#[test]
fn a_key_file_is_made_once_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("master.key");
    assert!(keyfile::open(&path).unwrap().is_none());

    let written = keyfile::create(&path, &OsRandom).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let opened = keyfile::open(&path).unwrap().expect("it was made");
    assert_eq!(*opened.to_text(), *written.to_text());

    let refused = keyfile::create(&path, &OsRandom);
    assert!(matches!(refused, Err(VaultError::Exists { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), *written.to_text(), "it is as it was");
}

#[test]
fn a_key_file_open_to_others_is_refused_with_the_cure() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("master.key");
    keyfile::create(&path, &OsRandom).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o601] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let refused = keyfile::open(&path).unwrap_err().to_string();
        assert!(refused.contains("chmod 600") && refused.contains("master.key"), "{refused}");
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    assert!(keyfile::open(&path).unwrap().is_some());
}

#[test]
fn a_file_that_is_no_key_file_is_refused_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("master.key");
    keyfile::create(&path, &OsRandom).unwrap();
    std::fs::write(&path, "#".repeat(70_000)).unwrap();
    assert!(matches!(keyfile::open(&path), Err(VaultError::TooBig { .. })));
    let missing = directory.path().join("no-such-directory/master.key");
    assert!(matches!(keyfile::create(&missing, &OsRandom), Err(VaultError::File { .. })));
}

#[test]
fn keys_are_printed_by_nothing() {
    let marker = Zeroizing::new([b'M'; 32]);
    let base64 = "TU1NTU1NTU1N";
    let text = format!("calbridge-key:v1:0a0b0c0d:active:{base64}TU1NTU1NTU1NTU1NTU1NTU1NTU1NTU0=");
    let ring = KeyRing::read(&text).unwrap();
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let vault = Vault::new(ring.clone(), marker, random);
    let printed = format!("{ring:?} {vault:?} {:?}", vault.seal(&PLACE, SECRET).unwrap());
    assert!(printed.contains("0a0b0c0d"), "{printed}");
    for secret in ["MMMM", "77, 77", base64, "refresh"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

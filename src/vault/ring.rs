//! The master keys: one that seals, others that still open, and those that no longer do.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::error::VaultError;
use crate::random::Random;

/// The master keys of one store. Exactly one is active; no two have the same id.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<MasterKey>,
}

/// A master key's id, which every envelope names: it says nothing of the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(pub(super) [u8; 4]);

/// What a master key may still be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Seals and opens.
    Active,
    /// Opens what it sealed before.
    DecryptOnly,
    /// Kept on record only: neither seals nor opens.
    Retired,
}

#[derive(Clone)]
pub(super) struct MasterKey {
    pub(super) id: [u8; 4],
    state: KeyState,
    pub(super) bytes: Zeroizing<[u8; 32]>,
}

const HEADER: &str = "\
# The master key of a calbridge store. Whoever has this file can read what the store holds; without
# it nobody can. Keep a copy away from the store's backups, and a new copy after each `calbridge vault
# rotate`. Change no line by hand unless calbridge says so.
";
const LINE_RULE: &str = "must be `calbridge-key:v1:<8 hex digits>:<active, decrypt-only or \
                         retired>:<32 bytes as base64>`";

impl KeyRing {
    /// A ring with one new, active key.
    pub fn generate(random: &dyn Random) -> Self {
        let key = MasterKey {
            id: random.bytes(),
            state: KeyState::Active,
            bytes: Zeroizing::new(random.bytes()),
        };
        Self { keys: vec![key] }
    }

    /// The ring with a new active key; the old one opens what it sealed.
    #[must_use]
    pub fn rotated(&self, random: &dyn Random) -> Self {
        let Self { keys: mut fresh } = Self::generate(random);
        while self.keys.iter().any(|key| key.id == fresh[0].id) {
            fresh[0].id = random.bytes();
        }
        let demoted = self.keys.iter().cloned().map(|key| match key.state {
            KeyState::Active => MasterKey { state: KeyState::DecryptOnly, ..key },
            KeyState::DecryptOnly | KeyState::Retired => key,
        });
        Self { keys: fresh.into_iter().chain(demoted).collect() }
    }

    /// The ring in which those of `names` that only opened do so no longer.
    #[must_use]
    pub fn retired(&self, names: &[KeyName]) -> Self {
        let keys = self.keys.iter().cloned().map(|key| match key.state {
            KeyState::DecryptOnly if names.contains(&KeyName(key.id)) => {
                MasterKey { state: KeyState::Retired, ..key }
            }
            _ => key,
        });
        Self { keys: keys.collect() }
    }

    /// Reads a ring from the text of a key file: one line a key, `#` for comments.
    pub fn read(text: &str) -> Result<Self, VaultError> {
        let mut keys: Vec<MasterKey> = Vec::new();
        for (index, raw) in text.lines().enumerate() {
            let written = raw.trim();
            if written.is_empty() || written.starts_with('#') {
                continue;
            }
            let line = index + 1;
            let key = MasterKey::read(written).ok_or(VaultError::Line { line, rule: LINE_RULE })?;
            if keys.iter().any(|earlier| earlier.id == key.id) {
                let rule = "names the same key id as an earlier line; remove one of the two";
                return Err(VaultError::Line { line, rule });
            }
            let active = |key: &MasterKey| key.state == KeyState::Active;
            if active(&key) && keys.iter().any(active) {
                let rule = "is a second active key; mark the older one `decrypt-only`";
                return Err(VaultError::Line { line, rule });
            }
            keys.push(key);
        }
        if keys.iter().all(|key| key.state != KeyState::Active) {
            let rule = "holds no active key; restore it from a copy, or remove it if the store \
                        is yet to be made";
            return Err(VaultError::Ring { rule });
        }
        Ok(Self { keys })
    }

    /// The ring as the text of a key file.
    pub fn to_text(&self) -> Zeroizing<String> {
        // Room for every line at once: a buffer that moves leaves its old self behind, unwiped.
        let mut text = Zeroizing::new(String::with_capacity(HEADER.len() + 96 * self.keys.len()));
        text.push_str(HEADER);
        for key in &self.keys {
            let secret = Zeroizing::new(STANDARD.encode(key.bytes.as_slice()));
            for part in ["calbridge-key:v1:", &key.hex(), ":", key.state.as_str(), ":", &secret] {
                text.push_str(part);
            }
            text.push('\n');
        }
        text
    }

    /// The names of its keys, with their states; the active one, and then newer before older.
    pub fn keys(&self) -> impl Iterator<Item = (KeyName, KeyState)> {
        self.keys.iter().map(|key| (KeyName(key.id), key.state))
    }

    /// The name of the key that seals.
    pub fn active_name(&self) -> KeyName {
        KeyName(self.active().id)
    }

    /// The key that seals.
    pub(super) fn active(&self) -> &MasterKey {
        self.keys
            .iter()
            .find(|key| key.state == KeyState::Active)
            .expect("a ring is made with an active key")
    }

    /// The key `id`, if it may still open.
    pub(super) fn opener(&self, id: [u8; 4]) -> Result<&MasterKey, VaultError> {
        match self.keys.iter().find(|key| key.id == id) {
            None => Err(VaultError::UnknownKey { id: KeyName(id) }),
            Some(key) if key.state == KeyState::Retired => {
                Err(VaultError::RetiredKey { id: KeyName(key.id) })
            }
            Some(key) => Ok(key),
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KeyRing({} keys, active {})", self.keys.len(), self.active().hex())
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl KeyState {
    /// The state's name in the key file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::DecryptOnly => "decrypt-only",
            Self::Retired => "retired",
        }
    }
}

impl MasterKey {
    /// The key that a line of the key file holds.
    fn read(line: &str) -> Option<Self> {
        let mut parts = line.strip_prefix("calbridge-key:v1:")?.split(':');
        let id = HEXLOWER.decode(parts.next()?.as_bytes()).ok()?.try_into().ok()?;
        let state = match parts.next()? {
            "active" => KeyState::Active,
            "decrypt-only" => KeyState::DecryptOnly,
            "retired" => KeyState::Retired,
            _ => return None,
        };
        let decoded = Zeroizing::new(STANDARD.decode(parts.next()?).ok()?);
        let mut bytes = Zeroizing::new([0; 32]);
        if decoded.len() != bytes.len() || parts.next().is_some() {
            return None;
        }
        bytes.copy_from_slice(&decoded);
        Some(Self { id, state, bytes })
    }

    fn hex(&self) -> String {
        HEXLOWER.encode(&self.id)
    }
}

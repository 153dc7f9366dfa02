//! Names of things: 128 bits each, written as 26 characters of `0-9a-v` (base32hex, RFC 4648 §7).

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use data_encoding::{Encoding, Specification};
use sha2::{Digest, Sha256};

use super::invalid::Invalid;
use crate::random::Random;

/// What an id names; never made, only told apart by the compiler.
pub mod noun {
    /// Names an event, as callers know it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Event {}
    /// Names an event at Google.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Google {}
    /// Names a linked Google account.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Connection {}
    /// Names a piece of background work.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Job {}
    /// Names an API key.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Key {}
    /// Names a store, from its creation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Instance {}
    /// Names what is kept beside events: a category, a task, a reminder.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Item {}
    /// Names one of the processes on a store.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Node {}
}

/// A name of one kind of thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<Noun>(u128, PhantomData<Noun>);

/// An event, as callers know it.
pub type EventId = Id<noun::Event>;
/// An event's id at Google, chosen before the first call: an insert sent twice names the same
/// event, so a lost answer need not make a twin.
pub type GoogleId = Id<noun::Google>;
/// A linked Google account.
pub type ConnectionId = Id<noun::Connection>;
/// A piece of background work; later ones are greater.
pub type JobId = Id<noun::Job>;
/// An API key's public half.
pub type KeyId = Id<noun::Key>;
/// A store, from its creation.
pub type InstanceId = Id<noun::Instance>;
/// What is kept beside events: a category, a task, a reminder.
pub type ItemId = Id<noun::Item>;
/// One of the processes on a store, from its start to its end.
pub type NodeId = Id<noun::Node>;

/// Length of an id in characters.
pub const ID_CHARS: usize = 26;

static BASE32HEX: LazyLock<Encoding> = LazyLock::new(|| {
    let mut wanted = Specification::new();
    wanted.symbols.push_str("0123456789abcdefghijklmnopqrstuv");
    wanted.encoding().expect("32 distinct symbols make an encoding")
});

impl<Noun> Id<Noun> {
    /// The id with this number.
    pub const fn from_u128(number: u128) -> Self {
        Self(number, PhantomData)
    }

    /// The id's number.
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// A new name nobody can guess.
    pub fn random(random: &dyn Random) -> Self {
        Self::from_u128(u128::from_be_bytes(random.bytes()))
    }

    /// The name that follows from `parts` alone: the first 128 bits of SHA-256 over the parts, each
    /// behind its length, so that no two lists of parts run together.
    pub fn derived(parts: &[&[u8]]) -> Self {
        let digest = digest_of(parts);
        let (head, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
        Self::from_u128(u128::from_be_bytes(*head))
    }
}

impl JobId {
    /// A name for work begun at `now`: 48 bits of milliseconds, then chance.
    pub fn at(now: DateTime<Utc>, random: &dyn Random) -> Self {
        let millis = u128::from(now.timestamp_millis().unsigned_abs());
        let chance = u128::from_be_bytes(random.bytes()) >> 48;
        Self::from_u128((millis << 80) | chance)
    }
}

/// SHA-256 over `parts`, each behind its length as 64 bits.
pub fn digest_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Bytes in the letters that ids are written in.
pub fn base32hex(bytes: &[u8]) -> String {
    BASE32HEX.encode(bytes)
}

impl<Noun> fmt::Display for Id<Noun> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&base32hex(&self.0.to_be_bytes()))
    }
}

impl<Noun> fmt::Debug for Id<Noun> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl<Noun> FromStr for Id<Noun> {
    type Err = Invalid;

    fn from_str(written: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::new("id", "26 characters of 0-9 and a-v");
        let bytes = BASE32HEX.decode(written.as_bytes()).map_err(|_| refused())?;
        let bytes: [u8; 16] = bytes.try_into().map_err(|_| refused())?;
        Ok(Self::from_u128(u128::from_be_bytes(bytes)))
    }
}

//! The simulator's own chance: everything it draws follows from the seed and the order of calls.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(super) const BASE32HEX: &[u8] = b"0123456789abcdefghijklmnopqrstuv";
pub(super) const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Generator {
    seed: u64,
    drawn: u64,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    pub(super) fn has_seed(&self, seed: u64) -> bool {
        self.seed == seed
    }

    /// `length` letters of `alphabet`, whose size should divide 256 for an even choice.
    pub(super) fn letters(&mut self, alphabet: &[u8], length: usize) -> String {
        let mut text = String::with_capacity(length);
        while text.len() < length {
            self.drawn += 1;
            let block = hash(self.seed, "draw", self.drawn, 0);
            let wanted = length - text.len();
            let drawn = block.iter().take(wanted);
            text.extend(
                drawn.map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])),
            );
        }
        text
    }

    /// `length` characters that pass through an address unchanged.
    pub(super) fn token(&mut self, length: usize) -> String {
        self.letters(URL_SAFE, length)
    }
}

/// A number in `0.0..1.0` for one roll of one fault, apart from the draws above: a fault that is
/// added changes no id. `label` tells the several things apart that one fault rolls for.
pub(super) fn roll(seed: u64, label: &str, fault: u64, turn: u64) -> f64 {
    let block = hash(seed, label, fault, turn);
    f64::from(u32::from_be_bytes([block[0], block[1], block[2], block[3]])) / 4_294_967_296.0
}

/// The 21 digits by which Google knows a user, whatever address the user has.
pub(super) fn subject(seed: u64, email: &str) -> String {
    let block = hash(seed, email, 0, 0);
    let digits = block.iter().take(20).map(|byte| char::from(b'0' + byte % 10));
    std::iter::once('1').chain(digits).collect()
}

/// The id of the key that signs ID tokens after so many rotations: 40 digits of hex, as Google's are.
pub(super) fn key_id(seed: u64, rotations: u64) -> String {
    data_encoding::HEXLOWER.encode(&hash(seed, "key", rotations, 0)[..20])
}

/// The id by which a push channel knows a resource, which `label` names.
pub(super) fn resource(seed: u64, label: &str) -> String {
    let block = hash(seed, label, 0, 0);
    block.iter().take(27).map(|byte| char::from(URL_SAFE[usize::from(byte % 64)])).collect()
}

/// By how much the numbers of a row grow at this turn: by more than one, so that there are gaps.
pub(super) fn step(seed: u64, label: &str, turn: u64) -> u64 {
    let block = hash(seed, label, turn, 1);
    2 + u64::from(u16::from_be_bytes([block[0], block[1]])) % 1000
}

fn hash(seed: u64, label: &str, first: u64, second: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(label.as_bytes());
    hash.update(first.to_be_bytes());
    hash.update(second.to_be_bytes());
    hash.finalize().into()
}

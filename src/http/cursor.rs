//! Where a page of a list ended, written so that it means something to us alone: a caller hands it
//! back as it came, and one that was cut, mistyped or taken from another list is refused.
//!
//! Lists are in the order in which things were created, and of one moment in the order of their ids:
//! neither ever changes, so what comes or goes meanwhile moves nothing else to another page.

use chrono::{DateTime, Utc};
use data_encoding::BASE64URL_NOPAD;

use crate::model::id::{Id, digest_of};
use crate::model::invalid::Invalid;

/// Seconds, nanoseconds and id of what stands last on a page.
const PLACE: usize = 8 + 4 + 16;
/// So many bytes of a digest tell lists, and slips of the pen, apart.
const PROOF: usize = 6;

/// A list: its route, and whatever else decides what is on it, such as its filters.
pub type List<'a> = [&'a str];

/// What to send for the page of `list` that follows the thing of this id, created then.
pub fn after<Noun>(list: &List, created: DateTime<Utc>, id: Id<Noun>) -> String {
    let mut bytes = Vec::with_capacity(PLACE + 2 * PROOF);
    bytes.extend(created.timestamp().to_be_bytes());
    bytes.extend(created.timestamp_subsec_nanos().to_be_bytes());
    bytes.extend(id.as_u128().to_be_bytes());
    bytes.extend(name(list));
    bytes.extend(proof(&bytes));
    BASE64URL_NOPAD.encode(&bytes)
}

/// What the page that `cursor` asks for follows: when it was created, and its id.
pub fn read<Noun>(list: &List, cursor: &str) -> Result<(DateTime<Utc>, Id<Noun>), Invalid> {
    let garbled = || {
        let rule = "is not as it was given out: send the `next` of the page before, whole";
        Invalid::new("cursor", rule)
    };
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(|_| garbled())?;
    let (said, proven) = bytes.split_last_chunk::<PROOF>().ok_or_else(garbled)?;
    if *proven != proof(said) {
        return Err(garbled());
    }
    let (place, named) = said.split_last_chunk::<PROOF>().ok_or_else(garbled)?;
    if *named != name(list) {
        let rule = "is of another list: send it to where it came from, with the same filters, or \
                    begin without one";
        return Err(Invalid::new("cursor", rule));
    }
    let (seconds, place) = place.split_first_chunk().ok_or_else(garbled)?;
    let (nanos, id) = place.split_first_chunk().ok_or_else(garbled)?;
    let id = id.try_into().map(u128::from_be_bytes).map_err(|_| garbled())?;
    let created =
        DateTime::from_timestamp(i64::from_be_bytes(*seconds), u32::from_be_bytes(*nanos));
    Ok((created.ok_or_else(garbled)?, Id::from_u128(id)))
}

fn name(list: &List) -> [u8; PROOF] {
    let parts: Vec<_> = list.iter().map(|part| part.as_bytes()).collect();
    short(&parts)
}

fn proof(said: &[u8]) -> [u8; PROOF] {
    short(&[b"calbridge/cursor/v1", said])
}

fn short(parts: &[&[u8]]) -> [u8; PROOF] {
    let digest = digest_of(parts);
    *digest.first_chunk().expect("a digest has 32 bytes")
}

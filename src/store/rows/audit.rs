//! Rows of who did what.

use serde::{Deserialize, Serialize};

use super::{Row, TimeRow, bytes_of, sealed, unreadable};
use crate::model::audit::{Act, Actor, Entry, Freeze, Head, Subject};
use crate::model::key::Digest;
use crate::store::StoreError;

/// An entry; its number is its key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct AuditRow {
    at: TimeRow,
    actor: (String, Option<Digest>),
    action: String,
    subject: Option<(String, u128)>,
    row: Option<Digest>,
    detail: Option<Vec<u8>>,
    tag: Digest,
    previous: Digest,
    digest: Digest,
}

impl Row for AuditRow {
    const NOUN: &'static str = "the audit";
}

impl From<&Entry> for AuditRow {
    fn from(entry: &Entry) -> Self {
        let Act { at, actor, action, subject, row, detail, tag } = &entry.act;
        let (kind, which) = actor.to_parts();
        Self {
            at: (*at).into(),
            actor: (kind.to_owned(), which),
            action: action.as_str().to_owned(),
            subject: subject.map(|subject| {
                let (kind, id) = subject.to_parts();
                (kind.to_owned(), id)
            }),
            row: *row,
            detail: bytes_of(detail.as_ref()),
            tag: *tag,
            previous: entry.previous,
            digest: entry.digest,
        }
    }
}

impl AuditRow {
    /// The entry that lies under this number.
    pub(in crate::store) fn under(self, seq: u64) -> Result<Entry, StoreError> {
        let Self { at, actor: (kind, which), action, subject, row, detail, tag, .. } = self;
        let subject = subject
            .map(|(kind, id)| Subject::from_parts(&kind, id).ok_or_else(unreadable::<Self>))
            .transpose()?;
        let act = Act {
            at: at.try_into()?,
            actor: Actor::from_parts(&kind, which).ok_or_else(unreadable::<Self>)?,
            action: action.parse().map_err(|_| unreadable::<Self>())?,
            subject,
            row,
            detail: sealed(detail),
            tag,
        };
        Ok(Entry { seq, act, previous: self.previous, digest: self.digest })
    }
}

/// The end of the chain.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct HeadRow {
    seq: u64,
    digest: Digest,
    frozen: bool,
    frozen_by: u64,
}

impl Row for HeadRow {
    const NOUN: &'static str = "the audit's end";
}

impl From<Head> for HeadRow {
    fn from(Head { seq, digest, freeze }: Head) -> Self {
        Self { seq, digest, frozen: freeze.on, frozen_by: freeze.seq }
    }
}

impl From<HeadRow> for Head {
    fn from(row: HeadRow) -> Self {
        let freeze = Freeze { on: row.frozen, seq: row.frozen_by };
        Self { seq: row.seq, digest: row.digest, freeze }
    }
}

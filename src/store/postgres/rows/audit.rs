//! Rows of who did what.

use serde::{Deserialize, Serialize};

use super::{Hex, damaged, nanos, number, time};
use crate::model::audit::{Act, Actor, Entry, Freeze, Head, Subject};
use crate::store::StoreError;

/// An entry.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct AuditRow {
    seq: i64,
    at: i64,
    actor: String,
    actor_id: Option<Hex>,
    action: String,
    subject: Option<String>,
    subject_id: Option<Hex>,
    row: Option<Hex>,
    detail: Option<Hex>,
    tag: Hex,
    previous: Hex,
    digest: Hex,
}

impl From<&Entry> for AuditRow {
    fn from(entry: &Entry) -> Self {
        let Act { at, actor, action, subject, row, detail, tag } = &entry.act;
        let (actor, which) = actor.to_parts();
        let (subject, id) = subject.map(Subject::to_parts).unzip();
        Self {
            seq: entry.seq.cast_signed(),
            at: nanos(*at),
            actor: actor.to_owned(),
            actor_id: which.map(|which| Hex(which.to_vec())),
            action: action.as_str().to_owned(),
            subject: subject.map(str::to_owned),
            subject_id: id.map(|id| Hex(id.to_be_bytes().to_vec())),
            row: row.map(|row| Hex(row.to_vec())),
            detail: detail.as_ref().map(Hex::from),
            tag: Hex(tag.to_vec()),
            previous: Hex(entry.previous.to_vec()),
            digest: Hex(entry.digest.to_vec()),
        }
    }
}

impl TryFrom<AuditRow> for Entry {
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
        let which = row.actor_id.map(Hex::exactly).transpose()?;
        let actor = Actor::from_parts(&row.actor, which);
        let subject = match (row.subject, row.subject_id) {
            (Some(kind), Some(id)) => {
                let subject = Subject::from_parts(&kind, number(&id.0)?);
                Some(subject.ok_or_else(|| damaged("the audit has a subject that is none"))?)
            }
            _ => None,
        };
        let action = row.action.parse();
        let act = Act {
            at: time(row.at),
            actor: actor.ok_or_else(|| damaged("the audit has an actor that is none"))?,
            action: action.map_err(|_| damaged("the audit has an action that is none"))?,
            subject,
            row: row.row.map(Hex::exactly).transpose()?,
            detail: row.detail.map(Into::into),
            tag: row.tag.exactly()?,
        };
        let (previous, digest) = (row.previous.exactly()?, row.digest.exactly()?);
        Ok(Self { seq: row.seq.cast_unsigned(), act, previous, digest })
    }
}

/// The end of the chain.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct HeadRow {
    seq: i64,
    digest: Hex,
    frozen: bool,
    frozen_by: i64,
}

impl From<Head> for HeadRow {
    fn from(Head { seq, digest, freeze }: Head) -> Self {
        Self {
            seq: seq.cast_signed(),
            digest: Hex(digest.to_vec()),
            frozen: freeze.on,
            frozen_by: freeze.seq.cast_signed(),
        }
    }
}

impl TryFrom<HeadRow> for Head {
    type Error = StoreError;

    fn try_from(row: HeadRow) -> Result<Self, StoreError> {
        let freeze = Freeze { on: row.frozen, seq: row.frozen_by.cast_unsigned() };
        Ok(Self { seq: row.seq.cast_unsigned(), digest: row.digest.exactly()?, freeze })
    }
}

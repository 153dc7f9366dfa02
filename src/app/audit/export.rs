//! The chain as a file for other programs: a JSON object a line, with all that its digests are made
//! of.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde::Serialize;

use super::{By, Detail};
use crate::app::backup::{self, BackupError};
use crate::app::{App, Error};
use crate::model::audit::{Action, Actor, Entry, Subject};

/// So many entries are read at once.
const PAGE: usize = 500;

/// An entry, as a line. Digests and numbers that name things are hexadecimal.
#[derive(Serialize)]
struct Line {
    seq: u64,
    at_seconds: i64,
    at_nanos: u32,
    actor: &'static str,
    actor_id: Option<String>,
    action: &'static str,
    subject: Option<&'static str>,
    subject_id: Option<String>,
    row: Option<String>,
    tag: String,
    previous: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Detail>,
}

/// Whether an export tells what is personal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personal {
    /// It is left out.
    Sealed,
    /// It is written out.
    Open,
}

/// Writes the whole chain to a new file in the data directory. Returns it, and how many entries.
pub async fn export(
    app: &App,
    by: impl Into<By>,
    personal: Personal,
) -> Result<(PathBuf, u64), Error> {
    app.act(by, Action::AuditExported).keep().await?;
    let made = backup::fresh_file(app)?;
    let mut out = BufWriter::new(made.as_file());
    let failed = |error: std::io::Error| Error::from(BackupError::Io(error));
    let mut last = 0;
    loop {
        let page = app.store.audit(last, PAGE).await?;
        let Some(end) = page.last() else { break };
        last = end.seq;
        for entry in &page {
            serde_json::to_writer(&mut out, &line(app, entry, personal)?)
                .map_err(|error| failed(error.into()))?;
            out.write_all(b"\n").map_err(failed)?;
        }
    }
    out.flush().and_then(|()| out.get_ref().sync_all()).map_err(failed)?;
    drop(out);
    let (_, path) = made.keep().map_err(|error| failed(error.error))?;
    Ok((path, last))
}

fn line(app: &App, entry: &Entry, personal: Personal) -> Result<Line, Error> {
    let act = &entry.act;
    let (actor, which) = act.actor.to_parts();
    let which = match act.actor {
        Actor::Key(id) => Some(id.as_u128().to_be_bytes().to_vec()),
        _ => which.map(|which| which.to_vec()),
    };
    let (subject, id) = act.subject.map(Subject::to_parts).unzip();
    Ok(Line {
        seq: entry.seq,
        at_seconds: act.at.timestamp(),
        at_nanos: act.at.timestamp_subsec_nanos(),
        actor,
        actor_id: which.map(|which| HEXLOWER.encode(&which)),
        action: act.action.as_str(),
        subject,
        subject_id: id.map(|id| HEXLOWER.encode(&id.to_be_bytes())),
        row: act.row.map(|row| HEXLOWER.encode(&row)),
        tag: HEXLOWER.encode(&act.tag),
        previous: HEXLOWER.encode(&entry.previous),
        digest: HEXLOWER.encode(&entry.digest),
        detail: match personal {
            Personal::Sealed => None,
            Personal::Open => Some(app.detail(entry)?),
        },
    })
}

//! Where live jobs stand on disk: each in its line, found by its kind and thing, and counted for its
//! owner.

use chrono::{DateTime, Utc};

use super::events::Open;
use super::keys;
use super::ledger::{Ledger, Read};
use crate::model::id::JobId;
use crate::model::job::{Job, Kind, Line, NewJob};
use crate::store::StoreError;
use crate::store::rows::{JobRow, PayloadRow};

/// A job that lives as was asked.
pub(super) struct Enqueued {
    pub id: JobId,
    pub line: Line,
    /// Whether it is the one that was asked for, and not one that lived already.
    pub is_new: bool,
}

/// Sees to it that a job of this kind lives and is due no later than asked. `event` is what it is about,
/// if it is about one, and is kept by the caller.
pub(super) fn enqueue(
    ledger: &mut Ledger,
    wanted: NewJob,
    event: Option<&mut Open>,
) -> Result<Enqueued, StoreError> {
    if let Some(id) = live(ledger, &wanted.kind, event.as_deref())? {
        let job = make_due(ledger, id, wanted.due)?;
        return Ok(Enqueued { id, line: job.line, is_new: false });
    }
    let (job, payload) = Job::begin(wanted);
    if let Some(payload) = payload {
        ledger.insert(keys::payload(job.id), &PayloadRow::from(&payload))?;
    }
    start(ledger, &job, event)?;
    ledger.insert(keys::job(job.id), &JobRow::from(&job))?;
    Ok(Enqueued { id: job.id, line: job.line, is_new: true })
}

/// The live job of a kind and thing: its event names it, or a row of its own if there is no event.
pub(super) fn live(
    ledger: &Ledger,
    kind: &Kind,
    event: Option<&Open>,
) -> Result<Option<JobId>, StoreError> {
    if let Some(event) = event {
        return Ok(event.row.first.live.get(kind));
    }
    let Some(id) = ledger.get(&keys::live(kind))? else { return Ok(None) };
    let id = id.as_ref().try_into().map(u128::from_be_bytes);
    let id = id.map_err(|_| StoreError::Damaged("a live job".to_owned()))?;
    Ok(Some(JobId::from_u128(id)))
}

/// A live job, due no later than `due` from now on.
pub(super) fn make_due(
    ledger: &mut Ledger,
    id: JobId,
    due: DateTime<Utc>,
) -> Result<Job, StoreError> {
    let mut job = must_find(ledger, id)?;
    if due < job.due {
        shift(ledger, &mut job, due)?;
    }
    Ok(job)
}

/// Gives a live job another place in its line.
pub(super) fn shift(
    ledger: &mut Ledger,
    job: &mut Job,
    due: DateTime<Utc>,
) -> Result<(), StoreError> {
    ledger.remove(keys::ready(&job.line, job.due, job.id));
    job.due = due;
    ledger.insert_bytes(keys::ready(&job.line, job.due, job.id), Vec::new())?;
    ledger.replace(keys::job(job.id), &JobRow::from(&*job))
}

/// Gives a job that begins to live its place; its own row is the caller's, and so is its event's.
pub(super) fn start(
    ledger: &mut Ledger,
    job: &Job,
    event: Option<&mut Open>,
) -> Result<(), StoreError> {
    ledger.insert_bytes(keys::ready(&job.line, job.due, job.id), Vec::new())?;
    if let Some(event) = event {
        event.row.first.live.set(&job.kind, Some(job.id));
    } else {
        let id = job.id.as_u128().to_be_bytes();
        ledger.insert_bytes(keys::live(&job.kind), id.to_vec())?;
    }
    ledger.add(keys::owner_jobs(&job.line.owner), 1)?;
    Ok(())
}

/// Takes a live job from where it stands; `due` is when it was due there. Its event is kept by the
/// caller.
pub(super) fn stop(
    ledger: &mut Ledger,
    job: &Job,
    due: DateTime<Utc>,
    event: Option<&mut Open>,
) -> Result<(), StoreError> {
    ledger.remove(keys::ready(&job.line, due, job.id));
    match event {
        Some(event) => event.row.first.live.set(&job.kind, None),
        None => ledger.remove(keys::live(&job.kind)),
    }
    ledger.add(keys::owner_jobs(&job.line.owner), -1)?;
    Ok(())
}

/// The job, wherever it stands.
pub(super) fn find(rows: &impl Read, id: JobId) -> Result<Option<Job>, StoreError> {
    rows.row::<JobRow>(&keys::job(id))?.map(|row| row.under(id)).transpose()
}

/// A job that an index names.
pub(super) fn must_find(ledger: &Ledger, id: JobId) -> Result<Job, StoreError> {
    find(ledger, id)?.ok_or_else(|| {
        StoreError::Damaged(format!("an index names the job {id}, which is not there"))
    })
}

//! Claims: what is given to a run, and what its end leaves behind.
//!
//! They run on the writing thread too: nothing can come between finding a job and hiding it, and what
//! is claimed is on disk.

use chrono::{DateTime, Utc};

use super::events::Open;
use super::items;
use super::keys::{self, KeyReader};
use super::ledger::{Ledger, Read};
use super::lines::{self, must_find};
use crate::model::id::JobId;
use crate::model::item::Item;
use crate::model::job::{Claim, Job, JobState, Kind, Line, NewJob};
use crate::model::sealed::Sealed;
use crate::store::leases::Leases;
use crate::store::rows::{JobRow, PayloadRow};
use crate::store::{Change, Claimed, Ran, Settled, StoreError};

/// Reads as far into the line as it must: past the jobs that are hidden, to the first that is left.
pub(super) fn claim(
    ledger: &mut Ledger,
    line: &Line,
    n: usize,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Claimed, StoreError> {
    ledger.must_have_room()?;
    // Apart from the ledger while its rows are read.
    let mut leases = std::mem::take(&mut ledger.leases);
    let claimed = give(ledger, &mut leases, line, n, now, until);
    ledger.leases = leases;
    claimed
}

fn give(
    ledger: &Ledger,
    leases: &mut Leases,
    line: &Line,
    n: usize,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Claimed, StoreError> {
    let prefix = keys::ready_of(line);
    let mut claims = Vec::new();
    let mut next: Option<DateTime<Utc>> = None;
    for found in ledger.scan(&prefix) {
        let (key, _) = found?;
        let mut read = KeyReader::behind(&prefix, &key)?;
        let (due, id) = (read.time()?, read.id()?);
        let free_from = |moment| Some(next.map_or(moment, |next: DateTime<Utc>| next.min(moment)));
        // What follows is due later still.
        if due > now {
            next = free_from(due);
            break;
        }
        if let Some(end) = leases.of_job(id, now) {
            next = free_from(end);
            continue;
        }
        let job = must_find(ledger, id)?;
        if let Some(end) = leases.of_event(&job, now) {
            next = free_from(end);
            continue;
        }
        if claims.len() == n {
            next = free_from(due);
            break;
        }
        let payload: Option<PayloadRow> = ledger.row(&keys::payload(id))?;
        let fence = leases.give(&job, until);
        claims.push(Claim { job, payload: payload.map(Sealed::from), fence, until });
    }
    Ok(Claimed { claims, next })
}

pub(super) fn settle(
    ledger: &mut Ledger,
    id: JobId,
    fence: u64,
    ran: Ran,
    now: DateTime<Utc>,
) -> Result<Settled, StoreError> {
    if !ledger.leases.hold(id, fence) {
        return Ok(Settled::LeaseLost);
    }
    let mut job = must_find(ledger, id)?;
    let mut event = job.kind.event().map(|event| Open::take(ledger, event)).transpose()?;
    let noted = event.as_mut().map(|event| event.note(&ran, now)).transpose()? == Some(true);
    let Ran { fate, learned, then } = ran;
    let mut newer_wanted = false;
    if let (Some(event), Some(learned)) = (&mut event, &learned) {
        // Whatever else runs about the event, the newer revision has its own push.
        newer_wanted = matches!(job.kind, Kind::PushEvent { .. }) && event.wants_more_than(learned);
        event.row.learn(&learned.known);
        ledger.tell(Change::Event(event.id));
    }
    let due = job.due;
    let reminder = job.kind.reminder().map(|id| items::find(&*ledger, id)).transpose()?.flatten();
    let rings = reminder.as_ref().and_then(Item::rings);
    fate.apply(&mut job, newer_wanted, rings, now);
    let lives = job.state == JobState::Live;
    if lives {
        if due != job.due {
            ledger.remove(keys::ready(&job.line, due, id));
            ledger.insert_bytes(keys::ready(&job.line, job.due, id), Vec::new())?;
        }
        ledger.replace(keys::job(id), &JobRow::from(&job))?;
        ledger.tell(Change::Line(job.line.clone()));
    } else {
        lines::stop(ledger, &job, due, event.as_mut())?;
        finish(ledger, &job)?;
    }
    if let Some(event) = event {
        tell_hidden(ledger, &job, &event)?;
        if learned.is_some() || !lives || noted {
            event.keep(ledger)?;
        }
    }
    if let Some(then) = then {
        let line = enqueue(ledger, then)?;
        ledger.tell(Change::Line(line));
    }
    // Last, since a lease is not taken back if a write before it fails.
    ledger.leases.end(&job);
    Ok(Settled::Yes)
}

/// Keeps a job that lives no more.
pub(super) fn finish(ledger: &mut Ledger, job: &Job) -> Result<(), StoreError> {
    if let Some(finished) = keys::finished(job) {
        ledger.insert_bytes(finished, Vec::new())?;
    }
    if matches!(job.state, JobState::Done { .. }) {
        ledger.delete(keys::payload(job.id))?;
    }
    ledger.replace(keys::job(job.id), &JobRow::from(job))
}

/// Enqueues a job, of whatever kind, and notes it at its event. Returns its line.
pub(super) fn enqueue(ledger: &mut Ledger, wanted: NewJob) -> Result<Line, StoreError> {
    let event = wanted.kind.event().map(|event| Open::take(ledger, event));
    let mut event = event.transpose()?;
    let enqueued = lines::enqueue(ledger, wanted, event.as_mut())?;
    if let Some(event) = event.filter(|_| enqueued.is_new) {
        event.keep(ledger)?;
    }
    Ok(enqueued.line)
}

/// Tells the lines of the other live jobs of the event, which were hidden while this one ran.
fn tell_hidden(ledger: &mut Ledger, job: &Job, event: &Open) -> Result<(), StoreError> {
    for kind in Kind::about(event.id).into_iter().filter(|kind| *kind != job.kind) {
        if let Some(id) = event.row.first.live.get(&kind) {
            let line = must_find(ledger, id)?.line;
            ledger.tell(Change::Line(line));
        }
    }
    Ok(())
}

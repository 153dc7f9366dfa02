//! Jobs on disk, and leases in memory.
//!
//! Claims run on the writing thread too: nothing can come between finding a job and hiding it, and
//! what is claimed is on disk.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sled::{IVec, Tree};

use super::keys::{self, KeyReader, Table};
use super::ledger::{Lease, Ledger, Read, failed};
use super::rows::{JobRow, PayloadRow};
use super::{SledStore, events};
use crate::model::id::JobId;
use crate::model::job::{Claim, Job, JobState, Kind, Line, NewJob};
use crate::model::sealed::Sealed;
use crate::store::{Change, Claimed, Counts, JobStore, Ran, Retention, Settled, StoreError};

#[async_trait]
impl JobStore for SledStore {
    async fn lines(&self) -> Result<Vec<Line>, StoreError> {
        let tree = (**self.read()?).clone();
        let read = move || {
            let mut lines = Vec::new();
            // From the first job of each line past the last, so that jobs do not count.
            let mut next = tree.scan_prefix(Table::Ready.prefix()).next();
            while let Some(found) = next {
                let line = KeyReader::new(&found.map_err(failed)?.0)?.line()?;
                next = first_behind(&tree, &line);
                lines.push(line);
            }
            Ok(lines)
        };
        let read = tokio::task::spawn_blocking(read);
        read.await.map_err(|_| StoreError::Damaged("reading the lines panicked".to_owned()))?
    }

    async fn claim(
        &self,
        line: &Line,
        n: usize,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Claimed, StoreError> {
        let line = line.clone();
        self.committer.commit(move |ledger| claim(ledger, &line, n, now, until)).await
    }

    async fn settle(
        &self,
        claim: &Claim,
        ran: Ran,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        let (id, kind, fence) = (claim.job.id, claim.job.kind.clone(), claim.fence);
        self.committer.commit(move |ledger| settle(ledger, id, &kind, fence, ran, now)).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        find(&**self.read()?, id)
    }

    async fn count_jobs(&self) -> Result<Counts, StoreError> {
        let count = |ledger: &mut Ledger| {
            Ok(Counts {
                live: ledger.rows(Table::Live),
                done: ledger.rows(Table::Done),
                dead: ledger.rows(Table::Dead),
            })
        };
        self.committer.commit(count).await
    }
}

/// Reads as far into the line as it must: past the jobs that are hidden, to the first that is left.
fn claim(
    ledger: &mut Ledger,
    line: &Line,
    n: usize,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Claimed, StoreError> {
    ledger.must_have_room()?;
    let prefix = keys::ready_of(line);
    let mut taken: Vec<(Job, Option<Sealed>)> = Vec::new();
    let mut next: Option<DateTime<Utc>> = None;
    for found in ledger.scan(&prefix) {
        let (key, _) = found?;
        let mut read = KeyReader::behind(&prefix, &key)?;
        let (due, id) = (read.time()?, read.id()?);
        let leased = ledger.leases.get(&id).map(|lease| lease.until).filter(|end| *end > now);
        let free_from = leased.unwrap_or(due);
        if free_from <= now && taken.len() < n {
            let payload: Option<PayloadRow> = ledger.row(&keys::payload(id))?;
            taken.push((must_find(ledger, id)?, payload.map(Sealed::from)));
            continue;
        }
        next = Some(next.map_or(free_from, |next| next.min(free_from)));
        // What follows is due later still.
        if leased.is_none() || due > now {
            break;
        }
    }
    let mut claims = Vec::new();
    for (job, payload) in taken {
        let fence = ledger.fence();
        ledger.leases.insert(job.id, Lease { fence, until });
        claims.push(Claim { job, payload, fence, until });
    }
    Ok(Claimed { claims, next })
}

fn settle(
    ledger: &mut Ledger,
    id: JobId,
    kind: &Kind,
    fence: u64,
    ran: Ran,
    now: DateTime<Utc>,
) -> Result<Settled, StoreError> {
    if ledger.leases.get(&id).is_none_or(|lease| lease.fence != fence) {
        return Ok(Settled::LeaseLost);
    }
    let newer_wanted = match (kind, &ran.learned) {
        (Kind::PushEvent { event }, Some(learned)) => events::learn(ledger, *event, learned)?,
        _ => false,
    };
    let mut job = must_find(ledger, id)?;
    leave_line(ledger, &job);
    ran.fate.apply(&mut job, newer_wanted, now);
    match job.state {
        JobState::Live => {
            join_line(ledger, &job)?;
            ledger.tell(Change::Line(job.line.clone()));
        }
        JobState::Done { at } => {
            ledger.remove(keys::live(&job.kind));
            ledger.delete(keys::payload(id))?;
            ledger.add_bytes(keys::finished(Table::Done, at, id), Vec::new())?;
        }
        JobState::Dead { at } => {
            ledger.remove(keys::live(&job.kind));
            ledger.add_bytes(keys::finished(Table::Dead, at, id), Vec::new())?;
        }
    }
    ledger.replace(keys::job(id), &JobRow::from(&job))?;
    // Last, since a lease is not taken back if a write before it fails.
    ledger.leases.remove(&id);
    Ok(Settled::Yes)
}

/// Sees to it that a job of this kind lives and is due no later than asked. Returns the one that
/// does, and its line.
pub(super) fn enqueue(ledger: &mut Ledger, wanted: NewJob) -> Result<(JobId, Line), StoreError> {
    if let Some(id) = ledger.get(&keys::live(&wanted.kind))? {
        let id = JobId::from_u128(u128::from_be_bytes(
            id.as_ref().try_into().map_err(|_| StoreError::Damaged("a live job".to_owned()))?,
        ));
        let mut job = must_find(ledger, id)?;
        if wanted.due < job.due {
            leave_line(ledger, &job);
            job.due = wanted.due;
            join_line(ledger, &job)?;
            ledger.replace(keys::job(id), &JobRow::from(&job))?;
        }
        return Ok((id, job.line));
    }
    let (job, payload) = Job::begin(wanted);
    join_line(ledger, &job)?;
    ledger.add_bytes(keys::live(&job.kind), job.id.as_u128().to_be_bytes().to_vec())?;
    if let Some(payload) = payload {
        ledger.add(keys::payload(job.id), &PayloadRow::from(&payload))?;
    }
    ledger.add(keys::job(job.id), &JobRow::from(&job))?;
    Ok((job.id, job.line))
}

/// Forgets up to `most` finished jobs whose time is over.
pub(super) fn prune(
    ledger: &mut Ledger,
    now: DateTime<Utc>,
    keep: Retention,
    most: usize,
) -> Result<usize, StoreError> {
    let mut over = Vec::new();
    for (table, keep) in [(Table::Done, keep.done), (Table::Dead, keep.dead)] {
        for found in ledger.scan(&table.prefix()).take(most - over.len()) {
            let (index, _) = found?;
            let mut read = KeyReader::new(&index)?;
            if read.time()? + keep > now {
                break;
            }
            over.push((index.to_vec(), read.id()?));
        }
    }
    let pruned = over.len();
    for (index, id) in over {
        ledger.remove(index);
        ledger.remove(keys::job(id));
        ledger.delete(keys::payload(id))?;
    }
    Ok(pruned)
}

fn join_line(ledger: &mut Ledger, job: &Job) -> Result<(), StoreError> {
    ledger.add_bytes(keys::ready(&job.line, job.due, job.id), Vec::new())
}

fn leave_line(ledger: &mut Ledger, job: &Job) {
    ledger.remove(keys::ready(&job.line, job.due, job.id));
}

/// The first ready job behind those of `line`.
fn first_behind(tree: &Tree, line: &Line) -> Option<sled::Result<(IVec, IVec)>> {
    let mut last = keys::ready_of(line);
    // More than any time begins with.
    last.extend([u8::MAX; 16]);
    let ready = Table::Ready.prefix();
    tree.range(last..).next().filter(|found| match found {
        Ok((key, _)) => key.starts_with(&ready),
        Err(_) => true,
    })
}

fn find(rows: &impl Read, id: JobId) -> Result<Option<Job>, StoreError> {
    rows.row::<JobRow>(&keys::job(id))?.map(|row| row.under(id)).transpose()
}

fn must_find(ledger: &Ledger, id: JobId) -> Result<Job, StoreError> {
    find(ledger, id)?.ok_or_else(|| {
        StoreError::Damaged(format!("an index names the job {id}, which is not there"))
    })
}

//! Jobs on disk.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sled::{IVec, Tree};

use super::events::Open;
use super::keys::{self, KeyReader, Table};
use super::ledger::{Ledger, failed, number};
use super::lines::{self, find};
use super::{SledStore, claims};
use crate::model::id::JobId;
use crate::model::job::{Claim, Job, JobState, Kind, Line};
use crate::model::owner::Owner;
use crate::store::rows::{JobRow, Row};
use crate::store::{
    Change, Claimed, Counts, JobStore, Ran, Retention, Settled, StoreError, Touched, Which, fits,
};

/// A page of jobs is looked for in so many rows for each that is asked for.
const ROWS_A_JOB: usize = 20;

#[async_trait]
impl JobStore for SledStore {
    async fn lines(&self) -> Result<Vec<Line>, StoreError> {
        let read = |tree: &Tree| {
            let mut lines = Vec::new();
            // From the first job of each line past the last, so that jobs do not count.
            let mut next = tree.scan_prefix(Table::Ready.prefix()).next();
            while let Some(found) = next {
                let line = KeyReader::new(&found.map_err(failed)?.0)?.line()?;
                next = first_behind(tree, &line);
                lines.push(line);
            }
            Ok(lines)
        };
        self.read_aside(read).await
    }

    async fn claim(
        &self,
        line: &Line,
        n: usize,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Claimed, StoreError> {
        let line = line.clone();
        self.committer.commit(move |ledger| claims::claim(ledger, &line, n, now, until)).await
    }

    async fn renew(
        &self,
        claims: &[Claim],
        until: DateTime<Utc>,
    ) -> Result<Vec<JobId>, StoreError> {
        let claims: Vec<_> = claims.iter().map(|claim| (claim.job.id, claim.fence)).collect();
        self.committer.commit(move |ledger| Ok(ledger.leases.renew(claims, until))).await
    }

    async fn settle(
        &self,
        claim: &Claim,
        ran: Ran,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        fits(ran.learned.iter().filter_map(|learned| learned.known.links.as_ref()))?;
        fits(ran.then.iter().filter_map(|job| job.payload.as_ref()))?;
        let (id, fence) = (claim.job.id, claim.fence);
        self.committer.commit(move |ledger| claims::settle(ledger, id, fence, ran, now)).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        find(&self.read()?, id)
    }

    async fn jobs(
        &self,
        which: Which,
        owner: Option<&Owner>,
        after: Option<JobId>,
        most: usize,
    ) -> Result<(Vec<Job>, Option<JobId>), StoreError> {
        let owner = owner.cloned();
        self.read_aside(move |tree| page(tree, which, owner.as_ref(), after, most)).await
    }

    async fn cancel(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        self.committer.commit(move |ledger| cancel(ledger, id, now)).await
    }

    async fn replay(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        self.committer.commit(move |ledger| replay(ledger, id, now)).await
    }

    async fn put_off(
        &self,
        id: JobId,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Touched, StoreError> {
        self.committer.commit(move |ledger| put_off(ledger, id, until, now)).await
    }

    async fn count_jobs(&self) -> Result<Counts, StoreError> {
        let count = |ledger: &mut Ledger| {
            Ok(Counts {
                live: ledger.rows(Table::Ready),
                done: ledger.rows(Table::Done),
                dead: ledger.rows(Table::Dead),
                cancelled: ledger.rows(Table::Cancelled),
            })
        };
        self.committer.commit(count).await
    }

    async fn largest_backlog(&self) -> Result<u64, StoreError> {
        self.read_aside(|tree| {
            let mut largest = 0;
            for row in tree.scan_prefix(Table::OwnerJobs.prefix()) {
                largest = number(&row.map_err(failed)?.1)?.max(largest);
            }
            Ok(largest)
        })
        .await
    }
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

fn page(
    tree: &Tree,
    which: Which,
    owner: Option<&Owner>,
    after: Option<JobId>,
    most: usize,
) -> Result<(Vec<Job>, Option<JobId>), StoreError> {
    let mut last = after;
    let mut page = Vec::new();
    let from = after.map_or_else(|| Table::Job.prefix(), keys::job);
    for (read, found) in tree.range(from..).enumerate() {
        let (key, row) = found.map_err(failed)?;
        if !key.starts_with(&Table::Job.prefix()) {
            break;
        }
        let id = KeyReader::new(&key)?.id()?;
        if Some(id) == after {
            continue;
        }
        if page.len() == most || read > most * ROWS_A_JOB {
            return Ok((page, last));
        }
        last = Some(id);
        let job = JobRow::decode(&row)?.under(id)?;
        if Which::of(job.state) == which && owner.is_none_or(|owner| job.line.owner == *owner) {
            page.push(job);
        }
    }
    Ok((page, None))
}

fn cancel(ledger: &mut Ledger, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
    let Some(mut job) = find(ledger, id)? else { return Ok(Touched::Missing) };
    let runs = ledger.leases.of_job(id, now).is_some();
    if let Some(answer) = Touched::unless_waiting(&job, runs) {
        return Ok(answer);
    }
    let mut event = job.kind.event().map(|event| Open::take(ledger, event)).transpose()?;
    lines::stop(ledger, &job, job.due, event.as_mut())?;
    job.state = JobState::Cancelled { at: now };
    claims::finish(ledger, &job)?;
    if let Some(event) = event {
        ledger.tell(Change::Event(event.id));
        event.keep(ledger)?;
    }
    ledger.leases.end(&job);
    Ok(Touched::Yes(job))
}

fn replay(ledger: &mut Ledger, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
    let Some(mut job) = find(ledger, id)? else { return Ok(Touched::Missing) };
    if matches!(job.state, JobState::Live | JobState::Done { .. }) {
        return Ok(Touched::Not(job.state));
    }
    let mut event = None;
    if let Some(id) = job.kind.event() {
        event = Open::find(ledger, id)?;
        if event.is_none() {
            return Ok(Touched::Missing);
        }
    }
    ledger.must_have_room()?;
    let live = lines::live(ledger, &job.kind, event.as_ref())?;
    if let Some(live) = live {
        job = lines::make_due(ledger, live, now)?;
    } else {
        if let Some(finished) = keys::finished(&job) {
            ledger.remove(finished);
        }
        job.begin_again(now);
        lines::start(ledger, &job, event.as_mut())?;
        ledger.replace(keys::job(id), &JobRow::from(&job))?;
    }
    ledger.tell(Change::Line(job.line.clone()));
    if let Some(mut event) = event {
        ledger.tell(Change::Event(event.id));
        if live.is_none() {
            if matches!(job.kind, Kind::PushEvent { .. }) {
                event.row.write_with(id);
            }
            event.keep(ledger)?;
        }
    }
    Ok(Touched::Yes(job))
}

fn put_off(
    ledger: &mut Ledger,
    id: JobId,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Touched, StoreError> {
    ledger.must_have_room()?;
    let Some(mut job) = find(ledger, id)? else { return Ok(Touched::Missing) };
    let runs = ledger.leases.of_job(id, now).is_some();
    if let Some(answer) = Touched::unless_waiting(&job, runs) {
        return Ok(answer);
    }
    lines::shift(ledger, &mut job, until)?;
    ledger.tell(Change::Line(job.line.clone()));
    Ok(Touched::Yes(job))
}

/// Forgets up to `most` finished jobs whose time is over.
pub(super) fn prune(
    ledger: &mut Ledger,
    now: DateTime<Utc>,
    keep: Retention,
    most: usize,
) -> Result<usize, StoreError> {
    let mut over = Vec::new();
    let kept = [(Table::Done, keep.done), (Table::Dead, keep.dead), (Table::Cancelled, keep.done)];
    for (table, keep) in kept {
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

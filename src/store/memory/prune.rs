//! What memory forgets, and in which order.

use std::hash::Hash;

use chrono::{DateTime, Utc};

use super::State;
use crate::model::event::{Event, Presence};
use crate::model::job::{Job, JobState, Kind};
use crate::store::Retention;
use crate::store::period::first_tally;

impl State {
    /// Forgets up to `most` records whose time is over, one noun after the other and each in the
    /// order in which their times were over, so that `most` takes the same anywhere.
    pub(super) fn prune(&mut self, now: DateTime<Utc>, keep: Retention, most: usize) -> usize {
        let mut left = most;
        let requests = self.requests.iter().map(|(key, (request, _))| (request.expires, *key));
        for key in take(requests.filter(|(expires, _)| *expires <= now), &mut left) {
            self.requests.remove(&key);
        }
        let tickets = self.tickets.iter().map(|(key, ticket)| (ticket.expires, *key));
        for key in take(tickets.filter(|(expires, _)| *expires <= now), &mut left) {
            self.tickets.remove(&key);
        }
        let jobs = self.jobs.values().filter_map(|job| Some((over(job, now, keep)?, job.id)));
        for id in take(jobs, &mut left) {
            self.jobs.remove(&id);
            self.payloads.remove(&id);
        }
        let idle = self.events.values().filter(|event| !self.has_live_job(event));
        let events = idle.filter_map(|event| Some((past(event, now, keep)?, event.id)));
        for id in take(events, &mut left) {
            self.events.remove(&id);
            self.histories.remove(&id);
        }
        let items = self.items.values().filter_map(|item| Some((item.over()?, item.id)));
        for id in take(items.filter(|(over, _)| *over + keep.tombstones <= now), &mut left) {
            self.items.remove(&id);
        }
        let first = first_tally(now);
        for day in
            take(self.tallies.keys().filter(|day| **day < first).map(|day| (*day, *day)), &mut left)
        {
            self.tallies.remove(&day);
        }
        most - left
    }

    fn has_live_job(&self, event: &Event) -> bool {
        Kind::about(event.id).iter().any(|kind| self.live.contains_key(kind))
    }
}

/// The names of those that come first, as many as are `left`.
fn take<Order: Ord, Name: Copy + Eq + Hash + Ord>(
    over: impl Iterator<Item = (Order, Name)>,
    left: &mut usize,
) -> Vec<Name> {
    let mut over: Vec<_> = over.collect();
    over.sort_unstable();
    over.truncate(*left);
    *left -= over.len();
    over.into_iter().map(|(_, name)| name).collect()
}

/// Which state's turn it is, and since when: if the job is finished and its time is over.
fn over(job: &Job, now: DateTime<Utc>, keep: Retention) -> Option<(u8, DateTime<Utc>)> {
    let (turn, at, keep) = match job.state {
        JobState::Live => return None,
        JobState::Done { at } => (0, at, keep.done),
        JobState::Dead { at } => (1, at, keep.dead),
        JobState::Cancelled { at } => (2, at, keep.done),
    };
    (at + keep <= now).then_some((turn, at))
}

/// Whether it was cancelled, and since when its time counts: if it is over.
fn past(event: &Event, now: DateTime<Utc>, keep: Retention) -> Option<(bool, DateTime<Utc>)> {
    let (cancelled, at, keep) = match event.wanted.presence {
        Presence::Present => (false, event.wanted.over, keep.past),
        Presence::Absent => (true, event.wanted.since, keep.tombstones),
    };
    (at + keep <= now).then_some((cancelled, at))
}

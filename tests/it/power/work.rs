//! Work that is the same wherever and whenever it is done: every hand takes one step after the other,
//! so that a store found after a cut can be held against a store in memory that took the same steps.

use std::collections::BTreeSet;

use calbridge::model::event::{Event, Wanted};
use calbridge::model::id::{EventId, InstanceId, JobId};
use calbridge::model::key::Digest;
use calbridge::model::sealed::Sealed;
use calbridge::store::contract::examples::{
    LEASE, NOON, after, cause, event, learned, line_of, push, take_in, wanted,
};
use calbridge::store::memory::MemoryStore;
use calbridge::store::{
    Accept, Accepted, Changed, EventStore, Fate, JobStore, Ran, Request, Settled, Store, StoreError,
};

/// How many work at once, each on events of its own.
pub const HANDS: usize = 4;

/// What a hand does with an event, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Accept,
    /// Wants something else.
    Change,
    /// Does what is wanted.
    Finish,
    /// Gives up.
    Bury,
}

/// Steps to an event.
const STEPS: u64 = 4;
/// Work that ends, work that waits, and work that is given up.
const PLANS: [[Act; 4]; 3] = [
    [Act::Accept, Act::Finish, Act::Change, Act::Finish],
    [Act::Accept, Act::Finish, Act::Change, Act::Change],
    [Act::Accept, Act::Change, Act::Change, Act::Bury],
];

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Which of the hands does it.
    pub hand: usize,
    /// How large the sealed content of an event is.
    pub bytes: usize,
}

impl Work {
    /// Takes the hand's step number `n` on a store that is where the step before it led.
    pub async fn step(self, store: &dyn Store, n: u64) -> Result<(), StoreError> {
        let number = self.number(n);
        let plan = PLANS[usize::try_from(n / STEPS % 3).expect("a small number")];
        let done = &plan[..usize::try_from(n % STEPS).expect("a small number")];
        let earlier = done.iter().filter(|act| matches!(act, Act::Accept | Act::Change)).count();
        let revision = u32::try_from(earlier).expect("a small number");
        match plan[done.len()] {
            Act::Accept => {
                let event = self.event(number);
                let job = push(&event, job_id(number, 1), NOON);
                let accept = Accept { event, job, request: Some(request(number)) };
                let accepted = take_in(store, accept, NOON).await?;
                assert!(matches!(accepted, Accepted::New(_)), "{accepted:?}");
            }
            Act::Change => {
                let wanted = self.wanted(number, revision + 1);
                let event = Work { bytes: 0, ..self }.event(number);
                let job = push(&event, job_id(number, revision + 1), NOON);
                let changed = store.change(EventId::from_u128(number), wanted, job).await?;
                assert!(matches!(changed, Changed::Yes(_)), "{changed:?}");
            }
            Act::Finish => self.end(store, number, revision, Fate::Done).await?,
            Act::Bury => self.end(store, number, revision, Fate::Dead(cause())).await?,
        }
        Ok(())
    }

    async fn end(
        self,
        store: &dyn Store,
        number: u128,
        revision: u32,
        fate: Fate,
    ) -> Result<(), StoreError> {
        let line = line_of(&Work { bytes: 0, ..self }.event(number));
        let claimed = store.claim(&line, 1, NOON, NOON + LEASE).await?;
        let [claim] = &claimed.claims[..] else { panic!("its job waits: {claimed:?}") };
        let ran = Ran { fate, learned: learned(revision), then: None };
        let settled = store.settle(claim, ran, after(1)).await?;
        assert_eq!(settled, Settled::Yes);
        Ok(())
    }

    /// The number of the event that the step is about.
    fn number(self, n: u64) -> u128 {
        self.hand as u128 * 1_000_000 + u128::from(n / STEPS) + 1
    }

    /// The event as it is accepted, in a line of its own.
    fn event(self, number: u128) -> Event {
        let mut event = event(number);
        event.job = JobId::from_u128(job_id(number, 1));
        event.placement.calendar = u64::try_from(number).expect("a small number");
        event.wanted = self.wanted(number, 1);
        event
    }

    /// What is wanted of an event in a revision, which no other revision of any event wants.
    fn wanted(self, number: u128, revision: u32) -> Wanted {
        let words = (0..).flat_map(|place: u128| [job_id(number, revision), place]);
        let bytes = words.flat_map(u128::to_be_bytes).take(self.bytes);
        Wanted { content: Sealed::from_bytes(bytes.collect()), ..wanted(revision) }
    }
}

fn job_id(number: u128, revision: u32) -> u128 {
    number * 10 + u128::from(revision)
}

fn request(number: u128) -> Request {
    let mut key = Digest::default();
    key[..16].copy_from_slice(&number.to_be_bytes());
    Request { key, body: key, expires: after(3600) }
}

/// What a store must be, as far as it was told.
pub struct Expected {
    memory: MemoryStore,
    bytes: usize,
    /// Steps that every hand has done.
    pub done: [u64; HANDS],
}

impl Expected {
    /// An empty store's.
    pub fn new(bytes: usize) -> Self {
        let memory = MemoryStore::new(InstanceId::from_u128(1));
        Self { memory, bytes, done: [0; HANDS] }
    }

    /// Holds a store against the steps that were acknowledged since. Each hand may be one step
    /// further: that step was on its way, and is taken for done from now on. Returns how many were,
    /// or what is wrong.
    pub async fn compare(
        &mut self,
        found: &dyn Store,
        acknowledged: [u64; HANDS],
    ) -> Result<u64, String> {
        let mut further = 0;
        for (hand, acknowledged) in acknowledged.into_iter().enumerate() {
            let work = Work { hand, bytes: self.bytes };
            for _ in 0..acknowledged {
                self.take_step(work).await?;
            }
            let next = work.number(self.done[hand]);
            if self.difference(found, next).await?.is_some() {
                self.take_step(work).await?;
                further += 1;
            }
            for number in work.number(0)..=next + 1 {
                if let Some(wrong) = self.difference(found, number).await? {
                    return Err(format!("of {} acknowledged steps: {wrong}", self.done[hand]));
                }
            }
            self.compare_request(found, work).await?;
        }
        let (counts, ours) = (found.count_jobs().await, self.memory.count_jobs().await);
        if counts != ours {
            return Err(format!("it counts {counts:?} and not {ours:?}"));
        }
        let lines = |lines: Vec<_>| lines.into_iter().collect::<BTreeSet<_>>();
        if found.lines().await.map(lines) != self.memory.lines().await.map(lines) {
            return Err("it has other lines".to_owned());
        }
        Ok(further)
    }

    async fn take_step(&mut self, work: Work) -> Result<(), String> {
        let step = work.step(&self.memory, self.done[work.hand]).await;
        self.done[work.hand] += 1;
        step.map_err(told)
    }

    /// What of an event and its jobs differs, if anything does.
    async fn difference(&self, found: &dyn Store, number: u128) -> Result<Option<String>, String> {
        let id = EventId::from_u128(number);
        let theirs = found.event(id).await.map_err(told)?;
        if theirs != self.memory.event(id).await.map_err(told)? {
            let revision = theirs.map(|event| (event.wanted.revision, event.known.applied));
            return Ok(Some(format!("event {number} is at (wanted, applied) {revision:?}")));
        }
        for revision in 1..=3 {
            let id = JobId::from_u128(job_id(number, revision));
            let theirs = found.job(id).await.map_err(told)?;
            let ours = self.memory.job(id).await.map_err(told)?;
            if theirs != ours {
                return Ok(Some(format!("job {id} of event {number} is {theirs:?}, not {ours:?}")));
            }
        }
        Ok(None)
    }

    /// The request that brought the hand's newest event is known again, even with another event.
    async fn compare_request(&self, found: &dyn Store, work: Work) -> Result<(), String> {
        let Some(last) = self.done[work.hand].checked_sub(1) else { return Ok(()) };
        let number = work.number(last);
        let (other, request) = (work.event(number + 500_000), Some(request(number)));
        let job = push(&other, job_id(number + 500_000, 1), NOON);
        let again = Accept { event: other, job, request };
        match take_in(found, again, NOON).await.map_err(told)? {
            Accepted::Repeated(event) if event.id == EventId::from_u128(number) => Ok(()),
            other => Err(format!("the request of event {number} was forgotten: {other:?}")),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn told(error: StoreError) -> String {
    error.to_string()
}

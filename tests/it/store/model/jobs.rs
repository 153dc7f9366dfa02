//! Jobs are claimed, settled, and touched by people.

use calbridge::model::id::JobId;
use calbridge::model::job::{Claim, Kind, NewJob};
use calbridge::model::owner::Owner;
use calbridge::store::contract::examples::{after, cause, known, sealed, user};
use calbridge::store::{Fate, JobStore, Learned, Ran, Which};

use super::{Pair, every_job};

impl Pair {
    pub(super) async fn claim(&mut self, at: &str) {
        let line = self.some_line().await;
        let n = usize::from(self.small(4));
        let (now, until) = (after(self.now), after(self.now + 1 + self.seconds(40)));
        let memory = self.memory.claim(&line, n, now, until).await.unwrap();
        let disk = self.disk().claim(&line, n, now, until).await.unwrap();
        // A look too early finds nothing and does no harm; one too late would leave a job lying.
        assert_eq!(disk.next.is_some(), memory.next.is_some(), "{at}: claim");
        assert!(disk.next <= memory.next, "{at}: claim, {:?} and {:?}", disk.next, memory.next);
        assert_eq!(disk.claims.len(), memory.claims.len(), "{at}: claim");
        for (disk, memory) in disk.claims.into_iter().zip(memory.claims) {
            assert_eq!(disk, Claim { fence: disk.fence, ..memory.clone() }, "{at}: claim");
            self.claims.push((disk, memory));
        }
    }

    pub(super) async fn settle(&mut self, at: &str) {
        let many = self.claims.len() as u64;
        if many == 0 {
            return;
        }
        let (disk, memory) = self.claims[usize::try_from(self.below(many)).unwrap()].clone();
        let due = after(self.now + self.seconds(30) - 10);
        let fate = match self.below(5) {
            0 | 1 => Fate::Done,
            2 => Fate::Again { due, spends: self.below(2) == 0, cause: cause() },
            3 => Fate::HandedBack { cause: (self.below(2) == 0).then(cause) },
            _ => Fate::Dead(cause()),
        };
        let seen = u32::from(self.small(4));
        let learned = Learned { seen, known: known(seen) };
        let event = memory.job.kind.event();
        let learned = (event.is_some() && self.below(3) > 0).then_some(learned);
        let then = event.filter(|_| self.below(3) == 0).map(|event| NewJob {
            kind: Kind::FollowMeet { event },
            payload: (self.below(2) == 0).then(|| sealed(40)),
            ..self.some_push(event)
        });
        let (ran, now) = (Ran { fate, learned, then }, after(self.now));
        let settled = self.memory.settle(&memory, ran.clone(), now).await;
        assert_eq!(self.disk().settle(&disk, ran, now).await, settled, "{at}: settle");
    }

    pub(super) async fn renew(&mut self, at: &str) {
        let some: Vec<_> = self.claims.iter().filter(|_| self.below(3) == 0).cloned().collect();
        let (disk, memory): (Vec<Claim>, Vec<Claim>) = some.into_iter().unzip();
        let until = after(self.now + self.seconds(40));
        let lost = self.memory.renew(&memory, until).await;
        assert_eq!(self.disk().renew(&disk, until).await, lost, "{at}: renew");
    }

    pub(super) async fn touch(&mut self, at: &str) {
        // Mostly of late, since those are there still.
        let back = u128::from(self.below(if self.below(4) == 0 { 1000 } else { 30 }));
        let id = JobId::from_u128(self.jobs.saturating_sub(back));
        let now = after(self.now);
        let until = after(self.now + self.seconds(60) - 20);
        let (disk, memory) = match self.below(3) {
            0 => (self.disk().cancel(id, now).await, self.memory.cancel(id, now).await),
            1 => (self.disk().replay(id, now).await, self.memory.replay(id, now).await),
            _ => {
                let disk = self.disk().put_off(id, until, now).await;
                (disk, self.memory.put_off(id, until, now).await)
            }
        };
        assert_eq!(disk, memory, "{at}: touch");
    }

    pub(super) async fn find(&mut self, at: &str) {
        let which = Which::ALL[usize::from(self.small(4))];
        let owner = [Owner::Application, user("bo")][usize::from(self.small(2))].clone();
        let found = every_job(self.disk(), which, Some(&owner)).await;
        assert_eq!(found, every_job(&self.memory, which, Some(&owner)).await, "{at}: {which:?}");
    }
}

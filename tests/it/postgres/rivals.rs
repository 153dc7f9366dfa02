//! Steps that another session is in the middle of crossing: whoever is second waits, and then sees what
//! the first did.

use std::pin::pin;

use calbridge::model::item::Item;
use calbridge::store::contract::examples::{
    NOON, ROOM, accept, after, event, give, item, line_of, push, take_in, wanted,
};
use calbridge::store::postgres::PostgresStore;
use calbridge::store::{
    Change, Changed, EventStore, ItemStore, JobStore, Kept, Step, Store, Touched,
};
use chrono::TimeDelta;
use sqlx::{Connection, Executor, PgConnection};

use super::server;

/// A process, and a session that did something and has not committed it yet.
struct Crossed {
    store: PostgresStore,
    rival: PgConnection,
    onlooker: PgConnection,
}

impl Crossed {
    /// With an item, and an event whose job waits in a connection that the process works for.
    async fn by(statement: &'static str) -> Self {
        let server = server::shared().await;
        let url = server.database().await;
        let store = server.open(&url, 1).await;
        give(&store, 1, 0).await;
        let step = Step { items: vec![item(1)], ..Step::default() };
        store.keep(vec![step], ROOM, NOON).await.unwrap();
        store.lines().await.unwrap();
        let mut rival = PgConnection::connect(&url).await.unwrap();
        rival.execute("BEGIN").await.unwrap();
        assert_eq!(rival.execute(statement).await.unwrap().rows_affected(), 1, "{statement}");
        let onlooker = PgConnection::connect(&url).await.unwrap();
        Self { store, rival, onlooker }
    }

    /// What `step` answers, which the rival's word comes before if it waits for that.
    async fn answer<T>(&mut self, step: impl AsyncFnOnce(&PostgresStore) -> T) -> T {
        let mut answer = pin!(step(&self.store));
        // PostgreSQL tells nobody that a session waits for another: it has to be asked.
        let waits = async {
            let waiting = "SELECT count(*) FROM pg_stat_activity
                           WHERE datname = current_database() AND wait_event_type = 'Lock'";
            while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut self.onlooker).await.unwrap()
                == 0
            {}
        };
        tokio::select! {
            answer = &mut answer => return answer,
            () = waits => {}
        }
        self.rival.execute("COMMIT").await.unwrap();
        answer.await
    }
}

#[tokio::test]
async fn a_claim_sees_that_the_connection_went_to_another_process() {
    let taken = "UPDATE holding SET node = '\\x02' WHERE connection <> ''";
    let mut crossed = Crossed::by(taken).await;
    let claim = async |store: &PostgresStore| {
        store.claim(&line_of(&event(1)), 9, NOON, after(60)).await.unwrap().claims
    };
    assert_eq!(crossed.answer(claim).await, []);
}

#[tokio::test]
async fn a_claim_sees_that_the_job_was_taken_back() {
    let mut crossed = Crossed::by("UPDATE job SET state = 'cancelled', ended = due").await;
    let claim = async |store: &PostgresStore| {
        store.claim(&line_of(&event(1)), 9, NOON, after(60)).await.unwrap().claims
    };
    assert_eq!(crossed.answer(claim).await, []);
}

#[tokio::test]
async fn a_hand_on_a_job_sees_that_it_was_claimed() {
    let claimed = "UPDATE job SET fence = nextval('fence'), leased_until = 9223372036854775807";
    let mut crossed = Crossed::by(claimed).await;
    let id = event(1).job;
    let cancel = async |store: &PostgresStore| store.cancel(id, NOON).await.unwrap();
    assert_eq!(crossed.answer(cancel).await, Touched::Running);
}

#[tokio::test]
async fn a_change_sees_that_another_was_faster() {
    let mut crossed = Crossed::by("UPDATE event SET revision = 2").await;
    let change = async |store: &PostgresStore| {
        let job = push(&event(1), 7, NOON);
        store.change(event(1).id, wanted(2), job).await.unwrap()
    };
    assert_eq!(crossed.answer(change).await, Changed::Overtaken);
}

#[tokio::test]
async fn a_step_sees_that_another_was_faster() {
    let mut crossed = Crossed::by("UPDATE item SET version = 2").await;
    let keep = async |store: &PostgresStore| {
        let next = Item { version: 2, ..item(1) };
        let step = Step { items: vec![next], ..Step::default() };
        store.keep(vec![step], ROOM, NOON).await.unwrap()
    };
    assert_eq!(crossed.answer(keep).await, [Kept::Overtaken]);
}

#[tokio::test]
async fn a_connection_that_somebody_looks_at_holds_up_nobodys_sign_of_life() {
    let mut crossed = Crossed::by("UPDATE holding SET node = NULL WHERE connection <> ''").await;
    crossed.rival.execute("COMMIT; BEGIN").await.unwrap();
    let looked = "SELECT 1 FROM holding WHERE connection <> '' FOR UPDATE";
    assert_eq!(crossed.rival.execute(looked).await.unwrap().rows_affected(), 1);
    let alive = crossed.store.beat(NOON, after(15)).await.unwrap();
    assert!(alive.beat.leads);
    assert_eq!(crossed.store.lines().await.unwrap(), [], "it is left to whoever looks at it");
}

#[tokio::test]
async fn what_nobody_ever_worked_for_is_taken_and_told_with_a_sign_of_life() {
    let server = server::shared().await;
    let url = server.database().await;
    let (one, other) = (server.open(&url, 1).await, server.open(&url, 2).await);
    take_in(&one, accept(1), NOON).await.unwrap();
    let mut told = other.changes();
    other.beat(NOON, NOON + TimeDelta::seconds(15)).await.unwrap();
    assert_eq!(told.try_recv(), Ok(Change::Line(line_of(&event(1)))));
}

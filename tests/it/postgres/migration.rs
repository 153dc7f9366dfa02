//! Databases as earlier releases left them, opened by this one.

use calbridge::model::event::{Event, Known, Source, Wanted};
use calbridge::model::history::By;
use calbridge::model::id::ItemId;
use calbridge::model::item::{Item, Noun};
use calbridge::store::contract::examples::{
    NOON, accept, after, event, item, known, push, take_in, user, wanted,
};
use calbridge::store::{
    Accepted, Asked, EventFilter, EventStore, ItemStore, JobStore, Retention, Store,
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::server;

const BEGIN: &str = include_str!("../../../src/store/postgres/schema/0001_begin.sql");
const CONTENTS: &str = include_str!("../../../src/store/postgres/schema/0002_contents.sql");
const ITEMS: &str = include_str!("../../../src/store/postgres/schema/0003_items.sql");
const LISTS: &str = include_str!("../../../src/store/postgres/schema/0004_lists.sql");

/// Nothing is old but what was deleted long ago.
const KEEP: Retention = Retention {
    done: TimeDelta::days(7),
    dead: TimeDelta::days(30),
    past: TimeDelta::days(400),
    tombstones: TimeDelta::days(300),
};

/// A database with the tables of an earlier release, to be filled. Returns its address.
async fn tables(migrations: &[&'static str], rows: &str) -> String {
    let url = server::shared().await.empty().await;
    let mut old = PgConnection::connect(&url).await.expect("it answers");
    old.execute("CREATE TABLE schema_version (version bigint PRIMARY KEY)").await.unwrap();
    for (version, migration) in (1..).zip(migrations) {
        old.execute(*migration).await.unwrap();
        let told = format!("INSERT INTO schema_version VALUES ({version})");
        old.execute(AssertSqlSafe(told)).await.unwrap();
    }
    old.execute(AssertSqlSafe(rows.to_owned())).await.unwrap();
    old.close().await.expect("a goodbye");
    url
}

/// As rows have it.
fn nanos(moment: DateTime<Utc>) -> i64 {
    moment.timestamp_nanos_opt().expect("a moment of our time")
}

fn id(n: u128) -> String {
    format!("'\\x{n:032x}'")
}

/// An event of number `n`, over so many seconds past noon, as the first release wrote it.
fn first_event(n: u128, over: i64) -> String {
    let (noon, over, id) = (nanos(NOON), nanos(after(over)), id(n));
    format!(
        "INSERT INTO event (id, owner, connection, calendar, created, job, revision, present, \
            fingerprint, since, over_at, google_id, generation, applied, copy, meet, version, links) \
         VALUES ({id}, 'ana', {one}, 7, {noon}, {id}, 1, true, '\\x{print}', {since}, {over}, \
            {google}, 0, 1, '\"present\"', '\"ready\"', 1, '\\x{links}'); \
         INSERT INTO event_content VALUES ({id}, '\\x{content}');",
        one = self::id(1),
        print = "01".repeat(16),
        since = nanos(after(1)),
        google = self::id(77),
        links = "73".repeat(90),
        content = "73".repeat(200),
    )
}

/// What that event is to this release.
fn read(n: u128, over: i64, starts: DateTime<Utc>) -> Event {
    let wanted = Wanted { starts, over: after(over), by: By::Bridge, ..wanted(1) };
    Event { wanted, known: Known { ..known(1) }, source: Source::Api, ..event(n) }
}

#[tokio::test]
async fn events_of_the_first_release_are_read_listed_and_changed() {
    let rows = first_event(8, 3_600) + &first_event(9, -60);
    let url = tables(&[BEGIN], &rows).await;
    let store = server::shared().await.open(&url, 1).await;
    // It was not known when they begin: when they were made, or, if that is later, when they are over.
    let (late, early) = (read(8, 3_600, NOON), read(9, -60, after(-60)));
    assert_eq!(store.event(late.id).await.unwrap(), Some(late.clone()));
    assert_eq!(store.event(early.id).await.unwrap(), Some(early.clone()));
    let filter = EventFilter { owner: Some(user("ana")), ..EventFilter::default() };
    let (listed, next) = store.events(&filter, None, 10).await.unwrap();
    assert_eq!((listed, next), (vec![late.clone(), early], None));
    let changed = store.change(late.id, wanted(2), push(&event(8), 80, NOON)).await.unwrap();
    assert!(store.job(push(&event(8), 80, NOON).id).await.unwrap().is_some(), "{changed:?}");
    assert_eq!(store.event(late.id).await.unwrap().map(|event| event.wanted), Some(wanted(2)));
    assert_eq!(take_in(&store, accept(10), NOON).await.unwrap(), Accepted::New(event(10)));
}

/// A task as the release before reminders wrote it, deleted so long after noon, or not.
fn old_task(n: u128, gone: Option<DateTime<Utc>>) -> String {
    let gone = gone.map_or("NULL".to_owned(), |gone| nanos(gone).to_string());
    format!(
        "INSERT INTO item (id, noun, owner, shared, created, version, state, at, event, category, \
            gone, sealed) \
         VALUES ({id}, 'task', 'ana', 'bo', {noon}, 1, 0, {at}, {id}, {category}, {gone}, '\\x{sealed}');",
        id = id(n),
        noon = nanos(NOON),
        at = nanos(after(50)),
        category = id(99),
        sealed = "73".repeat(70),
    )
}

#[tokio::test]
async fn tasks_of_the_release_before_reminders_are_read_listed_and_forgotten() {
    let rows = old_task(3, None) + &old_task(4, Some(after(5)));
    let url = tables(&[BEGIN, CONTENTS, ITEMS, LISTS], &rows).await;
    let store = server::shared().await.open(&url, 1).await;
    let gone = Item { gone: Some(after(5)), ..item(4) };
    assert_eq!(store.item(item(3).id).await.unwrap(), Some(item(3)));
    assert_eq!(store.item(gone.id).await.unwrap(), Some(gone));
    let asked = Asked::all(Noun::Task, user("bo"));
    assert_eq!(store.items(&asked, None, 10).await.unwrap(), (vec![item(3)], None));
    // A tombstone goes when its time is over, and the task stays.
    let over = after(5) + KEEP.tombstones;
    assert_eq!(store.prune(over - TimeDelta::seconds(1), KEEP, 99).await.unwrap(), 0);
    assert_eq!(store.prune(over, KEEP, 99).await.unwrap(), 1);
    assert_eq!(store.item(ItemId::from_u128(4)).await.unwrap(), None);
    assert_eq!(store.item(item(3).id).await.unwrap(), Some(item(3)));
}

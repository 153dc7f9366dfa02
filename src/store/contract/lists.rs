//! Promises about lists of events, and about what happened to one.

use chrono::{DateTime, TimeDelta, Utc};

use super::examples::{
    NOON, accept, after, cause, claim_one, done, event, give, known, learned, push, sealed,
    take_in, user, wanted,
};
use crate::model::event::{Copied, Event, Known, Meet, Presence, Source, Wanted};
use crate::model::history::{By, What};
use crate::model::id::{EventId, ItemId, KeyId};
use crate::model::job::Cause;
use crate::model::owner::Owner;
use crate::store::{
    Accept, EventFilter, Fate, Learned, MAX_SEALED, Place, Ran, Retention, SourceKind, Store,
};

/// The events of every page.
async fn every(store: &dyn Store, filter: &EventFilter, most: usize) -> Vec<Event> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = store.events(filter, after, most).await.unwrap();
        assert!(page.len() <= most);
        found.extend(page);
        match next {
            Some(_) => after = next,
            None => return found,
        }
    }
}

async fn ids(store: &dyn Store, filter: &EventFilter) -> Vec<u128> {
    every(store, filter, 3).await.iter().map(|event| event.id.as_u128()).collect()
}

fn of(owner: Owner) -> EventFilter {
    EventFilter { owner: Some(owner), ..EventFilter::default() }
}

/// An event of an owner, taken in so many seconds past noon.
fn taken(n: u128, owner: &Owner, created: i64) -> Accept {
    let mut accept = accept(n);
    accept.event.owner = owner.clone();
    accept.event.created = after(created);
    accept.job.line.owner = owner.clone();
    accept
}

/// Of one owner, and of all; those of one moment by their ids; each once, however long the pages are.
pub async fn events_are_listed_in_the_order_in_which_they_were_taken_in(store: &dyn Store) {
    let (ana, bo) = (user("ana"), user("bo"));
    for (n, owner, created) in
        [(5, &ana, 30), (9, &bo, 20), (2, &ana, 10), (7, &Owner::Application, 20), (1, &ana, 30)]
    {
        take_in(store, taken(n, owner, created), NOON).await.unwrap();
    }
    assert_eq!(ids(store, &of(ana.clone())).await, [2, 1, 5]);
    assert_eq!(ids(store, &of(bo)).await, [9]);
    assert_eq!(ids(store, &of(Owner::Application)).await, [7]);
    assert_eq!(ids(store, &of(user("an"))).await, [0; 0], "nor those of a longer name");
    assert_eq!(ids(store, &EventFilter::default()).await, [2, 7, 9, 1, 5]);
    for most in [1, 2, 5] {
        let found = every(store, &EventFilter::default(), most).await;
        assert_eq!(found.len(), 5, "{most} a page");
        assert_eq!(found[0], taken(2, &ana, 10).event);
    }
    let place = Place { created: after(20), id: EventId::from_u128(8) };
    let (behind, _) = store.events(&EventFilter::default(), Some(place), 1).await.unwrap();
    assert_eq!(behind[0].id.as_u128(), 9, "behind a place where nothing is any more");
}

/// By time, by what it was made for, by what it is filed under; by all at once.
pub async fn a_list_holds_what_its_filter_lets_through(store: &dyn Store) {
    let category = ItemId::from_u128(4);
    for (n, starts, over) in [(1, 0, 60), (2, 60, 120), (3, 120, 120), (4, 0, 240)] {
        let mut accept = accept(n);
        let Wanted { starts: begins, over: ends, category: filed, .. } = &mut accept.event.wanted;
        (*begins, *ends) = (after(starts), after(over));
        *filed = (n > 2).then_some(category);
        if n == 4 {
            accept.event.source = Source::Task(ItemId::from_u128(8));
        }
        take_in(store, accept, NOON).await.unwrap();
    }
    let between = |from: Option<i64>, to: Option<i64>| EventFilter {
        from: from.map(after),
        to: to.map(after),
        ..EventFilter::default()
    };
    for (owner, everyone) in [(Some(user("ana")), false), (None, true)] {
        let ids = async |filter: EventFilter| {
            ids(store, &EventFilter { owner: owner.clone(), ..filter }).await
        };
        assert_eq!(ids(between(Some(60), None)).await, [2, 3, 4], "everyone: {everyone}");
        assert_eq!(ids(between(None, Some(60))).await, [1, 4]);
        assert_eq!(ids(between(Some(120), Some(130))).await, [3, 4], "a moment is within it");
        assert_eq!(ids(between(Some(240), Some(999))).await, [0; 0]);
        let filed = EventFilter { category: Some(category), ..between(None, Some(60)) };
        assert_eq!(ids(filed).await, [4]);
        for (source, expected) in [
            (SourceKind::Task, [4].as_slice()),
            (SourceKind::Api, &[1, 2, 3]),
            (SourceKind::Reminder, &[]),
        ] {
            let filter = EventFilter { source: Some(source), ..EventFilter::default() };
            assert_eq!(ids(filter).await, expected, "{source:?}");
        }
    }
}

/// And by its old ones no more.
pub async fn an_event_that_moved_is_listed_by_its_new_times(store: &dyn Store) {
    take_in(store, accept(1), NOON).await.unwrap();
    let tomorrow = NOON + TimeDelta::days(1);
    let moved = Wanted { starts: tomorrow, over: tomorrow + TimeDelta::hours(1), ..wanted(2) };
    store.change(event(1).id, moved, push(&event(1), 2, NOON)).await.unwrap();
    let from =
        |from: DateTime<Utc>, to| EventFilter { from: Some(from), to: Some(to), ..of(user("ana")) };
    assert_eq!(ids(store, &from(NOON, after(7200))).await, [0; 0]);
    assert_eq!(ids(store, &from(tomorrow, tomorrow + TimeDelta::hours(1))).await, [1]);
}

/// Those that stay: what comes meanwhile may be found or not, what is forgotten may have been.
pub async fn pages_have_no_gap_and_no_double(store: &dyn Store) {
    let ana = user("ana");
    for n in 1..=40 {
        take_in(store, taken(n * 10, &ana, i64::try_from(n / 3).unwrap()), NOON).await.unwrap();
    }
    let there = ids(store, &of(ana.clone())).await;
    for owner in [Some(ana.clone()), None] {
        let filter = EventFilter { owner: owner.clone(), ..EventFilter::default() };
        let (mut found, mut last) = (Vec::new(), None);
        for turn in 0.. {
            let (page, next) = store.events(&filter, last, 4).await.unwrap();
            found.extend(page.iter().map(|event| event.id.as_u128()));
            // Before, behind and among those that were read.
            let n = 1001 + turn * 10 + u128::from(owner.is_none());
            let created = i64::try_from(turn * 7 % 14).unwrap();
            take_in(store, taken(n, &ana, created), NOON).await.unwrap();
            let id = EventId::from_u128(there[usize::try_from(turn).unwrap()]);
            let revision = store.event(id).await.unwrap().unwrap().wanted.revision + 1;
            store.change(id, wanted(revision), push(&event(id.as_u128()), 1, NOON)).await.unwrap();
            last = next;
            if next.is_none() {
                break;
            }
        }
        let mut once = found.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), found.len(), "each once: {found:?}");
        found.retain(|id| there.contains(id));
        assert_eq!(found, there, "every one that was there all the while");
    }
}

/// Nor is it known what happened to it.
pub async fn a_forgotten_event_is_listed_no_more(store: &dyn Store) {
    give(store, 1, 0).await;
    give(store, 2, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    store.settle(&claim, done(), NOON).await.unwrap();
    let all = Retention {
        done: TimeDelta::zero(),
        dead: TimeDelta::zero(),
        past: TimeDelta::zero(),
        tombstones: TimeDelta::zero(),
    };
    store.prune(NOON + TimeDelta::days(9), all, 99).await.unwrap();
    assert_eq!(store.event(event(1).id).await.unwrap(), None);
    for owner in [Some(user("ana")), None] {
        assert_eq!(ids(store, &EventFilter { owner, ..EventFilter::default() }).await, [2]);
    }
    assert_eq!(store.history(event(1).id).await.unwrap(), None);
}

/// The lines of an event's history: what, of which revision, by whom, how often.
async fn lines(store: &dyn Store, n: u128) -> Vec<(What, u32, Option<By>, u32)> {
    let history = store.history(event(n).id).await.unwrap().expect("the event is there");
    history.steps.iter().map(|step| (step.what, step.revision, step.by, step.times)).collect()
}

fn asked(revision: u32, presence: Presence, by: By) -> Wanted {
    Wanted { presence, by, ..wanted(revision) }
}

/// In the order in which it happened, with who asked and why nothing came of it.
pub async fn what_happened_to_an_event_is_kept(store: &dyn Store) {
    let key = By::Key(KeyId::from_u128(3));
    let mut first = accept(1);
    first.event.wanted.by = key;
    take_in(store, first, NOON).await.unwrap();
    let id = event(1).id;
    let again = |due| Fate::Again { due: after(due), spends: false, cause: cause() };
    for due in [10, 20, 30] {
        let claim = claim_one(store, &event(1), after(due - 10)).await.expect("a job is due");
        let ran = Ran { fate: again(due), learned: None, then: None };
        store.settle(&claim, ran, after(due - 10)).await.unwrap();
    }
    let written = Ran { learned: learned(1), ..done() };
    let claim = claim_one(store, &event(1), after(30)).await.expect("a job is due");
    store.settle(&claim, written, after(31)).await.unwrap();
    for (revision, presence) in
        [(2, Presence::Present), (3, Presence::Absent), (4, Presence::Present)]
    {
        let job = push(&event(1), 5, after(40));
        store.change(id, asked(revision, presence, By::User), job).await.unwrap();
    }
    let removed = Known { copy: Copied::RemovedInGoogle, meet: Meet::Failed(cause()), ..known(4) };
    let ran = Ran { learned: Some(Learned { seen: 4, known: removed }), ..done() };
    let claim = claim_one(store, &event(1), after(50)).await.expect("a job is due");
    store.settle(&claim, ran, after(51)).await.unwrap();
    let user = Some(By::User);
    assert_eq!(
        lines(store, 1).await,
        [
            (What::Accepted, 1, Some(key), 1),
            (What::PutOff, 1, None, 3),
            (What::Written, 1, None, 1),
            (What::MeetReady, 1, None, 1),
            (What::Changed, 2, user, 1),
            (What::Cancelled, 3, user, 1),
            (What::Revived, 4, user, 1),
            (What::RemovedInGoogle, 4, None, 1),
            (What::MeetFailed, 4, None, 1),
        ]
    );
    let steps = store.history(id).await.unwrap().expect("the event is there").steps;
    assert_eq!((steps[0].at, steps[1].at, steps[2].at), (after(1), NOON, after(31)));
    assert_eq!((&steps[0].cause, &steps[1].cause), (&None, &Some(cause())));
}

/// So is how it was given up; what changed nothing is no line.
pub async fn what_changed_nothing_is_no_part_of_a_history(store: &dyn Store) {
    take_in(store, accept(1), NOON).await.unwrap();
    take_in(store, accept(1), NOON).await.unwrap();
    store.change(event(1).id, wanted(7), push(&event(1), 2, NOON)).await.unwrap();
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let back = Ran { fate: Fate::HandedBack { cause: None }, learned: None, then: None };
    store.settle(&claim, back.clone(), NOON).await.unwrap();
    store.settle(&claim, back, NOON).await.unwrap();
    let claim = claim_one(store, &event(1), NOON).await.expect("it was handed back");
    let dead = Ran { fate: Fate::Dead(cause()), learned: None, then: None };
    store.settle(&claim, dead.clone(), NOON).await.unwrap();
    store.settle(&claim, dead, NOON).await.unwrap();
    let lines: Vec<_> = lines(store, 1).await.into_iter().map(|(what, ..)| what).collect();
    assert_eq!(lines, [What::Accepted, What::GivenUp]);
}

/// As many are kept as there is room for, also beside links as long as they may be.
pub async fn the_oldest_of_a_long_history_make_room(store: &dyn Store) {
    take_in(store, accept(1), NOON).await.unwrap();
    for (turns, links) in [(0..300, 90), (300..700, MAX_SEALED)] {
        let last = turns.end - 1;
        for turn in turns {
            let claim = claim_one(store, &event(1), after(turn)).await.expect("a job is due");
            let text = format!("{turn} {}", "because ".repeat(60));
            let fate = Fate::Again {
                due: after(turn),
                spends: false,
                cause: Cause::new("server_error", if turn < 250 { "short".into() } else { text }),
            };
            let known = Known { links: Some(sealed(links)), applied: 1, ..known(1) };
            let meet = if turn % 2 == 0 { Meet::Ready } else { Meet::Unwanted };
            let learned = Some(Learned { seen: 1, known: Known { meet, ..known } });
            let ran = Ran { fate, learned, then: None };
            store.settle(&claim, ran, after(turn)).await.unwrap();
        }
        let history = store.history(event(1).id).await.unwrap().expect("the event is there");
        let newest = history.steps.last().expect("a line");
        assert_eq!(newest.at, after(last));
        assert!((2..=200).contains(&history.steps.len()), "{}", history.steps.len());
        assert!(history.steps.iter().all(|step| step.at > after(1)));
        assert!(store.event(event(1).id).await.unwrap().is_some());
    }
}

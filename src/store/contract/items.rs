//! Promises about items, and the steps that keep them.

use chrono::TimeDelta;

use super::examples::{
    NOON, ROOM, accept, after, done, event, give, item, line_of, push, request, revoke, sealed,
    user, wanted,
};
use crate::model::id::{EventId, ItemId};
use crate::model::item::{Item, Noun, Thing};
use crate::model::job::{Class, Kind, Lane, Line, NewJob};
use crate::model::owner::Owner;
use crate::store::{
    Asked, Backlog, Change, Crowd, Kept, MAX_SEALED, Mark, Retention, Settled, Step, Store,
    StoreError,
};

/// A step that keeps items alone.
fn of(items: impl IntoIterator<Item = Item>) -> Step {
    Step { items: items.into_iter().collect(), ..Step::default() }
}

/// Takes one step, where there is room.
async fn take(store: &dyn Store, step: Step) -> Kept {
    let mut kept = store.keep(vec![step], ROOM, NOON).await.expect("the store answers");
    kept.pop().expect("there is an answer to each")
}

/// The ids of all that is asked for, in pages of this size.
async fn listed(store: &dyn Store, asked: &Asked, page: usize) -> Vec<u128> {
    let (mut found, mut mark) = (Vec::new(), None::<Mark>);
    loop {
        let (items, next) = store.items(asked, mark, page).await.expect("the store answers");
        assert!(items.len() <= page, "{} on a page of {page}", items.len());
        found.extend(items.iter().map(|item| item.id.as_u128()));
        match next {
            Some(_) => mark = next,
            None => return found,
        }
    }
}

fn tasks_of(name: &str) -> Asked {
    Asked::all(Noun::Task, user(name))
}

/// Every member of it, and what has none of those that may be missing.
pub async fn an_item_is_kept_whole(store: &dyn Store) {
    let full = item(1);
    let bare =
        Item { shared: None, at: None, event: None, category: None, sealed: None, ..item(2) };
    let gone = Item { gone: Some(after(9)), owner: Owner::Application, ..item(3) };
    assert_eq!(store.item(full.id).await.unwrap(), None);
    for item in [full, bare, gone] {
        assert_eq!(take(store, of([item.clone()])).await, Kept::Yes(Vec::new()));
        assert_eq!(store.item(item.id).await.unwrap(), Some(item));
    }
}

/// The first is 1, and of several who change it at once one does.
pub async fn an_item_is_replaced_by_the_next_version_alone(store: &dyn Store) {
    let at = |version| Item { version, state: 3, ..item(1) };
    assert_eq!(take(store, of([at(2)])).await, Kept::Overtaken, "there is no first");
    assert_eq!(take(store, of([at(1)])).await, Kept::Yes(Vec::new()));
    assert_eq!(take(store, of([at(1)])).await, Kept::Overtaken);
    assert_eq!(take(store, of([at(3)])).await, Kept::Overtaken);
    for contested in [at(2), item(2), at(3)] {
        let rival = |state| take(store, of([Item { state, ..contested.clone() }]));
        let answers = tokio::join!(rival(1), rival(2), rival(3), rival(4));
        let answers = [answers.0, answers.1, answers.2, answers.3];
        let taken = answers.iter().filter(|answer| matches!(answer, Kept::Yes(_))).count();
        assert_eq!(taken, 1, "{answers:?}");
    }
    assert_eq!(store.item(item(1).id).await.unwrap().map(|item| item.version), Some(3));
}

/// Its owner's, by noun, those made first first and then by their ids, whatever the size of a page.
pub async fn items_are_listed_in_the_order_they_were_made(store: &dyn Store) {
    let made = |n, created| Item { created: after(created), shared: None, ..item(n) };
    let others = [
        Item { noun: Noun::Category, ..made(9, 1) },
        Item { owner: user("an"), ..made(8, 1) },
        Item { owner: Owner::Application, ..made(7, 1) },
    ];
    take(store, of([made(5, 1), made(2, 3), made(1, 3), made(3, 2), made(4, 0)])).await;
    take(store, of(others)).await;
    for page in 1..=6 {
        assert_eq!(listed(store, &tasks_of("ana"), page).await, [4, 5, 3, 1, 2], "of {page}");
    }
    let categories = Asked::all(Noun::Category, user("ana"));
    assert_eq!(listed(store, &categories, 9).await, [9]);
    assert_eq!(listed(store, &Asked::all(Noun::Task, Owner::Application), 9).await, [7]);
    assert_eq!(listed(store, &tasks_of("bo"), 9).await, Vec::<u128>::new());
}

/// Among their own, each once, and no more once it was given to another.
pub async fn an_item_is_listed_for_whom_it_was_given_to(store: &dyn Store) {
    let to = |shared: &str, n, version| Item { shared: Some(user(shared)), version, ..item(n) };
    take(
        store,
        of([to("bo", 1, 1), to("ana", 2, 1), Item { owner: user("bo"), ..to("cy", 3, 1) }]),
    )
    .await;
    for page in 1..=3 {
        assert_eq!(listed(store, &tasks_of("ana"), page).await, [1, 2]);
        assert_eq!(listed(store, &tasks_of("bo"), page).await, [1, 3]);
        assert_eq!(listed(store, &tasks_of("cy"), page).await, [3]);
    }
    take(store, of([to("cy", 1, 2)])).await;
    assert_eq!(listed(store, &tasks_of("bo"), 9).await, [3]);
    assert_eq!(listed(store, &tasks_of("cy"), 9).await, [1, 3]);
    take(store, of([Item { shared: None, ..to("cy", 1, 3) }])).await;
    assert_eq!(listed(store, &tasks_of("cy"), 9).await, [3]);
    assert_eq!(listed(store, &tasks_of("ana"), 9).await, [1, 2]);
}

/// State, category and moment, all of which must fit.
pub async fn items_are_found_by_what_is_asked(store: &dyn Store) {
    let category = |n| Some(ItemId::from_u128(n));
    take(
        store,
        of([
            Item { state: 0, category: category(8), at: Some(after(10)), ..item(1) },
            Item { state: 1, category: category(8), at: Some(after(20)), ..item(2) },
            Item { state: 0, category: category(9), at: Some(after(30)), ..item(3) },
            Item { state: 0, category: None, at: None, ..item(4) },
        ]),
    )
    .await;
    let all = tasks_of("ana");
    for (asked, expected) in [
        (all.clone(), vec![1, 2, 3, 4]),
        (Asked { state: Some(0), ..all.clone() }, vec![1, 3, 4]),
        (Asked { category: category(8), ..all.clone() }, vec![1, 2]),
        (Asked { from: Some(after(20)), ..all.clone() }, vec![2, 3]),
        (Asked { to: Some(after(20)), ..all.clone() }, vec![1]),
        (Asked { from: Some(after(10)), to: Some(after(30)), ..all.clone() }, vec![1, 2]),
        (Asked { state: Some(1), category: category(9), ..all }, vec![]),
    ] {
        for page in [1, 2, 9] {
            assert_eq!(listed(store, &asked, page).await, expected, "{asked:?}");
        }
    }
}

/// Those that were there are each on one page, and a new one comes last.
pub async fn pages_hold_while_items_are_made_and_changed(store: &dyn Store) {
    let made = |n: u128| Item { created: after(n.try_into().unwrap()), ..item(n) };
    take(store, of((1..=6).map(made))).await;
    let asked = tasks_of("ana");
    let (first, mark) = store.items(&asked, None, 2).await.unwrap();
    let again = |n| Item { version: 2, state: 5, at: Some(after(900)), ..made(n) };
    take(store, of([again(1), again(4), made(7), Item { gone: Some(NOON), ..again(2) }])).await;
    let (second, mark) = store.items(&asked, mark, 2).await.unwrap();
    take(store, of([Item { gone: Some(NOON), ..again(3) }, Item { version: 3, ..again(4) }])).await;
    let (third, _) = store.items(&asked, mark, 9).await.unwrap();
    let ids = [first, second, third].concat().into_iter().map(|item| item.id.as_u128());
    assert_eq!(ids.collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
}

/// But is there for whoever knows its name.
pub async fn a_deleted_item_is_in_no_list(store: &dyn Store) {
    take(store, of([item(1), item(2)])).await;
    let gone = Item { gone: Some(after(4)), version: 2, ..item(1) };
    take(store, of([gone.clone()])).await;
    assert_eq!(listed(store, &tasks_of("ana"), 9).await, [2]);
    assert_eq!(listed(store, &tasks_of("bo"), 9).await, [2]);
    assert_eq!(store.item(gone.id).await.unwrap(), Some(gone));
}

/// Items, events that are new and that change, work that is about none, and the request; and all of it
/// is told.
pub async fn a_step_is_kept_whole(store: &dyn Store) {
    give(store, 1, 60).await;
    let mut told = store.changes();
    let new = accept(2);
    let step = Step {
        request: Some((request(1, 1), item(1).id)),
        items: vec![item(1), Item { noun: Noun::Category, ..item(2) }],
        accepts: vec![(new.event, new.job)],
        changes: vec![(event(1).id, wanted(2), push(&event(1), 7, NOON))],
        jobs: vec![revoke(9, 1)],
    };
    let Kept::Yes(events) = take(store, step.clone()).await else {
        panic!("nothing is in its way")
    };
    assert_eq!(events[0], event(2));
    assert_eq!(events[1].wanted, wanted(2));
    assert_eq!(events[1].job, event(1).job, "the one that lives");
    for event in &events {
        assert_eq!(store.event(event.id).await.unwrap().as_ref(), Some(event));
    }
    assert_eq!(store.item(item(1).id).await.unwrap(), Some(item(1)));
    assert_eq!(store.item(item(2).id).await.unwrap().map(|item| item.noun), Some(Noun::Category));
    assert_eq!(store.job(event(2).job).await.unwrap().map(|job| job.due), Some(NOON));
    assert_eq!(store.job(event(1).job).await.unwrap().map(|job| job.due), Some(NOON));
    assert_eq!(
        store.job(revoke(9, 1).id).await.unwrap().map(|job| job.kind),
        Some(revoke(9, 1).kind)
    );
    for expected in [
        Change::Line(line_of(&event(2))),
        Change::Event(event(2).id),
        Change::Line(line_of(&event(1))),
        Change::Event(event(1).id),
        Change::Line(revoke(9, 1).line),
    ] {
        assert_eq!(told.recv().await.unwrap(), expected);
    }
    assert_eq!(
        take(store, step).await,
        Kept::Known(Box::new(item(1))),
        "and its request is remembered"
    );
}

/// Whichever of its parts somebody else was faster with.
pub async fn a_step_that_is_overtaken_leaves_nothing(store: &dyn Store) {
    give(store, 1, 0).await;
    take(store, of([item(1)])).await;
    let (new, known) = (accept(2), accept(1));
    let step = Step {
        request: Some((request(1, 1), item(2).id)),
        items: vec![item(2)],
        accepts: vec![(new.event, new.job)],
        changes: vec![(event(1).id, wanted(2), push(&event(1), 7, NOON))],
        jobs: vec![revoke(9, 1)],
    };
    for overtaken in [
        Step { items: vec![item(2), item(1)], ..step.clone() },
        Step { accepts: vec![(known.event, known.job)], ..step.clone() },
        Step { changes: vec![(event(1).id, wanted(3), push(&event(1), 7, NOON))], ..step.clone() },
        Step { changes: vec![(event(5).id, wanted(2), push(&event(5), 7, NOON))], ..step.clone() },
    ] {
        assert_eq!(take(store, overtaken).await, Kept::Overtaken);
        assert_eq!(store.item(item(2).id).await.unwrap(), None);
        assert_eq!(store.event(event(2).id).await.unwrap(), None);
        assert_eq!(store.event(event(1).id).await.unwrap(), Some(event(1)));
        assert_eq!(store.count_jobs().await.unwrap().live, 1);
    }
    assert!(matches!(take(store, step).await, Kept::Yes(_)), "nor was the request remembered");
}

/// As it is now, for as long as the record lasts; and what bears the same name is found without one.
pub async fn a_repeated_request_finds_its_item(store: &dyn Store) {
    let brought = |request, n| Step { request: Some((request, item(n).id)), ..of([item(n)]) };
    take(store, brought(request(1, 1), 1)).await;
    let newer = Item { version: 2, state: 4, ..item(1) };
    take(store, of([newer.clone()])).await;
    assert_eq!(take(store, brought(request(1, 1), 2)).await, Kept::Known(Box::new(newer.clone())));
    assert_eq!(take(store, brought(request(1, 2), 2)).await, Kept::OtherBody);
    assert_eq!(store.item(item(2).id).await.unwrap(), None);
    assert_eq!(take(store, brought(request(2, 1), 1)).await, Kept::Known(Box::new(newer)));
    assert_eq!(take(store, brought(request(2, 2), 2)).await, Kept::OtherBody, "remembered since");
    let late = request(1, 1).expires;
    let kept = store.keep(vec![brought(request(1, 2), 3)], ROOM, late).await.unwrap();
    assert_eq!(kept, [Kept::Yes(Vec::new())], "its time is over");
}

/// What it changed is there before it, and is no reason to think that it was seen; and it is known by itself.
pub async fn a_request_that_changes_an_item_is_repeated_too(store: &dyn Store) {
    take(store, of([item(1)])).await;
    let next = Item { version: 2, ..item(1) };
    let changes =
        |request, next: &Item| Step { request: Some((request, item(1).id)), ..of([next.clone()]) };
    assert_eq!(store.known(&request(1, 1), NOON).await.unwrap(), None);
    assert_eq!(take(store, changes(request(1, 1), &next)).await, Kept::Yes(Vec::new()));
    let found = Kept::Known(Box::new(next.clone()));
    let after_next = Item { version: 3, ..item(1) };
    assert_eq!(take(store, changes(request(1, 1), &after_next)).await, found);
    assert_eq!(take(store, changes(request(1, 2), &after_next)).await, Kept::OtherBody);
    assert_eq!(store.item(item(1).id).await.unwrap(), Some(next));
    assert_eq!(store.known(&request(1, 1), NOON).await.unwrap(), Some(found));
    assert_eq!(store.known(&request(1, 2), NOON).await.unwrap(), Some(Kept::OtherBody));
    assert_eq!(store.known(&request(1, 1), request(1, 1).expires).await.unwrap(), None);
    let nothing = Step { request: Some((request(2, 1), item(1).id)), ..Step::default() };
    assert_eq!(take(store, nothing).await, Kept::Yes(Vec::new()), "nothing was to be done");
    assert!(store.known(&request(2, 1), NOON).await.unwrap().is_some());
    assert_eq!(
        take(store, changes(request(3, 1), &item(1))).await,
        Kept::Known(Box::new(store.item(item(1).id).await.unwrap().unwrap())),
        "it was to make what is there"
    );
}

/// What is wrong with one is told of that one.
pub async fn steps_beside_each_other_are_judged_one_by_one(store: &dyn Store) {
    take(store, of([item(1)])).await;
    let next = Item { version: 2, ..item(1) };
    let steps = vec![of([item(2)]), of([item(1)]), of([next.clone()]), of([next]), of([item(3)])];
    let kept = store.keep(steps, ROOM, NOON).await.unwrap();
    let yes = Kept::Yes(Vec::new());
    assert_eq!(kept, [yes.clone(), Kept::Overtaken, yes.clone(), Kept::Overtaken, yes]);
    assert_eq!(listed(store, &tasks_of("ana"), 9).await, [1, 2, 3]);
}

/// Counting those of the steps before it.
pub async fn a_step_has_room_for_all_its_events_or_none(store: &dyn Store) {
    let with = |n: &[u128]| {
        let accepts = n.iter().map(|n| (event(*n), push(&event(*n), *n, NOON))).collect();
        Step { accepts, ..of([item(n[0])]) }
    };
    let two = Backlog { all: 2, owner: 9 };
    let steps = vec![with(&[1, 2, 3]), with(&[4]), with(&[5, 6]), with(&[7])];
    let kept = store.keep(steps, two, NOON).await.unwrap();
    assert_eq!(kept[0], Kept::NoRoom(Crowd::All));
    assert!(matches!(kept[1], Kept::Yes(_)));
    assert_eq!(kept[2], Kept::NoRoom(Crowd::All));
    assert!(matches!(kept[3], Kept::Yes(_)));
    let three = Backlog { all: 9, owner: 3 };
    let kept = store.keep(vec![with(&[8, 9])], three, NOON).await.unwrap();
    assert_eq!(kept, [Kept::NoRoom(Crowd::Owner)]);
    assert_eq!(store.count_jobs().await.unwrap().live, 2);
    assert_eq!(listed(store, &tasks_of("ana"), 9).await, [4, 7]);
}

/// But what is there already rings, and is changed, however many wait.
pub async fn a_new_reminder_needs_room(store: &dyn Store) {
    let reminder = |n, version| Item { noun: Noun::Reminder, version, ..item(n) };
    let ringing = |item: Item| {
        let kind = Kind::FireReminder { reminder: item.id };
        let line = Line { class: Class::Normal, owner: item.owner.clone(), lane: Lane::Reminders };
        let job = NewJob { kind, line, ..push(&event(1), item.id.as_u128(), NOON) };
        Step { jobs: vec![job], ..of([item]) }
    };
    let two = Backlog { all: 9, owner: 2 };
    let steps = [1, 2, 3].map(|n| ringing(reminder(n, 1)));
    let kept = store.keep(steps.to_vec(), two, NOON).await.unwrap();
    let yes = Kept::Yes(Vec::new());
    assert_eq!(kept, [yes.clone(), yes.clone(), Kept::NoRoom(Crowd::Owner)]);
    assert_eq!(store.item(item(3).id).await.unwrap(), None);
    let again = store.keep(vec![ringing(reminder(1, 2))], two, NOON).await.unwrap();
    assert_eq!(again, [yes], "it has its place");
}

/// With all that came with it.
pub async fn an_item_too_large_is_refused(store: &dyn Store) {
    let large = Item { sealed: Some(sealed(MAX_SEALED + 1)), ..item(1) };
    let refused = Err(StoreError::TooLarge { bytes: MAX_SEALED + 1 });
    assert_eq!(store.keep(vec![of([item(2)]), of([large])], ROOM, NOON).await, refused);
    assert_eq!(store.item(item(2).id).await.unwrap(), None);
    let largest = Item { sealed: Some(sealed(MAX_SEALED)), ..item(1) };
    assert_eq!(take(store, of([largest.clone()])).await, Kept::Yes(Vec::new()));
    assert_eq!(store.item(largest.id).await.unwrap(), Some(largest));
}

/// The ids of all that belongs to a thing, in pages of this size.
async fn attached(store: &dyn Store, thing: Thing, page: usize) -> Vec<u128> {
    let (mut found, mut mark) = (Vec::new(), None::<Mark>);
    loop {
        let (items, next) = store.attached(thing, mark, page).await.expect("the store answers");
        assert!(items.len() <= page, "{} on a page of {page}", items.len());
        found.extend(items.iter().map(|item| item.id.as_u128()));
        match next {
            Some(_) => mark = next,
            None => return found,
        }
    }
}

/// Whoever owns them, in the order in which they were made, and for as long as they do.
pub async fn items_are_found_by_what_they_belong_to(store: &dyn Store) {
    let task = Thing::Item(ItemId::from_u128(7));
    let event = Thing::Event(EventId::from_u128(7));
    let to = |n, thing, created| Item {
        noun: Noun::Reminder,
        of: Some(thing),
        created: after(created),
        ..item(n)
    };
    let another = Item { owner: user("bo"), ..to(3, task, 0) };
    let kept = [to(1, task, 2), to(2, task, 1), another.clone(), to(4, event, 0), item(5)];
    take(store, of(kept)).await;
    assert_eq!(store.item(another.id).await.unwrap().as_ref(), Some(&another));
    for page in 1..=4 {
        assert_eq!(attached(store, task, page).await, [3, 2, 1], "of {page}");
        assert_eq!(attached(store, event, page).await, [4]);
    }
    let alone = Item { version: 2, of: None, ..to(2, task, 1) };
    let moved = Item { version: 2, of: Some(event), ..to(1, task, 2) };
    let gone = Item { version: 2, gone: Some(NOON), ..another };
    take(store, of([alone, moved, gone])).await;
    assert_eq!(attached(store, task, 9).await, Vec::<u128>::new());
    assert_eq!(attached(store, event, 9).await, [4, 1]);
    let reminders = Asked::all(Noun::Reminder, user("ana"));
    assert_eq!(listed(store, &reminders, 9).await, [4, 2, 1]);
}

/// Whenever that was put there; and it is done once there is none.
pub async fn a_reminders_job_waits_for_its_next_moment(store: &dyn Store) {
    let fire = |due| NewJob {
        kind: Kind::FireReminder { reminder: ItemId::from_u128(7) },
        line: Line { class: Class::Normal, owner: user("ana"), lane: Lane::Reminders },
        due: after(due),
        ..revoke(70, 1)
    };
    let reminder = |version, at: Option<i64>| Item {
        noun: Noun::Reminder,
        version,
        at: at.map(after),
        ..item(7)
    };
    let line = fire(0).line;
    take(store, Step { jobs: vec![fire(10)], ..of([reminder(1, Some(10))]) }).await;
    let claim = async |now: i64| {
        let claimed = store.claim(&line, 1, after(now), after(now + 60)).await.unwrap();
        (claimed.claims.into_iter().next(), claimed.next)
    };
    let claimed = claim(10).await.0.expect("it is due");
    // While it runs, somebody puts the reminder to another moment, for which a job is asked too.
    take(store, Step { jobs: vec![fire(30)], ..of([reminder(2, Some(30))]) }).await;
    assert_eq!(store.settle(&claimed, done(), after(11)).await.unwrap(), Settled::Yes);
    assert_eq!(claim(29).await, (None, Some(after(30))));
    let claimed = claim(30).await.0.expect("it is due");
    assert_eq!((claimed.job.due, claimed.job.tries), (after(30), 0));
    take(store, of([Item { gone: Some(after(31)), ..reminder(3, Some(50)) }])).await;
    assert_eq!(store.settle(&claimed, done(), after(31)).await.unwrap(), Settled::Yes);
    assert_eq!(store.lines().await.unwrap(), []);
    assert_eq!(store.count_jobs().await.unwrap().done, 1);
}

/// A delivery of the reminder 7, that came due then.
fn delivery(n: u128, at: i64, state: u8) -> Item {
    let of = Some(Thing::Item(ItemId::from_u128(7)));
    Item { noun: Noun::Delivery, of, at: Some(after(at)), state, ..item(n) }
}

/// And is in no list of its owner's, whether it is over or not.
pub async fn a_delivery_is_found_by_its_reminder_alone(store: &dyn Store) {
    take(store, of([delivery(1, 10, 0), delivery(2, 20, 1)])).await;
    assert_eq!(attached(store, Thing::Item(ItemId::from_u128(7)), 9).await, [1, 2]);
    let owned = Asked::all(Noun::Delivery, user("ana"));
    assert_eq!(listed(store, &owned, 9).await, Vec::<u128>::new());
}

/// By their moment, and while they are not over, never.
pub async fn deliveries_are_forgotten_once_they_are_over(store: &dyn Store) {
    let keep = Retention {
        done: TimeDelta::zero(),
        dead: TimeDelta::zero(),
        past: TimeDelta::zero(),
        tombstones: TimeDelta::seconds(100),
    };
    let reminder = Thing::Item(ItemId::from_u128(7));
    take(store, of([delivery(1, 10, 0), delivery(2, 20, 1), delivery(3, 10, 2)])).await;
    assert_eq!(store.prune(after(109), keep, 9).await.unwrap(), 0);
    assert_eq!(store.prune(after(110), keep, 9).await.unwrap(), 1);
    assert_eq!(attached(store, reminder, 9).await, [1, 2]);
    take(store, of([Item { version: 2, ..delivery(1, 10, 1) }])).await;
    assert_eq!(store.prune(after(9000), keep, 9).await.unwrap(), 2);
    assert_eq!(attached(store, reminder, 9).await, Vec::<u128>::new());
    assert_eq!(store.prune(after(9000), keep, 9).await.unwrap(), 0);
}

/// And no others ever; nor more at once than asked.
pub async fn deleted_items_are_forgotten_in_their_own_time(store: &dyn Store) {
    let keep = Retention {
        done: TimeDelta::zero(),
        dead: TimeDelta::zero(),
        past: TimeDelta::zero(),
        tombstones: TimeDelta::seconds(100),
    };
    let gone = |n, at| Item { gone: Some(after(at)), ..item(n) };
    take(store, of([gone(1, 10), gone(2, 20), gone(3, 20), item(4)])).await;
    assert_eq!(store.prune(after(109), keep, 9).await.unwrap(), 0);
    assert_eq!(store.prune(after(110), keep, 9).await.unwrap(), 1);
    assert_eq!(store.item(item(1).id).await.unwrap(), None);
    assert_eq!(store.prune(after(9000), keep, 1).await.unwrap(), 1);
    assert_eq!(store.prune(after(9000), keep, 9).await.unwrap(), 1);
    assert_eq!(store.prune(after(9000), keep, 9).await.unwrap(), 0);
    assert_eq!(listed(store, &tasks_of("ana"), 9).await, [4]);
}

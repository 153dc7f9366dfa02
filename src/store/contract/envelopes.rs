//! Promises about what is sealed, wherever it lies.

use super::examples::{
    NOON, ROOM, accept, after, claim_one, connection, digest, done, event, item, known, revoke,
    some_act, ticket, user,
};
use crate::model::audit::Act;
use crate::model::connection::Connection;
use crate::model::event::{Known, Wanted};
use crate::model::item::Item;
use crate::model::job::NewJob;
use crate::model::key::{Ticket, TicketKind};
use crate::model::owner::Owner;
use crate::model::sealed::Sealed;
use crate::store::{
    Accept, Bound, Envelope, Keystone, Learned, MAX_SEALED, Ran, Reseal, Spot, Step, Store,
    StoreError,
};

/// An envelope like no other.
fn sealed(name: &str) -> Sealed {
    Sealed::from_bytes(name.as_bytes().to_vec())
}

fn envelope(spot: Spot, bound: Bound, name: &str) -> Envelope {
    Envelope { spot, bound, sealed: sealed(name) }
}

/// An act of which nothing is personal.
fn quiet() -> Act {
    Act { detail: None, ..some_act() }
}

/// An envelope of each kind and more, as they are to be told.
async fn fill(store: &dyn Store) -> Vec<Envelope> {
    for n in [2, 1] {
        let linked = Connection {
            profile: sealed(&format!("profile {n}")),
            token: (n == 1).then(|| sealed("token 1")),
            ..connection(n, user("ana"))
        };
        assert!(store.put_connection(linked, None, quiet()).await.unwrap());
    }
    let grant = revoke(9, 3);
    let carried = NewJob { payload: Some(sealed("payload 9")), ..grant.clone() };
    let other = connection(3, Owner::Application);
    let other = Connection { profile: sealed("profile 3"), token: None, ..other };
    assert!(store.put_connection(other.clone(), Some(carried), quiet()).await.unwrap());
    for (kind, n, payload) in [
        (TicketKind::Consent, 2, Some(sealed("ticket 2"))),
        (TicketKind::Session, 1, Some(sealed("ticket 1"))),
        (TicketKind::Session, 3, None),
        (TicketKind::SetupCode, 4, Some(sealed("ticket 4"))),
    ] {
        store.put_ticket(Ticket { payload, ..ticket(kind, n, after(60)) }).await.unwrap();
    }
    for n in [2, 1] {
        let mut item: Accept = accept(n);
        item.event.wanted.content = sealed(&format!("content {n}"));
        store.accept(vec![item], ROOM, NOON).await.unwrap();
    }
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let run = claim.job.kind.event().expect("it writes an event");
    let links = Known { links: Some(sealed("links")), version: 5, ..known(1) };
    let ran = Ran { learned: Some(Learned { seen: 1, known: links }), ..done() };
    store.settle(&claim, ran, NOON).await.unwrap();
    let items = [2, 1].map(|n| Item { sealed: Some(sealed(&format!("item {n}"))), ..item(n) });
    let bare = Item { sealed: None, ..item(3) };
    let step = Step { items: items.into_iter().chain([bare]).collect(), ..Step::default() };
    store.keep(vec![step], ROOM, NOON).await.unwrap();
    let told = Act { detail: Some(sealed("detail")), tag: digest(6), ..quiet() };
    let told = store.append(told).await.unwrap();
    let of = |spot, version, name| envelope(spot, Bound::Record(user("ana"), version), name);
    let ours = Bound::Record(Owner::Application, 1);
    let work = Bound::Work(Owner::Application, grant.kind);
    let id = |n| connection(n, user("ana")).id;
    vec![
        of(Spot::Profile(id(1)), 1, "profile 1"),
        of(Spot::Profile(id(2)), 1, "profile 2"),
        envelope(Spot::Profile(other.id), ours, "profile 3"),
        of(Spot::Token(id(1)), 1, "token 1"),
        envelope(Spot::Ticket(TicketKind::SetupCode, digest(4)), Bound::Spot, "ticket 4"),
        envelope(Spot::Ticket(TicketKind::Session, digest(1)), Bound::Spot, "ticket 1"),
        envelope(Spot::Ticket(TicketKind::Consent, digest(2)), Bound::Spot, "ticket 2"),
        of(Spot::Content(event(1).id), 1, "content 1"),
        of(Spot::Content(event(2).id), 1, "content 2"),
        of(Spot::Links(run), 5, "links"),
        envelope(Spot::Payload(grant.id), work, "payload 9"),
        envelope(Spot::Detail(told.seq), Bound::Act(digest(6)), "detail"),
        of(Spot::Item(item(1).id), 1, "item 1"),
        of(Spot::Item(item(2).id), 1, "item 2"),
    ]
}

/// Whatever the size of a page, none is told twice and none is left out.
pub async fn envelopes_are_found_page_by_page(store: &dyn Store) {
    assert_eq!(store.envelopes(None, 9).await.unwrap(), []);
    let all = fill(store).await;
    for page in 1..=all.len() + 1 {
        let mut told: Vec<Envelope> = Vec::new();
        loop {
            let last = told.last().map(|envelope| envelope.spot);
            let more = store.envelopes(last, page).await.unwrap();
            assert!(more.len() <= page);
            if more.is_empty() {
                break;
            }
            told.extend(more);
        }
        assert_eq!(told, all, "in pages of {page}");
    }
}

/// And nothing else of any record changes.
pub async fn an_envelope_is_put_in_place_of_another(store: &dyn Store) {
    let all = fill(store).await;
    let jobs = store.count_jobs().await.unwrap();
    let anew = |envelope: &Envelope| Reseal {
        spot: envelope.spot,
        was: envelope.sealed.clone(),
        now: sealed(&format!("{} anew", envelope.spot)),
    };
    let reseals: Vec<Reseal> = all.iter().map(anew).collect();
    assert_eq!(store.reseal(reseals.clone()).await.unwrap(), all.len());
    let expected: Vec<Envelope> = all
        .into_iter()
        .zip(&reseals)
        .map(|(envelope, reseal)| Envelope { sealed: reseal.now.clone(), ..envelope })
        .collect();
    assert_eq!(store.envelopes(None, 99).await.unwrap(), expected);
    assert_eq!(store.count_jobs().await.unwrap(), jobs);
    let written = store.event(event(1).id).await.unwrap().unwrap();
    assert_eq!((written.known.applied, written.known.version), (1, 5));
    assert_eq!(store.connections(&user("ana")).await.unwrap().len(), 2);
    let acts = store.audit(0, 99).await.unwrap();
    assert!(acts.iter().all(|entry| entry.digest == entry.computed()), "the chain holds");
    // They are where everybody else finds them, too.
    assert!(claim_one(store, &event(2), NOON).await.is_some());
    assert!(store.take_ticket(TicketKind::Session, &digest(1)).await.unwrap().is_some());
}

/// What was changed or taken away meanwhile stays so.
pub async fn an_envelope_is_not_put_in_place_of_a_newer_one(store: &dyn Store) {
    let all = fill(store).await;
    let wanted = Wanted { content: sealed("newer"), ..super::examples::wanted(2) };
    let job = super::examples::push(&event(1), 7, NOON);
    store.change(event(1).id, wanted, job).await.unwrap();
    store.take_ticket(TicketKind::Session, &digest(1)).await.unwrap();
    let late = |envelope: &Envelope| Reseal {
        spot: envelope.spot,
        was: envelope.sealed.clone(),
        now: sealed("late"),
    };
    let crossed = all.iter().filter(|envelope| {
        matches!(envelope.spot, Spot::Content(id) if id == event(1).id)
            || matches!(envelope.spot, Spot::Ticket(TicketKind::Session, _))
    });
    let mut reseals: Vec<Reseal> = crossed.map(late).collect();
    assert_eq!(reseals.len(), 2);
    let missing = Reseal { spot: Spot::Content(event(8).id), ..reseals[0].clone() };
    let tokenless = Reseal { spot: Spot::Token(connection(2, user("ana")).id), ..missing.clone() };
    let linkless = Reseal { spot: Spot::Links(event(2).id), ..missing.clone() };
    let itemless = Reseal { spot: Spot::Item(item(9).id), ..missing.clone() };
    let bare = Reseal { spot: Spot::Item(item(3).id), ..missing.clone() };
    reseals.extend([missing, tokenless, linkless, itemless, bare]);
    let before = store.envelopes(None, 99).await.unwrap();
    assert_eq!(store.reseal(reseals).await.unwrap(), 0);
    assert_eq!(store.envelopes(None, 99).await.unwrap(), before);
    assert!(before.iter().all(|envelope| envelope.sealed != sealed("late")));
}

/// With all that came with it.
pub async fn an_envelope_too_large_is_not_put_anywhere(store: &dyn Store) {
    let all = fill(store).await;
    let reseal = |envelope: &Envelope, now| Reseal {
        spot: envelope.spot,
        was: envelope.sealed.clone(),
        now,
    };
    let large = Sealed::from_bytes(vec![b's'; MAX_SEALED + 1]);
    let reseals = vec![reseal(&all[0], sealed("small")), reseal(&all[1], large)];
    let refused = Err(StoreError::TooLarge { bytes: MAX_SEALED + 1 });
    assert_eq!(store.reseal(reseals).await, refused);
    assert_eq!(store.envelopes(None, 99).await.unwrap(), all);
}

/// Of two who exchange it, one comes too late.
pub async fn the_keystone_is_exchanged_by_whoever_knows_it(store: &dyn Store) {
    let sealed_as = |name| Keystone { canary: sealed(name), index_key: sealed("index key") };
    assert!(!store.relay_keystone(&sealed_as("first"), sealed_as("second")).await.unwrap());
    assert_eq!(store.keystone().await.unwrap(), None);
    store.lay_keystone(sealed_as("first")).await.unwrap();
    assert!(store.relay_keystone(&sealed_as("first"), sealed_as("second")).await.unwrap());
    assert!(!store.relay_keystone(&sealed_as("first"), sealed_as("third")).await.unwrap());
    assert_eq!(store.keystone().await.unwrap(), Some(sealed_as("second")));
    assert_eq!(store.lay_keystone(sealed_as("fourth")).await.unwrap(), sealed_as("second"));
}

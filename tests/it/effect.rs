//! Promise 2, exactly one event: the bridge dies between any two steps, and the next process makes of
//! what is left neither two events nor none.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use calbridge::app::{connections, tokens};
use calbridge::model::event::Notify;
use calbridge::model::id::{GoogleId, InstanceId};
use calbridge::simulator::{Fault, FaultKind};
use calbridge::store::Store;
use calbridge::store::memory::MemoryStore;
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{ANA, Bridge, Choices, morning, tea, with};
use mortal::{Death, MortalStore};

pub mod mortal;

const INSERT: &str = "calendar.events.insert";
const PATCH: &str = "calendar.events.patch";
const DELETE: &str = "calendar.events.delete";
const KEY: [(&str, &str); 2] = [("idempotency-key", "order-7"), ("prefer", "respond-async")];

/// A connected bridge that can be killed, and what kills it.
async fn mortal() -> (Bridge, Arc<MortalStore>) {
    let store = MortalStore::over(Arc::new(MemoryStore::new(InstanceId::from_u128(1))));
    let bridge = Bridge::with(Choices { store: Some(store.clone()), ..Choices::default() }).await;
    bridge.connect(ANA).await.expect("connected");
    (bridge, store)
}

/// The next process, on what the dead one left behind.
async fn next_process(dead: &Bridge, store: Arc<dyn Store>) -> Bridge {
    let google = Some((dead.google.clone(), dead.clock.clone()));
    let place = Some(dead.place.clone());
    let store = Some(store);
    Bridge::with(Choices { store, google, place, seed: 2, ..Choices::default() }).await
}

/// Works until the process dies of it.
async fn work_to_death(bridge: &Bridge) {
    for _ in 0..10 {
        match bridge.tied.worker.drain().await {
            Ok(Some(moment)) if moment > bridge.tied.app.clock.now() => return,
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// How often Google took a call of this kind.
fn committed(bridge: &Bridge, method: &str) -> usize {
    let ledger = bridge.google.ledger();
    ledger.iter().filter(|entry| entry.method == method && entry.committed).count()
}

fn path_of(made: &Value) -> String {
    format!("/api/v1/events/{}", made["id"].as_str().expect("an id"))
}

fn google_id(made: &Value) -> GoogleId {
    made["eventId"].as_str().expect("an id").parse().expect("an id at Google")
}

/// Changes the event as a person would in Google's own page.
async fn change_by_hand(bridge: &Bridge, event: &Value, members: Value) {
    let app = &bridge.tied.app;
    let connection = connections::of_server(app).await.expect("a store").expect("an account");
    let token = tokens::access(app, &connection).await.expect("a token");
    let Value::Object(members) = members else { panic!("members: {members}") };
    let id = google_id(event);
    app.google.events(&token, ANA).patch(id, members, None, Notify::None).await.expect("a change");
}

async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

/// Runs `work` until Google has seen so many calls of this kind, and no further.
async fn until_google_saw<F: Future + ?Sized>(
    bridge: &Bridge,
    mut work: Pin<&mut F>,
    method: &str,
) {
    while committed(bridge, method) == 0 {
        assert!(!poll_once(work.as_mut()).await, "the work ended early");
        tokio::task::yield_now().await;
    }
}

/// There is the one event, written once.
#[track_caller]
fn assert_one_tea(bridge: &Bridge) {
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    assert_eq!(committed(bridge, INSERT), 1);
}

#[tokio::test]
async fn a_death_before_the_accept_is_stored_leaves_nothing_and_the_repeat_makes_one_event() {
    let (dead, store) = mortal().await;
    store.around.doom(Death::Before("accept"));
    let lost = dead.post(&tea(), &KEY).await;
    assert_eq!((lost.status, &lost.json()["code"]), (503, &json!("store_unavailable")));
    let bridge = next_process(&dead, store.left_behind()).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), Vec::<String>::new());
    assert_eq!(bridge.post(&tea(), &KEY).await.status, 202);
    bridge.run_until_idle().await;
    assert_one_tea(&bridge);
}

#[tokio::test]
async fn a_death_after_the_accept_is_stored_loses_the_answer_and_the_repeat_finds_the_job() {
    let (dead, store) = mortal().await;
    store.around.doom(Death::After("accept"));
    assert_eq!(dead.post(&tea(), &KEY).await.status, 503);
    let bridge = next_process(&dead, store.left_behind()).await;
    let again = bridge.post(&tea(), &KEY).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, "true"));
    bridge.run_until_idle().await;
    assert_one_tea(&bridge);
    assert_eq!(bridge.job(&again.json()["jobId"]).await["state"], "done");
}

#[tokio::test]
async fn a_death_between_the_claim_and_the_call_is_taken_up_by_the_next_process() {
    let (dead, store) = mortal().await;
    dead.accept(&tea()).await;
    store.around.doom(Death::After("claim"));
    work_to_death(&dead).await;
    let bridge = next_process(&dead, store.left_behind()).await;
    bridge.run_until_idle().await;
    assert_one_tea(&bridge);
    assert_eq!(bridge.calls(INSERT), 1);
}

#[tokio::test]
async fn a_death_while_google_answers_makes_one_event() {
    let (dead, store) = mortal().await;
    dead.fault(Fault::new(FaultKind::SlowBody).method(INSERT).times(1).secs(5));
    dead.accept(&tea()).await;
    {
        let mut work = Box::pin(dead.tied.worker.drain());
        until_google_saw(&dead, work.as_mut(), INSERT).await;
    }
    store.around.kill();
    let bridge = next_process(&dead, store.left_behind()).await;
    bridge.run_until_idle().await;
    assert_one_tea(&bridge);
    assert_eq!(bridge.calls(INSERT), 2, "the same id again, which Google refuses");
}

#[tokio::test]
async fn a_death_after_googles_answer_makes_one_event() {
    let (dead, store) = mortal().await;
    dead.accept(&tea()).await;
    store.around.doom(Death::Before("settle"));
    work_to_death(&dead).await;
    assert_one_tea(&dead);
    let bridge = next_process(&dead, store.left_behind()).await;
    bridge.run_until_idle().await;
    assert_one_tea(&bridge);
}

#[tokio::test]
async fn a_death_after_the_end_is_stored_serves_the_event_from_the_store() {
    let (dead, store) = mortal().await;
    let made = dead.accept(&tea()).await;
    store.around.doom(Death::After("settle"));
    work_to_death(&dead).await;
    let bridge = next_process(&dead, store.left_behind()).await;
    let calls = bridge.google.ledger().len();
    assert_eq!(bridge.event(&made["id"]).await["state"], "confirmed");
    bridge.run_until_idle().await;
    assert_eq!(bridge.google.ledger().len(), calls, "nothing is left to do");
    assert_one_tea(&bridge);
}

#[tokio::test]
async fn a_worker_that_outlives_its_lease_changes_nothing() {
    let slow = Bridge::connected().await;
    slow.fault(Fault::new(FaultKind::SlowBody).method(INSERT).times(1).secs(1));
    let made = slow.accept(&tea()).await;
    let mut work = Box::pin(slow.tied.worker.drain());
    until_google_saw(&slow, work.as_mut(), INSERT).await;
    // The process is halted, and another one gets its job.
    let swift = next_process(&slow, slow.tied.app.store.clone()).await;
    let path = path_of(&made);
    swift.pass(TimeDelta::minutes(3));
    swift.work().await;
    swift.send_json(Method::PATCH, &path, &json!({ "summary": "Coffee" }), &[]).await;
    swift.run_until_idle().await;
    let known = swift.event(&made["id"]).await;
    work.await.expect("a store that works");
    assert_eq!(swift.event(&made["id"]).await, known, "what the halted one learned is old");
    assert_eq!(swift.titles(ANA), ["Coffee"]);
    assert_eq!(committed(&swift, INSERT), 1);
}

#[tokio::test]
async fn a_store_that_forgets_the_end_of_a_run_runs_it_again_without_a_twin() {
    let (dead, store) = mortal().await;
    let made = dead.accept(&tea()).await;
    store.around.doom(Death::Forgotten);
    work_to_death(&dead).await;
    let bridge = next_process(&dead, store.left_behind()).await;
    bridge.run_until_idle().await;
    assert_one_tea(&bridge);
    assert_eq!(bridge.event(&made["id"]).await["state"], "confirmed");
}

#[tokio::test]
async fn a_request_repeated_after_its_record_and_event_were_forgotten_finds_its_event() {
    let settings = "[retention]\nevents_days = 4\ndone_days = 1\n".into();
    let bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
    bridge.connect(ANA).await.expect("connected");
    let made = bridge.post(&tea(), &KEY[..1]).await.json();
    bridge.run_until_idle().await;
    bridge.pass(TimeDelta::days(40));
    bridge.tied.periodic.take_turns().await;
    assert_eq!(bridge.get(&path_of(&made)).await.status, 404, "it is forgotten");
    let again = bridge.post(&tea(), &KEY[..1]).await;
    assert_eq!((again.status, &again.json()["eventId"]), (200, &made["eventId"]));
    bridge.run_until_idle().await;
    assert_one_tea(&bridge);
}

#[tokio::test]
async fn a_clock_set_back_fires_nothing_early_and_nothing_twice() {
    let bridge = Bridge::connected().await;
    bridge.fault(Fault::new(FaultKind::RateLimited).method(INSERT).times(1).retry_after(40));
    bridge.accept(&tea()).await;
    bridge.work().await;
    bridge.clock.set(morning() - TimeDelta::days(100));
    bridge.work().await;
    assert_eq!(bridge.calls(INSERT), 1, "its moment has not come");
    bridge.clock.set(morning() + TimeDelta::days(100));
    bridge.run_until_idle().await;
    bridge.clock.set(morning());
    bridge.run_until_idle().await;
    assert_one_tea(&bridge);
}

#[tokio::test]
async fn a_death_after_a_change_reached_google_tells_guests_once() {
    let (dead, store) = mortal().await;
    let body = with(tea(), &json!({ "attendeeEmail": "gus@example.org", "notify": "all" }));
    let made = dead.post(&body, &[]).await.json();
    let edit = json!({ "summary": "Coffee" });
    dead.send_json(Method::PATCH, &path_of(&made), &edit, &[]).await;
    let mails = dead.google.outbox().len();
    store.around.doom(Death::Before("settle"));
    work_to_death(&dead).await;
    let bridge = next_process(&dead, store.left_behind()).await;
    bridge.run_until_idle().await;
    assert_eq!((bridge.titles(ANA), bridge.calls(PATCH)), (vec!["Coffee".to_owned()], 1));
    assert_eq!(bridge.google.outbox().len(), mails + 1);
}

#[tokio::test]
async fn a_death_after_a_delete_reached_google_ends_as_cancelled() {
    let (dead, store) = mortal().await;
    let made = dead.post(&tea(), &[]).await.json();
    dead.send_json(Method::DELETE, &path_of(&made), &Value::Null, &[]).await;
    store.around.doom(Death::Before("settle"));
    work_to_death(&dead).await;
    let bridge = next_process(&dead, store.left_behind()).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.event(&made["id"]).await["state"], "cancelled");
    assert_eq!((bridge.titles(ANA).len(), bridge.calls(DELETE)), (0, 2));
}

#[tokio::test]
async fn an_event_cancelled_before_its_insert_was_heard_of_is_taken_out() {
    let (dead, store) = mortal().await;
    let made = dead.accept(&tea()).await;
    store.around.doom(Death::Before("settle"));
    work_to_death(&dead).await;
    let bridge = next_process(&dead, store.left_behind()).await;
    bridge.fault(Fault::new(FaultKind::StaleRead).times(1).secs(3600));
    bridge.send_json(Method::DELETE, &path_of(&made), &Value::Null, &[]).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), Vec::<String>::new(), "a late read is no proof");
    assert_eq!(bridge.event(&made["id"]).await["state"], "cancelled");
}

#[tokio::test]
async fn a_meet_link_is_followed_by_a_job_of_its_own_that_survives_the_process() {
    let (dead, store) = mortal().await;
    dead.fault(Fault::new(FaultKind::MeetPending).method(INSERT).times(1).secs(600));
    let made = dead.accept(&tea()).await;
    store.around.doom(Death::After("settle"));
    work_to_death(&dead).await;
    let bridge = next_process(&dead, store.left_behind()).await;
    assert_eq!(bridge.job(&made["jobId"]).await["state"], "done", "Google has the event");
    let event = bridge.event(&made["id"]).await;
    assert_eq!(
        (&event["state"], &event["meet"]["state"]),
        (&json!("confirmed"), &json!("pending"))
    );
    assert_eq!(event["waits_for"]["code"], "meet_pending");
    bridge.run_until_idle().await;
    assert_eq!(bridge.event(&made["id"]).await["meet"]["state"], "ready");
    assert_one_tea(&bridge);
    assert_eq!(bridge.calls(PATCH), 0, "another conference would replace this one");
}

#[tokio::test]
async fn a_death_after_a_second_conference_was_asked_for_asks_for_no_third() {
    let (dead, store) = mortal().await;
    dead.fault(Fault::new(FaultKind::MeetFailure).times(1));
    let made = dead.accept(&tea()).await;
    let mut work = Box::pin(dead.tied.worker.drain());
    until_google_saw(&dead, work.as_mut(), INSERT).await;
    while dead.tied.app.store.count_jobs().await.expect("counts").done == 0 {
        assert!(!poll_once(work.as_mut()).await, "the work ended early");
        tokio::task::yield_now().await;
    }
    store.around.doom(Death::Before("settle"));
    work.await.ok();
    let bridge = next_process(&dead, store.left_behind()).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.event(&made["id"]).await["meet"]["state"], "ready");
    assert_eq!(bridge.calls(PATCH), 1);
}

#[tokio::test]
async fn a_change_while_the_meet_link_is_followed_is_written_at_once_and_the_link_still_comes() {
    let bridge = Bridge::connected().await;
    bridge.fault(Fault::new(FaultKind::MeetPending).method(INSERT).times(1).secs(600));
    let made = bridge.accept(&tea()).await;
    bridge.work().await;
    let edit = json!({ "summary": "Coffee" });
    bridge.send_json(Method::PATCH, &path_of(&made), &edit, &[]).await;
    bridge.work().await;
    assert_eq!(bridge.titles(ANA), ["Coffee"], "it does not wait for the link");
    bridge.run_until_idle().await;
    let event = bridge.event(&made["id"]).await;
    assert_eq!((&event["state"], &event["meet"]["state"]), (&json!("confirmed"), &json!("ready")));
}

#[tokio::test]
async fn what_people_changed_meanwhile_stays_when_ours_is_written() {
    let bridge = Bridge::connected().await;
    let body = with(tea(), &json!({ "attendeeEmail": "gus@example.org" }));
    let made = bridge.post(&body, &[]).await.json();
    change_by_hand(&bridge, &made, json!({ "attendees": [] })).await;
    let edit = json!({ "summary": "Coffee" });
    bridge.fault(Fault::new(FaultKind::Slow).method(PATCH).times(1).secs(5));
    bridge.send_json(Method::PATCH, &path_of(&made), &edit, &[]).await;
    let mut work = Box::pin(bridge.tied.worker.drain());
    while bridge.clock.next_waited_for().is_none() {
        assert!(!poll_once(work.as_mut()).await, "the work ended early");
        tokio::task::yield_now().await;
    }
    // Our change is on its way, made of what we read before this one.
    let guests = json!({ "location": "Lisbon", "attendees": [{ "email": "zoe@example.org" }] });
    change_by_hand(&bridge, &made, guests).await;
    bridge.pass(TimeDelta::seconds(5));
    work.await.expect("a store that works");
    bridge.run_until_idle().await;
    let event = &bridge.google.events(ANA)[0];
    assert_eq!((&event["summary"], &event["location"]), (&json!("Coffee"), &json!("Lisbon")));
    let guests = event["attendees"].as_array().expect("guests");
    let guests: Vec<_> = guests.iter().map(|guest| guest["email"].clone()).collect();
    assert_eq!(guests, ["zoe@example.org", "gus@example.org"]);
    assert_eq!(bridge.job(&bridge.event(&made["id"]).await["job_id"]).await["attempts"], 0);
}

#[tokio::test]
async fn an_event_that_a_person_removed_is_not_revived_by_a_repeat_without_record() {
    let bridge = Bridge::connected().await;
    let made = bridge.post(&tea(), &KEY[..1]).await.json();
    assert!(bridge.google.remove_event(ANA, made["eventId"].as_str().expect("an id")));
    // The store is lost, and with it every record.
    let google = Some((bridge.google.clone(), bridge.clock.clone()));
    let fresh = Bridge::with(Choices { google, seed: 2, ..Choices::default() }).await;
    fresh.connect(ANA).await.expect("connected");
    let again = fresh.post(&tea(), &KEY[..1]).await.json();
    fresh.run_until_idle().await;
    assert_eq!(fresh.event(&again["id"]).await["state"], "removed_in_google");
    assert_eq!(fresh.titles(ANA), Vec::<String>::new());
}

#[tokio::test]
async fn two_foreign_events_in_the_way_are_both_stepped_around() {
    let twin = Bridge::connected().await;
    let first = twin.post(&tea(), &KEY[..1]).await.json();
    let bridge = Bridge::connected().await;
    bridge.google.put_foreign_event(ANA, first["eventId"].as_str().expect("an id"), "One");
    let second = bridge.post(&tea(), &KEY[..1]).await.json();
    let third = Bridge::connected().await;
    for (taken, title) in [(&first, "One"), (&second, "Two")] {
        third.google.put_foreign_event(ANA, taken["eventId"].as_str().expect("an id"), title);
    }
    let made = third.post(&tea(), &KEY[..1]).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let mut titles = third.titles(ANA);
    titles.sort();
    assert_eq!(titles, ["One", "Tea", "Two"]);
}

#[tokio::test]
async fn a_read_that_lags_behind_does_not_take_an_event_for_removed() {
    let bridge = Bridge::connected().await;
    let made = bridge.post(&tea(), &[]).await.json();
    bridge.fault(Fault::new(FaultKind::StaleRead).times(1).secs(3600));
    let edit = json!({ "summary": "Coffee" });
    bridge.send_json(Method::PATCH, &path_of(&made), &edit, &[]).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Coffee"]);
}

#[tokio::test]
async fn reads_that_lag_ten_seconds_behind_do_not_take_an_event_for_removed() {
    let bridge = Bridge::connected().await;
    let made = bridge.post(&tea(), &[]).await.json();
    bridge.fault(Fault::new(FaultKind::StaleRead).secs(10));
    let edit = json!({ "summary": "Coffee" });
    bridge.send_json(Method::PATCH, &path_of(&made), &edit, &[]).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Coffee"]);
}

//! Promises 2, 3 and 4: exactly one event, whatever happens on the way, and nothing given up that a
//! person could still save.

use calbridge::app::tokens;
use calbridge::model::connection::Health;
use calbridge::model::owner::Owner;
use calbridge::simulator::{Fault, FaultKind};
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{ANA, Bridge, Choices, morning, tea, with};

const INSERT: &str = "calendar.events.insert";

fn insert(kind: FaultKind) -> Fault {
    Fault::new(kind).method(INSERT)
}

#[tokio::test]
async fn an_event_is_answered_with_its_meet_link() {
    let bridge = Bridge::connected().await;
    let answer = bridge.post(&tea(), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let made = answer.json();
    assert_eq!(made["success"], true);
    assert!(made["meetLink"].as_str().expect("a link").starts_with("https://meet.google.com/"));
    assert_eq!(made["eventId"], bridge.google.events(ANA)[0]["id"]);
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    assert_eq!(bridge.google.token_calls("refresh_token"), 0, "the consent brought a fresh token");
}

#[tokio::test]
async fn an_answer_lost_after_the_commit_makes_one_event() {
    let bridge = Bridge::connected().await;
    bridge.fault(insert(FaultKind::LostAnswer).times(1));
    let answer = bridge.post(&tea(), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    assert!(answer.json()["meetLink"].is_string());
}

#[tokio::test]
async fn a_call_cut_before_the_commit_is_made_again_under_the_same_id() {
    let bridge = Bridge::connected().await;
    bridge.fault(insert(FaultKind::CutBefore).times(2));
    let answer = bridge.post(&tea(), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    let ids: Vec<_> = bridge
        .google
        .ledger()
        .into_iter()
        .filter(|e| e.method == INSERT)
        .map(|e| e.event)
        .collect();
    assert!(
        ids.iter().flatten().all(|id| Some(id) == ids.last().expect("calls").as_ref()),
        "{ids:?}"
    );
}

#[tokio::test]
async fn an_answer_cut_short_is_an_unknown_outcome_not_a_failure() {
    let bridge = Bridge::connected().await;
    bridge.fault(insert(FaultKind::Truncated).times(1));
    assert_eq!(bridge.post(&tea(), &[]).await.status, 200);
    assert_eq!(bridge.titles(ANA), ["Tea"]);
}

#[tokio::test]
async fn three_rate_errors_spend_no_attempt() {
    let bridge = Bridge::connected().await;
    bridge.fault(insert(FaultKind::RateLimited).times(2));
    bridge.fault(insert(FaultKind::UserRateLimited).times(1).after(0));
    let made = bridge.accept(&tea()).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    let job = bridge.job(&made["jobId"]).await;
    assert_eq!((&job["state"], &job["attempts"]), (&json!("done"), &json!(0)), "{job}");
}

#[tokio::test]
async fn googles_patience_is_asked_for_once_and_kept() {
    let bridge = Bridge::connected().await;
    bridge.fault(insert(FaultKind::RateLimited).times(1).retry_after(40));
    bridge.accept(&tea()).await;
    bridge.work().await;
    bridge.pass(TimeDelta::seconds(39));
    bridge.work().await;
    assert_eq!(bridge.calls(INSERT), 1);
    bridge.pass(TimeDelta::seconds(1));
    bridge.work().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
}

#[tokio::test]
async fn an_outage_is_waited_out_however_long() {
    let bridge = Bridge::connected().await;
    bridge.fault(Fault::new(FaultKind::ServerError).times(60));
    let made = bridge.accept(&tea()).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    let job = bridge.job(&made["jobId"]).await;
    assert_eq!(job["attempts"], 0, "{job}");
}

#[tokio::test]
async fn an_outage_is_probed_by_one_call_at_a_time() {
    let bridge = Bridge::connected().await;
    bridge.fault(Fault::new(FaultKind::ServerError).method(INSERT).times(1));
    bridge.fault(Fault::new(FaultKind::ServerError).method("calendar.events.get").times(1));
    for title in ["one", "two", "three"] {
        bridge.accept(&with(tea(), &json!({ "summary": title }))).await;
    }
    bridge.work().await;
    assert_eq!(bridge.calls(INSERT), 1, "the others wait behind the wall");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA).len(), 3);
}

#[tokio::test]
async fn a_dead_grant_blocks_and_a_reconnect_drains() {
    let bridge = Bridge::connected().await;
    bridge.google.revoke_grants(ANA);
    let first = bridge.post(&tea(), &[]).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let waiting = bridge.post(&with(tea(), &json!({ "summary": "Cake" })), &[]).await;
    assert_eq!(
        (waiting.status, waiting.json()["code"].clone()),
        (202, json!("grant_dead")),
        "{}",
        waiting.text
    );
    bridge.run_until_idle().await;
    let refreshes = bridge.google.token_calls("refresh_token");
    bridge.pass(TimeDelta::days(2));
    bridge.run_until_idle().await;
    assert_eq!(
        bridge.google.token_calls("refresh_token"),
        refreshes,
        "a dead grant is never tried again"
    );
    assert_eq!(bridge.titles(ANA), Vec::<String>::new());

    bridge.connect(ANA).await.expect("a reconnect");
    bridge.run_until_idle().await;
    let mut titles = bridge.titles(ANA);
    titles.sort();
    assert_eq!(titles, ["Cake", "Tea"]);
    let event = bridge.event(&first.json()["id"]).await;
    assert_eq!(event["state"], "confirmed");
    let job = bridge.job(&event["job_id"]).await;
    assert_eq!(job["attempts"], 0);
}

#[tokio::test]
async fn a_reconnect_must_bring_the_same_account() {
    let bridge = Bridge::connected().await;
    let refused = bridge.connect("ben@example.com").await.expect_err("another account").to_string();
    assert!(refused.contains(ANA) && refused.contains("ben@example.com"), "{refused}");
    bridge.accept(&tea()).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
}

#[tokio::test]
async fn a_wrong_client_secret_erases_nothing() {
    let bridge = Bridge::connected().await;
    bridge.google.expire_access_tokens();
    bridge.pass(TimeDelta::hours(2));
    bridge.fault(Fault::new(FaultKind::InvalidClient).times(5));
    let made = bridge.accept(&tea()).await;
    bridge.work().await;
    let waiting = bridge.event(&made["id"]).await;
    assert_eq!(waiting["waits_for"]["code"], "operator_fault", "{waiting}");
    let connection =
        &bridge.tied.app.store.connections(&Owner::Application).await.expect("a store")[0];
    assert_eq!(connection.state, Health::Connected);
    assert!(connection.token.is_some());
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"], "everything resumes once the secret is right");
}

/// What a hundred callers get who ask for a token at once after the last one ran out.
async fn a_hundred_ask(bridge: &Bridge) -> Vec<bool> {
    bridge.pass(TimeDelta::hours(2));
    let app = &bridge.tied.app;
    let connection = app.store.connections(&Owner::Application).await.expect("a store").remove(0);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (app, connection) = (app.clone(), connection.clone());
        callers.spawn(async move { tokens::access(&app, &connection).await.is_ok() });
    }
    callers.join_all().await
}

#[tokio::test]
async fn a_hundred_callers_on_an_expired_token_cause_one_refresh() {
    let bridge = Bridge::connected().await;
    assert_eq!(a_hundred_ask(&bridge).await, [true; 100]);
    assert_eq!(bridge.google.token_calls("refresh_token"), 1);
}

#[tokio::test]
async fn a_hundred_callers_share_one_failed_refresh() {
    let bridge = Bridge::connected().await;
    bridge.fault(Fault::new(FaultKind::TokenEndpointError).times(1));
    assert_eq!(a_hundred_ask(&bridge).await, [false; 100]);
    assert_eq!(bridge.google.token_calls("refresh_token"), 1);
}

#[tokio::test]
async fn an_access_token_that_google_refuses_is_refreshed_once() {
    let bridge = Bridge::connected().await;
    bridge.accept(&tea()).await;
    bridge.run_until_idle().await;
    bridge.google.expire_access_tokens();
    bridge.accept(&with(tea(), &json!({ "summary": "Cake" }))).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA).len(), 2);
}

#[tokio::test]
async fn a_meet_link_that_is_pending_arrives() {
    let bridge = Bridge::connected().await;
    bridge.fault(insert(FaultKind::MeetPending).times(1).secs(6));
    let answer = bridge.post(&tea(), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json()["meetLink"].is_string());
    assert!(bridge.tied.app.clock.now() >= morning() + TimeDelta::seconds(6));
}

#[tokio::test]
async fn a_meet_link_that_is_pending_for_longer_than_the_wait_is_told_and_arrives_later() {
    let bridge = Bridge::connected().await;
    bridge.fault(insert(FaultKind::MeetPending).times(1).secs(60));
    let answer = bridge.post(&tea(), &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let made = answer.json();
    assert!(
        made["eventId"].is_string()
            && made["meetLink"].is_null()
            && made["meetLinkReason"].is_string()
    );
    bridge.run_until_idle().await;
    assert_eq!(bridge.event(&made["id"]).await["meet"]["state"], "ready");
    assert_eq!(bridge.calls(INSERT), 1);
}

#[tokio::test]
async fn a_meet_link_that_fails_is_told_with_its_reason() {
    let bridge = Bridge::connected().await;
    bridge.fault(Fault::new(FaultKind::MeetFailure).times(3));
    let answer = bridge.post(&tea(), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let made = answer.json();
    assert!(
        made["meetLink"].is_null()
            && made["meetLinkReason"].as_str().is_some_and(|reason| !reason.is_empty())
    );
    assert_eq!(bridge.event(&made["id"]).await["meet"]["reason"]["code"], "meet_failed");
}

#[tokio::test]
async fn a_meet_link_that_fails_once_is_asked_for_anew() {
    let bridge = Bridge::connected().await;
    bridge.fault(Fault::new(FaultKind::MeetFailure).times(1));
    let answer = bridge.post(&tea(), &[]).await;
    assert!(answer.json()["meetLink"].is_string(), "{}", answer.text);
}

#[tokio::test]
async fn an_edit_that_arrives_while_its_job_runs_is_not_lost() {
    let bridge = Bridge::connected().await;
    bridge.fault(insert(FaultKind::Slow).times(1).secs(5));
    let made = bridge.accept(&tea()).await;
    let path = format!("/api/v1/events/{}", made["id"].as_str().expect("an id"));
    let edited = async {
        // The insert hangs at Google until the clock moves: the job runs, and has read the first title.
        while bridge.clock.next_waited_for().is_none() {
            tokio::task::yield_now().await;
        }
        let edit = bridge.router_send(Method::PATCH, &path, &json!({ "summary": "Coffee" })).await;
        assert_eq!(edit.status, 202, "{}", edit.text);
        bridge.pass(TimeDelta::seconds(5));
    };
    tokio::join!(bridge.work(), edited);
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Coffee"]);
    assert_eq!(bridge.event(&made["id"]).await["state"], "confirmed");
}

#[tokio::test]
async fn a_foreign_event_that_holds_our_id_is_left_alone() {
    let twin = Bridge::connected().await;
    let made = twin.post(&tea(), &[("idempotency-key", "k")]).await.json();
    let taken = made["eventId"].as_str().expect("an id");

    let bridge = Bridge::connected().await;
    bridge.google.put_foreign_event(ANA, taken, "Somebody else's");
    let answer = bridge.post(&tea(), &[("idempotency-key", "k")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_ne!(answer.json()["eventId"], taken);
    let mut titles = bridge.titles(ANA);
    titles.sort();
    assert_eq!(titles, ["Somebody else's", "Tea"]);
}

#[tokio::test]
async fn an_event_that_a_person_removed_is_not_brought_back() {
    let bridge = Bridge::connected().await;
    let made = bridge.post(&tea(), &[]).await.json();
    assert!(bridge.google.remove_event(ANA, made["eventId"].as_str().expect("an id")));
    let path = format!("/api/v1/events/{}", made["id"].as_str().expect("an id"));
    bridge.send_json(Method::PATCH, &path, &json!({ "summary": "Coffee" }), &[]).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), Vec::<String>::new());
    assert_eq!(bridge.event(&made["id"]).await["state"], "removed_in_google");
}

#[tokio::test]
async fn a_lost_store_driven_again_finds_its_event() {
    let first = Bridge::connected().await;
    let key = [("idempotency-key", "order-7")];
    let made = first.post(&tea(), &key).await.json();
    let google = Some((first.google.clone(), first.clock.clone()));
    let second = Bridge::with(Choices { google, seed: 2, ..Choices::default() }).await;
    second.connect(ANA).await.expect("connected");
    let again = second.post(&tea(), &key).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(again.json()["eventId"], made["eventId"]);
    assert_eq!(second.titles(ANA), ["Tea"]);
}

#[tokio::test]
async fn two_namespaces_on_one_account_never_touch_each_others_events() {
    let first =
        Bridge::with(Choices { settings: "namespace = \"staging\"".into(), ..Choices::default() })
            .await;
    first.connect(ANA).await.expect("connected");
    let google = Some((first.google.clone(), first.clock.clone()));
    let settings = "namespace = \"production\"".into();
    let second = Bridge::with(Choices { google, settings, seed: 2, ..Choices::default() }).await;
    second.connect(ANA).await.expect("connected");
    let key = [("idempotency-key", "order-7")];
    let one = first.post(&tea(), &key).await.json();
    let other = second.post(&tea(), &key).await.json();
    assert_ne!(one["id"], other["id"]);
    assert_ne!(one["eventId"], other["eventId"]);
    let path = format!("/api/v1/events/{}", one["id"].as_str().expect("an id"));
    assert_eq!(first.send_json(Method::DELETE, &path, &Value::Null, &[]).await.status, 202);
    first.run_until_idle().await;
    assert_eq!(second.titles(ANA), ["Tea"]);
    assert_eq!(second.event(&other["id"]).await["state"], "confirmed");
}

#[tokio::test]
async fn a_disconnect_tells_google_and_a_quick_reconnect_keeps_the_new_grant() {
    let bridge = Bridge::connected().await;
    bridge.disconnect().await;
    assert_eq!(bridge.post(&tea(), &[]).await.json()["code"], "not_connected");
    bridge.connect(ANA).await.expect("a reconnect");
    bridge.run_until_idle().await;
    assert_eq!(bridge.calls("revoke"), 0, "revoking the old token would end the new grant too");
    bridge.disconnect().await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.calls("revoke"), 1);
}

#[tokio::test]
async fn a_repeated_request_is_known_after_the_account_went_away() {
    let bridge = Bridge::connected().await;
    let key = [("idempotency-key", "order-7")];
    let made = bridge.post(&tea(), &key).await.json();
    bridge.disconnect().await;
    let again = bridge.post(&tea(), &key).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &made["id"]), "{}", again.text);
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn googles_final_no_is_told() {
    let mut bridge = Bridge::connected().await;
    bridge.expect_dead(1);
    bridge.fault(insert(FaultKind::CalendarForbidden).times(1));
    let answer = bridge.post(&tea(), &[]).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert_eq!(answer.json()["success"], false);
}

//! Whose an event is, and in whose calendar it lands: never in anybody else's.

use calbridge::clock::Clock;
use calbridge::model::key::Scope;
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::accounts::{lend, link};
use crate::bridge::{ANA, Answer, Bridge, Choices, poll_once, tea, with};
use crate::jwt::application::{Shop, Way};

const BEN: &str = "ben@example.com";
const EVENTS: &str = "/api/v1/events";

/// An event for `POST /api/v1/events`, with more members.
fn wish(members: &Value) -> Value {
    let body = json!({
        "summary": "Tea",
        "start": "2026-11-30T14:00:00",
        "end": "2026-11-30T15:00:00",
        "time_zone": "Europe/Lisbon",
    });
    with(body, members)
}

async fn create(bridge: &Bridge, members: &Value) -> Answer {
    bridge.send_json(Method::POST, EVENTS, &wish(members), &[]).await
}

async fn created(bridge: &Bridge, members: &Value) -> Value {
    let answer = create(bridge, members).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

/// Nothing was stored and nothing was written to anybody's calendar.
async fn nothing_happened(bridge: &Bridge) {
    assert_eq!(bridge.tied.app.store.count_jobs().await.expect("a store").live, 0);
    bridge.run_until_idle().await;
    assert_eq!(bridge.calls("calendar.events.insert"), 0, "nobody's calendar was touched");
}

fn refusal(answer: &Answer) -> (u16, String, String) {
    let told = answer.json();
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    (answer.status, text("code"), text("detail"))
}

#[tokio::test]
async fn a_users_event_lands_in_their_own_calendar_and_the_applications_in_the_servers() {
    let bridge = Bridge::start().await;
    link(&bridge, "u-ben", BEN).await;
    bridge.connect(ANA).await.expect("the server's account");
    let bens = created(&bridge, &json!({"user": "u-ben", "summary": "Of Ben"})).await;
    created(&bridge, &json!({"summary": "Of the application"})).await;
    let shared = json!({"user": "u-ben", "connection": "server", "summary": "Of Ben, with us"});
    let shared = created(&bridge, &shared).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(BEN), ["Of Ben"]);
    let mut anas = bridge.titles(ANA);
    anas.sort();
    assert_eq!(anas, ["Of Ben, with us", "Of the application"]);
    assert_eq!((&bens["user"], &shared["user"]), (&json!("u-ben"), &json!("u-ben")));
    assert_eq!(bens["placement"]["calendar"], BEN);
    assert_eq!(shared["placement"]["calendar"], ANA);
    assert_eq!(bridge.event(&bens["id"]).await["state"], "confirmed");
}

#[tokio::test]
async fn without_an_account_nothing_is_stored_and_the_way_to_one_is_told() {
    let bridge = Bridge::start().await;
    let (status, code, text) = refusal(&create(&bridge, &json!({})).await);
    assert_eq!((status, code.as_str()), (409, "not_connected"));
    assert!(text.contains("http://localhost:3001/google-calendar-setup"), "{text}");
    let (status, code, text) = refusal(&create(&bridge, &json!({"user": "u-ben"})).await);
    assert_eq!((status, code.as_str()), (409, "not_connected"));
    assert!(text.contains("POST /api/v1/connections/links"), "{text}");
    let classic = bridge.post(&tea(), &[]).await;
    assert_eq!((classic.status, &classic.json()["success"]), (409, &json!(false)));
    nothing_happened(&bridge).await;
}

#[tokio::test]
async fn an_account_of_somebody_else_is_never_used_instead() {
    let bridge = Bridge::start().await;
    link(&bridge, "u-ben", BEN).await;
    let nobody = [
        json!({}),
        json!({"user": "u-ana"}),
        json!({"user": "u-ben", "connection": "server"}),
        json!({"connection": "own"}),
    ];
    for members in &nobody {
        let (status, code, _) = refusal(&create(&bridge, members).await);
        assert_eq!((status, code.as_str()), (409, "not_connected"), "{members}");
    }
    assert_eq!(bridge.post(&tea(), &[]).await.status, 409);
    nothing_happened(&bridge).await;
    // Nor is the server's for a user.
    let bridge = Bridge::connected().await;
    let (status, code, _) = refusal(&create(&bridge, &json!({"user": "u-ben"})).await);
    assert_eq!((status, code.as_str()), (409, "not_connected"));
    nothing_happened(&bridge).await;
}

#[tokio::test]
async fn a_batch_places_each_item_for_itself() {
    let bridge = Bridge::start().await;
    link(&bridge, "u-ben", BEN).await;
    bridge.connect(ANA).await.expect("the server's account");
    let items = json!({"events": [
        wish(&json!({"summary": "Ours"})),
        wish(&json!({"summary": "Of Ben", "user": "u-ben"})),
        wish(&json!({"summary": "Of nobody", "user": "u-cy"})),
        wish(&json!({"summary": "Wrong", "connection": "mine"})),
    ]});
    let answer = bridge.send_json(Method::POST, "/api/v1/events/batch", &items, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let results = answer.json()["results"].clone();
    let status = |at: usize| results[at]["status"].as_u64();
    assert_eq!([status(0), status(1)], [Some(202), Some(202)]);
    assert_eq!((status(2), status(3)), (Some(409), Some(422)));
    assert_eq!(results[2]["problem"]["code"], "not_connected");
    assert_eq!(results[3]["problem"]["errors"][0]["pointer"], "/connection");
    bridge.run_until_idle().await;
    assert_eq!(
        (bridge.titles(ANA), bridge.titles(BEN)),
        (vec!["Ours".into()], vec!["Of Ben".into()])
    );
}

#[tokio::test]
async fn an_event_stays_where_it_was_accepted_whatever_becomes_of_the_accounts() {
    let bridge = Bridge::start().await;
    link(&bridge, "u-ben", BEN).await;
    bridge.connect(ANA).await.expect("the server's account");
    let ours = created(&bridge, &json!({"summary": "Ours"})).await;
    // Before it is written, the server changes to another account.
    bridge.disconnect().await;
    bridge.connect(BEN).await.expect("another account");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(BEN), Vec::<String>::new(), "it was accepted for Ana's calendar");
    let waits = bridge.event(&ours["id"]).await;
    assert_eq!(
        (&waits["state"], &waits["waits_for"]["code"]),
        (&json!("pending"), &json!("disconnected"))
    );
    bridge.disconnect().await;
    bridge.connect(ANA).await.expect("the first account again");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Ours"]);
    assert_eq!(bridge.titles(BEN), Vec::<String>::new());
}

#[tokio::test]
async fn a_named_calendar_is_where_the_event_goes() {
    let bridge = Bridge::connected().await;
    let made = created(&bridge, &json!({"calendar": "ana@example.com"})).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.event(&made["id"]).await["state"], "confirmed");
    let named = json!({"calendar": "team@group.calendar.google.com", "summary": "Elsewhere"});
    let elsewhere = created(&bridge, &named).await;
    bridge.work().await;
    assert_eq!(elsewhere["placement"]["calendar"], named["calendar"]);
    assert_eq!(bridge.titles(ANA), ["Tea"], "not in the default calendar instead");
    for calendar in ["", "primary", "a\nb"] {
        let answer = create(&bridge, &json!({"calendar": calendar})).await;
        assert_eq!(answer.status, 422, "{calendar:?}: {}", answer.text);
        assert_eq!(answer.json()["errors"][0]["pointer"], "/calendar");
    }
}

#[tokio::test]
async fn a_repeated_request_of_one_user_is_another_users_new_one() {
    let bridge = Bridge::connected().await;
    lend(&bridge, "u-one").await;
    lend(&bridge, "u-two").await;
    let send = async |name: &str| {
        let body = wish(&json!({"user": name}));
        bridge.send_json(Method::POST, EVENTS, &body, &[("idempotency-key", "once")]).await
    };
    let (first, again, other) = (send("u-one").await, send("u-one").await, send("u-two").await);
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_ne!(first.json()["id"], other.json()["id"]);
    assert_eq!(
        first.header("location"),
        format!("{EVENTS}/{}", first.json()["id"].as_str().expect("an id"))
    );
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea", "Tea"]);
}

#[tokio::test]
async fn waiting_for_it_shows_it_done() {
    let bridge = Bridge::connected().await;
    let body = wish(&json!({"guests": ["guest@example.net"], "meet": true}));
    let made = bridge.send_json(Method::POST, EVENTS, &body, &[("prefer", "wait=10")]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    assert_eq!((&made["state"], &made["meet"]["state"]), (&json!("confirmed"), &json!("ready")));
    assert_eq!(made["warnings"], json!(["guests_not_notified"]));
    for (member, value) in [
        ("start", json!("soon")),
        ("guests", json!(["nobody"])),
        ("user", json!("two words")),
        ("colour", json!("red")),
    ] {
        let answer = create(&bridge, &json!({ member: value })).await;
        assert_eq!(answer.status, 422, "{member}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_weekly_touch_uses_every_grant() {
    let bridge = Bridge::connected().await;
    for number in 0..45 {
        lend(&bridge, &format!("u-{number}")).await;
    }
    assert_eq!(bridge.google.token_calls("refresh_token"), 0);
    let mut turns = std::pin::pin!(bridge.tied.periodic.take_turns());
    while poll_once(turns.as_mut()).await.is_pending() {
        // A pause between two pages, not the deadline of a call that is under way.
        let soon = bridge.clock.now() + TimeDelta::seconds(5);
        match bridge.clock.next_waited_for().filter(|moment| *moment < soon) {
            Some(moment) => bridge.clock.set(moment),
            None => tokio::task::yield_now().await,
        }
    }
    assert_eq!(bridge.google.token_calls("refresh_token"), 46, "the server's and 45 users'");
}

/// Sends JSON with a user's own token.
async fn as_user(shop: &Shop, user: &str, method: Method, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", shop.token(user));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    shop.bridge.send_raw(method, path, &body.to_string(), &headers).await
}

#[tokio::test]
async fn a_user_makes_events_for_themselves_alone() {
    let shop = Shop::signing(Way::EdDsa).await;
    let bridge = &shop.bridge;
    link(bridge, "u-ben", BEN).await;
    bridge.connect(ANA).await.expect("the server's account");
    let post = async |user: &str, members: Value| {
        as_user(&shop, user, Method::POST, EVENTS, &wish(&members)).await
    };
    for members in [
        json!({"user": "u-ana"}),
        json!({"connection": "server"}),
        json!({"user": "u-ben", "connection": "server"}),
    ] {
        let refused = post("u-ben", members.clone()).await;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (403, &json!("not_for_users")),
            "{members}"
        );
    }
    let nobody = post("u-ana", json!({})).await;
    assert_eq!((nobody.status, &nobody.json()["code"]), (409, &json!("not_connected")));
    nothing_happened(bridge).await;
    for members in [json!({}), json!({"user": "u-ben"}), json!({"connection": "own"})] {
        assert_eq!(post("u-ben", members).await.status, 202);
    }
    let classic = as_user(&shop, "u-ben", Method::POST, "/api/create-calendar-event", &tea()).await;
    assert_eq!(classic.status, 200, "{}", classic.text);
    let none = as_user(&shop, "u-ana", Method::POST, "/api/create-calendar-event", &tea()).await;
    assert_eq!(none.status, 409, "{}", none.text);
    let items = json!({"events": [wish(&json!({})), wish(&json!({"user": "u-ana"}))]});
    let batch = as_user(&shop, "u-ben", Method::POST, "/api/v1/events/batch", &items).await.json();
    assert_eq!(
        (&batch["results"][0]["status"], &batch["results"][1]["status"]),
        (&json!(202), &json!(403))
    );
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(BEN).len(), 5);
    assert_eq!(bridge.titles(ANA), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_somebody_elses_is_as_if_it_were_not_there() {
    let shop = Shop::signing(Way::EdDsa).await;
    let bridge = &shop.bridge;
    link(bridge, "u-ben", BEN).await;
    let made = as_user(&shop, "u-ben", Method::POST, EVENTS, &wish(&json!({}))).await.json();
    let (event, job) =
        (made["id"].as_str().expect("an id"), made["job_id"].as_str().expect("an id"));
    let nothing = "00000000000000000000000000";
    let edit = json!({"summary": "Mine now"});
    let ways = [
        (Method::GET, EVENTS, event, &Value::Null),
        (Method::PATCH, EVENTS, event, &edit),
        (Method::DELETE, EVENTS, event, &Value::Null),
        (Method::GET, "/api/v1/jobs", job, &Value::Null),
    ];
    for (method, path, id, body) in ways {
        let told = async |id: &str| {
            let answer =
                as_user(&shop, "u-ana", method.clone(), &format!("{path}/{id}"), body).await;
            let mut told = answer.json();
            told["request_id"] = Value::Null;
            (answer.status, told)
        };
        let (foreign, missing) = (told(id).await, told(nothing).await);
        assert_eq!(foreign.0, 404, "{method} {path}");
        assert_eq!(foreign, missing, "{method} {path}");
        let own = as_user(&shop, "u-ben", Method::GET, &format!("{path}/{id}"), &Value::Null).await;
        assert_eq!(own.status, 200, "{}", own.text);
    }
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(BEN), ["Tea"]);
    // The application is everybody's.
    assert_eq!(bridge.event(&made["id"]).await["user"], "u-ben");
}

#[tokio::test]
async fn another_default_calendar_moves_nothing_that_was_accepted() {
    let google_settings = "scopes = \"full\"".to_owned();
    let bridge = Bridge::with(Choices { google_settings, ..Choices::default() }).await;
    let connection = link(&bridge, "ana", ANA).await;
    let work =
        bridge.at_google("ana", Method::POST, "calendars", &json!({"summary": "Work"})).await;
    let before = created(&bridge, &json!({"user": "ana", "summary": "Before"})).await;
    let key = format!("Bearer {}", bridge.key_for(&[Scope::ConnectionsAdmin]).await);
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    let body = json!({"default_calendar": work["id"]}).to_string();
    let path = format!("/api/v1/connections/{connection}");
    let chosen = bridge.send_raw(Method::PATCH, &path, &body, &headers).await;
    assert_eq!(chosen.status, 200, "{}", chosen.text);
    let after = created(&bridge, &json!({"user": "ana", "summary": "After"})).await;
    bridge.run_until_idle().await;
    let (before, after) = (bridge.event(&before["id"]).await, bridge.event(&after["id"]).await);
    assert_eq!(
        (&before["state"], &before["placement"]["calendar"]),
        (&json!("confirmed"), &json!(ANA))
    );
    assert_eq!(
        (&after["state"], &after["placement"]["calendar"]),
        (&json!("confirmed"), &work["id"])
    );
    assert_eq!(bridge.titles(ANA), ["Before"], "in her own calendar");
}

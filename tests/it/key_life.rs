//! API keys as their holders know them: what each scope opens, when a key ends, and when it was used.

use calbridge::app::access::{self, Caller, KeyWish};
use calbridge::clock::Clock;
use calbridge::model::key::Scope;
use chrono::TimeDelta;
use hyper::Method;
use secrecy::ExposeSecret;

use crate::bridge::{Answer, Bridge};

const NOTHING: &str = "/api/v1/events/00000000000000000000000000";

async fn show(bridge: &Bridge, key: &str) -> Answer {
    let request = axum::http::Request::get(NOTHING)
        .header("host", "localhost:3001")
        .header("x-api-key", key)
        .body(axum::body::Body::empty());
    bridge.router_ask(request.expect("a request")).await
}

#[tokio::test]
async fn a_write_scope_includes_its_read_and_admin_includes_all() {
    use Scope::{Admin, AdminRead, ConnectionsAdmin, ConnectionsRead};
    use Scope::{EventsRead, EventsWrite, TasksRead, TasksWrite};
    let more = |scope| match scope {
        EventsWrite => vec![EventsRead],
        TasksWrite => vec![TasksRead],
        ConnectionsAdmin => vec![ConnectionsRead],
        Admin => Scope::ALL.to_vec(),
        EventsRead | TasksRead | ConnectionsRead | AdminRead => vec![],
    };
    for held in Scope::ALL {
        let caller = Caller { scopes: vec![held], ..Caller::console() };
        for wanted in Scope::ALL {
            let expected = held == wanted || more(held).contains(&wanted);
            assert_eq!(caller.must(wanted).is_ok(), expected, "{held} for {wanted}");
        }
        assert_eq!(held.as_str().parse::<Scope>().ok(), Some(held));
    }
}

#[tokio::test]
async fn nobody_makes_a_key_that_may_do_more_than_they_may() {
    let bridge = Bridge::start().await;
    let app = &bridge.tied.app;
    let by = Caller { scopes: vec![Scope::EventsWrite, Scope::AdminRead], ..Caller::console() };
    for (scopes, may) in [
        (vec![Scope::EventsRead, Scope::AdminRead], true),
        (vec![Scope::EventsWrite, Scope::TasksRead], false),
        (vec![Scope::Admin], false),
    ] {
        let made = access::create_key(app, &by, KeyWish::new("more", scopes.clone())).await;
        assert_eq!(made.is_ok(), may, "{scopes:?}");
    }
}

#[tokio::test]
async fn a_key_opens_until_its_end_and_is_refused_as_any_other_after_it() {
    let bridge = Bridge::start().await;
    let app = &bridge.tied.app;
    let now = bridge.clock.now();
    let wish = KeyWish {
        expires: Some(now + TimeDelta::hours(1)),
        ..KeyWish::new("for an hour", vec![Scope::EventsRead])
    };
    let made = access::create_key(app, &Caller::console(), wish.clone()).await.expect("a key");
    let key = made.secret.expose_secret();
    assert_eq!(show(&bridge, key).await.status, 404, "it is let in");
    bridge.pass(TimeDelta::hours(1) - TimeDelta::nanoseconds(1));
    assert_eq!(show(&bridge, key).await.status, 404, "to the last moment");
    bridge.pass(TimeDelta::nanoseconds(1));

    let revoked = bridge.key_for(&[Scope::EventsRead]).await;
    let id = app.store.keys().await.expect("a store").last().expect("a key").id;
    access::revoke_key(app, &Caller::console(), id).await.expect("revoked");
    let (public, _) = bridge.key.rsplit_once('_').expect("two halves");
    let wrong = format!("{public}_{}", "0".repeat(52));
    let unknown = format!("cb_{}_{}", "0".repeat(26), "0".repeat(52));
    let mut told = Vec::new();
    for refused in [key, &revoked, &wrong, &unknown, "cb_", "cb__", "cb_x_y"] {
        let answer = show(&bridge, refused).await;
        let mut body = answer.json();
        body.as_object_mut().expect("a problem").remove("request_id").expect("its own id");
        told.push((answer.status, body));
    }
    assert!(told.iter().all(|other| *other == told[0]), "{told:?}");
    assert_eq!(told[0].0, 401);
    assert!(told[0].1["detail"].as_str().expect("words").contains("calbridge api-keys create"));

    let late = access::create_key(app, &Caller::console(), wish).await;
    assert!(late.is_err(), "an end that has come already");
}

#[tokio::test]
async fn the_last_use_is_kept_apart_from_the_key_and_written_when_asked() {
    let bridge = Bridge::start().await;
    let app = &bridge.tied.app;
    let key = app.store.keys().await.expect("a store").pop().expect("the test's key");
    let entries = app.store.audit(0, 1000).await.expect("a store");
    assert!(access::last_uses(app).await.expect("a store").is_empty());

    let first = bridge.clock.now();
    bridge.get(NOTHING).await;
    assert!(app.store.last_uses().await.expect("a store").is_empty(), "in memory alone");
    bridge.tied.write_uses().await;
    assert_eq!(app.store.last_uses().await.expect("a store"), [(key.id, first)]);

    bridge.pass(TimeDelta::seconds(90));
    bridge.get(NOTHING).await;
    let known = access::last_uses(app).await.expect("a store");
    assert_eq!(known[&key.id], first + TimeDelta::seconds(90));
    let wrong = format!("{}x", bridge.key);
    bridge.pass(TimeDelta::seconds(90));
    show(&bridge, &wrong).await;
    assert_eq!(access::last_uses(app).await.expect("a store"), known, "a wrong half is no use");

    assert_eq!(
        app.store.keys().await.expect("a store"),
        std::slice::from_ref(&key),
        "its row is untouched"
    );
    assert_eq!(app.store.audit(0, 1000).await.expect("a store"), entries);

    let shown = bridge.key_for(&[Scope::AdminRead]).await;
    let bearer = format!("Bearer {shown}");
    let path = format!("/api/v1/api-keys/{}", key.id);
    let answer = bridge.send_raw(Method::GET, &path, "", &[("authorization", &bearer)]).await;
    assert_eq!(answer.json()["last_used"], "2026-11-02T08:01:30Z", "{}", answer.text);
}

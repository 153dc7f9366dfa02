//! One user at every route with another's ids, and the application's: a thing that is somebody else's
//! is answered as one that is not there, to the last header (promise 8).

use axum::body::Body;
use calbridge::app::connections;
use calbridge::http::policy::row::{Pass, Row};
use calbridge::model::key::Scope;
use calbridge::model::owner::{Owner, UserId};
use hyper::{HeaderMap, Method, Request, header};
use serde_json::{Value, json};

use crate::accounts::{lend, link};
use crate::bridge::{ANA, Answer, tea};
use crate::jwt::application::{Shop, Way};
use crate::policy::{path, rows};

/// An id that nothing has.
const NOBODYS: &str = "0123456789abcdefghijklmn08";

const BEN: &str = "ben@example.com";
const JSON: &str = "application/json";

/// What a request to this route may hold, so that nothing but the id is wrong with it.
fn body(row: &Row) -> Value {
    match (&row.method, row.path) {
        (&Method::PATCH, "/api/v1/events/{id}") => json!({ "summary": "Mine now" }),
        (&Method::POST, "/api/v1/jobs/{id}/snooze") => json!({ "until": "2026-11-03T08:00:00Z" }),
        (&Method::POST, "/api/v1/reminders/{id}/snooze") => json!({ "minutes": 5 }),
        (&Method::PATCH, "/api/v1/connections/{id}") => json!({ "default_calendar": "primary" }),
        _ => json!({}),
    }
}

async fn knock(shop: &Shop, row: &Row, id: &str, user: &str) -> Answer {
    let request = Request::builder()
        .method(&row.method)
        .uri(path(row, id))
        .header(header::HOST, "localhost:3001")
        .header(header::AUTHORIZATION, format!("Bearer {}", shop.token(user)))
        .header(header::CONTENT_TYPE, JSON);
    let request = request.body(Body::from(body(row).to_string())).expect("a request");
    shop.bridge.send(request).await
}

/// All of an answer but what is each request's own.
fn seen(answer: &Answer) -> (u16, HeaderMap, Value) {
    let mut headers = answer.headers.clone();
    for own in ["x-request-id", "ratelimit"] {
        assert!(headers.remove(own).is_some(), "{own}: {:?}", answer.headers);
    }
    let mut body = answer.json();
    assert!(body["request_id"].take().is_string(), "{}", answer.text);
    (answer.status, headers, body)
}

/// Ids of an event, of its job and of the connection to the account that it is written to, of this
/// user's or of the application's.
async fn things(shop: &Shop, user: Option<&str>) -> Vec<String> {
    let bridge = &shop.bridge;
    let bearer = match user {
        Some(user) => format!("Bearer {}", shop.token(user)),
        None => format!("Bearer {}", bridge.key),
    };
    let headers =
        [("authorization", &*bearer), ("prefer", "respond-async"), ("content-type", JSON)];
    let create = "/api/create-calendar-event";
    let made = bridge.send_raw(Method::POST, create, &tea().to_string(), &headers).await;
    assert_eq!(made.status, 202, "{user:?}: {}", made.text);
    bridge.run_until_idle().await;
    let owner = user.map_or(Owner::Application, |user| {
        Owner::User(UserId::try_from(user.to_owned()).expect("a user"))
    });
    let connection = connections::of(&bridge.tied.app, &owner).await.expect("a store that works");
    let id = |value: &Value| value.as_str().expect("an id").to_owned();
    let mut kept = Vec::new();
    for (path, body) in [
        ("/api/v1/categories", json!({ "name": "Work" })),
        ("/api/v1/tasks", json!({ "title": "Paint" })),
        (
            "/api/v1/reminders",
            json!({ "title": "Call", "at": "2026-11-02T08:00:30Z", "deliver": ["google"] }),
        ),
    ] {
        let key = bridge.key_for(&[Scope::TasksWrite]).await;
        let bearer = user.map_or(format!("Bearer {key}"), |_| bearer.clone());
        let headers = [("authorization", &*bearer), ("content-type", JSON)];
        let made = bridge.send_raw(Method::POST, path, &body.to_string(), &headers).await;
        assert_eq!(made.status, 201, "{user:?}: {}", made.text);
        kept.push(id(&made.json()["id"]));
    }
    let connection = connection.expect("it is connected").id.to_string();
    let made = made.json();
    [vec![id(&made["id"]), id(&made["jobId"]), connection], kept].concat()
}

#[tokio::test]
async fn what_is_somebody_elses_is_answered_as_what_is_not_there() {
    let shop = Shop::signing(Way::Hs256).await;
    let bridge = &shop.bridge;
    link(bridge, "u-ben", BEN).await;
    bridge.connect(ANA).await.expect("the account can be connected");
    lend(bridge, "u-cleo").await;
    let (bens, cleos) = (things(&shop, Some("u-ben")).await, things(&shop, Some("u-cleo")).await);
    let mut applications = things(&shop, None).await;
    applications.push(bridge.key.split('_').nth(1).expect("an id").to_owned());
    let by_id: Vec<Row> = rows().into_iter().filter(|row| row.path.contains('{')).collect();
    assert!(by_id.len() > 8, "there are routes by id");
    for (user, others) in [("u-ben", &cleos), ("u-cleo", &bens)] {
        for row in &by_id {
            let nothing = knock(&shop, row, NOBODYS, user).await;
            let expected = if row.lets(Pass::User) { 404 } else { 403 };
            assert_eq!(nothing.status, expected, "{} {}: {}", row.method, row.path, nothing.text);
            for id in others.iter().chain(&applications) {
                let answer = knock(&shop, row, id, user).await;
                assert_eq!(seen(&answer), seen(&nothing), "{} {}", row.method, path(row, id));
            }
        }
    }
    bridge.run_until_idle().await;
    let row = by_id.iter().find(|row| row.path == "/api/v1/events/{id}").expect("a row");
    for (user, own) in [("u-ben", &bens), ("u-cleo", &cleos)] {
        assert_eq!(knock(&shop, row, &own[0], user).await.status, 200, "one's own is there");
    }
    assert_eq!(bridge.titles(BEN), ["Call", "Tea"]);
    assert_eq!(bridge.titles(ANA), ["Call", "Call", "Tea", "Tea"]);
}

#[tokio::test]
async fn a_users_token_opens_nothing_that_is_only_for_keys() {
    let shop = Shop::signing(Way::Hs256).await;
    for row in rows().iter().filter(|row| row.takes_bearer() && !row.lets(Pass::User)) {
        let answer = knock(&shop, row, NOBODYS, "ben").await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (403, Some("not_for_users")),
            "{} {}",
            row.method,
            row.path
        );
    }
}

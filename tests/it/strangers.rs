//! One user at every route with another's ids, and the application's: a thing that is somebody else's
//! is answered as one that is not there, to the last header (promise 8).

use axum::body::Body;
use calbridge::app::connections;
use calbridge::http::policy::row::{Pass, Row};
use hyper::{HeaderMap, Method, Request, header};
use serde_json::{Value, json};

use crate::bridge::{ANA, Answer, tea};
use crate::jwt::application::{Shop, Way};
use crate::policy::{path, rows};

/// An id that nothing has.
const NOBODYS: &str = "0123456789abcdefghijklmn08";

/// What a request to this route may hold, so that nothing but the id is wrong with it.
fn body(row: &Row) -> Value {
    match (&row.method, row.path) {
        (&Method::PATCH, "/api/v1/events/{id}") => json!({ "summary": "Mine now" }),
        (&Method::POST, "/api/v1/jobs/{id}/snooze") => json!({ "until": "2026-11-03T08:00:00Z" }),
        (&Method::PATCH, "/api/v1/connections/{id}") => json!({ "calendar": "primary" }),
        _ => json!({}),
    }
}

async fn knock(shop: &Shop, row: &Row, id: &str, user: &str) -> Answer {
    let request = Request::builder()
        .method(&row.method)
        .uri(path(row, id))
        .header(header::HOST, "localhost:3001")
        .header(header::AUTHORIZATION, format!("Bearer {}", shop.token(user)))
        .header(header::CONTENT_TYPE, "application/json");
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

/// Ids of things that are there, and none of which is `user`'s.
async fn others_things(shop: &Shop) -> Vec<String> {
    let bridge = &shop.bridge;
    let made = bridge.accept(&tea()).await;
    bridge.run_until_idle().await;
    let server = connections::of_server(&bridge.tied.app).await.expect("a store that works");
    let key = bridge.key.split('_').nth(1).expect("an id");
    let id = |value: &Value| value.as_str().expect("an id").to_owned();
    vec![
        id(&made["id"]),
        id(&made["jobId"]),
        server.expect("it is connected").id.to_string(),
        key.to_owned(),
    ]
}

#[tokio::test]
async fn what_is_somebody_elses_is_answered_as_what_is_not_there() {
    let shop = Shop::signing(Way::Hs256).await;
    shop.bridge.connect(ANA).await.expect("the account can be connected");
    let things = others_things(&shop).await;
    let by_id: Vec<Row> = rows().into_iter().filter(|row| row.path.contains('{')).collect();
    assert!(by_id.len() > 8, "there are routes by id");
    for row in &by_id {
        let nothing = knock(&shop, row, NOBODYS, "ben").await;
        let expected = if row.lets(Pass::User) { 404 } else { 403 };
        assert_eq!(nothing.status, expected, "{} {}: {}", row.method, row.path, nothing.text);
        for id in &things {
            let answer = knock(&shop, row, id, "ben").await;
            assert_eq!(seen(&answer), seen(&nothing), "{} {}", row.method, path(row, id));
        }
    }
    let event = shop.bridge.event(&json!(things[0])).await;
    assert_eq!((&event["summary"], &event["state"]), (&json!("Tea"), &json!("confirmed")));
    assert_eq!(shop.bridge.titles(ANA), ["Tea"]);
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

//! How often callers may knock, and what they are told of it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use calbridge::http::Peer;
use calbridge::http::policy::row::{Class, Face, Pass, Row};
use calbridge::model::id::InstanceId;
use calbridge::model::key::Scope;
use calbridge::store::memory::MemoryStore;
use chrono::TimeDelta;
use hyper::{Method, Request, header};

use super::{NOBODYS, bearer, knock, rows};
use crate::bridge::{Answer, Bridge, Choices};
use crate::effect::mortal::MortalStore;
use crate::jwt::application::{AUDIENCE, ISSUER, SECRET, Shop, Way, secret_file};

async fn with(settings: &str) -> Bridge {
    Bridge::with(Choices { settings: settings.to_owned(), ..Choices::default() }).await
}

/// Asks from this address for an event that nobody has.
async fn ask(bridge: &Bridge, peer: &str, authorization: Option<&str>) -> Answer {
    let peer: IpAddr = peer.parse().expect("an address");
    let mut request = Request::builder()
        .method(Method::GET)
        .uri(format!("/api/v1/events/{NOBODYS}"))
        .header(header::HOST, "localhost:3001")
        .extension(Peer(peer));
    if let Some(shown) = authorization {
        request = request.header(header::AUTHORIZATION, shown);
    }
    bridge.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn each_key_has_its_own_allowance_and_is_told_what_is_left() {
    let bridge = with("[limits]\nreads = 3\nwindow_secs = 30").await;
    let (one, other) =
        (bearer(&bridge, &[Scope::EventsRead]).await, bearer(&bridge, &[Scope::EventsRead]).await);
    for left in ["\"reads\";r=2;t=10", "\"reads\";r=1;t=20", "\"reads\";r=0;t=30"] {
        let answer = ask(&bridge, "192.0.2.1", Some(&one)).await;
        assert_eq!((answer.status, answer.header("ratelimit")), (404, left));
        assert_eq!(answer.header("ratelimit-policy"), "\"reads\";q=3;w=30");
    }
    let refused = ask(&bridge, "192.0.2.2", Some(&one)).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("too_many_requests")));
    assert_eq!(refused.header("ratelimit"), "\"reads\";r=0;t=10");
    assert_eq!(refused.header("retry-after"), "10");
    assert_eq!(
        ask(&bridge, "192.0.2.1", Some(&other)).await.status,
        404,
        "another key's is its own"
    );
    bridge.pass(TimeDelta::seconds(10));
    assert_eq!(ask(&bridge, "192.0.2.1", Some(&one)).await.status, 404);
    assert_eq!(ask(&bridge, "192.0.2.1", Some(&one)).await.status, 429);
}

#[tokio::test]
async fn whoever_shows_nothing_that_works_is_soon_not_looked_at() {
    let bridge = with("[limits]\nrefusals = 2\nwindow_secs = 60").await;
    let right = bearer(&bridge, &[Scope::EventsRead]).await;
    let guesser = "2001:db8:1:2::3";
    for (shown, status) in
        [(None, 401), (Some("Bearer cb_guess"), 401), (Some("Bearer cb_more"), 429), (None, 429)]
    {
        let answer = ask(&bridge, guesser, shown).await;
        assert_eq!(answer.status, status, "{shown:?}: {}", answer.text);
        assert_eq!(answer.header("retry-after").is_empty(), status == 401);
    }
    let neighbour = ask(&bridge, "2001:db8:1:2:ffff::1", None).await;
    assert_eq!(neighbour.status, 429, "one household, one allowance");
    assert_eq!(ask(&bridge, "2001:db8:1:3::3", None).await.status, 401);
    assert_eq!(
        ask(&bridge, guesser, Some(&right)).await.status,
        404,
        "who shows what works comes in"
    );
    bridge.pass(TimeDelta::seconds(60));
    assert_eq!(ask(&bridge, guesser, None).await.status, 401);
}

#[tokio::test]
async fn a_failure_of_the_bridges_own_is_held_against_nobody() {
    let store = MortalStore::over(Arc::new(MemoryStore::new(InstanceId::from_u128(1))));
    let settings = "limits.refusals = 1".to_owned();
    let choices = Choices { store: Some(store.clone()), settings, ..Choices::default() };
    let bridge = Bridge::with(choices).await;
    let right = bearer(&bridge, &[Scope::EventsRead]).await;
    store.around.kill();
    for _ in 0..2 {
        let failed = ask(&bridge, "192.0.2.1", Some(&right)).await;
        assert!(failed.status >= 500, "{}: {}", failed.status, failed.text);
    }
}

#[tokio::test]
async fn whoever_knocks_at_pages_without_a_session_is_soon_not_looked_at() {
    let bridge = with("[limits]\nrefusals = 1\nwindow_secs = 60").await;
    let is_shut = |row: &Row| row.face == Face::Page && !row.lets(Pass::Anybody);
    let row = rows().into_iter().find(is_shut).expect("an administrator's page");
    assert_eq!(knock(&bridge, &row, NOBODYS, &[]).await.status, 403);
    assert_eq!(knock(&bridge, &row, NOBODYS, &[]).await.status, 429);
}

#[tokio::test]
async fn each_user_has_their_own_allowance_wherever_they_call_from() {
    let place = Arc::new(tempfile::tempdir().expect("a directory"));
    let settings = format!(
        "[limits]\nreads = 1\n[auth.jwt]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\n\
         algorithm = \"HS256\"\nsecret_file = \"{}\"",
        secret_file(place.path(), SECRET)
    );
    let choices = Choices { place: Some(place), settings, ..Choices::default() };
    let shop = Shop { bridge: Bridge::with(choices).await, way: Way::Hs256 };
    let read = async |user: &str, peer: &str| {
        let shown = format!("Bearer {}", shop.token(user));
        ask(&shop.bridge, peer, Some(&shown)).await.status
    };
    assert_eq!(read("ana", "192.0.2.1").await, 404);
    assert_eq!(read("ben", "192.0.2.1").await, 404, "another user's is their own");
    assert_eq!(read("ana", "192.0.2.2").await, 429, "and goes with them");
}

#[tokio::test]
async fn every_class_of_route_is_held_to_its_limit() {
    let bridge = with(
        "classic.requests = 1\n[limits]\nopen = 1\npages = 1\nsign_in = 1\nreads = 1\nwrites = 1\nbatches = 1\nmanage = 1",
    )
    .await;
    for row in rows() {
        let admin = bearer(&bridge, &[Scope::Admin]).await;
        let bearer: &[_] = &[("authorization", admin.as_str())];
        let headers = if row.takes_bearer() { bearer } else { &[] };
        let first = knock(&bridge, &row, NOBODYS, headers).await;
        let second = knock(&bridge, &row, NOBODYS, headers).await;
        let told = format!("{} {}: {} {}", row.method, row.path, second.status, second.text);
        // Without a session, nobody comes as far as the limit of an administrator's page.
        let is_shut = first.status == 403 && !row.lets(Pass::Anybody);
        let is_free = row.class == Class::Free;
        assert_eq!(second.status == 429, !is_free && !is_shut, "{told}");
        assert_eq!(second.header("ratelimit").is_empty(), is_free || is_shut, "{told}");
        bridge.pass(TimeDelta::minutes(16));
    }
}

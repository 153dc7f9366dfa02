//! Tokens of the calling application's users: the good ones of every kind, the clock at its edges, and
//! keys that come and go.

pub mod application;
mod forged;
mod settings;

use std::sync::Arc;

use calbridge::model::key::Scope;
use chrono::TimeDelta;
use serde_json::json;
use tokio::task::JoinSet;

use crate::bridge::{Bridge, tea};
use application::{AUDIENCE, KeyServer, Shop, WAYS, Way, show};

#[tokio::test]
async fn a_good_token_of_every_algorithm_lets_its_user_in() {
    for way in WAYS {
        let shop = Shop::signing(way).await;
        assert!(shop.lets_in(&shop.token("ana")).await, "{way:?}");
        let several = json!(["another", AUDIENCE]);
        for (member, value) in [("aud", several), ("scope", json!("everything")), ("jti", json!(7))]
        {
            let mut claims = shop.claims("ana");
            claims[member] = value;
            assert!(shop.lets_in(&shop.sign(&shop.header(), &claims)).await, "{way:?} {member}");
        }
        for typ in [json!("jwt"), json!("at+jwt")] {
            let mut header = shop.header();
            header["typ"] = typ;
            let token = shop.sign(&header, &shop.claims("ana"));
            assert!(shop.lets_in(&token).await, "{way:?} {header}");
        }
        for missing in ["typ", "kid"] {
            let mut header = shop.header();
            header.as_object_mut().expect("an object").remove(missing);
            let token = shop.sign(&header, &shop.claims("ana"));
            assert!(shop.lets_in(&token).await, "{way:?} without {missing}");
        }
        for missing in ["nbf", "iat"] {
            let mut claims = shop.claims("ana");
            claims.as_object_mut().expect("an object").remove(missing);
            let token = shop.sign(&shop.header(), &claims);
            assert!(shop.lets_in(&token).await, "{way:?} without {missing}");
        }
    }
}

#[tokio::test]
async fn a_token_is_good_from_its_beginning_to_its_end_give_or_take_the_leeway() {
    let shop = Shop::signing(Way::Es256).await;
    let at = async |member: &str, secs: i64| {
        let mut claims = shop.claims("ana");
        claims[member] = json!(shop.in_secs(secs));
        shop.lets_in(&shop.sign(&shop.header(), &claims)).await
    };
    assert!(at("nbf", 30).await);
    assert!(!at("nbf", 31).await);
    assert!(at("iat", 30).await);
    assert!(!at("iat", 31).await);
    assert!(at("exp", 3600).await, "as long as a token may be good");
    assert!(!at("exp", 3601).await);

    let token = shop.token("ana");
    shop.bridge.pass(TimeDelta::seconds(629));
    assert!(shop.lets_in(&token).await, "the last moment of the leeway");
    shop.bridge.pass(TimeDelta::seconds(1));
    assert!(!shop.lets_in(&token).await, "the first moment after it");
}

#[tokio::test]
async fn a_token_cannot_be_good_for_longer_by_hiding_when_it_began() {
    let shop = Shop::signing(Way::Rs256).await;
    let mut claims = shop.claims("ana");
    claims.as_object_mut().expect("an object").remove("iat");
    claims["exp"] = json!(shop.in_secs(3601));
    assert!(!shop.lets_in(&shop.sign(&shop.header(), &claims)).await);
    claims["exp"] = json!(shop.in_secs(3600));
    assert!(shop.lets_in(&shop.sign(&shop.header(), &claims)).await);
}

#[tokio::test]
async fn a_user_sees_nothing_of_the_applications_and_administers_nothing() {
    let keys = json!({"keys": [Way::EdDsa.public(true, "main")]});
    let mut shop = Shop::with_keys(Way::EdDsa, &keys, "").await;
    shop.bridge.connect(crate::bridge::ANA).await.expect("the account can be connected");
    let id = shop.bridge.accept(&tea()).await["id"].clone();
    shop.bridge.run_until_idle().await;
    let event = format!("/api/v1/events/{}", id.as_str().expect("an id"));

    let token = shop.token("ana");
    let backend = std::mem::replace(&mut shop.bridge.key, token);
    let (foreign, missing) =
        (shop.bridge.get(&event).await, shop.bridge.get(application::NOTHING).await);
    assert_eq!((foreign.status, missing.status), (404, 404));
    assert_eq!(foreign.json()["detail"], missing.json()["detail"], "nobody can tell them apart");
    let jobs = shop.bridge.get("/api/v1/jobs?state=done").await;
    assert_eq!((jobs.status, jobs.json()["code"].clone()), (403, json!("not_for_users")));

    shop.bridge.key = backend;
    assert_eq!(shop.bridge.get(&event).await.status, 200);
}

#[tokio::test]
async fn without_an_issuer_no_token_is_taken() {
    let bridge = Bridge::start().await;
    let shop = Shop::signing(Way::Hs256).await;
    let answer = show(&bridge, &shop.token("ana")).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (401, json!("unknown_api_key")));
}

#[tokio::test]
async fn api_keys_work_beside_tokens() {
    let shop = Shop::signing(Way::Rs256).await;
    let key = shop.bridge.key_for(&[Scope::EventsRead]).await;
    assert!(shop.lets_in(&key).await);
    let wrong = shop.show(&format!("{key}x")).await;
    assert_eq!((wrong.status, wrong.json()["code"].clone()), (401, json!("unknown_api_key")));
}

/// A shop whose key set lies at an address.
async fn published(way: Way, more: &str) -> (Shop, KeyServer) {
    let server = KeyServer::with(&json!({"keys": [way.public(true, "main")]})).await;
    let place = Arc::new(tempfile::tempdir().expect("a directory"));
    let source = format!("jwks_url = \"{}\"\n{more}", server.url);
    (Shop::with_source(way, place, &source).await, server)
}

/// A token that is signed with the other key, under this name.
fn by_other_key(shop: &Shop, kid: &str) -> String {
    let mut header = shop.header();
    header["kid"] = json!(kid);
    let algorithm = shop.way.name().parse().expect("a known name");
    let (header, claims) = (header.to_string(), shop.claims("ana").to_string());
    application::signed(&header, &claims, algorithm, &shop.way.key(false))
}

#[tokio::test]
async fn a_new_key_is_fetched_when_the_first_token_names_it() {
    let (shop, server) = published(Way::Rs256, "").await;
    assert_eq!(server.asked(), 0, "nobody has come yet");
    for _ in 0..3 {
        assert!(shop.lets_in(&shop.token("ana")).await);
    }
    assert_eq!(server.asked(), 1);

    let both = [shop.way.public(true, "main"), shop.way.public(false, "next")];
    server.publish(Some(&json!({"keys": both})));
    shop.bridge.pass(TimeDelta::minutes(2));
    assert!(shop.lets_in(&by_other_key(&shop, "next")).await);
    assert!(shop.lets_in(&shop.token("ana")).await, "the old one is still there");
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_crowd_that_names_a_new_key_makes_one_fetch() {
    let (shop, server) = published(Way::Es256, "").await;
    assert!(shop.lets_in(&shop.token("ana")).await);
    server.publish(Some(&json!({"keys": [shop.way.public(false, "next")]})));
    shop.bridge.pass(TimeDelta::minutes(2));

    server.hold(true);
    let token = by_other_key(&shop, "next");
    let mut crowd = JoinSet::new();
    for _ in 0..50 {
        let (router, token) = (shop.bridge.router.clone(), token.clone());
        crowd.spawn(async move {
            let request = axum::http::Request::get(application::NOTHING)
                .header("host", "localhost:3001")
                .header("authorization", format!("Bearer {token}"))
                .body(axum::body::Body::empty());
            tower::ServiceExt::oneshot(router, request.expect("a request")).await
        });
    }
    server.knocked().await; // the first fetch of this test
    server.knocked().await;
    assert!(shop.lets_in(&shop.token("ana")).await, "whose key is known need not wait");
    server.hold(false);
    for answer in crowd.join_all().await {
        assert_eq!(answer.expect("an answer").status(), 404);
    }
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn strangers_cannot_make_the_bridge_ask_more_than_once_a_minute() {
    let (shop, server) = published(Way::EdDsa, "").await;
    assert!(shop.lets_in(&shop.token("ana")).await);
    for n in 0..20 {
        assert!(!shop.lets_in(&by_other_key(&shop, &format!("made up {n}"))).await);
    }
    assert_eq!(server.asked(), 1, "the keys were read just now");
    shop.bridge.pass(TimeDelta::minutes(1));
    for n in 0..20 {
        assert!(!shop.lets_in(&by_other_key(&shop, &format!("made up {n}"))).await);
    }
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_dead_key_server_leaves_the_keys_as_they_were() {
    let (shop, server) = published(Way::Rs256, "").await;
    assert!(shop.lets_in(&shop.token("ana")).await);
    server.publish(None);
    shop.bridge.pass(TimeDelta::hours(2));
    assert!(shop.lets_in(&shop.token("ana")).await, "its answer is an error");
    assert_eq!(server.asked(), 2, "it was asked");

    for nonsense in [json!({"keys": []}), json!([]), json!({"keys": [{"kty": "oct", "k": "AAAA"}]})]
    {
        server.publish(Some(&nonsense));
        shop.bridge.pass(TimeDelta::hours(2));
        assert!(shop.lets_in(&shop.token("ana")).await, "its answer is {nonsense}");
    }
    server.hold(true);
    shop.bridge.pass(TimeDelta::hours(2));
    let (token, asked) = (shop.token("ana"), server.asked());
    let waiting = shop.lets_in(&token);
    let late = async {
        while server.asked() == asked {
            server.knocked().await;
        }
        shop.bridge.pass(TimeDelta::seconds(11));
    };
    let (let_in, ()) = tokio::join!(waiting, late);
    assert!(let_in, "it does not answer");
    server.hold(false);
}

#[tokio::test]
async fn a_key_that_is_taken_out_of_the_set_opens_nothing_after_the_next_reading() {
    let (shop, server) = published(Way::Es256, "jwks_refresh_secs = 300").await;
    assert!(shop.lets_in(&shop.token("ana")).await);
    server.publish(Some(&json!({"keys": [shop.way.public(false, "next")]})));
    shop.bridge.pass(TimeDelta::seconds(299));
    assert!(shop.lets_in(&shop.token("ana")).await, "it is not looked at yet");
    shop.bridge.pass(TimeDelta::seconds(1));
    assert!(!shop.lets_in(&shop.token("ana")).await);
    assert!(shop.lets_in(&by_other_key(&shop, "next")).await);
}

#[tokio::test]
async fn where_no_key_could_ever_be_read_the_fault_is_said_to_be_ours() {
    let (shop, server) = published(Way::Rs256, "").await;
    server.publish(None);
    let answer = shop.show(&shop.token("ana")).await;
    let code = answer.json()["code"].clone();
    assert_eq!((answer.status, code), (503, json!("issuer_keys_unavailable")));
    server.publish(Some(&json!({"keys": [shop.way.public(true, "main")]})));
    shop.bridge.pass(TimeDelta::minutes(1));
    assert!(shop.lets_in(&shop.token("ana")).await);
}

#[tokio::test]
async fn a_key_set_in_a_file_may_change_too() {
    let shop = Shop::signing(Way::EdDsa).await;
    assert!(shop.lets_in(&shop.token("ana")).await);
    shop.write_keys(&json!({"keys": [shop.way.public(false, "next")]}));
    shop.bridge.pass(TimeDelta::minutes(2));
    assert!(shop.lets_in(&by_other_key(&shop, "next")).await);
    assert!(!shop.lets_in(&shop.token("ana")).await);
}

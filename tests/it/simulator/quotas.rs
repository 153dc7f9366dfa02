//! Google's limits on use.

use axum::http::Method;
use calbridge::simulator::{Quota, Settings};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{PRIMARY, World, tea, tea_with};

async fn world(quota: Quota) -> (World, String) {
    let world = World::with(Settings { quota, ..Settings::default() }).await;
    let (token, _) = world.connect().await;
    (world, token)
}

#[tokio::test]
async fn a_call_is_charged_to_the_user_it_names() {
    let (world, token) = world(Quota { per_user_per_minute: 2, ..Quota::default() }).await;
    let list = |query: &'static str| {
        let path = format!("{PRIMARY}{query}");
        let (world, token) = (&world, token.clone());
        async move { world.api(&token, Method::GET, &path, Value::Null).await }
    };
    assert_eq!(list("").await.status, 200);
    assert_eq!(list("").await.status, 200);
    assert_eq!(list("").await.reason(), "userRateLimitExceeded");
    assert_eq!(list("?quotaUser=one").await.status, 200);
    assert_eq!(list("?quotaUser=one").await.status, 200);
    assert_eq!(list("?quotaUser=one").await.status, 403);
    let headers =
        [("authorization", format!("Bearer {token}")), ("x-goog-quota-user", "two".to_owned())];
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let named = world.send(Method::GET, PRIMARY, &headers, String::new()).await.unwrap();
    assert_eq!(named.status, 200);
    world.clock.advance(TimeDelta::seconds(60));
    assert_eq!(list("").await.status, 200, "the window slides");
    world.end().await;
}

#[tokio::test]
async fn a_patch_costs_three_and_the_refusal_may_be_429() {
    let quota = Quota { per_user_per_minute: 4, refusal: 429, ..Quota::default() };
    let (world, token) = world(quota).await;
    let patch = || {
        world.api(&token, Method::PATCH, "/calendar/v3/calendars/primary/events/none1", json!({}))
    };
    assert_eq!(patch().await.status, 404);
    let refused = patch().await;
    assert_eq!((refused.status, refused.reason().as_str()), (429, "rateLimitExceeded"));
    assert_eq!(world.api(&token, Method::GET, PRIMARY, Value::Null).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn one_calendar_takes_so_many_writes_a_minute() {
    let quota = Quota { per_calendar_writes_per_minute: Some(2), ..Quota::default() };
    let (world, token) = world(quota).await;
    let insert = || world.api(&token, Method::POST, PRIMARY, tea());
    assert_eq!(insert().await.status, 200);
    assert_eq!(insert().await.status, 200);
    let refused = insert().await;
    assert_eq!((refused.status, refused.reason().as_str()), (403, "rateLimitExceeded"));
    assert_eq!(world.api(&token, Method::GET, PRIMARY, Value::Null).await.status, 200);
    world.clock.advance(TimeDelta::seconds(61));
    assert_eq!(insert().await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn who_invites_too_many_may_only_read_for_hours() {
    let (world, token) = world(Quota { invitations: 3, ..Quota::default() }).await;
    let guests = json!({"attendees": [
        {"email": "x@elsewhere.example"}, {"email": "y@elsewhere.example"}, {"email": "ben@example.com"},
    ]});
    let insert = |query: &'static str| {
        let (world, token, body) = (&world, token.clone(), tea_with(guests.clone()));
        let path = format!("{PRIMARY}{query}");
        async move { world.api(&token, Method::POST, &path, body).await }
    };
    for _ in 0..3 {
        assert_eq!(insert("").await.status, 200, "nobody is invited without sendUpdates");
    }
    assert_eq!(insert("?sendUpdates=all").await.status, 200);
    assert_eq!(insert("?sendUpdates=all").await.status, 200, "two of three were invited");
    let refused = insert("?sendUpdates=all").await;
    assert_eq!((refused.status, refused.reason().as_str()), (403, "quotaExceeded"));
    assert_eq!(refused.json()["error"]["message"], "Calendar usage limits exceeded.");
    assert_eq!(insert("").await.status, 403, "nothing may be written");
    assert_eq!(world.api(&token, Method::GET, PRIMARY, Value::Null).await.status, 200);
    world.clock.advance(TimeDelta::hours(5));
    let (token, _) = world.connect().await;
    assert_eq!(world.api(&token, Method::POST, PRIMARY, tea()).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn guest_mails_and_new_events_have_limits_of_their_own() {
    let (world, token) = world(Quota { events: 2, ..Quota::default() }).await;
    for status in [200, 200, 403] {
        assert_eq!(world.api(&token, Method::POST, PRIMARY, tea()).await.status, status);
    }
    world.end().await;

    let (world, token) = self::world(Quota { guest_mails: 1, ..Quota::default() }).await;
    let body = tea_with(json!({"attendees": [{"email": "ben@example.com"}]}));
    let path = format!("{PRIMARY}?sendUpdates=all");
    for status in [200, 403] {
        assert_eq!(world.api(&token, Method::POST, &path, body.clone()).await.status, status);
    }
    world.end().await;
}

#[test]
fn a_seed_file_sets_the_limits() {
    let text = "[quota]\nrefusal = 429\nper_calendar_writes_per_minute = 30\ninvitations = 5\n";
    let quota = Settings::from_toml(text).unwrap().quota;
    assert_eq!((quota.refusal, quota.invitations, quota.calendars), (429, 5, 60));
    assert_eq!(quota.per_calendar_writes_per_minute, Some(30));
    let wrong = Settings::from_toml("[quota]\nrefusal = 404\n").unwrap_err();
    assert_eq!(wrong.key, "quota.refusal");
    let wrong = Settings::from_toml("[quota]\ncalendars = 0\n").unwrap_err();
    assert_eq!(wrong.key, "quota.calendars");
}

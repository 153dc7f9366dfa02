//! Copies of an event on its guests' calendars.

use axum::http::Method;
use serde_json::{Value, json};

use super::{EVENT_ID, PRIMARY, World, tea_with};

/// A simulator, and tokens of ana's and ben's.
async fn two_people() -> (World, String, String) {
    let world = World::new().await;
    let (ana, ben) =
        (world.token_of("ana@example.com").await, world.token_of("ben@example.com").await);
    (world, ana, ben)
}

fn with_ben(members: &Value) -> Value {
    let mut body = tea_with(json!({"id": EVENT_ID, "attendees": [{"email": "ben@example.com"}]}));
    body.as_object_mut().expect("an object").extend(members.as_object().expect("one").clone());
    body
}

fn item() -> String {
    format!("{PRIMARY}/{EVENT_ID}")
}

#[tokio::test]
async fn a_guest_sees_a_copy_with_own_reminders_and_no_foreign_private_properties() {
    let (world, ana, ben) = two_people().await;
    let members = json!({
        "extendedProperties": {"private": {"mine": "1"}, "shared": {"ours": "2"}},
        "reminders": {"useDefault": false}, "colorId": "3",
    });
    world.api(&ana, Method::POST, PRIMARY, with_ben(&members)).await;
    let copy = world.api(&ben, Method::GET, &item(), Value::Null).await.json();
    assert_eq!(copy["organizer"], json!({"email": "ana@example.com"}));
    assert_eq!(copy["creator"], json!({"email": "ana@example.com"}));
    assert_eq!(copy["attendees"][0]["self"], true);
    assert_eq!(copy["extendedProperties"], json!({"shared": {"ours": "2"}}));
    assert_eq!((&copy["reminders"]["useDefault"], &copy["colorId"]), (&json!(true), &Value::Null));
    assert_eq!(copy["start"]["dateTime"], "2026-04-01T05:00:00-04:00");

    let own = json!({"colorId": "5", "extendedProperties": {"private": {"his": "3"}}});
    world.api(&ben, Method::PATCH, &item(), own).await;
    world.api(&ana, Method::PATCH, &item(), json!({"summary": "Coffee"})).await;
    let copy = world.api(&ben, Method::GET, &item(), Value::Null).await.json();
    assert_eq!((&copy["summary"], &copy["colorId"]), (&json!("Coffee"), &json!("5")));
    assert_eq!(
        copy["extendedProperties"],
        json!({"private": {"his": "3"}, "shared": {"ours": "2"}})
    );
    world.end().await;
}

#[tokio::test]
async fn an_answer_reaches_the_organizer_and_other_edits_stay_with_the_guest() {
    let (world, ana, ben) = two_people().await;
    world.api(&ana, Method::POST, PRIMARY, with_ben(&json!({}))).await;
    let answer = json!({
        "summary": "Ben's tea",
        "attendees": [{"email": "ben@example.com", "responseStatus": "accepted"}],
    });
    world.api(&ben, Method::PATCH, &format!("{}?sendUpdates=all", item()), answer).await;
    let original = world.api(&ana, Method::GET, &item(), Value::Null).await.json();
    assert_eq!(original["attendees"][0]["responseStatus"], "accepted");
    assert_eq!(original["summary"], "Tea");
    let copy = world.api(&ben, Method::GET, &item(), Value::Null).await.json();
    assert_eq!(copy["summary"], "Ben's tea");
    let mails = world.simulator.outbox();
    assert_eq!((mails[0].to.as_str(), mails[0].kind), ("ana@example.com", "response"));
    world.end().await;
}

#[tokio::test]
async fn what_only_the_organizer_may_change_is_refused_to_a_guest() {
    let (world, ana, ben) = two_people().await;
    world.api(&ana, Method::POST, PRIMARY, with_ben(&json!({}))).await;
    let told = world.api(&ben, Method::PATCH, &item(), json!({"guestsCanModify": true})).await;
    assert_eq!((told.status, told.reason().as_str()), (403, "forbiddenForNonOrganizer"));
    world.end().await;
}

#[tokio::test]
async fn a_guest_who_may_modify_changes_the_event_for_all() {
    let (world, ana, ben) = two_people().await;
    world.api(&ana, Method::POST, PRIMARY, with_ben(&json!({"guestsCanModify": true}))).await;
    world.api(&ben, Method::PATCH, &item(), json!({"summary": "Coffee"})).await;
    let original = world.api(&ana, Method::GET, &item(), Value::Null).await.json();
    assert_eq!(original["summary"], "Coffee");
    assert_eq!(original["organizer"], json!({"email": "ana@example.com", "self": true}));
    world.end().await;
}

#[tokio::test]
async fn a_deletion_declines_for_a_guest_and_cancels_for_all_of_them() {
    let (world, ana, ben) = two_people().await;
    world.api(&ana, Method::POST, PRIMARY, with_ben(&json!({}))).await;
    world.api(&ben, Method::DELETE, &item(), Value::Null).await;
    let original = world.api(&ana, Method::GET, &item(), Value::Null).await.json();
    assert_eq!(original["attendees"][0]["responseStatus"], "declined");
    let second = tea_with(json!({"id": "second", "attendees": [{"email": "ben@example.com"}]}));
    world.api(&ana, Method::POST, PRIMARY, second).await;
    world.api(&ana, Method::DELETE, &format!("{PRIMARY}/second"), Value::Null).await;
    let copy = world.api(&ben, Method::GET, &format!("{PRIMARY}/second"), Value::Null).await;
    assert_eq!(copy.json()["status"], "cancelled");
    world.end().await;
}

#[tokio::test]
async fn guests_are_hidden_from_each_other_and_long_lists_cut_to_the_one_who_looks() {
    let (world, ana, ben) = two_people().await;
    let guests = json!([{"email": "ben@example.com"}, {"email": "one@example.net"}]);
    let body = with_ben(&json!({"attendees": guests, "guestsCanSeeOtherGuests": false}));
    world.api(&ana, Method::POST, PRIMARY, body).await;
    let copy = world.api(&ben, Method::GET, &item(), Value::Null).await.json();
    assert_eq!(copy["attendees"].as_array().map(Vec::len), Some(1));
    assert_eq!(copy["attendeesOmitted"], true);
    let short = format!("{}?maxAttendees=1", item());
    let original = world.api(&ana, Method::GET, &short, Value::Null).await.json();
    assert_eq!((&original["attendees"], &original["attendeesOmitted"]), (&json!([]), &json!(true)));
    world.end().await;
}

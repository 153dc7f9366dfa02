//! What an event of ours looks like when it is sent, new or changed.

use calbridge::google::events::members;
use calbridge::google::{Stamp, Verdict};
use calbridge::model::event::{Content, Guest, Meeting, Notify};
use calbridge::model::id::{EventId, GoogleId};
use calbridge::model::timing::Timing;
use calbridge::model::when::{Dst, Moment, Span};
use serde_json::{Value, json};

use super::wire::{Wire, access, cut, json};

const ID: GoogleId = GoogleId::from_u128(7);
const EVENT: EventId = EventId::from_u128(5);
const CALENDAR_IN_PATH: &str = "a%2Fb%20%23c%40group.calendar.google.com";

fn moment(instant: &str, zone: Option<chrono_tz::Tz>) -> Moment {
    Moment::read("start", instant, zone.map(|zone| ("zone", zone.name())), Dst::Compatible).unwrap()
}

/// Nine to ten in Prague; from the offset alone if there is no zone.
fn tea(zone: Option<chrono_tz::Tz>, guests: &[&str]) -> Content {
    let (start, end) = (moment("2026-07-01T07:00:00Z", zone), moment("2026-07-01T08:00:00Z", zone));
    let timing = Timing::Span(Span::new(start, end).unwrap());
    Content {
        description: "With \"biscuits\"".into(),
        guests: guests.iter().copied().map(Guest::new).collect(),
        meeting: Meeting::Meet,
        notify: Notify::All,
        ..Content::new("a/b #c@group.calendar.google.com", "Tea", timing)
    }
}

fn stamp() -> Stamp {
    Stamp { event: EVENT, namespace: "https://cal.example".into(), fingerprint: [255; 16] }
}

#[tokio::test]
async fn an_event_is_sent_whole_under_our_id() {
    let wire = Wire::answering([json(200, r#"{"id": "abc"}"#)]).await;
    let access = access();
    let content = tea(Some(chrono_tz::Europe::Prague), &["bob@example.com"]);
    let events = wire.google.events(&access, &content.calendar);
    events.insert(ID, &content, &stamp(), Some("try-1"), Notify::All).await.unwrap();
    let seen = wire.only();
    let (path, query) = seen.line.split_once('?').unwrap();
    assert_eq!(path, format!("POST /calendar/v3/calendars/{CALENDAR_IN_PATH}/events"));
    let mut query: Vec<&str> = query.split('&').collect();
    query.sort_unstable();
    assert_eq!(query, ["alt=json", "conferenceDataVersion=1", "sendUpdates=all"]);
    let expected = json!({
        "id": ID.to_string(),
        "summary": "Tea",
        "description": "With \"biscuits\"",
        "start": { "dateTime": "2026-07-01T07:00:00Z", "timeZone": "Europe/Prague" },
        "end": { "dateTime": "2026-07-01T08:00:00Z", "timeZone": "Europe/Prague" },
        "attendees": [{ "email": "bob@example.com" }],
        "conferenceData": { "createRequest": {
            "requestId": "try-1", "conferenceSolutionKey": { "type": "hangoutsMeet" },
        } },
        "extendedProperties": { "private": {
            "calbridge_event": EVENT.to_string(),
            "calbridge_namespace": "https://cal.example",
            "calbridge_fingerprint": "v".repeat(25) + "s",
        } },
    });
    assert_eq!(seen.json(), expected);
    assert!(seen.head.contains("authorization: Bearer ya29.MARKER"), "{}", seen.head);
}

#[tokio::test]
async fn what_is_not_wanted_is_not_sent() {
    let wire = Wire::answering([json(200, r#"{"id": "abc"}"#)]).await;
    let access = access();
    let content = Content { description: String::new(), ..tea(None, &[]) };
    let events = wire.google.events(&access, "cal");
    events.insert(ID, &content, &stamp(), None, Notify::External).await.unwrap();
    let seen = wire.only();
    assert!(seen.line.contains("conferenceDataVersion=1"), "{}", seen.line);
    assert!(seen.line.contains("sendUpdates=externalOnly"), "{}", seen.line);
    let sent = seen.json();
    for absent in ["description", "attendees", "conferenceData"] {
        assert!(sent.get(absent).is_none(), "{sent}");
    }
    assert_eq!(sent["start"], json!({ "dateTime": "2026-07-01T07:00:00Z" }));
}

#[tokio::test]
async fn an_insert_tells_a_taken_id_from_an_open_outcome() {
    let taken = json!({ "error": { "code": 409, "errors": [{ "reason": "duplicate" }] } });
    for (raw, verdict) in [
        (json(409, &taken.to_string()), Verdict::Duplicate),
        (cut(200, r#"{"id": "abc""#), Verdict::Unknown),
        (cut(200, ""), Verdict::Unknown),
        (Vec::new(), Verdict::Unknown),
        (json(503, "{}"), Verdict::Outage),
    ] {
        let wire = Wire::answering([raw]).await;
        let access = access();
        let events = wire.google.events(&access, "cal");
        let content = tea(None, &["MARKER@example.com"]);
        let sent = events.insert(ID, &content, &stamp(), None, Notify::None).await;
        let failure = sent.unwrap_err();
        assert_eq!(failure.verdict, verdict, "{failure:?}");
        assert!(!format!("{failure:?} {failure}").contains("MARKER"));
        assert_eq!(wire.seen().len(), 1, "and it is not sent again");
    }
}

#[test]
fn a_change_clears_what_is_empty_and_keeps_to_our_members() {
    let content = Content { description: String::new(), ..tea(None, &[]) };
    let changed = Value::from(members(&content, &stamp(), &[]));
    assert_eq!(changed["description"], Value::Null);
    let start = json!({ "dateTime": "2026-07-01T07:00:00Z", "timeZone": null, "date": null });
    assert_eq!(changed["start"], start);
    let mut names: Vec<&String> = changed.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["description", "end", "extendedProperties", "start", "summary"]);
}

#[test]
fn guests_join_those_present_who_stay_as_they_are() {
    let present = [
        json!({ "email": "BOB@Example.com", "responseStatus": "accepted", "new": [1] }),
        json!({ "email": "someone-a-person-added@example.com", "optional": true }),
    ];
    let with = |guests: &[&str]| members(&tea(None, guests), &stamp(), &present);
    let joined = with(&["bob@example.com", "eve@example.com", "Eve@example.com"]);
    let eve = json!({ "email": "eve@example.com" });
    assert_eq!(joined["attendees"], json!([present[0], present[1], eve]));
    assert!(with(&["bob@example.com"]).get("attendees").is_none(), "nobody is to be added");
}

//! What an event of ours looks like when it is sent, new or changed.

use calbridge::google::events::{Conference, Copy, Members, Shown, changed_members, new_members};
use calbridge::google::{Stamp, Verdict};
use calbridge::model::event::{Color, Content, Guest, Meeting, Notify, Transparency, Visibility};
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

/// The members of a new event without a Meet link.
fn new(content: &Content) -> Members {
    new_members(content, &stamp(), &[], None, Shown::AsConference)
}

/// What makes an event with these guests say `content`.
fn changed(content: &Content, present: &[Value]) -> Members {
    let copy = Copy {
        id: ID.to_string(),
        cancelled: false,
        etag: None,
        html_link: None,
        stamp: None,
        conference: Conference::None,
        attendees: present.to_vec(),
    };
    changed_members(content, &stamp(), &copy, None, Shown::AsConference)
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
    let members = new_members(&content, &stamp(), &[], Some("try-1"), Shown::AsConference);
    events.insert(ID, members, Notify::All).await.unwrap();
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
    events.insert(ID, new(&content), Notify::External).await.unwrap();
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
        let sent = events.insert(ID, new(&content), Notify::None).await;
        let failure = sent.unwrap_err();
        assert_eq!(failure.verdict, verdict, "{failure:?}");
        assert!(!format!("{failure:?} {failure}").contains("MARKER"));
        assert_eq!(wire.seen().len(), 1, "and it is not sent again");
    }
}

#[test]
fn a_change_keeps_to_our_members() {
    let content = Content { description: String::new(), ..tea(None, &[]) };
    let changed = Value::from(changed(&content, &[]));
    let start = json!({ "dateTime": "2026-07-01T07:00:00Z", "timeZone": null, "date": null });
    assert_eq!(changed["start"], start);
    let mut names: Vec<&String> = changed.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["end", "extendedProperties", "start", "summary"]);
}

#[test]
fn a_change_clears_what_an_earlier_revision_said_and_this_one_does_not() {
    let zone = Some(chrono_tz::Europe::Prague);
    let before = Content {
        location: "The garden".into(),
        color: Some(Color::Tomato),
        visibility: Visibility::Private,
        transparency: Transparency::Transparent,
        alerts: Some(Vec::new()),
        meeting: Meeting::Own { uri: "https://meet.example/1".into(), label: String::new() },
        ..tea(zone, &[])
    };
    let bare = Content::new("cal", "Tea", before.timing);
    let changed = Value::from(changed(&bare.following(&before, true), &[]));
    for name in ["description", "location", "colorId", "conferenceData"] {
        assert_eq!(changed.get(name), Some(&Value::Null), "{name}: {changed}");
    }
    assert_eq!(
        (&changed["visibility"], &changed["transparency"]),
        (&json!("default"), &json!("opaque"))
    );
    assert_eq!(changed["reminders"], json!({ "useDefault": true, "overrides": [] }));
}

#[test]
fn guests_join_those_present_who_stay_as_they_are() {
    let present = [
        json!({ "email": "BOB@Example.com", "responseStatus": "accepted", "new": [1] }),
        json!({ "email": "someone-a-person-added@example.com", "optional": true }),
    ];
    let with = |guests: &[&str]| changed(&tea(None, guests), &present);
    let joined = with(&["bob@example.com", "eve@example.com"]);
    let eve = json!({ "email": "eve@example.com" });
    assert_eq!(joined["attendees"], json!([present[0], present[1], eve]));
    assert!(with(&["bob@example.com"]).get("attendees").is_none(), "nobody is to be added");
}

#[test]
fn a_guest_who_is_wanted_no_more_goes_and_all_others_stay_as_they_are() {
    let present = [
        json!({ "email": "Bob@Example.com", "responseStatus": "accepted" }),
        json!({ "email": "eve@example.com", "responseStatus": "declined" }),
        json!({ "email": "someone-a-person-added@example.com" }),
    ];
    let before = tea(None, &["bob@example.com", "eve@example.com"]);
    let after = tea(None, &["eve@example.com"]).following(&before, true);
    let sent = changed(&after, &present);
    assert_eq!(sent["attendees"], json!([present[1], present[2]]));
    let unsettled = tea(None, &["eve@example.com"]).following(&after, false);
    assert_eq!(changed(&unsettled, &present)["attendees"], json!([present[1], present[2]]));
    let settled = tea(None, &["eve@example.com"]).following(&after, true);
    assert!(
        changed(&settled, &present).get("attendees").is_none(),
        "what went is other people's now"
    );
}

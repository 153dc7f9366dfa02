//! What is sent about events, and what is read of them.

use std::io::Write;
use std::sync::{Arc, Mutex};

use calbridge::google::events::conference_request;
use calbridge::google::{Conference, Copy, Verdict};
use calbridge::model::event::Notify;
use calbridge::model::id::{EventId, GoogleId};
use serde_json::{Map, Value, json};

use super::wire::{Wire, access, answer, json};

const ID: GoogleId = GoogleId::from_u128(7);
/// With every character that an address could stumble over.
const CALENDAR: &str = "a/b #c?d%@group.calendar.google.com";
const CALENDAR_IN_PATH: &str = "a%2Fb%20%23c%3Fd%25%40group.calendar.google.com";

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("{value} is no map") };
    map
}

/// What is read of this event, by the hub's way and by our own.
async fn read(event: Value) -> Copy {
    let raw = json(200, &event.to_string());
    let wire = Wire::answering([raw.clone(), raw]).await;
    let access = access();
    let events = wire.google.events(&access, "cal");
    let got = events.get(ID).await.unwrap();
    let patched = events.patch(ID, Map::new(), None, Notify::None).await.unwrap();
    assert_eq!(got, patched);
    got
}

#[tokio::test]
async fn a_patch_sends_what_it_was_given_and_nothing_else() {
    let wire = Wire::answering([json(200, r#"{"id": "abc"}"#)]).await;
    let access = access();
    let members = json!({ "description": null, "summary": "Tea", "start": { "date": null } });
    wire.google
        .events(&access, CALENDAR)
        .patch(ID, map(members.clone()), Some("\"3181161784712000\""), Notify::External)
        .await
        .unwrap();
    let seen = wire.only();
    let path = format!("/calendar/v3/calendars/{CALENDAR_IN_PATH}/events/{ID}");
    let query = "conferenceDataVersion=1&sendUpdates=externalOnly&alt=json";
    assert_eq!(seen.line, format!("PATCH {path}?{query}"));
    assert_eq!(seen.json(), members);
    assert!(seen.head.contains("if-match: \"3181161784712000\""), "{}", seen.head);
    assert!(seen.head.contains("content-type: application/json"), "{}", seen.head);
    assert!(seen.head.contains("authorization: Bearer ya29.MARKER"), "{}", seen.head);
    assert!(seen.head.contains("user-agent: calbridge/"), "{}", seen.head);
}

#[tokio::test]
async fn a_patch_without_a_condition_has_none() {
    let wire = Wire::answering([json(200, r#"{"id": "abc"}"#)]).await;
    let access = access();
    let events = wire.google.events(&access, "cal");
    events.patch(ID, Map::new(), None, Notify::All).await.unwrap();
    let seen = wire.only();
    assert!(!seen.head.contains("if-match"), "{}", seen.head);
    assert!(seen.line.contains("sendUpdates=all"), "{}", seen.line);
}

#[tokio::test]
async fn an_etag_that_is_none_is_not_sent() {
    let wire = Wire::answering([]).await;
    let access = access();
    let events = wire.google.events(&access, "cal");
    let failure = events.patch(ID, Map::new(), Some("a\nb"), Notify::None).await.unwrap_err();
    assert_eq!(failure.verdict, Verdict::PreconditionFailed);
    assert!(wire.seen().is_empty());
}

#[tokio::test]
async fn a_get_names_calendar_and_event() {
    let wire = Wire::answering([json(200, r#"{"id": "abc"}"#)]).await;
    let access = access();
    wire.google.events(&access, CALENDAR).get(ID).await.unwrap();
    let seen = wire.only();
    let path = format!("/calendar/v3/calendars/{CALENDAR_IN_PATH}/events/{ID}");
    assert_eq!(seen.line, format!("GET {path}?alt=json"));
    assert!(seen.head.contains("user-agent: calbridge/"), "{}", seen.head);
}

#[tokio::test]
async fn a_delete_tells_whom_to_tell() {
    let gone = json!({ "error": { "errors": [{ "reason": "deleted" }], "code": 410 } });
    let answers = [answer(204, &[], ""), json(410, &gone.to_string())];
    let wire = Wire::answering(answers).await;
    let access = access();
    let events = wire.google.events(&access, CALENDAR);
    events.delete(ID, Notify::All).await.unwrap();
    assert_eq!(events.delete(ID, Notify::None).await.unwrap_err().verdict, Verdict::Gone);
    let lines: Vec<String> = wire.seen().into_iter().map(|seen| seen.line).collect();
    let path = format!("DELETE /calendar/v3/calendars/{CALENDAR_IN_PATH}/events/{ID}");
    let expected = ["all", "none"].map(|whom| format!("{path}?sendUpdates={whom}"));
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn the_primary_calendar_is_known_by_its_own_id() {
    let entry = r#"{"kind": "calendar#calendarListEntry", "id": "ana@example.com"}"#;
    let wire = Wire::answering([json(200, entry), json(200, "{}")]).await;
    let access = access();
    assert_eq!(wire.google.primary(&access).await.unwrap(), "ana@example.com");
    let nameless = wire.google.primary(&access).await.unwrap_err();
    assert_eq!(nameless.verdict, Verdict::Unknown);
    assert_eq!(wire.seen()[0].line, "GET /calendar/v3/users/me/calendarList/primary?alt=json");
}

#[tokio::test]
async fn our_stamp_tells_our_events_from_others() {
    let event = EventId::from_u128(5);
    let whole = json!({
        "calbridge_event": event.to_string(),
        "calbridge_namespace": "https://calendar.example",
        "calbridge_fingerprint": "0".repeat(25) + "4",
        "other": "x",
    });
    let with = |private: &Value| json!({ "id": "a", "extendedProperties": { "private": private } });
    let stamp = read(with(&whole)).await.stamp.expect("it is stamped");
    assert_eq!((stamp.event, stamp.namespace.as_str()), (event, "https://calendar.example"));
    assert_eq!(stamp.fingerprint, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    let changed = |name: &str, value: &str| {
        let mut private = whole.clone();
        private[name] = value.into();
        with(&private)
    };
    let spoilt = read(changed("calbridge_fingerprint", "spoilt")).await.stamp;
    assert_eq!(spoilt.expect("it is still ours").fingerprint, [0; 16]);
    assert_eq!(read(changed("calbridge_event", "not an id")).await.stamp, None);
    assert_eq!(read(json!({ "id": "a" })).await.stamp, None);
}

#[tokio::test]
async fn a_meeting_stands_where_google_says() {
    let link = "https://meet.google.com/abc-defg-hij";
    let video = json!([{ "entryPointType": "phone", "uri": "tel:+1" },
        { "entryPointType": "video", "uri": link }]);
    let status = |code: &str| json!({ "createRequest": { "status": { "statusCode": code } } });
    let ready = || Conference::Ready(link.to_owned());
    for (event, stands) in [
        (json!({ "id": "a" }), Conference::None),
        (json!({ "id": "a", "conferenceData": {} }), Conference::None),
        (json!({ "id": "a", "conferenceData": status("pending") }), Conference::Pending),
        (json!({ "id": "a", "conferenceData": status("success") }), Conference::Pending),
        (json!({ "id": "a", "conferenceData": conference_request("r") }), Conference::Pending),
        (json!({ "id": "a", "conferenceData": { "entryPoints": video } }), ready()),
        (json!({ "id": "a", "hangoutLink": link }), ready()),
        (json!({ "id": "a", "hangoutLink": "javascript:alert(1)" }), Conference::None),
    ] {
        assert_eq!(read(event.clone()).await.conference, stands, "{event}");
    }
    for data in [status("failure"), json!({ "conferenceId": "x" })] {
        let event = json!({ "id": "a", "conferenceData": data });
        assert!(matches!(read(event).await.conference, Conference::Failed(_)));
    }
}

#[tokio::test]
async fn guests_are_read_with_all_they_said() {
    let guests = json!([
        { "email": "Bob@Example.com", "responseStatus": "accepted", "comment": "MARKER" },
        { "email": "eve@example.com", "somethingNew": { "kept": true } },
    ]);
    let copy = read(json!({
        "id": "abc", "status": "cancelled", "etag": "\"1\"", "attendees": guests,
        "htmlLink": "https://www.google.com/calendar/event?eid=MARKER",
        "hangoutLink": "https://meet.google.com/MARKER", "summary": "MARKER",
    }))
    .await;
    assert_eq!(Value::from(copy.attendees.clone()), guests);
    assert_eq!((copy.id.as_str(), copy.cancelled), ("abc", true));
    assert_eq!(copy.etag.as_deref(), Some("\"1\""));
    assert!(copy.html_link.as_deref().unwrap().ends_with("eid=MARKER"));
    assert!(!format!("{copy:?}").contains("MARKER"), "{copy:?}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_tells_of_calls_and_of_nothing_private() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter("calbridge=trace")
        .with_writer(move || writer.clone())
        .finish();
    // With one subscriber alone, tracing asks whichever thread logs first whether anybody listens,
    // and remembers the answer; the tests beside this one would say no.
    let _other = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let _guard = tracing::subscriber::set_default(subscriber);

    let event = r#"{"id": "abc", "summary": "MARKER"}"#;
    let refused = r#"{"error": {"errors": [{"reason": "forbidden", "message": "MARKER"}]}}"#;
    let wire = Wire::answering([answer(204, &[], ""), json(403, refused), json(200, event)]).await;
    let access = access();
    let events = wire.google.events(&access, "MARKER@example.com");
    events.delete(ID, Notify::None).await.unwrap();
    let failure = events.get(ID).await.unwrap_err();
    let members = map(json!({ "summary": "MARKER" }));
    events.patch(ID, members, None, Notify::None).await.unwrap();

    let told = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for said in
        ["events.get", "events.delete", "events.patch", "status=204", "status=403", "took_ms="]
    {
        assert!(told.contains(said), "{said}: {told}");
    }
    let all = format!("{told} {failure} {failure:?} {:?} {access:?}", wire.google);
    assert!(!all.contains("MARKER"), "{all}");
}

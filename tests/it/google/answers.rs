//! What answers mean: errors of every shape, answers cut, late, endless or missing.

use std::time::Duration;

use calbridge::google::{Failure, Verdict};
use calbridge::model::event::Notify;
use calbridge::model::id::GoogleId;
use serde_json::{Map, json};
use tokio::net::TcpListener;

use super::wire::{Wire, access, access_of, answer, cut, google_at, json};

const ID: GoogleId = GoogleId::from_u128(7);

/// What the hub makes of this answer, and what a patch of our own makes of it: the same. Each asks a
/// Google of its own, since some answers keep the next call back.
async fn judged(raw: Vec<u8>) -> Failure {
    let (first, second) = (Wire::answering([raw.clone()]).await, Wire::answering([raw]).await);
    let access = access();
    let by_hub = first.google.events(&access, "cal").get(ID).await.unwrap_err();
    let patching =
        second.google.events(&access, "cal").patch(ID, Map::new(), None, Notify::None).await;
    let by_us = patching.unwrap_err();
    // Where the answer itself is unusable, the hub does not tell what status it had.
    if by_us.verdict != Verdict::Unknown {
        assert_eq!(by_hub, by_us);
    }
    assert_eq!(by_hub.verdict, by_us.verdict);
    by_us
}

fn backend(status: u16, domain: &str, reason: &str, message: &str) -> Vec<u8> {
    let error = json!({
        "error": {
            "errors": [{ "domain": domain, "reason": reason, "message": message }],
            "code": status,
            "message": message,
        }
    });
    json(status, &error.to_string())
}

#[tokio::test]
async fn the_reason_decides_before_the_status() {
    for (status, domain, reason, verdict) in [
        (400, "global", "required", Verdict::Refused),
        (400, "global", "invalid", Verdict::Refused),
        (400, "global", "badRequest", Verdict::Refused),
        (400, "calendar", "timeRangeEmpty", Verdict::Refused),
        (400, "global", "invalidParameter", Verdict::Refused),
        (400, "global", "parseError", Verdict::Refused),
        (401, "global", "authError", Verdict::TokenRejected),
        (401, "global", "required", Verdict::TokenRejected),
        (403, "usageLimits", "userRateLimitExceeded", Verdict::RateUser),
        (403, "usageLimits", "rateLimitExceeded", Verdict::RateProject),
        (403, "usageLimits", "quotaExceeded", Verdict::QuotaExceeded),
        (403, "usageLimits", "dailyLimitExceeded", Verdict::DailyLimit),
        (403, "global", "insufficientPermissions", Verdict::ScopeMissing),
        (403, "global", "forbidden", Verdict::Refused),
        (403, "calendar", "requiredAccessLevel", Verdict::Refused),
        (403, "calendar", "forbiddenForNonOrganizer", Verdict::Refused),
        (403, "calendar", "forbiddenForServiceAccounts", Verdict::Refused),
        (403, "usageLimits", "accessNotConfigured", Verdict::Operator),
        (404, "global", "notFound", Verdict::NotFound),
        (409, "global", "duplicate", Verdict::Duplicate),
        (409, "global", "conflict", Verdict::Conflict),
        (410, "global", "deleted", Verdict::Gone),
        (410, "calendar", "updatedMinTooLongAgo", Verdict::Gone),
        (412, "global", "conditionNotMet", Verdict::PreconditionFailed),
        (429, "usageLimits", "rateLimitExceeded", Verdict::RateProject),
        (429, "usageLimits", "userRateLimitExceeded", Verdict::RateUser),
        (500, "global", "backendError", Verdict::Outage),
        (503, "global", "internalError", Verdict::Outage),
        (418, "global", "somethingNew", Verdict::Refused),
        (502, "global", "somethingNew", Verdict::Outage),
    ] {
        let failure = judged(backend(status, domain, reason, "MARKER")).await;
        assert_eq!(failure.verdict, verdict, "{status} {reason}");
        assert_eq!((failure.status, failure.reason.as_deref()), (Some(status), Some(reason)));
        assert!(!failure.text.contains("MARKER"), "{failure}");
        assert!(failure.text.ends_with('.'), "{failure}");
    }
}

#[tokio::test]
async fn the_front_ends_other_shape_is_read_too() {
    let told = |status: u16, name: &str, detail: &str| {
        let error = json!({
            "error": { "code": status, "message": "MARKER", "status": name,
                "details": [{ "@type": "type.googleapis.com/google.rpc.Help" },
                    { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": detail }] }
        });
        json(status, &error.to_string())
    };
    for (raw, verdict) in [
        (told(403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), Verdict::ScopeMissing),
        (told(403, "PERMISSION_DENIED", "SERVICE_DISABLED"), Verdict::Operator),
        (told(403, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"), Verdict::RateProject),
        (told(401, "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED"), Verdict::TokenRejected),
        (told(403, "PERMISSION_DENIED", "SOMETHING_NEW"), Verdict::Refused),
    ] {
        let failure = judged(raw).await;
        assert_eq!(failure.verdict, verdict, "{failure:?}");
    }
}

#[tokio::test]
async fn a_page_is_no_final_no() {
    for (status, verdict) in [
        (302, Verdict::Unknown),
        (400, Verdict::Unknown),
        (401, Verdict::TokenRejected),
        (403, Verdict::Unknown),
        (404, Verdict::NotFound),
        (408, Verdict::Outage),
        (413, Verdict::Refused),
        (429, Verdict::RateProject),
        (502, Verdict::Outage),
        (503, Verdict::Outage),
    ] {
        let page = ["Content-Type: text/html", "Location: http://127.0.0.1:1/"];
        let failure = judged(answer(status, &page, "<html>MARKER</html>")).await;
        assert_eq!((failure.verdict, failure.status), (verdict, Some(status)));
        assert!(!format!("{failure} {failure:?}").contains("MARKER"));
    }
}

#[tokio::test]
async fn a_calendar_without_meet_is_told_apart_from_other_faults() {
    let no_meet = backend(400, "global", "invalid", "Invalid conference type value.");
    assert_eq!(judged(no_meet).await.verdict, Verdict::ConferenceNotAllowed);
    let failure = judged(backend(400, "global", "required", "Missing end time.")).await;
    assert!(failure.text.ends_with("Google says: Missing end time."), "{failure}");
}

#[tokio::test]
async fn a_reason_that_is_no_plain_word_is_dropped() {
    let failure = judged(backend(400, "global", "ana@example.com", "MARKER")).await;
    assert_eq!((failure.verdict, failure.reason), (Verdict::Refused, None));
}

#[tokio::test]
async fn an_answer_cut_short_leaves_the_outcome_open() {
    for raw in [
        cut(200, r#"{"id": "abc", "status": "confirmed""#),
        cut(200, ""),
        cut(403, r#"{"error": {"errors": [{"reason": "forbidden"#),
        b"HTTP/1.1 200 OK\r\nContent-Le".to_vec(),
        Vec::new(),
    ] {
        let failure = judged(raw).await;
        assert_eq!(failure.verdict, Verdict::Unknown, "{failure:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_event_leaves_the_outcome_open() {
    for body in ["[]", "{}", r#"{"status": "confirmed"}"#, "not json"] {
        assert_eq!(judged(json(200, body)).await.verdict, Verdict::Unknown, "{body}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_it() {
    let endless = format!(r#"{{"id": "abc", "summary": "{}"}}"#, "x".repeat(5 * 1024 * 1024));
    assert_eq!(judged(json(200, &endless)).await.verdict, Verdict::Unknown);
}

#[tokio::test]
async fn no_answer_within_the_deadline_leaves_the_outcome_open() {
    let wire = Wire::with_deadline([], Duration::from_millis(100)).await;
    let access = access();
    let failure = wire.google.events(&access, "cal").get(ID).await.unwrap_err();
    assert_eq!((failure.verdict, failure.status), (Verdict::Unknown, None));

    let wire = Wire::with_deadline([], Duration::from_millis(100)).await;
    let failure = wire.google.account(&access).await.unwrap_err();
    assert_eq!((failure.verdict, failure.status), (Verdict::Unknown, None));
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_done() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let google = google_at(port, Duration::from_secs(20));
    let access = access();
    let by_hub = google.events(&access, "cal").get(ID).await.unwrap_err();
    assert_eq!((by_hub.verdict, by_hub.status), (Verdict::Outage, None));
    assert_eq!(google.account(&access).await.unwrap_err().verdict, Verdict::Outage);
}

#[tokio::test]
async fn how_long_google_asks_to_be_left_alone_is_kept() {
    let date = "Date: Sat, 21 Nov 2026 10:00:00 GMT";
    for (headers, wait) in [
        (&["Retry-After: 7"][..], Some(7)),
        (&[date, "Retry-After: Sat, 21 Nov 2026 10:02:00 GMT"], Some(120)),
        (&[date, "Retry-After: Sat, 21 Nov 2026 09:00:00 GMT"], Some(0)),
        (&["Retry-After: 18446744073709551615"], Some(24 * 3600)),
        (&["Retry-After: soon"], None),
        (&[], None),
    ] {
        let failure = judged(answer(503, headers, "{}")).await;
        assert_eq!(failure.retry_after, wait.map(Duration::from_secs), "{headers:?}");
    }
}

#[tokio::test]
async fn a_failed_call_is_not_repeated() {
    let wire = Wire::answering([json(503, "{}")]).await;
    let access = access();
    wire.google.events(&access, "cal").get(ID).await.unwrap_err();
    assert_eq!(wire.only().line, format!("GET /calendar/v3/calendars/cal/events/{ID}?alt=json"));
}

#[tokio::test]
async fn a_token_that_no_header_can_hold_is_refused_unsent() {
    let wire = Wire::answering([]).await;
    let access = access_of("MARKER\r\nX-Evil: yes");
    for failure in [
        wire.google.events(&access, "cal").get(ID).await.unwrap_err(),
        wire.google.account(&access).await.unwrap_err(),
    ] {
        assert_eq!(failure.verdict, Verdict::TokenRejected);
        assert!(!format!("{failure} {failure:?}").contains("MARKER"));
    }
    assert!(wire.seen().is_empty());
}

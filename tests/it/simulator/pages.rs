//! The pages to look at, and their buttons.

use axum::http::Method;
use calbridge::simulator::{ClockMode, Settings};
use serde_json::{Value, json};

use super::{EVENT_ID, PRIMARY, Reply, World, tea, tea_with};

impl World {
    async fn press(&self, fields: &[(&str, &str)]) -> Reply {
        self.post_form("/simulator/press", fields).await
    }

    async fn page(&self, path: &str) -> String {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("content-type"), "text/html; charset=UTF-8");
        reply.text
    }
}

#[tokio::test]
async fn a_month_shows_what_happens_on_each_of_its_days() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    let trip = json!({"summary": "Trip <b>", "start": {"date": "2026-04-29"}, "end": {"date": "2026-05-02"}});
    world.api(&token, Method::POST, PRIMARY, trip).await;
    world.api(&token, Method::POST, PRIMARY, tea_with(json!({"id": EVENT_ID}))).await;
    for _ in 0..6 {
        world.api(&token, Method::POST, PRIMARY, tea()).await;
    }
    let april = world.page("/calendar/ana@example.com?month=2026-04").await;
    assert!(april.contains("<h1>April 2026</h1>"));
    assert_eq!(april.matches("<time datetime=").count(), 35, "five weeks");
    assert!(april.contains("?month=2026-03") && april.contains("?month=2026-05"));
    assert_eq!(april.matches("entry bar-entry").count(), 3, "one for each day of the trip");
    assert!(april.contains("Trip &#60;b&#62;") && !april.contains("Trip <b>"));
    assert!(april.contains("<summary>+3 more</summary>"));
    assert!(april.contains("<span class=\"at\">10:00</span>"), "by the calendar's own clock");
    let may = world.page("/calendar/ana@example.com?month=2026-05").await;
    assert_eq!(may.matches("entry bar-entry").count(), 3, "the week that April ends in");

    let path = format!("{PRIMARY}/{EVENT_ID}");
    world.api(&token, Method::DELETE, &path, Value::Null).await;
    let april = world.page("/calendar/ana@example.com?month=2026-04").await;
    assert!(april.contains("<summary>+2 more</summary>") && !april.contains(" gone"));
    let all = world.page("/calendar/ana@example.com?month=2026-04&deleted=1").await;
    assert!(all.contains("<summary>+3 more</summary>") && all.contains(" gone"));
    let today = world.page("/calendar/ana@example.com?month=nonsense").await;
    assert!(today.contains("<h1>March 2026</h1>") && today.contains("aria-current=\"date\""));
    assert_eq!(world.get("/calendar/nobody@example.com").await.status, 404);
    assert_eq!(world.get("/calendar/ana@example.com?month=9999-12").await.status, 404);
    world.end().await;
}

#[tokio::test]
async fn an_events_page_tells_all_the_api_tells() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    let body = tea_with(json!({
        "attendees": [{"email": "ben@example.com", "displayName": "Ben"},
            {"email": "x@elsewhere.example", "responseStatus": "declined", "optional": true}],
        "recurrence": ["RRULE:FREQ=DAILY;COUNT=2"],
        "extendedProperties": {"private": {"stamp": "one"}, "shared": {"ticket": "two"}},
    }));
    let event = world.api(&token, Method::POST, PRIMARY, body).await.json();
    let link = event["htmlLink"].as_str().unwrap().strip_prefix(&world.base).unwrap();
    let page = world.page(link).await;
    let etag = event["etag"].as_str().unwrap().trim_matches('"');
    for part in [
        "Ben",
        "declined",
        "optional",
        "no answer yet",
        "RRULE:FREQ=DAILY;COUNT=2",
        "stamp",
        "ticket",
        etag,
        "&#34;eventType&#34;: &#34;default&#34;",
    ] {
        assert!(page.contains(part), "{part} is not on the page: {page}");
    }
    world.end().await;
}

#[tokio::test]
async fn buttons_make_trouble_and_end_it() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    let arm = [("press", "fault"), ("fault", "server_error"), ("times", "1"), ("back", "/#faults")];
    let pressed = world.press(&arm).await;
    assert_eq!((pressed.status, pressed.header("location")), (303, "/#faults"));
    let front = world.page("/").await;
    assert!(front.contains("0 of 1") && front.contains("aria-label=\"Disarm fault 1\""));
    assert_eq!(world.api(&token, Method::GET, PRIMARY, Value::Null).await.status, 500);
    assert!(world.page("/").await.contains("1 of 1 (spent)"));
    assert_eq!(world.press(&[("press", "disarm"), ("number", "1")]).await.status, 303);
    assert!(world.page("/").await.contains("None is armed"));

    assert!(world.page("/").await.contains("1 refresh, 1 live access token"));
    assert_eq!(world.press(&[("press", "revoke"), ("user", "ana@example.com")]).await.status, 303);
    assert!(!world.page("/").await.contains("live access token"));
    assert_eq!(world.api(&token, Method::GET, PRIMARY, Value::Null).await.status, 401);

    assert!(world.page("/").await.contains("27 Mar 2026, 12:00:00 UTC"));
    assert_eq!(world.press(&[("press", "advance"), ("secs", "3600")]).await.status, 303);
    assert!(world.page("/").await.contains("27 Mar 2026, 13:00:00 UTC"));
    let away = world.press(&[("press", "clear"), ("back", "//elsewhere.example/")]).await;
    assert_eq!(away.header("location"), "/");
    let wrong = world.press(&[("press", "fualt")]).await;
    assert_eq!((wrong.status, &wrong.json()["next"]), (400, &json!("Did you mean fault?")));
    assert_eq!(world.press(&[("press", "fault")]).await.json()["field"], "fault");
    world.end().await;
}

#[tokio::test]
async fn calls_and_mails_are_listed_without_secrets() {
    let world = World::with(Settings { clock: ClockMode::Given, ..Settings::default() }).await;
    let (token, _) = world.connect().await;
    let fault = json!({"fault": "status", "status": 418, "times": 1});
    world.send(Method::POST, "/simulator/faults", &[], fault.to_string()).await.unwrap();
    world.api(&token, Method::POST, PRIMARY, tea()).await;
    let guests = tea_with(json!({"attendees": [{"email": "x@elsewhere.example"}]}));
    world.api(&token, Method::POST, &format!("{PRIMARY}?sendUpdates=all"), guests).await;
    let log = world.page("/simulator/log").await;
    for part in ["418", ">status<", "calendar.events.insert", "authorization_code"] {
        assert!(log.contains(part), "{part} is not in the log");
    }
    for secret in world.simulator.secrets() {
        assert!(!log.contains(&secret), "a secret is in the log");
    }
    let tokens = world.page("/simulator/log?method=token&user=").await;
    assert!(
        tokens.contains("<code>token</code>") && !tokens.contains("<code>calendar.events.insert")
    );
    assert!(world.page("/simulator/log?user=ben@example.com").await.contains("No call fits."));
    let mails = world.page("/simulator/mails").await;
    assert!(mails.contains("x@elsewhere.example") && mails.contains("invitation"));
    world.end().await;
}

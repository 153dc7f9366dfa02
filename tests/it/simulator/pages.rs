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

/// A walk at noon on five days from 6 April 2026 on; where its instances are found, but for the day.
async fn walks(world: &World, token: &str) -> String {
    let walk = json!({
        "id": EVENT_ID,
        "summary": "Walk",
        "start": {"dateTime": "2026-04-06T12:00:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-04-06T12:30:00", "timeZone": "Europe/Berlin"},
        "recurrence": ["RRULE:FREQ=DAILY;COUNT=5"],
    });
    assert_eq!(world.api(token, Method::POST, PRIMARY, walk).await.status, 200);
    format!("{PRIMARY}/{EVENT_ID}_202604")
}

/// To six in the evening of the 14th.
fn later() -> Value {
    json!({
        "summary": "Late walk",
        "start": {"dateTime": "2026-04-14T18:00:00+02:00"},
        "end": {"dateTime": "2026-04-14T18:30:00+02:00"},
    })
}

/// What the month's page shows on this day.
fn day<'a>(month: &'a str, date: &str) -> &'a str {
    let (_, rest) = month.split_once(&format!("<time datetime=\"{date}\">")).expect(date);
    rest.split("</td>").next().unwrap_or_default()
}

/// Where the first link behind `before` leads.
fn link<'a>(page: &'a str, before: &str) -> &'a str {
    let (_, rest) = page.split_once(before).expect(before);
    let (_, rest) = rest.split_once("href=\"").expect("a link");
    rest.split('"').next().unwrap_or_default()
}

#[tokio::test]
async fn each_instance_of_a_series_stands_on_its_day() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    let instances = walks(&world, &token).await;
    let path = format!("{instances}08T100000Z");
    assert_eq!(world.api(&token, Method::PATCH, &path, later()).await.status, 200);
    let path = format!("{instances}09T100000Z");
    assert_eq!(world.api(&token, Method::DELETE, &path, Value::Null).await.status, 204);

    let april = world.page("/calendar/ana@example.com?month=2026-04").await;
    for date in ["2026-04-06", "2026-04-07", "2026-04-10"] {
        assert_eq!(day(&april, date).matches(">Walk<").count(), 1, "{date}");
        assert!(day(&april, date).contains("aria-label=\"repeats\""), "{date}");
    }
    for date in ["2026-04-05", "2026-04-08", "2026-04-09", "2026-04-11"] {
        assert!(!day(&april, date).contains("href"), "{date}");
    }
    assert!(day(&april, "2026-04-14").contains(">17:00</span> <span class=\"what\">Late walk<"));
    let all = world.page("/calendar/ana@example.com?month=2026-04&deleted=1").await;
    assert_eq!(all.matches(" gone\"").count(), 1);
    assert!(day(&all, "2026-04-09").contains(" gone\""));
    assert!(world.page("/").await.contains("1 event<"), "a series is one event");

    let series = format!("{PRIMARY}/{EVENT_ID}");
    assert_eq!(world.api(&token, Method::DELETE, &series, Value::Null).await.status, 204);
    let april = world.page("/calendar/ana@example.com?month=2026-04").await;
    assert!(!april.contains("class=\"entry"));
    let all = world.page("/calendar/ana@example.com?month=2026-04&deleted=1").await;
    assert_eq!(all.matches(" gone\"").count(), 5);
    world.end().await;
}

#[tokio::test]
async fn an_instances_page_tells_of_its_series() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    let instances = walks(&world, &token).await;
    let april = world.page("/calendar/ana@example.com?month=2026-04").await;
    let page = world.page(link(&april, "datetime=\"2026-04-07\"")).await;
    for part in [
        "Tue 7 Apr 2026",
        "Every day, 5 times",
        "RRULE:FREQ=DAILY;COUNT=5",
        "The whole series",
        "20260407T100000Z",
        "&#34;recurringEventId&#34;",
    ] {
        assert!(page.contains(part), "{part} is not on the page: {page}");
    }
    assert!(!page.contains("Moved from"));
    let series = world.page(link(&page, "<h2>Repeats</h2>")).await;
    assert!(series.contains("Mon 6 Apr 2026") && !series.contains("The whole series"));

    let path = format!("{instances}08T100000Z");
    let moved = world.api(&token, Method::PATCH, &path, later()).await.json();
    let link = moved["htmlLink"].as_str().unwrap().strip_prefix(&world.base).unwrap();
    assert!(world.page(link).await.contains("Moved from Wed 8 Apr 2026, 11:00."));
    world.end().await;
}

#[tokio::test]
async fn common_rules_are_told_in_words() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    for (rule, words) in [
        ("FREQ=WEEKLY", "<p>Every week on Wednesday</p>"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TH,MO", "<p>Every 2 weeks on Monday and Thursday</p>"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "<p>Every week on workdays</p>"),
        (
            "FREQ=MONTHLY;UNTIL=20260701T080000Z",
            "<p>Every month on day 1, until Wed 1 Jul 2026</p>",
        ),
        ("FREQ=MONTHLY;BYDAY=-1FR", "<p>Every month on the last Friday</p>"),
        ("FREQ=YEARLY", "<p>Every year on 1 April</p>"),
        ("FREQ=YEARLY;BYMONTH=5;BYDAY=2SU", "<p>Every year on the second Sunday in May</p>"),
        ("FREQ=MONTHLY;BYDAY=MO,FR;BYSETPOS=1", "<h2>Repeats</h2>\n\n<ul"),
    ] {
        let body = tea_with(json!({"recurrence": [format!("RRULE:{rule}")]}));
        let event = world.api(&token, Method::POST, PRIMARY, body).await.json();
        let link = event["htmlLink"].as_str().expect(rule).strip_prefix(&world.base).unwrap();
        let page = world.page(link).await;
        assert!(page.contains(words), "{words} is not on the page: {page}");
    }
    world.end().await;
}

#[tokio::test]
async fn service_accounts_stand_beside_the_users() {
    let robot = "robot@project.iam.gserviceaccount.com";
    let key = include_str!("robot_public.pem");
    let text = format!("[[service_account]]\nemail = '{robot}'\npublic_key_pem = '''{key}'''\n");
    let world = World::with(Settings::from_toml(&text).unwrap()).await;
    let front = world.page("/").await;
    assert!(front.contains("Service accounts</h2>"));
    assert!(front.contains(&format!("href=\"/calendar/{}\"", robot.replace('@', "%40"))));
    assert!(world.page(&format!("/calendar/{robot}")).await.contains("<h1>March 2026</h1>"));
    world.end().await;
    let world = World::new().await;
    assert!(!world.page("/").await.contains("Service accounts"));
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

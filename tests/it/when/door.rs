//! Every time that clocks are set in every zone, from the door through the vault to Google and back.

use std::collections::HashMap;

use chrono::{
    DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc,
};
use chrono_tz::{TZ_VARIANTS, Tz};
use hyper::Method;
use serde_json::{Value, json};

use super::transitions;
use crate::bridge::{ANA, Bridge, Choices};

const EVENTS: &str = "/api/v1/events";
/// Nobody is held up for coming often.
const SETTINGS: &str = "[limits]\nwrites = 1000000\nreads = 1000000";

/// What a caller types, and the moment that it means.
struct Case {
    typed: Value,
    means: Means,
}

enum Means {
    /// A wall time: when it is, and whether a clock ever shows it.
    Moment(DateTime<Utc>, bool),
    Day(NaiveDate),
}

/// For each time that the zone's clocks are set a wall time that they skip or show twice, and the day;
/// and a wall time that is neither.
fn cases(zone: Tz) -> Vec<Case> {
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let typed = |wall: NaiveDateTime| {
        let end = wall + TimeDelta::hours(4);
        json!({
            "summary": zone.name(), "start": wall.format("%FT%T").to_string(),
            "end": end.format("%FT%T").to_string(), "time_zone": zone.name(), "meet": false,
        })
    };
    let summer = NaiveDate::from_ymd_opt(2026, 6, 30).and_then(|day| day.and_hms_opt(23, 59, 59));
    let summer = summer.expect("a time");
    let only = zone.from_local_datetime(&summer).single().expect("no zone sets its clocks then");
    let mut cases = vec![Case { typed: typed(summer), means: Means::Moment(only.to_utc(), true) }];
    for at in transitions(zone) {
        let last = at - TimeDelta::seconds(1);
        let (before, after) =
            (last.with_timezone(&zone).naive_local(), at.with_timezone(&zone).naive_local());
        let wall = before.min(after) + TimeDelta::minutes(20);
        // Both what is skipped and what comes twice is read by the offset that was before.
        let instant = (wall - offset(last)).and_utc();
        let means = Means::Moment(instant, after < before);
        cases.push(Case { typed: typed(wall), means });
        let day = wall.date();
        let typed = json!({ "summary": zone.name(), "start": day.to_string(), "meet": false });
        cases.push(Case { typed, means: Means::Day(day) });
    }
    cases
}

/// Every event, by its id.
async fn all(bridge: &Bridge) -> HashMap<String, Value> {
    let (mut found, mut cursor) = (HashMap::new(), String::new());
    loop {
        let page = bridge.get(&format!("{EVENTS}?limit=500{cursor}")).await.json();
        for event in page["data"].as_array().expect("a list") {
            found.insert(event["id"].as_str().expect("an id").to_owned(), event.clone());
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[tokio::test]
async fn promise_10_every_zone_is_kept_through_every_transition_and_told_to_google() {
    let settings = SETTINGS.to_owned();
    let choices = Choices { settings, in_memory: true, ..Choices::default() };
    let bridge = Bridge::with(choices).await;
    bridge.connect(ANA).await.expect("the account can be connected");
    let mut made = Vec::new();
    for zone in TZ_VARIANTS {
        let cases = cases(zone);
        let typed: Vec<_> = cases.iter().map(|case| &case.typed).collect();
        let body = json!({ "events": typed });
        let answer = bridge.router_send(Method::POST, "/api/v1/events/batch", &body).await.json();
        assert_eq!(answer["accepted"], cases.len(), "{zone}: {answer}");
        for (case, result) in cases.into_iter().zip(answer["results"].as_array().expect("results"))
        {
            made.push((zone, case, result["id"].as_str().expect("an id").to_owned()));
        }
        bridge.run_until_idle().await;
    }
    assert!(made.len() > 5_000, "only {} events were made", made.len());
    let copies: HashMap<String, Value> = bridge
        .google
        .events(ANA)
        .into_iter()
        .map(|copy| (copy["id"].as_str().expect("an id").to_owned(), copy))
        .collect();
    assert_eq!(copies.len(), made.len());
    let shown = all(&bridge).await;
    for (zone, Case { typed, means }, id) in made {
        let shown = &shown[&id];
        let copy = &copies[shown["google"]["event_id"].as_str().expect("an id")];
        match means {
            Means::Day(day) => {
                assert_eq!(shown["start"], json!({ "date": day.to_string() }), "{zone}");
                let after = day + Days::new(1);
                let told = (&copy["start"]["date"], &copy["end"]["date"]);
                assert_eq!(told, (&json!(day.to_string()), &json!(after.to_string())), "{zone}");
            }
            Means::Moment(instant, is_shown) => {
                let start = &typed["start"];
                let at: DateTime<Utc> =
                    shown["start"]["instant"].as_str().expect("an instant").parse().expect("one");
                assert_eq!(at, instant, "{start} {zone}");
                assert_eq!(shown["start"]["wall"] == *start, is_shown, "{start} {zone}");
                assert_eq!(shown["start"]["time_zone"], zone.name());
                let told = copy["start"]["dateTime"].as_str().expect("a time");
                let told: DateTime<FixedOffset> = told.parse().expect("a time");
                assert_eq!(told, instant, "{start} {zone}");
                assert_eq!(copy["start"]["timeZone"], zone.name(), "{start}");
            }
        }
    }
}

//! How much of the queue's work goes on at once: every limit of it is a setting, is kept, and is told.

use axum::body::Body;
use calbridge::config::Config;
use calbridge::model::job::Class;
use calbridge::simulator::{Fault, FaultKind, Quota};
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::load::{LATENCY, Load, load_with};

const INSERT: &str = "calendar.events.insert";

/// What `path` tells, while the work goes on.
async fn told(load: &Load, path: &str) -> String {
    let request = load.bridge.request(Method::GET, path).body(Body::empty()).expect("a request");
    load.bridge.router_ask(request).await.text
}

async fn limits(load: &Load) -> Value {
    let status: Value = serde_json::from_str(&told(load, "/api/v1/status").await).expect("JSON");
    status["limits"].clone()
}

#[test]
fn what_runs_at_once_is_told_of_workers_connections_and_calendars() {
    let settings = "[queue]\nworkers = 9\nper_connection = 5\nper_calendar = 6\n";
    load_with(1, Quota::default(), settings, async |load| {
        load.accept(0, 0, 200, Class::Bulk).await;
        load.begin().await;
        load.pass(LATENCY / 2).await;
        let busy = limits(load).await;
        // The last of a calendar's first three places is kept for what a person waits for.
        assert_eq!(busy["workers"], json!({ "limit": 9, "used": 2, "left": 7 }));
        assert_eq!(busy["local_workers"], json!({ "limit": 8, "used": 0, "left": 8 }));
        assert_eq!(busy["per_connection"], json!({ "limit": 5, "used": 2, "left": 3 }));
        let calendar = json!({ "limit": 6, "used": 2, "left": 4, "widest": 3, "narrowed": 0 });
        assert_eq!(busy["per_calendar"], calendar);
        let metrics = told(load, "/metrics").await;
        for line in [
            "calbridge_workers_limit{crew=\"google\"} 9",
            "calbridge_workers_used{crew=\"google\"} 2",
            "calbridge_workers_left{crew=\"local\"} 8",
            "calbridge_connection_runs_limit 5",
            "calbridge_connection_runs_left 3",
            "calbridge_calendar_runs_limit 6",
            "calbridge_calendar_runs_used 2",
            "calbridge_calendar_runs_widest 3",
            "calbridge_calendars_narrowed 0",
        ] {
            assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
        }

        load.bridge.fault(Fault::new(FaultKind::RateLimited).method(INSERT).times(1));
        load.pass(TimeDelta::seconds(3)).await;
        assert_eq!(limits(load).await["per_calendar"]["narrowed"], 1);
        let metrics = told(load, "/metrics").await;
        assert!(metrics.contains("calbridge_calendars_narrowed 1\n"), "{metrics}");

        load.done().await;
        let calendar = json!({ "limit": 6, "used": 0, "left": 6, "widest": 0, "narrowed": 0 });
        assert_eq!(limits(load).await["per_calendar"], calendar, "it has recovered");
    });
}

#[test]
fn no_more_jobs_of_a_calendar_run_at_once_than_is_set() {
    let at_once = |per_calendar: usize| {
        let settings = format!("[queue]\nper_calendar = {per_calendar}\n");
        load_with(1, Quota::default(), &settings, async |load| {
            load.accept(0, 0, 60, Class::Interactive).await;
            let began = load.begin().await;
            load.done().await;
            let answered: Vec<_> = load.calls(began).iter().map(|call| call.time).collect();
            let together = |time| {
                let before = |other: &&_| **other > time - LATENCY && **other <= time;
                answered.iter().filter(before).count()
            };
            answered.iter().map(|time| together(*time)).max()
        })
    };
    assert_eq!([at_once(1), at_once(2)], [Some(1), Some(2)]);
    assert!(at_once(12) >= Some(6), "half of the most at once before anything is known");
}

#[test]
fn a_calendar_has_from_1_to_64_places() {
    for wrong in ["0", "65", "\"many\""] {
        let faults = Config::from_toml(&format!("queue.per_calendar = {wrong}")).unwrap_err();
        let told = faults.to_string();
        let rule = "must be a whole number from 1 to 64";
        assert!(told.contains("queue.per_calendar") && told.contains(rule), "{told}");
    }
    let config = Config::from_toml("").expect("the defaults are right").config;
    assert_eq!(config.queue.per_calendar, 8);
}

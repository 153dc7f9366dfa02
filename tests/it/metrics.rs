//! What the bridge tells of its quota and its queue: `/metrics` for Prometheus, `limits` in the
//! status for people.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use calbridge::clock::Clock;
use calbridge::limits::Refusal;
use calbridge::simulator::{Fault, FaultKind};
use chrono::TimeDelta;
use hyper::Method;
use serde_json::Value;

use crate::bridge::{ANA, Bridge, poll_once, tea};

/// An exposition in the text format of `OpenMetrics`, read strictly (version 1.0.0, "ABNF" and
/// "Overall structure").
#[derive(Debug)]
struct Exposition {
    /// Each sample's name with its labels, and its value.
    samples: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

impl Exposition {
    /// # Panics
    /// If a line is not as the format has it.
    fn read(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("it ends in # EOF and a line feed");
        let (mut samples, mut types) = (BTreeMap::new(), BTreeMap::new());
        let (mut units, mut helped) = (BTreeMap::new(), BTreeSet::new());
        let mut family = String::new();
        for line in body.lines() {
            assert_eq!(line.trim(), line, "no space around: {line}");
            if let Some(told) = line.strip_prefix("# ") {
                let mut words = told.splitn(3, ' ');
                let (kind, name) = (words.next().expect("a kind"), words.next().expect("a name"));
                let rest = words.next().expect("something to tell");
                assert!(is_name(name), "{line}");
                match kind {
                    "HELP" => {
                        assert!(helped.insert(name.to_owned()), "told twice: {line}");
                        assert!(rest.ends_with('.'), "not a sentence: {line}");
                    }
                    "TYPE" => {
                        assert!(["counter", "gauge", "info"].contains(&rest), "{line}");
                        assert!(types.insert(name.to_owned(), rest.to_owned()).is_none(), "{line}");
                    }
                    "UNIT" => {
                        assert!(name.ends_with(&format!("_{rest}")), "not in its name: {line}");
                        units.insert(name.to_owned(), rest.to_owned());
                    }
                    _ => panic!("not of the format: {line}"),
                }
                if family != name {
                    assert_eq!(kind, "HELP", "a family begins with its help: {line}");
                    name.clone_into(&mut family);
                }
                continue;
            }
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            let (bare, labels) = match name.split_once('{') {
                None => (name, None),
                Some((bare, labels)) => (bare, Some(labels.strip_suffix('}').expect("a brace"))),
            };
            let suffix = match types[&family].as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            assert_eq!(bare, format!("{family}{suffix}"), "outside its family: {line}");
            for label in labels.into_iter().flat_map(|labels| labels.split(',')) {
                let (label, value) = label.split_once('=').expect("a label and its value");
                assert!(is_name(label), "{line}");
                let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                assert!(value.is_some_and(|value| !value.contains(['"', '\\'])), "{line}");
            }
            let value: f64 = value.parse().expect("a number");
            assert!(value.is_finite(), "{line}");
            assert!(samples.insert(name.to_owned(), value).is_none(), "twice: {line}");
        }
        assert!(types.keys().eq(helped.iter()), "each family has its help and its type");
        Self { samples, types }
    }
}

fn is_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

async fn metrics(bridge: &Bridge) -> Exposition {
    let answer = bridge.get("/metrics").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), media_type);
    Exposition::read(&answer.text)
}

async fn limits(bridge: &Bridge) -> Value {
    bridge.get("/api/v1/status").await.json()["limits"].clone()
}

#[tokio::test]
#[expect(clippy::float_cmp, reason = "all of them are whole numbers")]
async fn metrics_tell_quota_and_queue_in_the_format_of_openmetrics() {
    let bridge = Bridge::connected().await;
    let before = metrics(&bridge).await;
    bridge.accept(&tea()).await;
    assert_eq!(metrics(&bridge).await.samples["calbridge_jobs{state=\"live\"}"], 1.0);
    bridge.run_until_idle().await;

    let after = metrics(&bridge).await;
    let grown = |name: &str| after.samples[name] - before.samples[name];
    let calls = bridge.calls("calendar.events.insert") + bridge.calls("calendar.events.get");
    let calls = f64::from(u32::try_from(calls).unwrap());
    assert!(calls > 0.0);
    assert_eq!(grown("calbridge_google_paid_units_total"), calls);
    assert_eq!(grown("calbridge_google_day_calls"), calls);
    assert_eq!(after.samples["calbridge_quota_limit_units"], 10_000.0);
    assert_eq!(
        after.samples["calbridge_quota_used_units"] + after.samples["calbridge_quota_left_units"],
        10_000.0
    );
    assert_eq!(after.samples["calbridge_quota_factor_ratios"], 1.0);
    assert_eq!(after.samples["calbridge_quota_accounts"], 1.0);
    assert_eq!(after.samples["calbridge_quota_account_limit_units"], 600.0);
    assert_eq!(
        after.samples["calbridge_quota_account_used_units"],
        600.0 - after.samples["calbridge_quota_account_left_units"]
    );
    let day = bridge.clock.now();
    let midnight: chrono::DateTime<chrono::Utc> = "2026-11-03T08:00:00Z".parse().unwrap();
    let rest = (midnight - day).as_seconds_f64();
    assert_eq!(after.samples["calbridge_google_day_next_seconds"], rest);
    assert_eq!(
        after.samples["calbridge_quota_account_left_units"],
        600.0 - after.samples["calbridge_quota_used_units"]
    );
    assert_eq!(after.samples["calbridge_jobs{state=\"live\"}"], 0.0);
    assert_eq!(after.samples["calbridge_jobs{state=\"done\"}"], 1.0);
    assert_eq!(after.types["calbridge_google_paid_units"], "counter");
}

#[tokio::test]
#[expect(clippy::float_cmp, reason = "all of them are numbers that can be told exactly")]
async fn metrics_tell_what_went_wrong_and_what_is_waited_for() {
    let mut bridge = Bridge::connected().await;
    bridge.expect_dead(1);
    let insert = "calendar.events.insert";
    bridge.fault(Fault::status(400).method(insert).times(1));
    bridge.accept(&tea()).await;
    bridge.run_until_idle().await;
    assert_eq!(metrics(&bridge).await.samples["calbridge_jobs{state=\"dead\"}"], 1.0);

    bridge.fault(Fault::new(FaultKind::UserRateLimited).method(insert).times(1));
    bridge.accept(&tea()).await;
    bridge.work().await;
    let slowed = metrics(&bridge).await.samples;
    assert_eq!(slowed["calbridge_quota_accounts_slowed"], 1.0);
    assert_eq!(slowed["calbridge_google_refused_calls_total"], 1.0);
    assert_eq!(slowed["calbridge_quota_factor_ratios"], 1.0, "the account's fault alone");
    assert_eq!(slowed["calbridge_quota_account_next_seconds"], 1.0);
    bridge.run_until_idle().await;

    let limits = &bridge.tied.app.limits;
    limits.refused(None, Refusal::Rate, Some(Duration::from_secs(2)));
    let mut call = pin!(limits.pay(None, 3));
    assert!(poll_once(call.as_mut()).await.is_pending());
    let held = metrics(&bridge).await.samples;
    assert_eq!(held["calbridge_quota_factor_ratios"], 0.7);
    assert_eq!(held["calbridge_quota_waiting_units"], 3.0);
    assert_eq!(held["calbridge_quota_next_seconds"], 2.0);
    assert_eq!(held["calbridge_quota_accounts"], 1.0, "one is slowed still, though it is at rest");

    limits.share(1, TimeDelta::seconds(15));
    limits.share(4, TimeDelta::seconds(15));
    bridge.pass(TimeDelta::days(1));
    let next_day = metrics(&bridge).await.samples;
    assert_eq!(next_day["calbridge_quota_processes"], 4.0);
    assert_eq!(next_day["calbridge_quota_limit_units"], 2_500.0);
    assert_eq!(next_day["calbridge_google_day_calls"], 0.0, "those of the day alone");
    assert!(next_day["calbridge_google_paid_units_total"] > 0.0);
    assert_eq!(next_day["calbridge_google_day_calls_warning"], 800_000.0);
    assert_eq!(next_day["calbridge_google_day_calls_left"], 800_000.0);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(next_day[&format!("calbridge_build_info{{version=\"{version}\"}}")], 1.0);
}

#[tokio::test]
async fn metrics_are_for_holders_of_a_key_and_name_nobody() {
    let bridge = Bridge::connected().await;
    bridge.accept(&tea()).await;
    bridge.run_until_idle().await;
    let nobody = bridge.send_raw(Method::GET, "/metrics", "", &[("authorization", "none")]).await;
    assert_eq!(nobody.status, 401, "{}", nobody.text);
    let told = bridge.get("/metrics").await.text;
    assert!(!told.contains(ANA) && !told.contains("Tea"), "{told}");
}

#[tokio::test]
async fn the_status_tells_what_is_used_of_each_limit_and_what_is_left() {
    let bridge = Bridge::connected().await;
    bridge.pass(TimeDelta::minutes(2));
    assert_eq!(limits(&bridge).await["accounts"], serde_json::json!([]));
    bridge.accept(&tea()).await;
    bridge.run_until_idle().await;

    let limits = limits(&bridge).await;
    let connection = bridge.get("/api/v1/status").await.json()["connection"]["id"].clone();
    let account = &limits["accounts"][0];
    assert_eq!(account["connection"], connection);
    assert_eq!(account["limit_per_minute"], 600);
    let used = account["used_in_last_minute"].as_u64().expect("a number");
    assert!(used > 0);
    assert_eq!(account["left"], 600 - used);
    assert_eq!(account["factor_percent"], 100);
    assert_eq!(account["next"], Value::Null);
    assert_eq!(limits["accounts_least_left"], 600 - used);
    assert_eq!(limits["accounts_longest_next"], Value::Null);
    assert_eq!(limits["project"]["used_in_last_minute"], used);
    assert_eq!(limits["project"]["limit_per_minute"], 10_000);
    assert_eq!(limits["day"]["date"], "2026-11-02");
    assert_eq!(limits["day"]["calls"], used + 1, "connecting took a call too");
    assert_eq!(limits["day"]["warning_at"], 800_000);
    assert_eq!(limits["day"]["left"], 800_000 - (used + 1));
    assert_eq!(limits["day"]["next"], "2026-11-03T08:00:00Z", "midnight in California");
    assert!(!limits.to_string().contains(ANA), "{limits}");
}

#[tokio::test]
async fn promise_5_an_account_that_is_too_fast_rests_and_spends_no_attempt() {
    let bridge = Bridge::connected().await;
    let fault = Fault::new(FaultKind::UserRateLimited).method("calendar.events.insert");
    bridge.fault(fault.times(1));
    let accepted = bridge.accept(&tea()).await;
    let began = bridge.clock.now();
    bridge.work().await;

    let limits_then = limits(&bridge).await;
    let account = limits_then["accounts"][0].clone();
    assert_eq!(account["factor_percent"], 70);
    assert_ne!(account["next"], Value::Null);
    assert_eq!(limits_then["accounts_longest_next"], account["next"]);
    assert_eq!(bridge.job(&accepted["jobId"]).await["attempts"], 0);
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    assert!(bridge.clock.now() - began < TimeDelta::seconds(5));
    bridge.pass(TimeDelta::minutes(2));
    assert_eq!(limits(&bridge).await["accounts"], serde_json::json!([]));
}

//! `GET /metrics`: figures for Prometheus, in the text format of `OpenMetrics`.
//!
//! Every figure is read when it is asked for. None is told by account: there may be thousands, and
//! `GET /api/v1/status` names those in use. An API key opens it, since the figures say how busy
//! somebody's calendars are.

use std::fmt;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::Door;
use super::problem::Problem;
use crate::app::{Error, Report, mail};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What was read for one answer.
#[derive(Debug)]
struct Readings {
    limits: Report,
    jobs: Vec<(&'static str, u64)>,
    writable: bool,
    mail: Option<mail::Report>,
}

/// `GET /metrics`.
pub async fn show(State(door): State<Door>) -> Result<impl IntoResponse, Problem> {
    let app = &door.app;
    let jobs = app.store.count_jobs().await.map_err(Error::from)?;
    let readings = Readings {
        limits: app.limits.report(),
        jobs: vec![("live", jobs.live), ("done", jobs.done), ("dead", jobs.dead)],
        writable: app.store.writable().await.is_ok(),
        mail: app.mail.as_ref().map(|mailer| mailer.report()),
    };
    let mut registry = Registry::with_prefix("calbridge");
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "Which calbridge this is", build);
    registry.register_collector(Box::new(readings));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)
        .expect("text takes whatever is written to it");
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text))
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.encode_project(&mut encoder)?;
        self.encode_calls(&mut encoder)?;
        self.encode_mail(&mut encoder)?;
        let mut gauge = |name, help, value| gauge(&mut encoder, name, help, None, value);
        let slowed = self.limits.payers.iter().filter(|(_, used)| used.is_slowed());
        gauge(
            "quota_accounts",
            "Google accounts that used quota lately.",
            number(self.limits.payers.len()),
        )?;
        gauge(
            "quota_accounts_slowed",
            "Google accounts that Google asked to slow down.",
            number(slowed.count()),
        )?;
        gauge("quota_processes", "Processes that share the project's quota.", self.limits.nodes)?;
        gauge("store_writable", "Whether the store takes writes: 1 or 0.", self.writable.into())?;
        let kind = ConstGauge::new(0_u64).metric_type();
        let mut family =
            encoder.encode_descriptor("jobs", "Jobs in the store, by state.", None, kind)?;
        for (state, jobs) in &self.jobs {
            let state = [("state", *state)];
            ConstGauge::new(*jobs).encode(family.encode_family(&state)?)?;
        }
        Ok(())
    }
}

impl Readings {
    fn encode_project(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let project = &self.limits.project;
        let mut units = |name, help, value: u64| {
            gauge(encoder, name, help, Some(&Unit::Other("units".into())), value)
        };
        units(
            "quota_limit",
            "Google's limit for the project in a minute, this process's part.",
            project.limit,
        )?;
        units(
            "quota_used",
            "Quota of calls under way and of those over for less than a minute.",
            project.used,
        )?;
        units("quota_left", "What is left of the limit.", project.left)?;
        units(
            "quota_waiting",
            "Quota that calls wait for at the project's limit.",
            project.waiting,
        )?;
        let wait = seconds(project.next);
        gauge(
            encoder,
            "quota_next",
            "After what time one more call could be made.",
            Some(&Unit::Seconds),
            wait,
        )?;
        let factor = ratio(project.factor);
        let help = "Which part of the quota aimed at is made use of, less than 1 after Google asked to slow down.";
        gauge(encoder, "quota_factor", help, Some(&Unit::Ratios), factor)
    }

    fn encode_calls(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let limits = &self.limits;
        gauge(encoder, "google_day_calls", "Calls on Google's day so far.", None, limits.calls)?;
        let help = "Calls on one of Google's days that are worth a warning.";
        gauge(encoder, "google_day_calls_warning", help, None, limits.warning)?;
        let units = Unit::Other("units".into());
        let help = "Quota paid for since the start.";
        counter(encoder, "google_paid", help, Some(&units), limits.paid)?;
        let help = "Calls that Google refused for coming too fast, since the start.";
        counter(encoder, "google_refused_calls", help, None, limits.refused)
    }

    fn encode_mail(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Whether a server that takes mail is set up: 1 or 0.";
        gauge(encoder, "mail_set_up", help, None, u64::from(self.mail.is_some()))?;
        let Some(mail) = &self.mail else { return Ok(()) };
        counter(
            encoder,
            "mail_sent",
            "Mails that the server took since the start.",
            None,
            mail.sent,
        )?;
        let help = "Mails that the server refused for good since the start.";
        counter(encoder, "mail_refused", help, None, mail.refused)?;
        let help = "Whether all mails wait for the server: 1 or 0.";
        gauge(encoder, "mail_waiting", help, None, u64::from(mail.trouble.is_some()))
    }
}

fn counter(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    let counter = ConstCounter::new(value);
    counter.encode(encoder.encode_descriptor(name, help, unit, counter.metric_type())?)
}

fn gauge<N: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: N,
) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn ratio(thousandths: u64) -> f64 {
    f64::from(u32::try_from(thousandths).unwrap_or(u32::MAX)) / 1_000.0
}

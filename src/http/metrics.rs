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
use crate::app::{Disk, Error, Report, backlog, mail};
use crate::model::fill::{Crew, Fill};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What was read for one answer.
#[derive(Debug)]
struct Readings {
    limits: Report,
    backlog: backlog::Report,
    writable: bool,
    disk: Option<Disk>,
    google: Crew,
    local: Crew,
    mail: Option<(mail::Report, mail::Paced)>,
}

/// `GET /metrics`.
pub async fn show(State(door): State<Door>) -> Result<impl IntoResponse, Problem> {
    let app = &door.app;
    let readings = Readings {
        limits: app.limits.report(),
        backlog: backlog::report(app).await.map_err(Error::from)?,
        writable: app.store.writable().await.is_ok(),
        disk: app.store.disk(),
        google: (door.crews.google)(),
        local: (door.crews.local)(),
        mail: app.mail.as_ref().map(|mailer| (mailer.report(), mailer.pace())),
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
        self.encode_accounts(&mut encoder)?;
        self.encode_calls(&mut encoder)?;
        self.encode_mail(&mut encoder)?;
        self.encode_disk(&mut encoder)?;
        self.encode_queue(&mut encoder)
    }
}

impl Readings {
    fn encode_accounts(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let units = Unit::Other("units".into());
        let help = "Google's limit for each account in a minute.";
        gauge(encoder, "quota_account_limit", help, Some(&units), self.limits.payer_limit)?;
        let help = "What the account used in the last minute that used most.";
        gauge(encoder, "quota_account_used", help, Some(&units), self.limits.most_used())?;
        let help = "What is left to the account that has least left.";
        gauge(encoder, "quota_account_left", help, Some(&units), self.limits.least_left())?;
        let help = "After what time the account that waits longest could make one more call.";
        let wait = seconds(self.limits.longest_next());
        gauge(encoder, "quota_account_next", help, Some(&Unit::Seconds), wait)?;
        let mut gauge = |name, help, value| gauge(encoder, name, help, None, value);
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
        gauge("quota_processes", "Processes that share the project's quota.", self.limits.nodes)
    }

    fn encode_disk(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Whether the store takes writes: 1 or 0.";
        gauge(encoder, "store_writable", help, None, u64::from(self.writable))?;
        let Some(disk) = self.disk else { return Ok(()) };
        let mut bytes = |name, help, value| gauge(encoder, name, help, Some(&Unit::Bytes), value);
        bytes("disk_floor", "With less free disk space nothing new is accepted.", disk.floor)?;
        bytes("disk_free", "Free disk space where the store lies.", disk.free)?;
        bytes("disk_left", "Free disk space above the floor.", disk.left())
    }

    fn encode_queue(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let Self { backlog, google, local, .. } = self;
        let jobs = backlog.jobs;
        let states = [("live", jobs.live), ("done", jobs.done), ("dead", jobs.dead)];
        family(encoder, "jobs", "Jobs in the store, by state.", "state", &states)?;
        fill(encoder, "backlog", "jobs that wait or run", backlog.all)?;
        let what = "jobs that wait or run of the owner who has most of them";
        fill(encoder, "backlog_owner", what, backlog.owner)?;
        let crews = [("google", google.workers), ("local", local.workers)];
        let crews = |of: fn(Fill) -> u64| crews.map(|(crew, workers)| (crew, of(workers)));
        let help = "The limit of jobs that run, by whether they lead to Google.";
        family(encoder, "workers_limit", help, "crew", &crews(|workers| workers.limit))?;
        let help = "How many jobs run, by whether they lead to Google.";
        family(encoder, "workers_used", help, "crew", &crews(|workers| workers.used))?;
        let help = "What is left of the limit of jobs that run, by whether they lead to Google.";
        family(encoder, "workers_left", help, "crew", &crews(Fill::left))?;
        let what = "jobs that run of the connection that has most of them";
        fill(encoder, "connection_runs", what, google.connection)?;
        let what = "jobs that run of the calendar that has most of them";
        fill(encoder, "calendar_runs", what, google.calendar)?;
        let help = "How many jobs may run of the calendar that may have most, of those at work.";
        gauge(encoder, "calendar_runs_widest", help, None, google.widest)?;
        let help =
            "Calendars of which fewer jobs run for a while, since Google said it was too much.";
        gauge(encoder, "calendars_narrowed", help, None, google.narrowed)
    }

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
        let help = "Calls that may still be made on that day before they are.";
        gauge(encoder, "google_day_calls_left", help, None, limits.calls_left())?;
        let help = "After what time Google's next day begins.";
        gauge(encoder, "google_day_next", help, Some(&Unit::Seconds), seconds(limits.next_day))?;
        let units = Unit::Other("units".into());
        let help = "Quota paid for since the start.";
        counter(encoder, "google_paid", help, Some(&units), limits.paid)?;
        let help = "Calls that Google refused for coming too fast, since the start.";
        counter(encoder, "google_refused_calls", help, None, limits.refused)
    }

    fn encode_mail(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Whether a server that takes mail is set up: 1 or 0.";
        gauge(encoder, "mail_set_up", help, None, u64::from(self.mail.is_some()))?;
        let Some((mail, paced)) = &self.mail else { return Ok(()) };
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
        gauge(encoder, "mail_waiting", help, None, u64::from(mail.trouble.is_some()))?;
        fill(encoder, "mail_minute", "mails that go out in a minute", paced.fill)?;
        let (help, wait) = ("After what time one more mail may go out.", seconds(paced.next));
        gauge(encoder, "mail_next", help, Some(&Unit::Seconds), wait)
    }
}

/// The limit of something, how much of it is used, and what is left.
fn fill(encoder: &mut DescriptorEncoder, name: &str, what: &str, fill: Fill) -> fmt::Result {
    let mut one = |part, help: String, value| {
        gauge(encoder, &format!("{name}_{part}"), &help, None::<&Unit>, value)
    };
    one("limit", format!("The limit of {what}."), fill.limit)?;
    one("used", format!("How many {what}."), fill.used)?;
    one("left", format!("What is left of the limit of {what}."), fill.left())
}

/// Gauges of one name, one for each value of a label.
fn family(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    label: &'static str,
    values: &[(&'static str, u64)],
) -> fmt::Result {
    let kind = ConstGauge::new(0_u64).metric_type();
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for (of, value) in values {
        ConstGauge::new(*value).encode(family.encode_family(&[(label, *of)])?)?;
    }
    Ok(())
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

//! What is used of each limit, and what is left.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{Disk, Used, backlog, mail};
use crate::http::Door;
use crate::http::events::utc;
use crate::http::openapi::Id;
use crate::model::fill::{Crew, Fill};
use crate::model::id::ConnectionId;

/// No answer tells more accounts than this.
const MOST_ACCOUNTS: usize = 100;

/// What is used of each limit, and what is left.
#[derive(Serialize, ToSchema)]
pub(super) struct LimitsBody {
    project: UsedBody,
    /// Of how many processes this one has its part.
    processes: u64,
    accounts_in_use: usize,
    /// At most 100 of them.
    accounts: Vec<PayerBody>,
    /// What is left to the account that has least left, of all in use.
    accounts_least_left: u64,
    /// When there is more for the account that waits longest.
    #[schema(format = DateTime)]
    accounts_longest_next: Option<String>,
    day: DayBody,
    /// Jobs that wait or run (`queue.max_jobs`).
    backlog: FillBody,
    /// The same of the owner who has most of them, a minute ago or later (`queue.max_jobs_per_owner`).
    owner_backlog: FillBody,
    /// Jobs that run and lead to Google (`queue.workers`).
    workers: FillBody,
    /// Jobs that run and do not.
    local_workers: FillBody,
    /// Jobs that run of the connection that has most of them (`queue.per_connection`).
    per_connection: FillBody,
    /// Jobs that run of the calendar that has most of them (`queue.per_calendar`).
    per_calendar: CalendarsBody,
    /// The disk of a store that lies on this machine's (`store.min_free_mb`).
    disk: Option<DiskBody>,
    /// Mail, where it is set up (`mail.per_minute`).
    mail: Option<PaceBody>,
}

/// What there is of something, and what is left of its limit.
#[derive(Serialize, ToSchema)]
struct FillBody {
    limit: u64,
    used: u64,
    left: u64,
}

/// How many jobs run of one calendar.
#[derive(Serialize, ToSchema)]
#[schema(as = CalendarRunsBody)]
struct CalendarsBody {
    #[serde(flatten)]
    fill: FillBody,
    /// How many may run of the calendar that may have most, of those that have any.
    widest: u64,
    /// Calendars of which fewer may run for a while, since Google said that it was too much.
    narrowed: u64,
}

/// The disk of the store.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "units are part of a member's name")]
struct DiskBody {
    /// With less than this nothing new is accepted.
    floor_bytes: u64,
    free_bytes: u64,
    /// What is free above that.
    left_bytes: u64,
}

/// How many mails go out.
#[derive(Serialize, ToSchema)]
struct PaceBody {
    limit_per_minute: u64,
    used_in_last_minute: u64,
    left: u64,
    /// When the next one may go out.
    #[schema(format = DateTime)]
    next: Option<String>,
}

/// What is used of a quota, in Google's units, and what is left.
#[derive(Serialize, ToSchema)]
struct UsedBody {
    limit_per_minute: u64,
    used_in_last_minute: u64,
    left: u64,
    /// Of calls that wait.
    waiting: u64,
    /// When there is more.
    #[schema(format = DateTime)]
    next: Option<String>,
    /// Which part is made use of: less than all of it after Google asked to slow down.
    factor_percent: u64,
}

/// What one account uses of its quota.
#[derive(Serialize, ToSchema)]
struct PayerBody {
    #[schema(value_type = Id)]
    connection: String,
    #[serde(flatten)]
    used: UsedBody,
}

/// Google's day.
#[derive(Serialize, ToSchema)]
struct DayBody {
    #[schema(format = Date)]
    date: String,
    calls: u64,
    /// So many calls in a day are worth a warning.
    warning_at: u64,
    /// How many more there may be before that.
    left: u64,
    /// When the next day begins.
    #[schema(format = DateTime)]
    next: Option<String>,
}

impl LimitsBody {
    /// How everything stands. Accounts are told by the ids of their connections.
    pub(super) fn of(door: &Door, backlog: &backlog::Report) -> Self {
        let app = &door.app;
        let (report, now) = (app.limits.report(), app.clock.now());
        let payer = |(id, used): &(ConnectionId, Used)| PayerBody {
            connection: id.to_string(),
            used: UsedBody::at(now, used),
        };
        let (google, local) = ((door.crews.google)(), (door.crews.local)());
        let paced = app.mail.as_ref().map(|mailer| mailer.pace());
        Self {
            project: UsedBody::at(now, &report.project),
            processes: report.nodes,
            accounts_in_use: report.payers.len(),
            accounts: report.payers.iter().take(MOST_ACCOUNTS).map(payer).collect(),
            accounts_least_left: report.least_left(),
            accounts_longest_next: moment(now, report.longest_next()),
            day: DayBody {
                date: report.day.to_string(),
                calls: report.calls,
                warning_at: report.warning,
                left: report.calls_left(),
                next: moment(now, report.next_day),
            },
            backlog: backlog.all.into(),
            owner_backlog: backlog.owner.into(),
            workers: google.workers.into(),
            local_workers: local.workers.into(),
            per_connection: google.connection.into(),
            per_calendar: google.into(),
            disk: app.store.disk().map(DiskBody::from),
            mail: paced.map(|paced| PaceBody::at(now, paced)),
        }
    }
}

impl From<Fill> for FillBody {
    fn from(fill: Fill) -> Self {
        Self { limit: fill.limit, used: fill.used, left: fill.left() }
    }
}

impl From<Crew> for CalendarsBody {
    fn from(crew: Crew) -> Self {
        Self { fill: crew.calendar.into(), widest: crew.widest, narrowed: crew.narrowed }
    }
}

impl From<Disk> for DiskBody {
    fn from(disk: Disk) -> Self {
        Self { floor_bytes: disk.floor, free_bytes: disk.free, left_bytes: disk.left() }
    }
}

impl PaceBody {
    fn at(now: DateTime<Utc>, mail::Paced { fill, next }: mail::Paced) -> Self {
        Self {
            limit_per_minute: fill.limit,
            used_in_last_minute: fill.used,
            left: fill.left(),
            next: moment(now, next),
        }
    }
}

impl UsedBody {
    fn at(now: DateTime<Utc>, used: &Used) -> Self {
        Self {
            limit_per_minute: used.limit,
            used_in_last_minute: used.used,
            left: used.left,
            waiting: used.waiting,
            next: moment(now, used.next),
            factor_percent: used.factor.div_ceil(10),
        }
    }
}

/// When `wait` is over; none if there is nothing to wait for.
fn moment(now: DateTime<Utc>, wait: Duration) -> Option<String> {
    let wait = TimeDelta::from_std(wait).ok().filter(|wait| !wait.is_zero());
    wait.map(|wait| utc(now + wait))
}

//! When a calendar is taken, without saying by what.

use chrono::{DateTime, Utc};
use google_calendar3::api::{FreeBusyCalendar, FreeBusyRequest, FreeBusyRequestItem};

use super::Google;
use super::charge::{CALL, QUOTA_USER};
use super::client::Witness;
use super::error::{Failure, Verdict};
use super::oauth::AccessToken;

/// A time that is taken, its end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Busy {
    /// From when on.
    pub start: DateTime<Utc>,
    /// Until when.
    pub end: DateTime<Utc>,
}

impl Google {
    /// When `calendar` is taken from `from` to `to`, in order.
    pub async fn free_busy(
        &self,
        access: &AccessToken,
        calendar: &str,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<Busy>, Failure> {
        let asked = Box::pin(async {
            let request = FreeBusyRequest {
                items: Some(vec![FreeBusyRequestItem { id: Some(calendar.to_owned()) }]),
                time_min: Some(from),
                time_max: Some(to),
                ..FreeBusyRequest::default()
            };
            let hub = self.hub(access);
            let mut witness = Witness::of("freebusy.query");
            let call = hub.freebusy().query(request).delegate(&mut witness);
            let call = match &access.quota_user {
                Some(name) => call.param(QUOTA_USER, name),
                None => call,
            };
            let outcome = self.within(call.doit()).await;
            witness.settle(outcome)
        });
        let (response, answer) = self.charged(access, CALL, asked).await?;
        let status = Some(response.status().as_u16());
        // One calendar was asked for, so one is told of, by whatever name.
        let told = answer.calendars.unwrap_or_default().into_values().next();
        busy(told.ok_or_else(|| Failure::unknown(status))?, status)
    }
}

fn busy(told: FreeBusyCalendar, status: Option<u16>) -> Result<Vec<Busy>, Failure> {
    if let Some(fault) = told.errors.unwrap_or_default().into_iter().next() {
        let verdict = match fault.reason.as_deref() {
            Some("notFound") => Verdict::NotFound,
            Some("internalError") => Verdict::Outage,
            _ => Verdict::Refused,
        };
        return Err(Failure::new(verdict, status, fault.reason));
    }
    let periods = told.busy.unwrap_or_default().into_iter();
    let busy = periods.map(|period| Some(Busy { start: period.start?, end: period.end? }));
    busy.collect::<Option<_>>().ok_or_else(|| Failure::unknown(status))
}

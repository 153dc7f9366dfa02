//! Google's limits on use: windows that slide over calls, over writes to one calendar, and over
//! what Calendar's own use limits count.

use std::collections::{BTreeMap, VecDeque};

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};

use super::answer::Refusal;
use super::call::{Asked, Desk};
use super::grants::AccessToken;
use super::ledger::Mail;
use super::settings::Quota;

/// What a call costs, unless it is 1 (Calendar API reference, events.patch).
const COSTS: &[(&str, u32)] = &[("calendar.events.patch", 3)];
/// The last words of the methods that change something.
const WRITES: &[&str] =
    &["clear", "delete", "import", "insert", "move", "patch", "quickAdd", "update"];

#[derive(Debug, Default)]
struct Window {
    charged: VecDeque<(DateTime<Utc>, u32)>,
    cost: u32,
}

impl Window {
    /// What was charged since `span` ago; older charges are forgotten.
    fn within(&mut self, span: TimeDelta, now: DateTime<Utc>) -> u32 {
        while let Some((when, cost)) = self.charged.front().copied()
            && when + span <= now
        {
            self.charged.pop_front();
            self.cost -= cost;
        }
        self.cost
    }

    fn charge(&mut self, cost: u32, now: DateTime<Utc>) {
        self.charged.push_back((now, cost));
        self.cost += cost;
    }
}

/// What Calendar's own use limits count, for each user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Calendars,
    Events,
    GuestMails,
    Invitations,
}

/// What was charged lately: by project, by user, by calendar, and by what was used up.
#[derive(Debug, Default)]
pub(super) struct Windows {
    users: BTreeMap<(String, String), Window>,
    projects: BTreeMap<String, Window>,
    calendars: BTreeMap<String, Window>,
    uses: BTreeMap<(String, Use), Window>,
    /// Users who may only read, and until when.
    read_only: BTreeMap<String, DateTime<Utc>>,
}

impl Windows {
    /// Charges a call, or refuses it and charges nothing.
    fn charge(
        &mut self,
        quota: Quota,
        client: &str,
        user: &str,
        cost: u32,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let minute = TimeDelta::minutes(1);
        let of_user = self.users.entry((client.to_owned(), user.to_owned())).or_default();
        let of_project = self.projects.entry(client.to_owned()).or_default();
        let by_number = quota.refusal == StatusCode::TOO_MANY_REQUESTS.as_u16();
        if of_user.within(minute, now).saturating_add(cost) > quota.per_user_per_minute {
            return Err(if by_number { too_many() } else { user_rate() });
        }
        if of_project.within(minute, now).saturating_add(cost) > quota.per_project_per_minute {
            return Err(if by_number { too_many() } else { rate(StatusCode::FORBIDDEN) });
        }
        of_user.charge(cost, now);
        of_project.charge(cost, now);
        Ok(())
    }

    /// Whether the user may write at all. Who has used up a limit may only read for some hours.
    fn may_write(&mut self, quota: Quota, user: &str, now: DateTime<Utc>) -> Result<(), Refusal> {
        if self.read_only.get(user).is_some_and(|until| now < *until) {
            return Err(use_limit());
        }
        let window = TimeDelta::hours(quota.use_window_hours.into());
        let limits = [
            (Use::Calendars, quota.calendars),
            (Use::Events, quota.events),
            (Use::GuestMails, quota.guest_mails),
            (Use::Invitations, quota.invitations),
        ];
        for (what, limit) in limits {
            let window_of = self.uses.get_mut(&(user.to_owned(), what));
            if window_of.is_some_and(|used| used.within(window, now) >= limit) {
                let until = now + TimeDelta::hours(quota.read_only_hours.into());
                self.read_only.insert(user.to_owned(), until);
                // The hours are the punishment: what led to them is not counted again.
                self.uses.retain(|(of, _), _| of != user);
                return Err(use_limit());
            }
        }
        Ok(())
    }

    /// Whether one more write fits into this minute's of the calendar.
    fn calendar_has_room(&mut self, calendar: &str, limit: u32, now: DateTime<Utc>) -> bool {
        let writes = self.calendars.get_mut(calendar);
        writes.is_none_or(|writes| writes.within(TimeDelta::minutes(1), now) < limit)
    }

    fn count(&mut self, user: &str, what: Use, amount: u32, now: DateTime<Utc>) {
        if amount > 0 {
            self.uses.entry((user.to_owned(), what)).or_default().charge(amount, now);
        }
    }
}

impl Desk<'_> {
    /// Charges the call to its project and user.
    pub(super) fn charge(&mut self, token: &AccessToken) -> Result<(), Refusal> {
        let quota = self.state.settings.quota;
        let cost = COSTS.iter().find(|(method, _)| *method == self.call.method);
        let cost = cost.map_or(1, |(_, cost)| *cost);
        let payer = payer(self.asked, token).to_owned();
        self.state.windows.charge(quota, &token.client, &payer, cost, self.now)
    }

    /// Refuses a write of a user, or to a calendar, that was written too much.
    pub(super) fn may_write(&mut self) -> Result<(), Refusal> {
        if !self.writes() {
            return Ok(());
        }
        let quota = self.state.settings.quota;
        let user = self.user().to_owned();
        self.state.windows.may_write(quota, &user, self.now)?;
        if let (Some(limit), Some(calendar)) =
            (quota.per_calendar_writes_per_minute, self.call.calendar.clone())
            && !self.state.windows.calendar_has_room(&calendar, limit, self.now)
        {
            return Err(rate(StatusCode::FORBIDDEN));
        }
        Ok(())
    }

    /// Counts what a write used up; `mails` were in the outbox before it.
    pub(super) fn count_use(&mut self, mails: usize) {
        let user = self.user().to_owned();
        let now = self.now;
        let has_account = |mail: &&Mail| self.state.user(&mail.to).is_some();
        let sent = self.state.outbox.get(mails..).unwrap_or_default();
        let invited = sent.iter().filter(|mail| mail.kind == "invitation" && !has_account(mail));
        let invitations = u32::try_from(invited.count()).unwrap_or(u32::MAX);
        let to_guests = sent.iter().filter(|mail| mail.kind != "response").count();
        let guest_mails = u32::try_from(to_guests).unwrap_or(u32::MAX);
        let made = |methods: &[&str]| u32::from(methods.contains(&self.call.method));
        let events =
            made(&["calendar.events.import", "calendar.events.insert", "calendar.events.quickAdd"]);
        let calendars = made(&["calendar.calendars.insert"]);
        let windows = &mut self.state.windows;
        windows.count(&user, Use::Invitations, invitations, now);
        windows.count(&user, Use::GuestMails, guest_mails, now);
        windows.count(&user, Use::Events, events, now);
        windows.count(&user, Use::Calendars, calendars, now);
        if self.state.settings.quota.per_calendar_writes_per_minute.is_some()
            && self.writes()
            && let Some(calendar) = self.call.calendar.clone()
        {
            self.state.windows.calendars.entry(calendar).or_default().charge(1, now);
        }
    }

    fn writes(&self) -> bool {
        let word = self.call.method.rsplit('.').next();
        word.is_some_and(|word| WRITES.contains(&word))
    }
}

/// To whom a call is charged: whoever it names for that purpose, else the user.
fn payer<'a>(asked: &'a Asked, token: &'a AccessToken) -> &'a str {
    let header = asked.headers.get("x-goog-quota-user").and_then(|value| value.to_str().ok());
    let named = asked.parameters.get("quotaUser").or(header.filter(|name| !name.is_empty()));
    named.unwrap_or_else(|| token.charged())
}

/// 403: this user asked too often.
pub(super) fn user_rate() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "usageLimits",
        "userRateLimitExceeded",
        "User Rate Limit Exceeded",
    )
}

/// 403: this user did more than Calendar lets one do, and may only read for some hours.
pub(super) fn use_limit() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "usageLimits",
        "quotaExceeded",
        "Calendar usage limits exceeded.",
    )
}

fn too_many() -> Refusal {
    rate(StatusCode::TOO_MANY_REQUESTS)
}

fn rate(status: StatusCode) -> Refusal {
    Refusal::new(status, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded")
}

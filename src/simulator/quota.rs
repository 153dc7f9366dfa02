//! Google's limits on calls: windows of one minute that slide.

use std::collections::{BTreeMap, VecDeque};

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};

use super::answer::Refusal;
use super::settings::Quota;

#[derive(Debug, Default)]
struct Window {
    calls: VecDeque<(DateTime<Utc>, u32)>,
    cost: u32,
}

impl Window {
    fn slide(&mut self, now: DateTime<Utc>) {
        while let Some((when, cost)) = self.calls.front().copied()
            && when + TimeDelta::minutes(1) <= now
        {
            self.calls.pop_front();
            self.cost -= cost;
        }
    }

    fn charge(&mut self, cost: u32, now: DateTime<Utc>) {
        self.calls.push_back((now, cost));
        self.cost += cost;
    }
}

/// What was charged in the last minute, by project and by user.
#[derive(Debug, Default)]
pub(super) struct Windows {
    users: BTreeMap<(String, String), Window>,
    projects: BTreeMap<String, Window>,
}

impl Windows {
    /// Charges a call, or refuses it and charges nothing.
    pub(super) fn charge(
        &mut self,
        quota: Quota,
        client: &str,
        user: &str,
        cost: u32,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let of_user = self.users.entry((client.to_owned(), user.to_owned())).or_default();
        let of_project = self.projects.entry(client.to_owned()).or_default();
        of_user.slide(now);
        of_project.slide(now);
        if of_user.cost + cost > quota.per_user_per_minute {
            return Err(user_rate());
        }
        if of_project.cost + cost > quota.per_project_per_minute {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "usageLimits",
                "rateLimitExceeded",
                "Rate Limit Exceeded",
            ));
        }
        of_user.charge(cost, now);
        of_project.charge(cost, now);
        Ok(())
    }
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

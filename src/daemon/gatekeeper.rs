//! What the dispatcher asks before it serves a line: what is left of the quotas, and whether writes
//! are frozen.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::app::App;
use crate::app::incident::Frozen;
use crate::limits::Limits;
use crate::model::id::ConnectionId;
use crate::queue::Gates;

/// While writes are frozen, there is another look after this time.
const LOOK: TimeDelta = TimeDelta::seconds(5);

/// Lets calls through as quotas allow and, while writes are frozen, none for a connection. Grants are
/// given back all the same, but not by a store that was put back and is not confirmed.
pub struct Gatekeeper {
    limits: Limits,
    frozen: Arc<Frozen>,
}

impl Gatekeeper {
    /// Minds the quotas and the freeze of `app`.
    pub fn of(app: &App) -> Self {
        Self { limits: app.limits.clone(), frozen: Arc::clone(&app.frozen) }
    }
}

impl Gates for Gatekeeper {
    fn not_before(&self, connection: ConnectionId, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.frozen.now().is_some() {
            return Some(now + LOOK);
        }
        self.limits.not_before(connection, now)
    }

    fn project_not_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.frozen.now().is_some_and(|freeze| freeze.is_unconfirmed) {
            return Some(now + LOOK);
        }
        self.limits.project_not_before(now)
    }
}

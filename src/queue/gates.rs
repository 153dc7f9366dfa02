//! What the dispatcher asks before it serves a line: whether a call would have to wait.

use chrono::{DateTime, Utc};

use crate::limits::Limits;
use crate::model::id::ConnectionId;

/// Knows how much of the quotas is left. A line that would have to wait for its quota holds no
/// worker meanwhile.
pub trait Gates: Send + Sync {
    /// When a call for `connection` may be made next; none if it may be made now.
    fn not_before(&self, connection: ConnectionId, now: DateTime<Utc>) -> Option<DateTime<Utc>>;

    /// When any call may be made next; none if one may be made now.
    fn project_not_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>>;
}

/// Lets everything through: nothing here is paid for.
#[derive(Clone, Copy, Debug)]
pub struct Open;

impl Gates for Open {
    fn not_before(&self, _: ConnectionId, _: DateTime<Utc>) -> Option<DateTime<Utc>> {
        None
    }

    fn project_not_before(&self, _: DateTime<Utc>) -> Option<DateTime<Utc>> {
        None
    }
}

impl Gates for Limits {
    fn not_before(&self, connection: ConnectionId, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        Self::not_before(self, connection, now)
    }

    fn project_not_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        Self::project_not_before(self, now)
    }
}

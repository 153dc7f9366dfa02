//! Word of what became true, for whoever waits for it.

use tokio::sync::broadcast;

use crate::model::id::{ConnectionId, EventId};
use crate::model::job::Line;

/// How far a listener may fall behind before it has to look at everything anew.
const BACKLOG: usize = 1024;

/// Something that became true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A job of this line became due, or may have.
    Line(Line),
    /// What is wanted or known of this event changed.
    Event(EventId),
    /// This connection changed.
    Connection(ConnectionId),
    /// The audit's chain has a new end.
    Audit,
}

/// Tells listeners of changes; nobody has to listen.
#[derive(Debug)]
pub struct Changes(broadcast::Sender<Change>);

impl Changes {
    /// A source nobody listens to yet.
    pub fn new() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }

    /// Tells whoever listens.
    pub fn tell(&self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            // An error means that nobody listens.
            let _ = self.0.send(change);
        }
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self::new()
    }
}

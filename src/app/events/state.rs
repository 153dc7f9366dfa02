//! Where an event stands, in one word.

use super::View;
use crate::model::event::Copied;
use crate::model::invalid::Invalid;
use crate::model::job::JobState;

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not in Google as it is wanted; a job sees to it.
    Pending,
    /// In Google as it is wanted.
    Confirmed,
    /// Taken out of the calendar at Google, by a person.
    RemovedInGoogle,
    /// Taken out of the calendar because its owner wanted it no more.
    Cancelled,
    /// Given up, or Google's final no.
    Failed,
    /// Its job was taken back.
    Stopped,
}

impl State {
    /// Every one there is.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Confirmed,
        Self::RemovedInGoogle,
        Self::Cancelled,
        Self::Failed,
        Self::Stopped,
    ];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::RemovedInGoogle => "removed_in_google",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

impl std::str::FromStr for State {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|state| state.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(|state| format!("`{}`", state.as_str())).join(", ");
            Invalid::new("state", format!("one of {names}, or several with commas between"))
        })
    }
}

impl View {
    /// Where the event stands.
    pub fn state(&self) -> State {
        let event = &self.event;
        match &event.known.copy {
            _ if matches!(self.job, Some(JobState::Dead { .. })) => State::Failed,
            _ if matches!(self.job, Some(JobState::Cancelled { .. })) => State::Stopped,
            _ if event.known.applied < event.wanted.revision => State::Pending,
            Copied::Awaited => State::Pending,
            Copied::Present => State::Confirmed,
            Copied::RemovedInGoogle => State::RemovedInGoogle,
            Copied::Cancelled => State::Cancelled,
            Copied::Refused(_) if self.job == Some(JobState::Live) => State::Pending,
            Copied::Refused(_) => State::Failed,
        }
    }
}

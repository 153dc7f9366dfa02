//! What became of telling one occurrence of a reminder.

use chrono::{DateTime, Utc};

use super::job::Cause;

/// One occurrence that came due, and what became of telling it: personal, and therefore sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What is told by mail; nothing if no mail was to go.
    pub letter: Option<Letter>,
    /// When it was over, and why it came to nothing, if it did.
    pub ended: Option<Ended>,
}

/// A mail, as its readers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Who gets it.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// What it says, as plain text.
    pub text: String,
}

/// How a delivery was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: DateTime<Utc>,
    /// Why it came to nothing; none if it did not.
    pub cause: Option<Cause>,
}

/// Where a delivery stands. What is not pending is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// A mail is to go.
    Pending,
    /// It came due, and there was nothing to mail: Google tells it.
    Told,
    /// The mail's server has it.
    Sent,
    /// The mail was given up.
    Failed,
    /// It came due too long ago when that was seen, or another did since.
    Missed,
    /// Somebody did not want to be told, or to be told later.
    Dismissed,
}

impl DeliveryState {
    /// Every state there is, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Told, Self::Sent, Self::Failed, Self::Missed, Self::Dismissed];

    /// The state's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Told => "told",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Missed => "missed",
            Self::Dismissed => "dismissed",
        }
    }

    /// The number it is stored as.
    pub fn number(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Told => 1,
            Self::Sent => 2,
            Self::Failed => 3,
            Self::Missed => 4,
            Self::Dismissed => 5,
        }
    }

    /// The state that is stored as this number; none if there is no such.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

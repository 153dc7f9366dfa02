//! What was asked, what was committed and what was answered; and the mails that would have gone out.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Entries kept; older ones are forgotten, and counted.
const KEPT: usize = 200_000;

/// One call, as it ended. Holds no token and no title.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Counts from 1, in the order in which calls took effect.
    pub number: u64,
    /// When the call took effect, by the simulator's clock.
    pub time: DateTime<Utc>,
    /// `calendar.events.insert`, `token`, ..
    pub method: &'static str,
    /// Whose token it came with, if known.
    pub user: Option<String>,
    /// The calendar's own id; `primary` only if the token told no user.
    pub calendar: Option<String>,
    /// The event's id, asked for or given.
    pub event: Option<String>,
    /// At the token endpoint: the grant type.
    pub grant_type: Option<String>,
    /// How it was answered.
    pub answered: Answered,
    /// Whether it changed anything.
    pub committed: bool,
    /// The scripted faults that struck it, by name.
    pub faults: Vec<&'static str>,
}

/// How a call was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// With this HTTP status. A body that was cut short counts as answered.
    Status(u16),
    /// Not at all: the connection was cut.
    Cut,
}

impl Serialize for Answered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Status(status) => serializer.serialize_u16(*status),
            Self::Cut => serializer.serialize_str("cut"),
        }
    }
}

/// The name of a kind of mail. Under its own name, serde does not borrow it from what it reads.
type MailKind = &'static str;

/// A mail Google would have sent to a guest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Mail {
    /// When.
    pub time: DateTime<Utc>,
    /// To whom.
    pub to: String,
    /// `invitation`, `update`, `cancellation` or, to the organizer, `response`.
    #[serde(deserialize_with = "mail_kind")]
    pub kind: MailKind,
    /// From whose calendar.
    pub calendar: String,
    /// About which event.
    pub event: String,
}

/// Every kind of mail there is.
const MAIL_KINDS: [MailKind; 4] = ["invitation", "update", "cancellation", "response"];

fn mail_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MailKind, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = MAIL_KINDS.into_iter().find(|kind| *kind == name);
    known.ok_or_else(|| D::Error::unknown_variant(&name, &MAIL_KINDS))
}

/// Which entries are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// Only those with a greater number.
    pub(super) after: u64,
    pub(super) method: Option<String>,
    pub(super) user: Option<String>,
}

impl Filter {
    pub(super) fn takes(&self, entry: &Entry) -> bool {
        entry.number > self.after
            && self.method.as_deref().is_none_or(|method| fits(method, entry.method))
            && (self.user.is_none() || self.user == entry.user)
    }
}

/// Whether `method` is the one a pattern names; a pattern may end in `*`.
fn fits(pattern: &str, method: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => method.starts_with(start),
        None => method == pattern,
    }
}

/// How many calls there were, forgotten entries included.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Counters {
    pub(super) calls: u64,
    pub(super) committed: u64,
    /// Changes whose caller was not told of them.
    pub(super) committed_unanswered: u64,
    pub(super) by_method: BTreeMap<&'static str, u64>,
    /// By status, or `cut`.
    pub(super) by_answer: BTreeMap<String, u64>,
    pub(super) by_fault: BTreeMap<&'static str, u64>,
}

impl Counters {
    fn count(&mut self, entry: &Entry) {
        let cut = entry.answered == Answered::Cut;
        self.calls += 1;
        self.committed += u64::from(entry.committed);
        self.committed_unanswered += u64::from(entry.committed && cut);
        *self.by_method.entry(entry.method).or_default() += 1;
        let answer = match entry.answered {
            Answered::Status(status) => status.to_string(),
            Answered::Cut => "cut".to_owned(),
        };
        *self.by_answer.entry(answer).or_default() += 1;
        for fault in &entry.faults {
            *self.by_fault.entry(fault).or_default() += 1;
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: VecDeque<Entry>,
    counters: Counters,
}

impl Ledger {
    /// Writes `entry` down, under the next number.
    pub(super) fn write(&mut self, mut entry: Entry) {
        self.counters.count(&entry);
        entry.number = self.counters.calls;
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// How many entries are no longer kept.
    pub(super) fn forgotten(&self) -> u64 {
        self.counters.calls - self.entries.len() as u64
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }
}

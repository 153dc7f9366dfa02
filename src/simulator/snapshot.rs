//! Everything the simulator remembers, as a text that can be put back: here or in another process.
//!
//! A snapshot holds calendars, events, lists, rules, grants, tokens, settings of users, mails, push
//! channels and the place of the generator, so that what is drawn and counted goes on as it would
//! have. Not in it are the simulator's own settings, which must be the same where it is put back;
//! the clock, the ledger, quotas in use and armed faults, which stay as they are; and messages on
//! their way, which are dropped.

use std::mem::swap;

use serde::{Deserialize, Serialize};

use super::Simulator;
use super::state::State;

/// A snapshot that is not put back: which member, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {rule}")]
pub struct BadSnapshot {
    /// The member, as a path: `state.calendars.ana@example.com.events[2].id`.
    pub member: String,
    /// What it has to be, or what else is wrong.
    pub rule: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Snapshot<S> {
    /// Stands first, so that a snapshot of another form is told from a broken one.
    format: Format,
    state: S,
}

/// The number of the form in which snapshots are written; another is refused.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(try_from = "u64", into = "u64")]
struct Format;

const FORMAT: u64 = 1;

impl TryFrom<u64> for Format {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        if number == FORMAT {
            Ok(Self)
        } else {
            Err(format!("{number} is not known here, only {FORMAT}"))
        }
    }
}

impl From<Format> for u64 {
    fn from(_: Format) -> Self {
        FORMAT
    }
}

impl BadSnapshot {
    fn new(member: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { member: member.into(), rule: rule.into() }
    }
}

impl Simulator {
    /// Everything the simulator remembers, as JSON: tokens are in it, its own settings are not.
    pub fn snapshot(&self) -> String {
        let state = self.state();
        serde_json::to_string(&Snapshot { format: Format, state: &*state })
            .expect("the state is plain structs, and its maps have texts as keys")
    }

    /// Puts back what [`Simulator::snapshot`] told, here or on another simulator of the same settings.
    /// What was there is forgotten, but for the ledger, quotas in use and armed faults. A snapshot
    /// that is wrong changes nothing.
    pub fn restore(&self, snapshot: &str) -> Result<(), BadSnapshot> {
        self.restore_bytes(snapshot.as_bytes())
    }

    pub(super) fn restore_bytes(&self, snapshot: &[u8]) -> Result<(), BadSnapshot> {
        let mut text = serde_json::Deserializer::from_slice(snapshot);
        let read: Snapshot<State> =
            serde_path_to_error::deserialize(&mut text).map_err(|error| {
                let member = error.path().to_string();
                let member = if member == "." { "(snapshot)".to_owned() } else { member };
                BadSnapshot::new(member, error.inner().to_string())
            })?;
        text.end().map_err(|error| BadSnapshot::new("(snapshot)", error.to_string()))?;
        let mut fresh = read.state;
        let now = self.now();
        let mut state = self.state();
        fresh.check(&state)?;
        swap(&mut state.settings, &mut fresh.settings);
        swap(&mut state.base, &mut fresh.base);
        swap(&mut state.faults, &mut fresh.faults);
        swap(&mut state.ledger, &mut fresh.ledger);
        swap(&mut state.windows, &mut fresh.windows);
        swap(&mut state.outgoing, &mut fresh.outgoing);
        fresh.outgoing.drop_waiting();
        fresh.open_primary_calendars(now);
        *state = fresh;
        Ok(())
    }
}

impl State {
    /// Whether a state that was read hangs together, and fits the settings of `here`.
    fn check(&self, here: &Self) -> Result<(), BadSnapshot> {
        if !self.generator.has_seed(here.settings.seed) {
            let rule = format!("is not the seed of this simulator, {}", here.settings.seed);
            return Err(BadSnapshot::new("state.generator.seed", rule));
        }
        for (id, calendar) in &self.calendars {
            if *id != calendar.id {
                let member = format!("state.calendars.{id}.id");
                return Err(BadSnapshot::new(member, "is not the name it stands under"));
            }
            for event in calendar.events.all() {
                if !self.has_given(event.number, event.version) {
                    let member = format!("state.calendars.{id}.events");
                    let rule =
                        format!("{:?} has a number or version that is yet to come", event.id);
                    return Err(BadSnapshot::new(member, rule));
                }
            }
        }
        Ok(())
    }
}

/// Maps whose keys are no texts: written as lists of pairs.
pub(super) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::simulator) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(in crate::simulator) fn deserialize<
        'de,
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    >(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Vec::<(K, V)>::deserialize(deserializer).map(|pairs| pairs.into_iter().collect())
    }
}

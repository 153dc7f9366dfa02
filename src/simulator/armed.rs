//! The faults that are armed: which of them strikes a call, how often, and what is left of them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::fault::{Fault, FaultKind, Latency, Stage, Target, Wording};
use super::generator;

/// A fault that struck.
#[derive(Clone, Debug)]
pub(super) struct Strike {
    pub(super) kind: FaultKind,
    pub(super) takes: TimeDelta,
    pub(super) wording: Wording,
}

#[derive(Debug)]
pub(super) struct Armed {
    pub(super) fault: Fault,
    /// Counts from 1, in the order in which faults were armed.
    pub(super) number: u64,
    since: DateTime<Utc>,
    seen: u64,
    pub(super) struck: u64,
}

/// The faults that are armed, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Faults {
    armed: Vec<Armed>,
    added: u64,
}

impl Faults {
    /// Arms a fault, and tells its number.
    pub(super) fn add(&mut self, fault: Fault, now: DateTime<Utc>) -> u64 {
        self.added += 1;
        self.armed.push(Armed { fault, number: self.added, since: now, seen: 0, struck: 0 });
        self.added
    }

    pub(super) fn clear(&mut self) {
        self.armed.clear();
    }

    /// Disarms one. Tells whether it was there.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let before = self.armed.len();
        self.armed.retain(|armed| armed.number != number);
        before != self.armed.len()
    }

    /// Those that may still strike, and those that are spent.
    pub(super) fn all(&self) -> impl Iterator<Item = &Armed> {
        self.armed.iter()
    }

    /// The first armed fault that strikes `target` at this stage; spends one of its times.
    pub(super) fn strike(
        &mut self,
        stage: Stage,
        target: &Target<'_>,
        seed: u64,
        now: DateTime<Utc>,
    ) -> Option<Strike> {
        self.armed.iter_mut().find_map(|armed| armed.strike(stage, target, seed, now))
    }

    /// One line for each fault that has times left.
    pub(super) fn unused(&self) -> Vec<String> {
        let left = self.armed.iter().filter_map(|armed| {
            let times = armed.fault.aim.times?;
            let method = armed.fault.aim.method.as_deref().unwrap_or("any of its calls");
            (armed.struck < times).then(|| {
                format!(
                    "{} on {method}: struck {} of {times}",
                    armed.fault.kind.name(),
                    armed.struck
                )
            })
        });
        left.collect()
    }
}

impl Armed {
    /// Whether it has struck as often as it may.
    pub(super) fn is_spent(&self) -> bool {
        self.fault.aim.times.is_some_and(|times| self.struck >= times)
    }

    /// The fault as it was asked for, with its counts.
    pub(super) fn shown(&self) -> Value {
        let mut shown = json!(self.fault);
        shown["number"] = self.number.into();
        shown["since"] = json!(self.since);
        shown["seen"] = self.seen.into();
        shown["struck"] = self.struck.into();
        shown["spent"] = self.is_spent().into();
        shown
    }

    fn strike(
        &mut self,
        stage: Stage,
        target: &Target<'_>,
        seed: u64,
        now: DateTime<Utc>,
    ) -> Option<Strike> {
        let fault = &self.fault;
        if fault.kind.stage() != stage
            || !fault.fits(target)
            || self.is_spent()
            || !fault.is_open(self.since, now)
        {
            return None;
        }
        self.seen += 1;
        let roll = |label| generator::roll(seed, label, self.number, self.seen);
        let rolled = fault.aim.probability.is_none_or(|bound| roll("roll") < bound);
        if self.seen <= fault.aim.after || !rolled {
            return None;
        }
        let takes = match fault.latency_ms {
            Some(latency) => latency.at(roll("latency")),
            None => fault.span().unwrap_or(TimeDelta::seconds(5)),
        };
        let strike = Strike { kind: fault.kind, takes, wording: fault.wording.clone() };
        self.struck += 1;
        Some(strike)
    }
}

impl Latency {
    /// The latency that this part of all calls does not exceed. Straight lines between the
    /// percentiles: the same number on every machine.
    fn at(self, part: f64) -> TimeDelta {
        let (p50, p99) = (f64::from(self.p50), f64::from(self.p99));
        let millis = if part < 0.5 {
            p50 * part / 0.5
        } else if part < 0.99 {
            p50 + (p99 - p50) * (part - 0.5) / 0.49
        } else {
            p99 + p99 * (part - 0.99) / 0.01
        };
        #[expect(clippy::cast_possible_truncation, reason = "at most twice the largest u32")]
        let millis = millis.round() as i64;
        TimeDelta::milliseconds(millis)
    }
}

//! What happened, line by line, each with its virtual time: the proof that a seed tells the same story
//! twice, and what a person reads when an invariant broke.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use calbridge::clock::{Clock, ManualClock};
use calbridge::random::{CountingRandom, Random};
use calbridge::simulator::{Answered, Simulator};
use chrono::TimeDelta;

/// One history, as it is written.
pub struct History {
    clock: Arc<ManualClock>,
    google: Simulator,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    /// Calls of Google's ledger that have their line.
    calls: u64,
    violations: Vec<String>,
}

impl History {
    /// An empty one.
    pub fn new(clock: Arc<ManualClock>, google: Simulator) -> Self {
        Self { clock, google, written: Mutex::default() }
    }

    /// Writes a line, after those of the calls that Google saw before it.
    pub fn tell(&self, line: impl AsRef<str>) {
        let calls = self.google.ledger();
        let mut written = self.written.lock().expect("no one panics while writing");
        let seen = usize::try_from(written.calls).expect("few calls");
        for call in &calls[seen..] {
            let answer = match call.answered {
                Answered::Status(status) => status.to_string(),
                Answered::Cut => "no answer".to_owned(),
            };
            let done = if call.committed { ", done" } else { "" };
            let event = call.event.as_deref().unwrap_or_default();
            let faults = call.faults.join(" ");
            let line = format!("google   {} {event}: {answer}{done} {faults}", call.method);
            written.write(&call.time.format("%m-%d %H:%M:%S%.3f").to_string(), line.trim_end());
            written.calls += 1;
        }
        let now = self.clock.now().format("%m-%d %H:%M:%S%.3f").to_string();
        written.write(&now, line.as_ref());
    }

    /// Writes down that a promise was broken.
    pub fn violated(&self, what: impl AsRef<str>) {
        self.tell(format!("BROKEN   {}", what.as_ref()));
        let mut written = self.written.lock().expect("no one panics while writing");
        written.violations.push(what.as_ref().to_owned());
    }

    /// Every line, and what was broken.
    pub fn end(&self) -> (String, Vec<String>) {
        self.tell("end");
        let written = self.written.lock().expect("no one panics while writing");
        let mut text = String::new();
        for line in &written.lines {
            writeln!(text, "{line}").expect("a string takes it");
        }
        (text, written.violations.clone())
    }
}

impl Written {
    fn write(&mut self, time: &str, line: &str) {
        let number = self.lines.len() + 1;
        self.lines.push(format!("{number:5} {time} {line}"));
    }
}

/// Chance of one actor: what it draws follows from the seed and its own name, whatever others draw.
pub struct Chance(Arc<dyn Random>);

impl Chance {
    /// The chance of the actor with this number.
    pub fn of(seed: u64, actor: u64) -> Self {
        Self(Arc::new(CountingRandom::new(seed.wrapping_mul(1_000_003).wrapping_add(actor))))
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u32) -> u32 {
        u32::try_from(self.0.below(bound.into())).expect("below a u32")
    }

    /// Whether something comes about that does so `percent` times in a hundred.
    pub fn percent(&self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<'a, T>(&self, among: &'a [T]) -> &'a T {
        &among[self.below(u32::try_from(among.len()).expect("few")) as usize]
    }

    /// A time of up to `most`.
    pub fn time(&self, most: TimeDelta) -> TimeDelta {
        let most = u32::try_from(most.num_milliseconds()).expect("some weeks at most");
        TimeDelta::milliseconds(self.below(most.max(1)).into())
    }
}

//! What happened to an event, as every store writes it down: a line for what was asked and for how
//! each run ended, in the step that made it true.
//!
//! It lies in the event's own row, so that it costs no row of its own, and is short for the same
//! reason: what comes again on end is counted, and the oldest lines make room for new ones.

use chrono::{DateTime, SubsecRound, Utc};

use super::{Fate, MAX_SEALED, Ran};
use crate::model::event::{Copied, Event, Known, Meet, Presence, Wanted};
use crate::model::history::{Step, What};
use crate::model::job::Cause;

/// No history has more lines.
const MOST_STEPS: usize = 200;
/// No history is longer, in bytes, nor leaves its row less room than the rest of it may need.
const MOST_BYTES: usize = 8_000;
/// What a line takes beside its cause.
const STEP_BYTES: usize = 40;
/// Of a cause's text no more is kept than these bytes.
const MOST_TEXT: usize = 240;

/// What happened to an event, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The lines.
    pub steps: Vec<Step>,
}

impl History {
    /// That of an event that is being taken in.
    pub(super) fn begin(event: &Event) -> Self {
        let mut history = Self::default();
        history.ask(What::Accepted, event);
        history
    }

    /// Something else is wanted of an event, by now, than before.
    pub(super) fn change(&mut self, before: Presence, event: &Event) {
        let what = match (before, event.wanted.presence) {
            (Presence::Present, Presence::Absent) => What::Cancelled,
            (Presence::Absent, Presence::Present) => What::Revived,
            (Presence::Present, Presence::Present) | (Presence::Absent, Presence::Absent) => {
                What::Changed
            }
        };
        self.ask(what, event);
    }

    fn ask(&mut self, what: What, event: &Event) {
        let Wanted { revision, since, by, .. } = event.wanted;
        let at = since.trunc_subsecs(3);
        let step = Step { at, what, revision, by: Some(by), cause: None, times: 1 };
        self.note(step, &event.known);
    }

    /// A run ended that was about an event, by now as it was before.
    pub(super) fn run(&mut self, event: &Event, ran: &Ran, now: DateTime<Utc>) {
        let (before, learned) = (&event.known, ran.learned.as_ref());
        let known = learned.map_or(before, |learned| &learned.known);
        let revision = learned.map_or(event.wanted.revision, |learned| learned.seen);
        let mut note = |what, cause: Option<&Cause>| {
            let cause = cause.map(shortened);
            let at = now.trunc_subsecs(3);
            self.note(Step { at, what, revision, by: None, cause, times: 1 }, known);
        };
        match &known.copy {
            Copied::RemovedInGoogle if before.copy != known.copy => {
                note(What::RemovedInGoogle, None);
            }
            Copied::Cancelled if before.copy != known.copy => note(What::Withdrawn, None),
            Copied::Present if before.copy != known.copy || before.applied != known.applied => {
                note(What::Written, None);
            }
            _ => {}
        }
        match &known.meet {
            Meet::Ready if before.meet != known.meet => note(What::MeetReady, None),
            Meet::Failed(cause) if before.meet != known.meet => note(What::MeetFailed, Some(cause)),
            _ => {}
        }
        match &ran.fate {
            Fate::Done | Fate::HandedBack { cause: None } => {}
            Fate::Again { cause, .. } | Fate::HandedBack { cause: Some(cause) } => {
                note(What::PutOff, Some(cause));
            }
            Fate::Dead(cause) => note(What::GivenUp, Some(cause)),
        }
    }

    fn note(&mut self, step: Step, known: &Known) {
        match self.steps.last_mut() {
            Some(last) if is_again(last, &step) => last.times = last.times.saturating_add(1),
            _ => self.steps.push(step),
        }
        let links = known.links.as_ref().map_or(0, |links| links.as_bytes().len());
        let room = MOST_BYTES.min((MAX_SEALED + 2_000).saturating_sub(links));
        let mut bytes = 0;
        let kept = self.steps.iter().rev().take(MOST_STEPS).take_while(|step| {
            bytes += size(step);
            bytes <= room
        });
        let too_many = self.steps.len() - kept.count();
        self.steps.drain(..too_many);
    }
}

/// Whether a run came to the same nothing as the one before.
fn is_again(last: &Step, step: &Step) -> bool {
    let of = |step: &Step| (step.what, step.revision, step.cause.clone());
    step.what == What::PutOff && of(last) == of(step)
}

fn size(step: &Step) -> usize {
    STEP_BYTES + step.cause.as_ref().map_or(0, |cause| cause.code.len() + cause.text.len())
}

fn shortened(cause: &Cause) -> Cause {
    let text = &cause.text[..cause.text.floor_char_boundary(MOST_TEXT)];
    Cause::new(cause.code.clone(), text.to_owned())
}

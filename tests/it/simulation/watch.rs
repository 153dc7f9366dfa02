//! Looks on at what the bridge writes down, and calls out what no run may ever say; puts strangers'
//! events in the way.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use calbridge::model::event::Event;
use calbridge::model::id::EventId;
use calbridge::model::job::{Cause, Job};
use calbridge::simulator::Simulator;
use calbridge::store::Fate;

use super::fragile::told;
use super::history::{Chance, History};
use crate::bridge::ANA;

/// What every event of a stranger is called.
pub const STRANGER: &str = "Stranger's";
/// So many of a hundred events find their id taken.
const STRANGERS: u32 = 4;
/// Causes that nobody can explain away: only these may cost an attempt.
const UNEXPLAINED: [&str; 3] = ["conflict", "not_found", "token_rejected"];

/// Who looks on.
pub struct Watch {
    /// Where it is written down.
    pub history: Arc<History>,
    google: Simulator,
    /// The ids at Google that were about to be used for events, each once.
    ids: Mutex<BTreeSet<(EventId, String)>>,
    /// Whether somebody has taken a grant back, or was about to.
    pub grants_die: AtomicBool,
}

impl Watch {
    /// Looks on from now.
    pub fn new(history: Arc<History>, google: Simulator) -> Self {
        Self { history, google, ids: Mutex::default(), grants_die: AtomicBool::new(false) }
    }

    /// An event is about to be stored: now and then somebody else's already has its id at Google.
    pub fn accepting(&self, event: &Event, chance: &Chance) {
        let id = event.known.google_id.to_string();
        let entry = (event.id, id.clone());
        let first = self.ids.lock().expect("no one panics").insert(entry);
        if first && chance.percent(STRANGERS) {
            self.google.put_foreign_event(ANA, &id, STRANGER);
            self.history.tell(format!("stranger has an event {id}"));
        }
    }

    /// The id at Google under which an event was to be had when it was taken in.
    pub fn first_id(&self, event: &str) -> Option<String> {
        let ids = self.ids.lock().expect("no one panics");
        ids.iter().find(|(id, _)| id.to_string() == event).map(|(_, first)| first.clone())
    }

    /// A run ended.
    pub fn settled(&self, job: &Job, fate: &Fate) {
        let kind = job.kind.as_str();
        self.history.tell(format!("settle   {kind} {}: {}", job.id, told(fate)));
        match fate {
            Fate::Again { spends: true, cause, .. } if !UNEXPLAINED.contains(&&*cause.code) => {
                self.history.violated(format!("{} has cost {kind} an attempt", cause.code));
            }
            Fate::Dead(cause) => {
                self.history.violated(format!("{kind} {} given up for {}", job.id, cause.code));
            }
            _ => {}
        }
    }

    /// A connection is written down as one that a person must mend.
    pub fn grant_given_up(&self, cause: &Cause) {
        self.history.tell(format!("settle   the account must be connected again: {}", cause.code));
        if !self.grants_die.load(Ordering::Relaxed) {
            self.history.violated("a grant that nobody took back was given up");
        }
    }
}

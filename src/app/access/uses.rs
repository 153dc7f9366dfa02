//! When API keys were used last: noted in memory with each request, and written down now and then,
//! apart from the keys' own rows, which nothing but a person's act changes.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, Utc};

use super::super::{App, Error};
use crate::model::id::KeyId;

/// The uses that are not written down yet: at most one for each key there is.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<KeyId, DateTime<Utc>>>);

impl Uses {
    /// The key was used at `now`.
    pub(super) fn note(&self, id: KeyId, now: DateTime<Utc>) {
        let mut uses = self.0.lock().expect("nobody panics while noting");
        let last = uses.entry(id).or_insert(now);
        *last = now.max(*last);
    }

    fn seen(&self) -> Vec<(KeyId, DateTime<Utc>)> {
        let uses = self.0.lock().expect("nobody panics while noting");
        uses.iter().map(|(id, at)| (*id, *at)).collect()
    }

    fn take(&self) -> Vec<(KeyId, DateTime<Utc>)> {
        self.0.lock().expect("nobody panics while noting").drain().collect()
    }
}

/// Writes down which keys were used since that was done last. What cannot be written is kept for the
/// next time.
pub async fn write_uses(app: &App) -> Result<(), Error> {
    let uses = app.gate.uses.take();
    if uses.is_empty() {
        return Ok(());
    }
    if let Err(error) = app.store.note_uses(uses.clone()).await {
        for (id, at) in uses {
            app.gate.uses.note(id, at);
        }
        return Err(error.into());
    }
    Ok(())
}

/// When each key was used last, of those that ever were.
pub async fn last_uses(app: &App) -> Result<HashMap<KeyId, DateTime<Utc>>, Error> {
    let mut uses: HashMap<_, _> = app.store.last_uses().await?.into_iter().collect();
    for (id, at) in app.gate.uses.seen() {
        let last = uses.entry(id).or_insert(at);
        *last = at.max(*last);
    }
    Ok(uses)
}

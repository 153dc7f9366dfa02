//! Seals everything anew under the active key, while the bridge runs.
//!
//! It is done in steps, each of which is bounded and remembers nothing: whoever asks for the next
//! says how far the last one came. A step looks at the key that an envelope names and leaves alone
//! what is on the active one, so starting over is cheap, and a rewrap that was broken off anywhere is
//! gone on with by starting over. An envelope is replaced only where the one that was read still
//! lies: a record changed meanwhile was sealed with the active key by whoever changed it.

use super::audit::By;
use super::{App, Error, keyring};
use crate::model::audit::Action;
use crate::store::{Reseal, Spot};

/// How many envelopes a step looks at.
pub const PAGE: usize = 500;
/// So many bytes are replaced in one step of the store, which others wait for.
const MOST_BYTES: usize = 256 * 1024;

/// What a step came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// How many envelopes were looked at.
    pub seen: usize,
    /// How many were put under the active key.
    pub resealed: usize,
    /// Where one does not open. It stays as it is.
    pub unreadable: Vec<Spot>,
    /// Where the next step goes on; none at the end.
    pub next: Option<Spot>,
}

/// Looks at the envelopes behind `after`, and puts those under the active key that are not. Behind the
/// last comes what opens the vault; then it is written down that this was done.
pub async fn step(app: &App, by: impl Into<By>, after: Option<Spot>) -> Result<Step, Error> {
    let page = app.store.envelopes(after, PAGE).await?;
    let next = page.last().map(|last| last.spot);
    let mut step = Step { seen: page.len(), next, ..Step::default() };
    if next.is_none() {
        keyring::found_anew(&*app.store, &app.vault).await?;
        app.act(by, Action::VaultRewrapped).keep().await?;
    }
    let (mut reseals, mut bytes) = (Vec::new(), 0);
    for envelope in page {
        match app.reseal(&envelope) {
            Ok(None) => {}
            Ok(Some(now)) => {
                bytes += now.as_bytes().len();
                reseals.push(Reseal { spot: envelope.spot, was: envelope.sealed, now });
            }
            Err(error) => {
                let spot = envelope.spot;
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    %spot,
                    "a sealed record does not open, and stays as it is"
                );
                step.unreadable.push(spot);
            }
        }
        if bytes >= MOST_BYTES {
            step.resealed += app.store.reseal(std::mem::take(&mut reseals)).await?;
            bytes = 0;
        }
    }
    if !reseals.is_empty() {
        step.resealed += app.store.reseal(reseals).await?;
    }
    Ok(step)
}

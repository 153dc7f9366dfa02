//! What calls cost, and who pays. Google counts every call of the Calendar API, reads too, and a
//! patch three times (Calendar API reference, events.patch); it does not count OAuth.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Google;
use super::error::{Failure, Verdict};
use super::oauth::AccessToken;
use crate::limits::{Held, Refusal};

/// What most calls cost, in units of quota.
pub(super) const CALL: u32 = 1;
/// What a patch costs.
pub(super) const PATCH: u32 = 3;

/// The parameter that names whom Google counts a call for.
pub(super) const QUOTA_USER: &str = "quotaUser";

/// Counts the units that were paid through one [`Google`] and its clones.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    /// The units paid so far.
    pub fn units(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Google {
    /// The same Google with a meter of its own, to know what a piece of work cost.
    pub fn metered(&self) -> (Self, Meter) {
        let meter = Meter::default();
        (Self { inner: Arc::clone(&self.inner), meter: meter.clone() }, meter)
    }

    /// Pays `units` for `call` as soon as there are any, makes it, and tells the limits how Google
    /// took it. Nothing is sent if that would take too long. (The hub's calls are large: they come
    /// boxed.)
    pub(super) async fn charged<T>(
        &self,
        access: &AccessToken,
        units: u32,
        call: Pin<Box<impl Future<Output = Result<T, Failure>>>>,
    ) -> Result<T, Failure> {
        let limits = &self.inner.limits;
        let paid = match limits.pay(access.payer, units).await {
            Ok(paid) => paid,
            Err(Held(wait)) => {
                return Err(Failure::new(Verdict::HeldBack, None, None).after(Some(wait)));
            }
        };
        self.meter.0.fetch_add(units.into(), Ordering::Relaxed);
        let outcome = call.await;
        drop(paid);
        match outcome.as_ref().err().map(|failure| (failure, refusal(failure.verdict))) {
            Some((failure, Some(refusal))) => {
                limits.refused(access.payer, refusal, failure.retry_after);
            }
            // It never arrived.
            Some((failure, None)) if failure.status.is_none() => {}
            _ => limits.taken(access.payer, units),
        }
        outcome
    }
}

/// Whether Google said no because of what was done before.
fn refusal(verdict: Verdict) -> Option<Refusal> {
    Some(match verdict {
        Verdict::RateUser => Refusal::User,
        Verdict::RateProject => Refusal::Rate,
        Verdict::QuotaExceeded => Refusal::Quota,
        Verdict::DailyLimit => Refusal::Day,
        _ => return None,
    })
}

//! What recurs, in memory.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::MemoryStore;
use crate::store::{PeriodStore, StoreError, Turn};

#[async_trait]
impl PeriodStore for MemoryStore {
    async fn take_turn(
        &self,
        name: &str,
        every: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Turn, StoreError> {
        let mut state = self.state();
        let (turn, next) = Turn::take(state.periods.get(name).copied(), every, now);
        state.periods.insert(name.to_owned(), next);
        Ok(turn)
    }

    async fn tally(&self, day: NaiveDate, calls: u64) -> Result<u64, StoreError> {
        let mut state = self.state();
        let counted = state.tallies.entry(day).or_default();
        *counted = counted.saturating_add(calls);
        Ok(*counted)
    }
}

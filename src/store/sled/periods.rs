//! What recurs, on disk.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::SledStore;
use super::keys::{self, KeyReader, Table};
use super::ledger::{Ledger, Read};
use super::rows::PeriodRow;
use crate::store::period::first_tally;
use crate::store::{PeriodStore, StoreError, Turn};

#[async_trait]
impl PeriodStore for SledStore {
    async fn take_turn(
        &self,
        name: &str,
        every: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Turn, StoreError> {
        let key = keys::period(name);
        let step = move |ledger: &mut Ledger| {
            let row: Option<PeriodRow> = ledger.row(&key)?;
            let next = row.map(|row| row.next()).transpose()?;
            let (turn, next) = Turn::take(next, every, now);
            if matches!(turn, Turn::Due { .. }) {
                ledger.put(key, &PeriodRow::new(next))?;
            }
            Ok(turn)
        };
        self.committer.commit(step).await
    }

    async fn tally(&self, day: NaiveDate, calls: u64) -> Result<u64, StoreError> {
        let step = move |ledger: &mut Ledger| {
            let counted = ledger.number(&keys::tally_of(day))?.saturating_add(calls);
            ledger.put_bytes(keys::tally_of(day), counted.to_be_bytes().to_vec())?;
            Ok(counted)
        };
        self.committer.commit(step).await
    }
}

/// Forgets up to `most` tallies of days long past.
pub(super) fn prune_tallies(
    ledger: &mut Ledger,
    now: DateTime<Utc>,
    most: usize,
) -> Result<usize, StoreError> {
    let first = first_tally(now);
    let mut over = Vec::new();
    for found in ledger.scan(&Table::Tally.prefix()).take(most) {
        let (key, _) = found?;
        if KeyReader::new(&key)?.day()? >= first {
            break;
        }
        over.push(key.to_vec());
    }
    let pruned = over.len();
    for key in over {
        ledger.delete(key)?;
    }
    Ok(pruned)
}

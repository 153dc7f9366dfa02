//! The administrator's account and the uses of keys, on disk.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::keys::{self, KeyReader, Table};
use super::ledger::{Ledger, Read, failed};
use super::{SledStore, access, audit};
use crate::model::administrator::Administrator;
use crate::model::audit::Act;
use crate::model::id::KeyId;
use crate::model::key::TicketKind;
use crate::store::rows::{AdministratorRow, KeyUseRow, Row};
use crate::store::{AdministratorStore, StoreError, fits};

#[async_trait]
impl AdministratorStore for SledStore {
    async fn administrator(&self) -> Result<Option<Administrator>, StoreError> {
        let row: Option<AdministratorRow> = self.read()?.row(&keys::administrator())?;
        row.map(Administrator::try_from).transpose()
    }

    async fn put_administrator(
        &self,
        administrator: Administrator,
        act: Act,
    ) -> Result<(), StoreError> {
        fits(&act.detail)?;
        let step = move |ledger: &mut Ledger| {
            ledger.must_have_room()?;
            access::drop_tickets(ledger, TicketKind::Session)?;
            ledger.put(keys::administrator(), &AdministratorRow::from(&administrator))?;
            audit::chain(ledger, act).map(drop)
        };
        self.committer.commit(step).await
    }

    async fn note_uses(&self, uses: Vec<(KeyId, DateTime<Utc>)>) -> Result<(), StoreError> {
        let step = move |ledger: &mut Ledger| {
            ledger.must_have_room()?;
            for (id, at) in uses {
                let known: Option<KeyUseRow> = ledger.row(&keys::key_use(id))?;
                if known.map(KeyUseRow::at).transpose()?.is_none_or(|known| known < at) {
                    ledger.put(keys::key_use(id), &KeyUseRow::new(at))?;
                }
            }
            Ok(())
        };
        self.committer.commit(step).await
    }

    async fn last_uses(&self) -> Result<Vec<(KeyId, DateTime<Utc>)>, StoreError> {
        let mut uses = Vec::new();
        for found in self.read()?.scan_prefix(Table::KeyUse.prefix()) {
            let (key, row) = found.map_err(failed)?;
            uses.push((KeyReader::new(&key)?.id()?, KeyUseRow::decode(&row)?.at()?));
        }
        Ok(uses)
    }
}

//! What nearly every request asks for, kept as it was read last: keys and linked accounts. While a batch
//! is applied sled lets nobody read, so a request that reads holds up its thread for as long.
//!
//! Whoever writes any of it clears it all: that is rare, and leaves no rule to get wrong.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::keys::Table;
use crate::model::connection::Connection;
use crate::model::id::{ConnectionId, KeyId};
use crate::model::key::ApiKey;
use crate::model::owner::Owner;
use crate::store::StoreError;

/// So many of each are kept.
const MOST: usize = 256;

/// What is kept of each kind.
#[derive(Default)]
pub(super) struct Recall {
    pub keys: Shelf<KeyId, ApiKey>,
    pub connections: Shelf<ConnectionId, Connection>,
    /// All connections of an owner, in their order.
    pub owned: Shelf<Owner, Vec<Connection>>,
}

/// Things of a kind.
pub(super) struct Shelf<K, V>(Mutex<Kept<K, V>>);

struct Kept<K, V> {
    things: HashMap<K, V>,
    /// How often it was cleared: what was read before is not kept after.
    clearings: u64,
}

impl Recall {
    /// Whether a row under this key is of what may be kept here.
    pub(super) fn holds(key: &[u8]) -> bool {
        let tables = [Table::Key, Table::Connection, Table::OwnerConnection];
        tables.map(Table::byte).contains(&key[0])
    }

    /// Some of it was written.
    pub(super) fn clear(&self) {
        self.keys.clear();
        self.connections.clear();
        self.owned.clear();
    }
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Kept { things: HashMap::new(), clearings: 0 }))
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Shelf<K, V> {
    /// What is kept under `key`, else what `read` finds there. The tree is to be asked for by `read` itself: one
    /// from before may be behind what was cleared.
    pub(super) fn get(
        &self,
        key: &K,
        read: impl FnOnce() -> Result<Option<V>, StoreError>,
    ) -> Result<Option<V>, StoreError> {
        let clearings = {
            let kept = self.kept();
            if let Some(thing) = kept.things.get(key) {
                return Ok(Some(thing.clone()));
            }
            kept.clearings
        };
        let Some(thing) = read()? else { return Ok(None) };
        let mut kept = self.kept();
        if kept.clearings == clearings {
            if kept.things.len() >= MOST {
                kept.things.clear();
            }
            kept.things.insert(key.clone(), thing.clone());
        }
        Ok(Some(thing))
    }
}

impl<K, V> Shelf<K, V> {
    fn clear(&self) {
        let mut kept = self.kept();
        kept.clearings += 1;
        kept.things.clear();
    }

    fn kept(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

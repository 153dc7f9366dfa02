//! The store for several processes: PostgreSQL.
//!
//! Each method is one transaction, or one statement, which is its own. What two processes may do at
//! the same time is decided by row locks and unique keys; a step that was crossed by another is done
//! anew. No transaction is open while work is done.

mod access;
mod administrator;
mod audit;
mod backup;
mod claims;
mod connections;
mod envelopes;
mod error;
mod events;
mod items;
mod jobs;
mod lists;
mod nodes;
mod periods;
mod prune;
mod rows;
mod schema;
mod word;

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
use tokio::sync::broadcast;

use super::{Alive, Change, Disk, Keystone, Retention, Store, StoreError, fits};
use crate::model::id::{InstanceId, NodeId};
use crate::model::sealed::Sealed;
use error::{Trouble, failure, too_many_clashes};
use word::Word;

/// Whoever gets no connection to the database for so long is told that it is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// A step that others cross is done so often.
const MOST_TRIES: usize = 12;

/// How to reach a database, and how to share it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections at most.
    pub connections: u32,
    /// Whether to hear other processes by `LISTEN`, which a pooler that shares sessions does not
    /// let through. They are noticed within a second in any case.
    pub listens: bool,
    /// How far the database's clock and the caller's may be apart; any distance if none.
    pub skew: Option<TimeDelta>,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is none.
    #[error(
        "store.postgres_url is no address of a PostgreSQL database, such as `postgres://user:password@host/database`"
    )]
    Address,
    /// Times would not mean the same to the processes on it.
    #[error(
        "this machine's clock and the database's are {} ms apart, and leases need them to agree: set both by NTP",
        .0.num_milliseconds().abs()
    )]
    Clock(TimeDelta),
    /// It cannot be reached or brought to this release's shape.
    #[error("the database cannot be used: {0}")]
    Store(#[from] StoreError),
}

/// A store in PostgreSQL, as one of the processes on it has it.
pub struct PostgresStore {
    pool: PgPool,
    instance: InstanceId,
    node: Vec<u8>,
    listens: bool,
    word: Word,
    /// Connections that are given back once nothing of them runs: no more of them is claimed.
    leaving: Mutex<BTreeSet<Vec<u8>>>,
}

impl PostgresStore {
    /// Opens the database at `url`, as the process `node`, and brings its tables to this release's
    /// shape. One without tables becomes a store named `fresh`.
    pub async fn open(
        url: &str,
        options: &Options,
        fresh: InstanceId,
        node: NodeId,
        now: DateTime<Utc>,
    ) -> Result<Self, OpenError> {
        let mut address = PgConnectOptions::from_str(url)
            .map_err(|_| OpenError::Address)?
            .application_name("calbridge");
        if options.listens {
            // A process that stops in the middle of a step shall not hold up the others.
            address = address.options([
                ("idle_in_transaction_session_timeout", "10s"),
                ("lock_timeout", "5s"),
                ("statement_timeout", "60s"),
            ]);
        } else {
            // What a pooler does not take, or takes for another session's.
            address = address.statement_cache_capacity(0);
        }
        let pool = PgPoolOptions::new()
            .max_connections(options.connections)
            .after_connect(|session, _| Box::pin(commit_to_disk(session)))
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(address);
        let ahead = schema::clock(&pool).await? - now;
        if options.skew.is_some_and(|most| ahead.abs() > most) {
            return Err(OpenError::Clock(ahead));
        }
        let instance = schema::migrate(&pool, fresh).await?;
        let node = rows::id_bytes(node);
        Ok(Self {
            pool,
            instance,
            word: Word::of(&node),
            node,
            listens: options.listens,
            leaving: Mutex::default(),
        })
    }

    /// Does a step, again as long as others come between.
    async fn again<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        step: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        for _ in 0..MOST_TRIES {
            match step().await {
                Ok(done) => return Ok(done),
                Err(Trouble::Store(error)) => return Err(error),
                Err(Trouble::Clash) => {}
            }
        }
        Err(too_many_clashes())
    }
}

/// A database may be told to answer before a commit is on disk; what is accepted here must be there.
async fn commit_to_disk(session: &mut PgConnection) -> Result<(), sqlx::Error> {
    let stricter = "SELECT set_config('synchronous_commit', 'on', false)
                    WHERE current_setting('synchronous_commit') = 'off'";
    sqlx::query(stricter).execute(session).await.map(drop)
}

#[async_trait]
impl Store for PostgresStore {
    fn instance(&self) -> InstanceId {
        self.instance
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.word.listen()
    }

    async fn writable(&self) -> Result<(), StoreError> {
        // A statement that needs what every write needs, and writes nothing.
        sqlx::query("SELECT 1 FROM store FOR KEY SHARE")
            .execute(&self.pool)
            .await
            .map_err(failure)?;
        Ok(())
    }

    /// The disk is the database's.
    fn disk(&self) -> Option<Disk> {
        None
    }

    async fn keystone(&self) -> Result<Option<Keystone>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(failure)?;
        keystone_in(&mut connection).await.map_err(failure)
    }

    async fn lay_keystone(&self, keystone: Keystone) -> Result<Keystone, StoreError> {
        fits([&keystone.canary, &keystone.index_key])?;
        let mut connection = self.pool.acquire().await.map_err(failure)?;
        lay(&mut connection, &keystone).await.map_err(failure)
    }

    async fn prune(
        &self,
        now: DateTime<Utc>,
        keep: Retention,
        most: usize,
    ) -> Result<usize, StoreError> {
        self.again(|| self.try_prune(now, keep, most)).await
    }

    async fn beat(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Alive, StoreError> {
        self.live_on(now, until).await
    }

    async fn leave(&self, _now: DateTime<Utc>) -> Result<(), StoreError> {
        self.say_goodbye().await
    }
}

async fn keystone_in(connection: &mut PgConnection) -> Result<Option<Keystone>, sqlx::Error> {
    let stones =
        sqlx::query_as("SELECT canary, index_key FROM store").fetch_one(connection).await?;
    let (Some(canary), Some(index_key)) = stones else { return Ok(None) };
    let (canary, index_key) = (Sealed::from_bytes(canary), Sealed::from_bytes(index_key));
    Ok(Some(Keystone { canary, index_key }))
}

/// Keeps what opens the vault, if nothing does yet. Returns what does.
async fn lay(connection: &mut PgConnection, keystone: &Keystone) -> Result<Keystone, sqlx::Error> {
    let (canary, index_key) = sqlx::query_as(
        "UPDATE store SET canary = coalesce(canary, $1), index_key = coalesce(index_key, $2)
         RETURNING canary, index_key",
    )
    .bind(keystone.canary.as_bytes())
    .bind(keystone.index_key.as_bytes())
    .fetch_one(connection)
    .await?;
    let (canary, index_key) = (Sealed::from_bytes(canary), Sealed::from_bytes(index_key));
    Ok(Keystone { canary, index_key })
}

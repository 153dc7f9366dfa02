//! Word of changes between the processes on one database.
//!
//! What a process changes it tells its own listeners at once, and the others by `NOTIFY`, at most
//! once every 50 ms and outside of any transaction that writes. That is a hint: it may be lost. What
//! is always true is the look around every second, which finds the lines that became due and whatever
//! changed since the look before.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, broadcast};

use super::PostgresStore;
use super::error::{Trouble, failure};
use super::rows::Hex;
use crate::clock::Clock;
use crate::model::id::ID_CHARS;
use crate::model::job::{Class, Lane, Line};
use crate::model::owner::{Owner, UserId};
use crate::store::{Change, Changes, StoreError};

const CHANNEL: &str = "calbridge";
/// The others are told no oftener than this.
const PAUSE: TimeDelta = TimeDelta::milliseconds(50);
/// How often there is a look around.
const LOOK: TimeDelta = TimeDelta::seconds(1);
/// PostgreSQL takes 8,000 bytes at a time.
const MOST_BYTES: usize = 7_900;
/// More than this is left to the others' look around.
const MOST_TOLD: usize = 4_000;
/// What a node says that handed back what it held, or some of it.
const GOODBYE: &str = "goodbye";

/// What is told here, and what the others are still to be told.
pub(super) struct Word {
    changes: Changes,
    /// This process's name: what it told itself it need not hear again.
    node: String,
    outbox: Mutex<BTreeSet<String>>,
    /// Something lies in the outbox.
    filled: Notify,
    /// Another node said goodbye, or this one has something to give back.
    goodbye: Notify,
}

impl Word {
    pub(super) fn of(node: &[u8]) -> Self {
        Self {
            changes: Changes::new(),
            node: data_encoding::HEXLOWER.encode(node),
            outbox: Mutex::default(),
            filled: Notify::new(),
            goodbye: Notify::new(),
        }
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Change> {
        self.changes.listen()
    }

    /// Tells this process and the others.
    pub(super) fn tell(&self, changes: Vec<Change>) {
        let mut outbox = self.outbox();
        for change in &changes {
            if outbox.len() < MOST_TOLD {
                outbox.insert(spell(change));
            }
        }
        drop(outbox);
        if !changes.is_empty() {
            self.filled.notify_one();
        }
        self.changes.tell(changes);
    }

    /// Tells this process alone.
    pub(super) fn tell_here(&self, changes: impl IntoIterator<Item = Change>) {
        self.changes.tell(changes);
    }

    /// Lets the other nodes look for free connections at once. They would find them anyway.
    pub(super) async fn nudge_others(&self, pool: &PgPool) {
        if let Err(error) = self.notify(pool, GOODBYE).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "a goodbye was not told");
        }
    }

    /// Lets this node give a sign of life at once.
    pub(super) fn nudge_here(&self) {
        self.goodbye.notify_one();
    }

    async fn notify(&self, pool: &PgPool, words: &str) -> Result<(), StoreError> {
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(format!("{} {words}", self.node))
            .execute(pool)
            .await
            .map_err(failure)?;
        Ok(())
    }

    /// Tells the others what lies in the outbox.
    pub(super) async fn send(&self, pool: &PgPool) {
        let words = std::mem::take(&mut *self.outbox());
        let mut told = String::new();
        let mut letters = Vec::new();
        for word in words {
            if told.len() + word.len() + 1 + self.node.len() > MOST_BYTES {
                letters.push(std::mem::take(&mut told));
            }
            told.push_str(&word);
            told.push(' ');
        }
        letters.push(told);
        for letter in letters.iter().filter(|letter| !letter.is_empty()) {
            if let Err(error) = self.notify(pool, letter.trim_end()).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "changes were not told");
                return;
            }
        }
    }

    /// Tells this process what another said.
    fn hear(&self, letter: &str) {
        let mut words = letter.split(' ');
        if words.next() == Some(&self.node) {
            return;
        }
        for word in words {
            match unspell(word) {
                Some(change) => self.changes.tell([change]),
                None if word == GOODBYE => self.goodbye.notify_one(),
                None => tracing::debug!("another release says what this one does not know"),
            }
        }
    }

    fn outbox(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.outbox.lock().expect("no one panics while holding the outbox")
    }
}

/// What the look before saw.
#[derive(Default)]
struct Sight {
    /// The first due job of each line.
    due: HashMap<Line, Vec<u8>>,
    /// Every transaction before this one had ended.
    from: Option<String>,
    /// How long the audit's chain was.
    audit: Option<i64>,
    /// What was changed since, and by which transaction.
    changed: HashSet<(bool, Vec<u8>, String)>,
}

impl PostgresStore {
    /// Hears the other processes and tells them, until it is dropped. A database that is away is
    /// waited for.
    pub async fn run(&self, clock: &dyn Clock) {
        tokio::join!(self.send_all(clock), self.hear_all(clock), self.look_around(clock));
    }

    /// Returns when another node hands back what it held, or this one has something to hand back.
    pub async fn goodbye(&self) {
        self.word.goodbye.notified().await;
    }

    async fn send_all(&self, clock: &dyn Clock) {
        loop {
            self.word.filled.notified().await;
            clock.sleep_until(clock.now() + PAUSE).await;
            self.word.send(&self.pool).await;
        }
    }

    async fn hear_all(&self, clock: &dyn Clock) {
        if !self.listens {
            return;
        }
        loop {
            if let Err(error) = self.hear_until_broken().await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "nothing is heard of other processes"
                );
            }
            clock.sleep_until(clock.now() + LOOK).await;
        }
    }

    async fn hear_until_broken(&self) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            let heard = listener.recv().await?;
            self.word.hear(heard.payload());
        }
    }

    async fn look_around(&self, clock: &dyn Clock) {
        let mut sight = Sight::default();
        let mut blind = false;
        loop {
            let looked = self.look(&mut sight, clock.now()).await;
            // Once is enough until it works again.
            if let Err(Trouble::Store(error)) = &looked
                && !blind
            {
                tracing::warn!(error = error as &dyn std::error::Error, "cannot look for due work");
            }
            blind = looked.is_err();
            if blind {
                // Whoever was told of work may have failed to get it.
                sight.due.clear();
            }
            clock.sleep_until(clock.now() + LOOK).await;
        }
    }

    /// Tells what came up since the look before.
    async fn look(&self, sight: &mut Sight, now: DateTime<Utc>) -> Result<(), Trouble> {
        let due: HashMap<_, _> = self.due_lines(now).await?.into_iter().collect();
        let news = due.iter().filter(|(line, first)| sight.due.get(line) != Some(first));
        self.word.tell_here(news.map(|(line, _)| Change::Line(line.clone())));
        sight.due = due;

        let audit: i64 =
            sqlx::query_scalar("SELECT seq FROM audit_head").fetch_one(&self.pool).await?;
        if sight.audit.replace(audit).is_some_and(|before| before != audit) {
            self.word.tell_here([Change::Audit]);
        }

        let from: String =
            sqlx::query_scalar("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
                .fetch_one(&self.pool)
                .await?;
        if let Some(before) = sight.from.replace(from) {
            let changed: Vec<(bool, Vec<u8>, String)> = sqlx::query_as(
                "SELECT true, id, touched::text FROM event WHERE touched >= $1::xid8
                 UNION ALL
                 SELECT false, id, touched::text FROM connection WHERE touched >= $1::xid8",
            )
            .bind(before)
            .fetch_all(&self.pool)
            .await?;
            let changed: HashSet<_> = changed.into_iter().collect();
            for (is_event, id, _) in changed.difference(&sight.changed) {
                let id = Hex(id.clone());
                self.word.tell_here([if *is_event {
                    Change::Event(id.id()?)
                } else {
                    Change::Connection(id.id()?)
                }]);
            }
            sight.changed = changed;
        }
        Ok(())
    }
}

/// The lanes that belong to no connection, as they are spelled.
const GRANTS: &str = "-";
const REMINDERS: &str = "!";
const MAIL: &str = "@";

/// A change as a word without spaces.
fn spell(change: &Change) -> String {
    match change {
        Change::Event(event) => format!("e{event}"),
        Change::Connection(connection) => format!("c{connection}"),
        Change::Audit => "a".to_owned(),
        Change::Line(Line { class, owner, lane }) => {
            let class = match class {
                Class::Interactive => 'i',
                Class::Normal => 'n',
                Class::Bulk => 'b',
            };
            let lane = match lane {
                Lane::Calendar { connection, calendar } => format!("{connection}{calendar:016x}"),
                Lane::Grants => GRANTS.to_owned(),
                Lane::Reminders => REMINDERS.to_owned(),
                Lane::Mail => MAIL.to_owned(),
            };
            let owner = match owner {
                Owner::Application => String::new(),
                Owner::User(user) => user.as_str().to_owned(),
            };
            format!("l{class}{lane},{owner}")
        }
    }
}

/// The change that a word names, if it names one.
fn unspell(word: &str) -> Option<Change> {
    if word == "a" {
        return Some(Change::Audit);
    }
    if let Some(event) = word.strip_prefix('e') {
        return event.parse().ok().map(Change::Event);
    }
    if let Some(connection) = word.strip_prefix('c') {
        return connection.parse().ok().map(Change::Connection);
    }
    let (place, owner) = word.strip_prefix('l')?.split_once(',')?;
    let (class, lane) = place.split_at_checked(1)?;
    let class = match class {
        "i" => Class::Interactive,
        "n" => Class::Normal,
        "b" => Class::Bulk,
        _ => return None,
    };
    let lane = match lane {
        GRANTS => Lane::Grants,
        REMINDERS => Lane::Reminders,
        MAIL => Lane::Mail,
        _ => {
            let (connection, calendar) = lane.split_at_checked(ID_CHARS)?;
            Lane::Calendar {
                connection: connection.parse().ok()?,
                calendar: u64::from_str_radix(calendar, 16).ok()?,
            }
        }
    };
    let owner = match owner {
        "" => Owner::Application,
        user => Owner::User(UserId::try_from(user.to_owned()).ok()?),
    };
    Some(Change::Line(Line { class, owner, lane }))
}

//! When accounts are busy, as Google knows it: all that their holders agreed to tell is when, not by
//! what.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tokio::task::JoinSet;

use super::access::Caller;
use super::placement::{Places, not_connected};
use super::{App, Error, connections};
use crate::google::error::Verdict;
pub use crate::google::free_busy::Busy;
use crate::model::connection::Connection;
use crate::model::event::Transparency;
use crate::model::invalid::Invalid;
use crate::model::job::Cause;
use crate::model::owner::Owner;
use crate::model::timing::Timing;

use super::events::{Draft, Wish};

/// Google tells of no longer time at once than about three months.
const LONGEST: TimeDelta = TimeDelta::days(60);

/// Of a series, so much from its first occurrence on is looked at, …
const FIRST_YEAR: TimeDelta = TimeDelta::days(366);
/// … and no more occurrences.
const MOST_OCCURRENCES: usize = 366;

/// From when to when somebody's time is asked for.
pub type Range = (DateTime<Utc>, DateTime<Utc>);

/// What is known of one account's time.
#[derive(Clone, Debug)]
pub struct Account {
    /// Whose it is.
    pub holder: Owner,
    /// When it is busy, or why that cannot be told.
    pub busy: Result<Vec<Busy>, Cause>,
}

/// What becomes of an event whose time is taken already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// It is taken in; nobody looks.
    #[default]
    Allow,
    /// It is taken in, and its caller is told.
    Warn,
    /// It is refused.
    Reject,
}

/// What was found where an event shall go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nobody looked, or nothing is in the way.
    Nothing,
    /// The time is taken.
    Conflict,
    /// Google could not be asked.
    Unknown,
}

impl Found {
    /// The warning that it is to whoever asked for one.
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Conflict => Some("conflict"),
            Self::Unknown => Some("availability_unknown"),
        }
    }
}

impl FromStr for OnConflict {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        match name {
            "allow" => Ok(Self::Allow),
            "warn" => Ok(Self::Warn),
            "reject" => Ok(Self::Reject),
            _ => Err(Invalid::new("on_conflict", "`allow`, `warn` or `reject`")),
        }
    }
}

/// When the accounts of these holders are busy, in their order: each in the calendar that its events go
/// to. A caller who may not act for one of them is told nothing of any.
pub async fn look(
    app: &App,
    caller: &Caller,
    holders: &[Owner],
    range: Range,
) -> Result<Vec<Account>, Error> {
    for holder in holders {
        caller.may_act_for(holder)?;
    }
    let (from, to) = range;
    if to <= from || to - from > LONGEST {
        return Err(Invalid::new("to", "must be later than `from`, by 60 days at most").into());
    }
    let mut asked = JoinSet::new();
    for (place, holder) in holders.iter().enumerate() {
        let (app, holder) = (app.clone(), holder.clone());
        asked.spawn(async move { (place, account(&app, holder, range).await) });
    }
    let mut accounts = Vec::new();
    while let Some(answer) = asked.join_next().await {
        let (place, account) = answer.expect("nobody aborts it, and it does not panic");
        accounts.push((place, account?));
    }
    accounts.sort_by_key(|(place, _)| *place);
    Ok(accounts.into_iter().map(|(_, account)| account).collect())
}

/// When nobody of `accounts` is busy within `range`; none if of somebody that cannot be told.
pub fn free(accounts: &[Account], (from, to): Range) -> Option<Vec<Busy>> {
    let mut taken: Vec<Busy> = Vec::new();
    for account in accounts {
        taken.extend(account.busy.as_ref().ok()?);
    }
    taken.sort_unstable();
    let mut free = Vec::new();
    let mut since = from;
    for busy in taken {
        if busy.start > since {
            free.push(Busy { start: since, end: busy.start });
        }
        since = since.max(busy.end);
    }
    if since < to {
        free.push(Busy { start: since, end: to });
    }
    Some(free)
}

async fn account(app: &App, holder: Owner, range: Range) -> Result<Account, Error> {
    let busy = match connections::of(app, &holder).await? {
        Some(connection) => {
            let calendar = app.profile(&connection)?.calendar;
            busy(app, &connection, &calendar, range).await
        }
        None => Err(not_connected(app, holder.clone())),
    };
    let busy = match busy {
        Ok(busy) => Ok(busy),
        Err(Error::Store(error)) => return Err(error.into()),
        Err(error) => Err(reason(&error)),
    };
    Ok(Account { holder, busy })
}

/// Why nothing can be told of an account's time.
fn reason(error: &Error) -> Cause {
    match error {
        Error::Blocked(cause) => cause.clone(),
        Error::ClientChanged => Cause::new("client_changed", error.to_string()),
        Error::NotConnected { .. } | Error::UserNotConnected { .. } => {
            Cause::new("not_connected", error.to_string())
        }
        Error::Google(failure) => Cause::new("google", failure.text.clone()),
        _ => Cause::new("unknown", error.to_string()),
    }
}

async fn busy(
    app: &App,
    connection: &Connection,
    calendar: &str,
    range: Range,
) -> Result<Vec<Busy>, Error> {
    let token = connections::usable_token(app, connection).await?;
    match app.google.free_busy(&token, calendar, range).await {
        Err(failure) if failure.verdict == Verdict::TokenRejected => {
            let token = connections::another_token(app, connection, &token).await?;
            Ok(app.google.free_busy(&token, calendar, range).await?)
        }
        answer => Ok(answer?),
    }
}

/// What is in the way of an event that shall be taken in: of a series, of its occurrences within a year.
pub async fn in_the_way(app: &App, caller: &Caller, wish: &Wish) -> Result<Vec<Busy>, Error> {
    if wish.draft.transparency == Transparency::Transparent {
        return Ok(Vec::new());
    }
    let place = Places::new(app, caller).resolve(&wish.aim).await?;
    let taken = taken(app, &place.connection, &place.calendar, &wish.draft).await?;
    if taken.iter().any(|(from, to)| *to - *from > LONGEST) {
        return Err(
            Invalid::new("end", "no conflicts are looked for over more than 60 days").into()
        );
    }
    let mut found = Vec::new();
    for range in looks(&taken) {
        let busy = busy(app, &place.connection, &place.calendar, range).await?;
        let in_the_way =
            |busy: &Busy| taken.iter().any(|(from, to)| busy.start < *to && busy.end > *from);
        found.extend(busy.into_iter().filter(in_the_way));
    }
    Ok(found)
}

/// The times that an event takes of its calendar's holder, each occurrence of its first year: whole days
/// as the calendar's clock has them.
async fn taken(
    app: &App,
    connection: &Connection,
    calendar: &str,
    draft: &Draft,
) -> Result<Vec<Range>, Error> {
    let timings: Vec<Timing> = match &draft.recurrence {
        None => vec![draft.timing],
        Some(recurrence) => {
            let end = draft.timing.starts() + FIRST_YEAR;
            let found = recurrence.expand(&draft.timing, None, MOST_OCCURRENCES)?.into_iter();
            found.map(|one| one.timing).take_while(|timing| timing.starts() < end).collect()
        }
    };
    let zone = match &draft.timing {
        Timing::Span(_) => Tz::UTC,
        Timing::Days(_) => {
            let token = connections::usable_token(app, connection).await?;
            let found = app.google.writable(&token, calendar).await?;
            found.and_then(|calendar| calendar.time_zone?.parse().ok()).unwrap_or(Tz::UTC)
        }
    };
    let range = |timing: &Timing| (timing.begins_in(Some(zone)), timing.ends_in(Some(zone)));
    Ok(timings.iter().map(range).collect())
}

/// Stretches, each as long as Google tells of at once, that these times lie in, which are in order.
fn looks(taken: &[Range]) -> Vec<Range> {
    let mut looks: Vec<Range> = Vec::new();
    for (from, to) in taken {
        match looks.last_mut() {
            Some((since, until)) if *to - *since <= LONGEST => *until = (*until).max(*to),
            _ => looks.push((*from, *to)),
        }
    }
    looks
}

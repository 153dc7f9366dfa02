//! Where each row lies: one byte for the table, then what orders the rows in it. Numbers are
//! big-endian, so that the order of bytes is the order of values.

mod reader;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::model::connection::AccountTag;
use crate::model::id::{ConnectionId, EventId, Id, ItemId, JobId, KeyId};
use crate::model::item::{Noun, Thing};
use crate::model::job::{Class, Job, JobState, Kind, Lane, Line};
use crate::model::key::{Digest, TicketKind};
use crate::model::owner::Owner;
pub(super) use reader::KeyReader;

/// A table's first byte of all its keys. A byte is never given to another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// What the store knows of itself; not counted.
    Meta = b'M' as isize,
    Keystone = b'S' as isize,
    /// Event → what is known of it.
    Event = b'E' as isize,
    /// Creation, event → its sealed content, apart, so that a run's end does not rewrite it.
    Content = b'W' as isize,
    /// Owner, creation, event → its times.
    OwnerEvent = b'L' as isize,
    /// End, event that is to be in the calendar and has no live job.
    Past = b'e' as isize,
    /// Time of its cancellation, event that has no live job.
    Tombstone = b'z' as isize,
    /// Digest → request.
    Request = b'R' as isize,
    /// Expiry, digest of a request, in stores of formats 1 and 2.
    RequestOver = b'r' as isize,
    Job = b'J' as isize,
    /// Job → what it carries.
    Payload = b'P' as isize,
    /// Kind and thing → its live job, of those whose event does not name it.
    Live = b'K' as isize,
    /// Line, due, live job.
    Ready = b'Q' as isize,
    /// Owner → how many live jobs are theirs.
    OwnerJobs = b'o' as isize,
    /// End, done job.
    Done = b'D' as isize,
    /// End, dead job.
    Dead = b'X' as isize,
    /// End, cancelled job.
    Cancelled = b'c' as isize,
    /// Name of what recurs → its next turn.
    Period = b'p' as isize,
    /// Day → calls.
    Tally = b'y' as isize,
    Connection = b'C' as isize,
    /// Connection → when its grant was honoured last.
    Refresh = b'f' as isize,
    /// Owner, linked, connection.
    OwnerConnection = b'O' as isize,
    /// Account, connection.
    AccountConnection = b'A' as isize,
    Key = b'a' as isize,
    Ticket = b'T' as isize,
    /// Expiry, kind and digest of a ticket.
    TicketOver = b't' as isize,
    /// Number → who did what.
    Audit = b'U' as isize,
    /// The end of the audit's chain.
    AuditHead = b'u' as isize,
    /// The administrator's account.
    Administrator = b'N' as isize,
    /// Key → its last use.
    KeyUse = b'n' as isize,
    Item = b'I' as isize,
    /// Noun, owner, creation, item that is not deleted; and once more for who was given it.
    OwnerItem = b'i' as isize,
    /// Time since when it is deleted or over, item.
    GoneItem = b'g' as isize,
    /// Thing, creation, item that belongs to it and is not deleted.
    AttachedItem = b'b' as isize,
}

impl Table {
    /// Every table whose rows are counted.
    pub(super) const COUNTED: [Self; 33] = [
        Self::Keystone,
        Self::Event,
        Self::Content,
        Self::OwnerEvent,
        Self::Past,
        Self::Tombstone,
        Self::Request,
        Self::RequestOver,
        Self::Job,
        Self::Payload,
        Self::Live,
        Self::Ready,
        Self::OwnerJobs,
        Self::Done,
        Self::Dead,
        Self::Cancelled,
        Self::Period,
        Self::Tally,
        Self::Connection,
        Self::Refresh,
        Self::OwnerConnection,
        Self::AccountConnection,
        Self::Key,
        Self::Ticket,
        Self::TicketOver,
        Self::Audit,
        Self::AuditHead,
        Self::Administrator,
        Self::KeyUse,
        Self::Item,
        Self::OwnerItem,
        Self::GoneItem,
        Self::AttachedItem,
    ];

    /// The byte its keys begin with.
    pub(super) fn byte(self) -> u8 {
        self as u8
    }

    /// What every key of the table begins with.
    pub(super) fn prefix(self) -> Vec<u8> {
        vec![self.byte()]
    }
}

/// The store's name, format and tally.
pub(super) fn tally() -> Vec<u8> {
    Table::Meta.prefix()
}

pub(super) fn keystone() -> Vec<u8> {
    Table::Keystone.prefix()
}

pub(super) fn event(id: EventId) -> Vec<u8> {
    with_id(Table::Event.prefix(), id)
}

/// In the order of time, since an event's own id follows from none: new contents, by far the largest
/// rows, lie side by side, and pages that are full stay as they are.
pub(super) fn content(created: DateTime<Utc>, id: EventId) -> Vec<u8> {
    placed(Table::Content.prefix(), created, id)
}

/// What the keys of an owner's events begin with.
pub(super) fn events_of(owner: &Owner) -> Vec<u8> {
    with_owner(Table::OwnerEvent.prefix(), owner)
}

pub(super) fn owner_event(owner: &Owner, created: DateTime<Utc>, id: EventId) -> Vec<u8> {
    placed(events_of(owner), created, id)
}

/// The place of a thing behind what its key begins with, in a list.
pub(super) fn placed<Noun>(prefix: Vec<u8>, created: DateTime<Utc>, id: Id<Noun>) -> Vec<u8> {
    with_id(with_time(prefix, created), id)
}

/// An event that may be forgotten in time, in `Table::Past` or `Table::Tombstone`.
pub(super) fn idle(table: Table, since: DateTime<Utc>, id: EventId) -> Vec<u8> {
    with_id(with_time(table.prefix(), since), id)
}

pub(super) fn request(key: &Digest) -> Vec<u8> {
    [&Table::Request.prefix(), &key[..]].concat()
}

pub(super) fn job(id: JobId) -> Vec<u8> {
    with_id(Table::Job.prefix(), id)
}

pub(super) fn payload(id: JobId) -> Vec<u8> {
    with_id(Table::Payload.prefix(), id)
}

pub(super) fn live(kind: &Kind) -> Vec<u8> {
    let mut bytes = Table::Live.prefix();
    match kind {
        Kind::PushEvent { event } => {
            bytes.push(0);
            with_id(bytes, *event)
        }
        Kind::FollowMeet { event } => {
            bytes.push(2);
            with_id(bytes, *event)
        }
        Kind::RevokeGrant { connection, version } => {
            bytes.push(1);
            let mut bytes = with_id(bytes, *connection);
            bytes.extend(version.to_be_bytes());
            bytes
        }
        Kind::FireReminder { reminder } => {
            bytes.push(3);
            with_id(bytes, *reminder)
        }
        Kind::SendMail { delivery } => {
            bytes.push(4);
            with_id(bytes, *delivery)
        }
    }
}

pub(super) fn owner_jobs(owner: &Owner) -> Vec<u8> {
    with_owner(Table::OwnerJobs.prefix(), owner)
}

/// What the keys of a line's ready jobs begin with.
pub(super) fn ready_of(line: &Line) -> Vec<u8> {
    with_line(Table::Ready.prefix(), line)
}

pub(super) fn ready(line: &Line, due: DateTime<Utc>, id: JobId) -> Vec<u8> {
    with_id(with_time(ready_of(line), due), id)
}

/// A finished job; none if it lives.
pub(super) fn finished(job: &Job) -> Option<Vec<u8>> {
    let (table, at) = match job.state {
        JobState::Live => return None,
        JobState::Done { at } => (Table::Done, at),
        JobState::Dead { at } => (Table::Dead, at),
        JobState::Cancelled { at } => (Table::Cancelled, at),
    };
    Some(with_id(with_time(table.prefix(), at), job.id))
}

pub(super) fn period(name: &str) -> Vec<u8> {
    [&Table::Period.prefix(), name.as_bytes()].concat()
}

pub(super) fn tally_of(day: NaiveDate) -> Vec<u8> {
    let mut bytes = Table::Tally.prefix();
    bytes.extend((day.num_days_from_ce() ^ i32::MIN).to_be_bytes());
    bytes
}

pub(super) fn connection(id: ConnectionId) -> Vec<u8> {
    with_id(Table::Connection.prefix(), id)
}

pub(super) fn refresh(id: ConnectionId) -> Vec<u8> {
    with_id(Table::Refresh.prefix(), id)
}

/// What the keys of an owner's connections begin with.
pub(super) fn connections_of(owner: &Owner) -> Vec<u8> {
    with_owner(Table::OwnerConnection.prefix(), owner)
}

pub(super) fn owner_connection(owner: &Owner, linked: DateTime<Utc>, id: ConnectionId) -> Vec<u8> {
    with_id(with_time(connections_of(owner), linked), id)
}

/// What the keys of the connections to an account begin with.
pub(super) fn connections_to(account: &AccountTag) -> Vec<u8> {
    [&Table::AccountConnection.prefix(), &account[..]].concat()
}

pub(super) fn account_connection(account: &AccountTag, id: ConnectionId) -> Vec<u8> {
    with_id(connections_to(account), id)
}

pub(super) fn key(id: KeyId) -> Vec<u8> {
    with_id(Table::Key.prefix(), id)
}

pub(super) fn key_use(id: KeyId) -> Vec<u8> {
    with_id(Table::KeyUse.prefix(), id)
}

pub(super) fn administrator() -> Vec<u8> {
    Table::Administrator.prefix()
}

/// What the keys of the tickets of a kind begin with.
pub(super) fn tickets_of(kind: TicketKind) -> Vec<u8> {
    vec![Table::Ticket.byte(), ticket_kind(kind)]
}

pub(super) fn ticket(kind: TicketKind, digest: &Digest) -> Vec<u8> {
    [&tickets_of(kind), &digest[..]].concat()
}

pub(super) fn ticket_over(expires: DateTime<Utc>, kind: TicketKind, digest: &Digest) -> Vec<u8> {
    let mut bytes = with_time(Table::TicketOver.prefix(), expires);
    bytes.push(ticket_kind(kind));
    bytes.extend(digest);
    bytes
}

pub(super) fn audit(seq: u64) -> Vec<u8> {
    [&Table::Audit.prefix(), &seq.to_be_bytes()[..]].concat()
}

pub(super) fn audit_head() -> Vec<u8> {
    Table::AuditHead.prefix()
}

pub(super) fn item(id: ItemId) -> Vec<u8> {
    with_id(Table::Item.prefix(), id)
}

/// What the keys begin with under which an owner finds items of a noun.
pub(super) fn items_of(noun: Noun, owner: &Owner) -> Vec<u8> {
    let noun = match noun {
        Noun::Category => 0,
        Noun::Task => 1,
        Noun::Reminder => 2,
        Noun::Delivery => 3,
    };
    with_owner(vec![Table::OwnerItem.byte(), noun], owner)
}

pub(super) fn owner_item(noun: Noun, owner: &Owner, created: DateTime<Utc>, id: ItemId) -> Vec<u8> {
    placed(items_of(noun, owner), created, id)
}

/// What the keys of the items begin with that belong to a thing.
pub(super) fn attached_to(thing: Thing) -> Vec<u8> {
    let mut bytes = Table::AttachedItem.prefix();
    match thing {
        Thing::Item(id) => {
            bytes.push(0);
            with_id(bytes, id)
        }
        Thing::Event(id) => {
            bytes.push(1);
            with_id(bytes, id)
        }
    }
}

pub(super) fn attached_item(thing: Thing, created: DateTime<Utc>, id: ItemId) -> Vec<u8> {
    placed(attached_to(thing), created, id)
}

pub(super) fn gone_item(gone: DateTime<Utc>, id: ItemId) -> Vec<u8> {
    with_id(with_time(Table::GoneItem.prefix(), gone), id)
}

fn ticket_kind(kind: TicketKind) -> u8 {
    match kind {
        TicketKind::SetupCode => 0,
        TicketKind::Session => 1,
        TicketKind::Consent => 2,
        TicketKind::Link => 3,
        TicketKind::Receipt => 4,
    }
}

fn with_id<Noun>(mut bytes: Vec<u8>, id: Id<Noun>) -> Vec<u8> {
    bytes.extend(id.as_u128().to_be_bytes());
    bytes
}

/// The whole moment, so that the order of keys is the order of time to the last digit.
fn with_time(mut bytes: Vec<u8>, time: DateTime<Utc>) -> Vec<u8> {
    bytes.extend((time.timestamp() ^ i64::MIN).to_be_bytes());
    bytes.extend(time.timestamp_subsec_nanos().to_be_bytes());
    bytes
}

/// A user's id has no zero byte, so one ends it.
fn with_owner(mut bytes: Vec<u8>, owner: &Owner) -> Vec<u8> {
    match owner {
        Owner::Application => bytes.push(0),
        Owner::User(user) => {
            bytes.push(1);
            bytes.extend(user.as_str().as_bytes());
            bytes.push(0);
        }
    }
    bytes
}

/// Sorts as lines do.
fn with_line(mut bytes: Vec<u8>, line: &Line) -> Vec<u8> {
    bytes.push(match line.class {
        Class::Interactive => 0,
        Class::Normal => 1,
        Class::Bulk => 2,
    });
    let mut bytes = with_owner(bytes, &line.owner);
    match line.lane {
        Lane::Calendar { connection, calendar } => {
            bytes.push(0);
            bytes = with_id(bytes, connection);
            bytes.extend(calendar.to_be_bytes());
        }
        Lane::Grants => bytes.push(1),
        Lane::Reminders => bytes.push(2),
        Lane::Mail => bytes.push(3),
    }
    bytes
}

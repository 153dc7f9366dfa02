//! Keys, read from their beginning.

use chrono::{DateTime, NaiveDate, Utc};

use crate::model::id::Id;
use crate::model::job::{Class, Lane, Line};
use crate::model::key::TicketKind;
use crate::model::owner::{Owner, UserId};
use crate::store::StoreError;

/// Reads a key from its beginning.
pub(in crate::store::sled) struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// Reads what follows the table's byte.
    pub(in crate::store::sled) fn new(key: &'a [u8]) -> Result<Self, StoreError> {
        key.split_first().map(|(_, rest)| Self(rest)).ok_or_else(unreadable)
    }

    /// Reads what follows a prefix of this length.
    pub(in crate::store::sled) fn behind(prefix: &[u8], key: &'a [u8]) -> Result<Self, StoreError> {
        key.strip_prefix(prefix).map(Self).ok_or_else(unreadable)
    }

    pub(in crate::store::sled) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let (head, rest) = self.0.split_first_chunk().ok_or_else(unreadable)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(in crate::store::sled) fn id<Noun>(&mut self) -> Result<Id<Noun>, StoreError> {
        Ok(Id::from_u128(u128::from_be_bytes(self.bytes()?)))
    }

    pub(in crate::store::sled) fn seq(&mut self) -> Result<u64, StoreError> {
        Ok(u64::from_be_bytes(self.bytes()?))
    }

    pub(in crate::store::sled) fn time(&mut self) -> Result<DateTime<Utc>, StoreError> {
        let seconds = i64::from_be_bytes(self.bytes()?) ^ i64::MIN;
        let nanos = u32::from_be_bytes(self.bytes()?);
        DateTime::from_timestamp(seconds, nanos).ok_or_else(unreadable)
    }

    pub(in crate::store::sled) fn day(&mut self) -> Result<NaiveDate, StoreError> {
        let day = i32::from_be_bytes(self.bytes()?) ^ i32::MIN;
        NaiveDate::from_num_days_from_ce_opt(day).ok_or_else(unreadable)
    }

    /// The rest of the key, as text.
    pub(in crate::store::sled) fn text(&mut self) -> Result<String, StoreError> {
        String::from_utf8(std::mem::take(&mut self.0).to_vec()).map_err(|_| unreadable())
    }

    pub(in crate::store::sled) fn ticket_kind(&mut self) -> Result<TicketKind, StoreError> {
        match self.bytes()? {
            [0] => Ok(TicketKind::SetupCode),
            [1] => Ok(TicketKind::Session),
            [2] => Ok(TicketKind::Consent),
            [3] => Ok(TicketKind::Link),
            [4] => Ok(TicketKind::Receipt),
            [_] => Err(unreadable()),
        }
    }

    pub(in crate::store::sled) fn line(&mut self) -> Result<Line, StoreError> {
        let class = match self.bytes()? {
            [0] => Class::Interactive,
            [1] => Class::Normal,
            [2] => Class::Bulk,
            [_] => return Err(unreadable()),
        };
        let owner = self.owner()?;
        let lane = match self.bytes()? {
            [0] => Lane::Calendar {
                connection: self.id()?,
                calendar: u64::from_be_bytes(self.bytes()?),
            },
            [1] => Lane::Grants,
            [2] => Lane::Reminders,
            [3] => Lane::Mail,
            [_] => return Err(unreadable()),
        };
        Ok(Line { class, owner, lane })
    }

    fn owner(&mut self) -> Result<Owner, StoreError> {
        match self.bytes()? {
            [0] => Ok(Owner::Application),
            [1] => {
                let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(unreadable)?;
                let (user, rest) = self.0.split_at(end);
                self.0 = &rest[1..];
                let user = String::from_utf8(user.to_vec()).map_err(|_| unreadable())?;
                UserId::try_from(user).map(Owner::User).map_err(|_| unreadable())
            }
            [_] => Err(unreadable()),
        }
    }
}

fn unreadable() -> StoreError {
    StoreError::Damaged("a key cannot be read".to_owned())
}

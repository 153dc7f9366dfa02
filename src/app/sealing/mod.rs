//! What goes into the vault's envelopes, and how it is written there. The first byte is the form's
//! version, so that old envelopes stay readable.

mod content;
mod item;
mod reminder;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::App;
use super::audit::Detail;
use super::error::Error;
use crate::model::connection::Connection;
use crate::model::event::{Content, Event, Fingerprint, Leaving, Notify};
use crate::model::id::{ConnectionId, EventId};
use crate::model::job::Kind;
use crate::model::key::Digest;
use crate::model::owner::Owner;
use crate::model::recurrence::Recurrence;
use crate::model::sealed::Sealed;
use crate::store::{Bound, Envelope, Spot, StoreError};
use crate::vault::Place;
use content::{FirstForm, SecondForm};

/// The form of all but contents.
const FORM: u8 = 1;
/// The form of contents.
const CONTENT_FORM: u8 = 2;

/// Who a connection is at Google.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Google's unchanging name of the account.
    pub sub: String,
    /// The account's address, which may change.
    pub email: String,
    /// Google's id of the calendar that events go to.
    pub calendar: String,
    /// What the account's holder agreed to.
    pub scopes: Vec<String>,
    /// When Google ends the grant by itself, if it said so.
    pub ends: Option<DateTime<Utc>>,
    /// How many refresh tokens Google gave for it so far: the oldest of too many die.
    pub tokens: u32,
}

/// Google's addresses of an event and its meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The event's page.
    pub event: Option<String>,
    /// The meeting.
    pub meet: Option<String>,
}

impl App {
    /// Seals an event's content at a revision.
    pub fn seal_content(
        &self,
        owner: &Owner,
        event: EventId,
        revision: u32,
        content: &Content,
    ) -> Result<Sealed, Error> {
        let form = write(CONTENT_FORM, &SecondForm::from(content));
        self.seal("event", owner, (event.as_u128(), "content", revision), &form)
    }

    /// What the event's owner wants it to say.
    pub fn content(&self, event: &Event) -> Result<Content, Error> {
        let place = (event.id.as_u128(), "content", event.wanted.revision);
        let plain = self.open("event", &event.owner, place, &event.wanted.content)?;
        if plain.first() == Some(&CONTENT_FORM) {
            return read::<SecondForm>(CONTENT_FORM, &plain)?.try_into();
        }
        read::<FirstForm>(FORM, &plain)?.try_into()
    }

    /// Short proof of what a content says, of all that can be seen in Google's copy. It lies in the
    /// open, and is keyed so that nobody can try what it was made of.
    pub(super) fn fingerprint(&self, content: &Content) -> Fingerprint {
        // An instance that stands apart is an event of its own.
        let recurrence = content.recurrence.as_ref();
        let recurrence =
            recurrence.map(|rule| Recurrence::from_parts(rule.lines().to_vec(), BTreeSet::new()));
        let seen = Content {
            recurrence,
            calendar: String::new(),
            notify: Notify::None,
            category: None,
            external_id: None,
            follows: None,
            leaving: Leaving::default(),
            ..content.clone()
        };
        let form = write(CONTENT_FORM, &SecondForm::from(&seen));
        *self.vault.tag("content", &[&form]).first_chunk().expect("a tag has 32 bytes")
    }

    /// Seals what Google said of where an event is, as the `version`th thing learned of it.
    pub fn seal_links(&self, event: &Event, version: u32, links: &Links) -> Result<Sealed, Error> {
        self.seal(
            "event",
            &event.owner,
            (event.id.as_u128(), "links", version),
            &write(FORM, links),
        )
    }

    /// Where an event is.
    pub fn links(&self, event: &Event) -> Result<Links, Error> {
        let Some(sealed) = &event.known.links else { return Ok(Links::default()) };
        let place = (event.id.as_u128(), "links", event.known.version);
        read(FORM, &self.open("event", &event.owner, place, sealed)?)
    }

    /// Seals who a connection is.
    pub(super) fn seal_profile(
        &self,
        owner: &Owner,
        id: ConnectionId,
        version: u32,
        profile: &Profile,
    ) -> Result<Sealed, Error> {
        self.seal("connection", owner, (id.as_u128(), "profile", version), &write(FORM, profile))
    }

    /// Who a connection is.
    pub fn profile(&self, connection: &Connection) -> Result<Profile, Error> {
        let place = (connection.id.as_u128(), "profile", connection.version);
        read(FORM, &self.open("connection", &connection.owner, place, &connection.profile)?)
    }

    /// Seals a refresh token.
    pub(super) fn seal_token(
        &self,
        owner: &Owner,
        id: ConnectionId,
        version: u32,
        token: &SecretString,
    ) -> Result<Sealed, Error> {
        let plain = token.expose_secret().as_bytes();
        self.seal("connection", owner, (id.as_u128(), "token", version), plain)
    }

    /// A refresh token, sealed when its connection had this version.
    pub fn open_token(
        &self,
        owner: &Owner,
        id: ConnectionId,
        version: u32,
        sealed: &Sealed,
    ) -> Result<SecretString, Error> {
        let plain = self.open("connection", owner, (id.as_u128(), "token", version), sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| damaged("a token is not text"))?;
        Ok(SecretString::from(text))
    }

    /// Seals what a ticket's maker needs to know again.
    pub(super) fn seal_ticket<T: Serialize>(
        &self,
        digest: &[u8; 32],
        payload: &T,
    ) -> Result<Sealed, Error> {
        Ok(self.vault.seal(&ticket_place(digest), &write(FORM, payload))?)
    }

    /// What a ticket's maker wanted to know again.
    pub(super) fn open_ticket<T: for<'de> Deserialize<'de>>(
        &self,
        digest: &[u8; 32],
        sealed: &Sealed,
    ) -> Result<T, Error> {
        read(FORM, &self.vault.open(&ticket_place(digest), sealed)?)
    }

    /// What lies in an envelope, sealed anew; none if the active key sealed it.
    pub(super) fn reseal(&self, envelope: &Envelope) -> Result<Option<Sealed>, Error> {
        let (owner, (kind, record, field, version)) = match (&envelope.spot, &envelope.bound) {
            (Spot::Profile(id), Bound::Record(owner, version)) => {
                (owner, ("connection", id.as_u128(), "profile", *version))
            }
            (Spot::Token(id), Bound::Record(owner, version)) => {
                (owner, ("connection", id.as_u128(), "token", *version))
            }
            (Spot::Content(id), Bound::Record(owner, version)) => {
                (owner, ("event", id.as_u128(), "content", *version))
            }
            (Spot::Links(id), Bound::Record(owner, version)) => {
                (owner, ("event", id.as_u128(), "links", *version))
            }
            (Spot::Item(id), Bound::Record(owner, version)) => {
                (owner, ("item", id.as_u128(), "body", *version))
            }
            (Spot::Payload(_), Bound::Work(owner, Kind::RevokeGrant { connection, version })) => {
                (owner, ("connection", connection.as_u128(), "token", *version))
            }
            (Spot::Ticket(_, digest), _) => {
                return Ok(self.vault.reseal(&ticket_place(digest), &envelope.sealed)?);
            }
            (Spot::Detail(_), Bound::Act(tag)) => {
                return Ok(self.vault.reseal(&detail_place(tag), &envelope.sealed)?);
            }
            _ => return Err(damaged("an envelope lies where none of its kind ever does")),
        };
        let (owner, record) = (&owner.to_bytes(), &record.to_be_bytes());
        let place = Place { kind, owner, record, field, version };
        Ok(self.vault.reseal(&place, &envelope.sealed)?)
    }

    /// Seals what is personal of an act that carries this tag.
    pub(super) fn seal_detail(&self, tag: &Digest, detail: &Detail) -> Result<Sealed, Error> {
        Ok(self.vault.seal(&detail_place(tag), &write(FORM, detail))?)
    }

    /// What is personal of an act that carries this tag.
    pub(super) fn open_detail(&self, tag: &Digest, sealed: &Sealed) -> Result<Detail, Error> {
        read(FORM, &self.vault.open(&detail_place(tag), sealed)?)
    }

    fn seal(
        &self,
        kind: &'static str,
        owner: &Owner,
        (record, field, version): (u128, &'static str, u32),
        plain: &[u8],
    ) -> Result<Sealed, Error> {
        let (owner, record) = (&owner.to_bytes(), &record.to_be_bytes());
        Ok(self.vault.seal(&Place { kind, owner, record, field, version }, plain)?)
    }

    fn open(
        &self,
        kind: &'static str,
        owner: &Owner,
        (record, field, version): (u128, &'static str, u32),
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (owner, record) = (&owner.to_bytes(), &record.to_be_bytes());
        Ok(self.vault.open(&Place { kind, owner, record, field, version }, sealed)?)
    }
}

fn ticket_place(digest: &Digest) -> Place<'_> {
    Place { kind: "ticket", owner: &[], record: digest, field: "payload", version: 1 }
}

/// An act has no number yet when it is sealed, but a tag that no other act has.
fn detail_place(tag: &Digest) -> Place<'_> {
    Place { kind: "audit", owner: &[], record: tag, field: "detail", version: 1 }
}

fn write<T: Serialize>(version: u8, form: &T) -> Zeroizing<Vec<u8>> {
    let bytes =
        postcard::to_extend(form, vec![version]).expect("plain structs can always be written");
    Zeroizing::new(bytes)
}

fn read<T: for<'de> Deserialize<'de>>(version: u8, bytes: &[u8]) -> Result<T, Error> {
    match bytes.split_first() {
        Some((written, form)) if *written == version => postcard::from_bytes(form)
            .map_err(|_| damaged("an envelope holds something else than it should")),
        _ => Err(damaged("an envelope was written by a newer calbridge")),
    }
}

fn damaged(what: &str) -> Error {
    Error::Store(StoreError::Damaged(what.into()))
}

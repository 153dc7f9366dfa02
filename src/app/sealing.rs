//! What goes into the vault's envelopes, and how it is written there. The first byte is the form's
//! version, so that old envelopes stay readable.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::App;
use super::audit::Detail;
use super::error::Error;
use crate::model::connection::Connection;
use crate::model::event::{Content, Event, Fingerprint, Notify};
use crate::model::id::{ConnectionId, EventId};
use crate::model::job::Kind;
use crate::model::key::Digest;
use crate::model::owner::Owner;
use crate::model::sealed::Sealed;
use crate::model::when::{Moment, Span};
use crate::store::{Bound, Envelope, Spot, StoreError};
use crate::vault::Place;

/// The only form there is so far.
const FORM: u8 = 1;

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

/// A content as it is written.
#[derive(Serialize, Deserialize)]
struct ContentForm {
    calendar: String,
    summary: String,
    description: String,
    start: MomentForm,
    end: MomentForm,
    guests: Vec<String>,
    meet: bool,
    notify: String,
}

#[derive(Serialize, Deserialize)]
struct MomentForm {
    instant: DateTime<Utc>,
    wall: chrono::NaiveDateTime,
    zone: Option<String>,
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
        let form = write(&ContentForm::from(content));
        self.seal("event", owner, (event.as_u128(), "content", revision), &form)
    }

    /// What the event's owner wants it to say.
    pub fn content(&self, event: &Event) -> Result<Content, Error> {
        let place = (event.id.as_u128(), "content", event.wanted.revision);
        let form: ContentForm =
            read(&self.open("event", &event.owner, place, &event.wanted.content)?)?;
        Content::try_from(form)
    }

    /// Short proof of what a content says. Who gets mail and whether a meeting is wanted are no part
    /// of it: neither can be seen in Google's copy. It lies in the open, and is keyed so that nobody
    /// can try what it was made of.
    pub(super) fn fingerprint(&self, content: &Content) -> Fingerprint {
        let moment = |moment: &Moment| {
            let zone = moment.zone().map_or("", |zone| zone.name());
            format!("{} {zone}", moment.instant().timestamp())
        };
        let start = moment(content.span.start());
        let end = moment(content.span.end());
        let mut parts: Vec<&[u8]> = vec![
            content.summary.as_bytes(),
            content.description.as_bytes(),
            start.as_bytes(),
            end.as_bytes(),
        ];
        parts.extend(content.guests.iter().map(String::as_bytes));
        *self.vault.tag("content", &parts).first_chunk().expect("a tag has 32 bytes")
    }

    /// Seals what Google said of where an event is, as the `version`th thing learned of it.
    pub fn seal_links(&self, event: &Event, version: u32, links: &Links) -> Result<Sealed, Error> {
        self.seal("event", &event.owner, (event.id.as_u128(), "links", version), &write(links))
    }

    /// Where an event is.
    pub fn links(&self, event: &Event) -> Result<Links, Error> {
        let Some(sealed) = &event.known.links else { return Ok(Links::default()) };
        let place = (event.id.as_u128(), "links", event.known.version);
        read(&self.open("event", &event.owner, place, sealed)?)
    }

    /// Seals who a connection is.
    pub(super) fn seal_profile(
        &self,
        owner: &Owner,
        id: ConnectionId,
        version: u32,
        profile: &Profile,
    ) -> Result<Sealed, Error> {
        self.seal("connection", owner, (id.as_u128(), "profile", version), &write(profile))
    }

    /// Who a connection is.
    pub fn profile(&self, connection: &Connection) -> Result<Profile, Error> {
        let place = (connection.id.as_u128(), "profile", connection.version);
        read(&self.open("connection", &connection.owner, place, &connection.profile)?)
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
        Ok(self.vault.seal(&ticket_place(digest), &write(payload))?)
    }

    /// What a ticket's maker wanted to know again.
    pub(super) fn open_ticket<T: for<'de> Deserialize<'de>>(
        &self,
        digest: &[u8; 32],
        sealed: &Sealed,
    ) -> Result<T, Error> {
        read(&self.vault.open(&ticket_place(digest), sealed)?)
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
        Ok(self.vault.seal(&detail_place(tag), &write(detail))?)
    }

    /// What is personal of an act that carries this tag.
    pub(super) fn open_detail(&self, tag: &Digest, sealed: &Sealed) -> Result<Detail, Error> {
        read(&self.vault.open(&detail_place(tag), sealed)?)
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

fn write<T: Serialize>(form: &T) -> Zeroizing<Vec<u8>> {
    let bytes = postcard::to_extend(form, vec![FORM]).expect("plain structs can always be written");
    Zeroizing::new(bytes)
}

fn read<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Error> {
    match bytes.split_first() {
        Some((&FORM, form)) => postcard::from_bytes(form)
            .map_err(|_| damaged("an envelope holds something else than it should")),
        _ => Err(damaged("an envelope was written by a newer calbridge")),
    }
}

fn damaged(what: &str) -> Error {
    Error::Store(StoreError::Damaged(what.into()))
}

impl From<&Content> for ContentForm {
    fn from(content: &Content) -> Self {
        let moment = |moment: &Moment| MomentForm {
            instant: moment.instant(),
            wall: moment.wall(),
            zone: moment.zone().map(|zone| zone.name().to_owned()),
        };
        Self {
            calendar: content.calendar.clone(),
            summary: content.summary.clone(),
            description: content.description.clone(),
            start: moment(content.span.start()),
            end: moment(content.span.end()),
            guests: content.guests.clone(),
            meet: content.meet,
            notify: content.notify.as_str().to_owned(),
        }
    }
}

impl TryFrom<ContentForm> for Content {
    type Error = Error;

    fn try_from(form: ContentForm) -> Result<Self, Error> {
        let moment =
            |form: MomentForm| Moment::from_parts(form.instant, form.wall, form.zone.as_deref());
        Ok(Self {
            calendar: form.calendar,
            summary: form.summary,
            description: form.description,
            span: Span::new(moment(form.start)?, moment(form.end)?)?,
            guests: form.guests,
            meet: form.meet,
            notify: form.notify.parse::<Notify>()?,
        })
    }
}

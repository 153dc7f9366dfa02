//! Members that several bodies of events share, and how each is read.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;
use utoipa::openapi::schema::OneOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::app::events::Said;
use crate::http::openapi::{Email, words};
use crate::http::problem::{FieldError, Problem};
use crate::model::event::{Alert, Guest, Meeting};
use crate::model::invalid::Invalid;

/// No event is made with more guests.
const MOST_GUESTS: usize = 200;
/// Google takes no longer address of a conference, in bytes, …
const LONGEST_URI: usize = 1_300;
/// … and no longer name of it.
const LONGEST_LABEL: usize = 512;

/// A guest as written: an address, or more.
#[derive(Clone, Debug)]
pub enum GuestBody {
    /// An e-mail address.
    Address(String),
    /// More than an address.
    Full(FullGuest),
}

/// A guest, and what is known of the invitation.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FullGuest {
    #[schema(value_type = Email)]
    email: String,
    /// Whether it can take place without them.
    #[serde(default)]
    optional: bool,
}

// By hand: of a guest that fits neither form, a derived one could not say which member is at fault.
impl<'de> Deserialize<'de> for GuestBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AddressOrMore)
    }
}

impl PartialSchema for GuestBody {
    fn schema() -> RefOr<Schema> {
        let more = Ref::from_schema_name(FullGuest::name());
        OneOfBuilder::new().item(Ref::from_schema_name(Email::name())).item(more).into()
    }
}

impl ToSchema for GuestBody {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((FullGuest::name().into_owned(), FullGuest::schema()));
        FullGuest::schemas(schemas);
    }
}

struct AddressOrMore;

impl<'de> Visitor<'de> for AddressOrMore {
    type Value = GuestBody;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an e-mail address, or an object of `email` and `optional`")
    }

    fn visit_str<E: de::Error>(self, address: &str) -> Result<GuestBody, E> {
        Ok(GuestBody::Address(address.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<GuestBody, A::Error> {
        FullGuest::deserialize(MapAccessDeserializer::new(members)).map(GuestBody::Full)
    }
}

/// A word before an event begins, in Google's words.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReminderBody {
    #[schema(schema_with = words::method)]
    method: String,
    /// How many minutes before the beginning.
    #[schema(maximum = 40320)]
    minutes: u32,
}

/// A place of the caller's own to meet online.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConferenceBody {
    /// The address to join at.
    #[schema(format = "uri", max_length = 1300, pattern = "^[Hh][Tt][Tt][Pp][Ss]?:")]
    uri: String,
    /// What the address is called.
    #[schema(max_length = 512)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
}

/// A member of a patch: left out, null, or a value.
#[derive(Clone, Debug, Default)]
pub enum Member<T> {
    /// It was left out: nothing changes.
    #[default]
    Absent,
    /// It shall be gone.
    Null,
    /// It shall be this.
    Value(T),
}

/// Every fault of a body, so that they are told together.
#[derive(Default)]
pub struct Faults(Vec<Invalid>);

impl Faults {
    /// What was read, if there was no fault.
    pub fn keep<T>(&mut self, read: Result<T, Invalid>) -> Option<T> {
        self.keep_all(read.map_err(|fault| vec![fault]))
    }

    /// What was read, if there was no fault of many.
    pub fn keep_all<T>(&mut self, read: Result<T, Vec<Invalid>>) -> Option<T> {
        read.map_err(|faults| self.0.extend(faults)).ok()
    }

    /// What the caller is told.
    pub fn problem(self) -> Problem {
        let errors = self.0.iter().map(FieldError::from).collect();
        Problem::fields(errors)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Member<T> {
    /// The value, or what stands for none.
    pub fn or_default(self) -> Option<T>
    where
        T: Default,
    {
        match self {
            Self::Absent => None,
            Self::Null => Some(T::default()),
            Self::Value(value) => Some(value),
        }
    }

    /// The value of a member that every event has.
    pub fn never_null(self, field: &'static str) -> Result<Option<T>, Invalid> {
        match self {
            Self::Absent => Ok(None),
            Self::Null => {
                Err(Invalid::new(field, "cannot be taken away: leave it out, or change it"))
            }
            Self::Value(value) => Ok(Some(value)),
        }
    }

    /// The member with its value read.
    pub fn read<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Member<U>, E> {
        Ok(match self {
            Self::Absent => Member::Absent,
            Self::Null => Member::Null,
            Self::Value(value) => Member::Value(read(value)?),
        })
    }
}

impl<T> From<Member<T>> for Said<T> {
    fn from(member: Member<T>) -> Self {
        match member {
            Member::Absent => Self::Nothing,
            Member::Null => Self::Clear,
            Member::Value(value) => Self::To(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

/// Guests as written, none twice.
pub fn read_guests(written: Vec<GuestBody>) -> Result<Vec<Guest>, Vec<Invalid>> {
    if written.len() > MOST_GUESTS {
        return Err(vec![Invalid::new("guests", "at most 200")]);
    }
    let mut faults = Vec::new();
    let mut guests: Vec<Guest> = Vec::new();
    for (index, guest) in written.into_iter().enumerate() {
        let (field, guest) = match guest {
            GuestBody::Address(email) => (format!("guests/{index}"), Guest::new(email)),
            GuestBody::Full(FullGuest { email, optional }) => {
                (format!("guests/{index}/email"), Guest { email, optional })
            }
        };
        if !validator::ValidateEmail::validate_email(&guest.email) {
            faults.push(Invalid::new(field, "an e-mail address, such as test@example.com"));
        } else if guests.iter().any(|other| other.key() == guest.key()) {
            faults.push(Invalid::new(field, "is there already: name each guest once"));
        } else {
            guests.push(guest);
        }
    }
    if faults.is_empty() { Ok(guests) } else { Err(faults) }
}

/// Reminders as written.
pub fn read_reminders(written: Vec<ReminderBody>) -> Result<Vec<Alert>, Vec<Invalid>> {
    if written.len() > Alert::MOST {
        return Err(vec![Invalid::new("reminders", "at most 5, as Google has it")]);
    }
    let mut faults = Vec::new();
    let mut alerts = Vec::new();
    for (index, reminder) in written.into_iter().enumerate() {
        let read = reminder.method.parse().and_then(|by| Alert::new(by, reminder.minutes));
        match read {
            Ok(alert) => alerts.push(alert),
            Err(fault) => {
                let field = format!("reminders/{index}/{}", fault.field);
                faults.push(Invalid { field: field.into(), ..fault });
            }
        }
    }
    if faults.is_empty() { Ok(alerts) } else { Err(faults) }
}

/// Where people meet, from what was written of Meet and of a conference of the caller's own; none if
/// nothing was.
pub fn read_meeting(
    meet: Option<bool>,
    conference: Member<ConferenceBody>,
) -> Result<Option<Meeting>, Vec<Invalid>> {
    match (meet, conference) {
        (Some(true), Member::Value(_)) => {
            let rule = "cannot be true beside `conference`: an event has one place to meet";
            Err(vec![Invalid::new("meet", rule)])
        }
        (_, Member::Value(conference)) => own_meeting(conference).map(Some),
        (Some(true), _) => Ok(Some(Meeting::Meet)),
        (Some(false), _) | (None, Member::Null) => Ok(Some(Meeting::None)),
        (None, Member::Absent) => Ok(None),
    }
}

fn own_meeting(written: ConferenceBody) -> Result<Meeting, Vec<Invalid>> {
    let ConferenceBody { uri, label } = written;
    let label = label.unwrap_or_default();
    let mut faults = Vec::new();
    let known = Url::parse(&uri).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    if !known || uri.len() > LONGEST_URI {
        let rule =
            "an address of at most 1,300 characters that begins with `https://` or `http://`";
        faults.push(Invalid::new("conference/uri", rule));
    }
    if label.chars().count() > LONGEST_LABEL {
        faults.push(Invalid::new("conference/label", "at most 512 characters"));
    }
    if faults.is_empty() { Ok(Meeting::Own { uri, label }) } else { Err(faults) }
}

impl From<&Guest> for FullGuest {
    fn from(guest: &Guest) -> Self {
        Self { email: guest.email.clone(), optional: guest.optional }
    }
}

impl From<&Alert> for ReminderBody {
    fn from(alert: &Alert) -> Self {
        Self { method: alert.by().as_str().to_owned(), minutes: alert.minutes() }
    }
}

impl ConferenceBody {
    /// A meeting of the caller's own; none if it is none.
    pub fn of(meeting: &Meeting) -> Option<Self> {
        match meeting {
            Meeting::None | Meeting::Meet => None,
            Meeting::Own { uri, label } => {
                Some(Self { uri: uri.clone(), label: (!label.is_empty()).then(|| label.clone()) })
            }
        }
    }
}

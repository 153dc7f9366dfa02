//! Events as callers write them.

use serde::Deserialize;
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use crate::app::events::{Draft, Edit};
use crate::app::placement::{Aim, Whose};
use crate::http::problem::{FieldError, Problem};
use crate::model::event::Notify;
use crate::model::invalid::Invalid;
use crate::model::owner::UserId;
use crate::model::when::{Dst, Moment, Span};

/// No event is made with more guests.
const MOST_GUESTS: usize = 200;

/// An event to be taken in.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    #[validate(
        required(message = "is required: the event's title"),
        length(min = 1, max = 1024, message = "1 to 1,024 characters")
    )]
    summary: Option<String>,
    #[validate(length(max = 8192, message = "at most 8,192 characters"))]
    description: Option<String>,
    #[validate(required(message = "is required: ISO 8601, such as 2025-10-30T14:00:00"))]
    start: Option<String>,
    #[validate(required(message = "is required: ISO 8601, such as 2025-10-30T15:00:00"))]
    end: Option<String>,
    time_zone: Option<String>,
    dst: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "addresses"))]
    guests: Vec<String>,
    #[serde(default)]
    meet: bool,
    notify: Option<String>,
    user: Option<String>,
    connection: Option<String>,
    calendar: Option<String>,
}

fn addresses(guests: &[String]) -> Result<(), ValidationError> {
    let sound = |guest: &String| validator::ValidateEmail::validate_email(guest);
    if guests.len() <= MOST_GUESTS && guests.iter().all(sound) {
        return Ok(());
    }
    Err(ValidationError::new("guests")
        .with_message("at most 200 e-mail addresses, such as test@example.com".into()))
}

/// What may be changed of an event.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventEdit {
    #[validate(length(min = 1, max = 1024, message = "1 to 1,024 characters"))]
    summary: Option<String>,
    #[validate(length(max = 8192, message = "at most 8,192 characters"))]
    description: Option<String>,
    start: Option<String>,
    end: Option<String>,
    time_zone: Option<String>,
    dst: Option<String>,
    notify: Option<String>,
}

/// A span from two moments as written, with every fault of both.
pub fn read_span(
    start: (&'static str, &str),
    end: (&'static str, &str),
    zone: Option<(&'static str, &str)>,
    dst: Option<&str>,
) -> Result<Span, Vec<Invalid>> {
    let dst = dst.map_or(Ok(Dst::Compatible), str::parse).map_err(|invalid| vec![invalid])?;
    let read = |(field, raw)| Moment::read(field, raw, zone, dst);
    match (read(start), read(end)) {
        (Ok(first), Ok(last)) => Span::new(first, last)
            .map_err(|invalid| vec![Invalid { field: end.0.into(), ..invalid }]),
        (Err(one), Err(other)) if one.field == other.field => Err(vec![one]),
        (one, other) => Err(one.err().into_iter().chain(other.err()).collect()),
    }
}

/// Whose an event is and where it goes, as written.
pub fn read_aim(
    user: Option<String>,
    connection: Option<&str>,
    calendar: Option<String>,
) -> Result<Aim, Vec<Invalid>> {
    let user = user.map(UserId::try_from).transpose();
    let user = user.map_err(|invalid| Invalid { field: "user".into(), ..invalid });
    let whose = match connection {
        None => Ok(None),
        Some("own") => Ok(Some(Whose::Own)),
        Some("server") => Ok(Some(Whose::Server)),
        Some(_) => Err(Invalid::new("connection", "`own` or `server`")),
    };
    let rule =
        "Google's id of a calendar, 1 to 254 characters; leave it out for the connection's default";
    let named = calendar.as_ref().is_none_or(|calendar| {
        (1..=254).contains(&calendar.len()) && !calendar.contains(char::is_control)
    });
    // `primary` means another calendar to each account.
    let named = named && calendar.as_deref() != Some("primary");
    let calendar = if named { Ok(calendar) } else { Err(Invalid::new("calendar", rule)) };
    match (user, whose, calendar) {
        (Ok(user), Ok(whose), Ok(calendar)) => Ok(Aim { user, whose, calendar }),
        (user, whose, calendar) => {
            Err(user.err().into_iter().chain(whose.err()).chain(calendar.err()).collect())
        }
    }
}

/// An event to be taken in, and where it goes, from what was written.
pub fn read(body: NewEvent) -> Result<(Draft, Aim), Problem> {
    let start = body.start.unwrap_or_default();
    let end = body.end.unwrap_or_default();
    let zone = body.time_zone.as_deref().map(|zone| ("time_zone", zone));
    let span = read_span(("start", &start), ("end", &end), zone, body.dst.as_deref());
    let notify = body.notify.as_deref().map(str::parse::<Notify>).transpose();
    let aim = read_aim(body.user, body.connection.as_deref(), body.calendar);
    match (span, notify, aim) {
        (Ok(span), Ok(notify), Ok(aim)) => {
            let draft = Draft {
                summary: body.summary.unwrap_or_default(),
                description: body.description.unwrap_or_default(),
                span,
                guests: body.guests,
                meet: body.meet,
                notify,
            };
            Ok((draft, aim))
        }
        (span, notify, aim) => {
            let mut errors = span.err().unwrap_or_default();
            errors.extend(notify.err());
            errors.extend(aim.err().unwrap_or_default());
            let errors = errors.iter().map(FieldError::from).collect();
            Err(Problem::fields(errors))
        }
    }
}

impl TryFrom<EventEdit> for Edit {
    type Error = Problem;

    fn try_from(body: EventEdit) -> Result<Self, Problem> {
        let refused =
            |errors: Vec<Invalid>| Problem::fields(errors.iter().map(FieldError::from).collect());
        let zone = body.time_zone.as_deref().map(|zone| ("time_zone", zone));
        let span = match (&body.start, &body.end) {
            (Some(start), Some(end)) => Some(
                read_span(("start", start), ("end", end), zone, body.dst.as_deref())
                    .map_err(refused)?,
            ),
            (None, None) => None,
            (Some(_), None) => {
                return Err(refused(vec![Invalid::new("end", "is required with `start`")]));
            }
            (None, Some(_)) => {
                return Err(refused(vec![Invalid::new("start", "is required with `end`")]));
            }
        };
        let notify = body.notify.as_deref().map(str::parse::<Notify>).transpose();
        let notify = notify.map_err(|invalid| refused(vec![invalid]))?;
        Ok(Self { summary: body.summary, description: body.description, span, notify })
    }
}

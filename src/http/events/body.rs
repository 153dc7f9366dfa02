//! Events as callers write them.

use serde::Deserialize;
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::members::{
    ConferenceBody, Faults, GuestBody, Member, ReminderBody, read_guests, read_meeting,
    read_reminders,
};
use crate::app::availability::OnConflict;
use crate::app::events::{Draft, Edit, Said};
use crate::app::placement::Aim;
use crate::http::openapi::{Id, User, words};
use crate::http::problem::Problem;
use crate::model::id::ItemId;
use crate::model::invalid::Invalid;
use crate::model::owner::UserId;
use crate::model::recurrence::Recurrence;
use crate::model::timing::{Timing, Typed};
use crate::model::when::{Dst, Moment, Span};

/// An event to be taken in.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    #[validate(
        required(message = "is required: the event's title"),
        length(min = 1, max = 1024, message = "1 to 1,024 characters")
    )]
    #[schema(required, value_type = String, min_length = 1, max_length = 1024)]
    summary: Option<String>,
    #[schema(max_length = 8192)]
    #[validate(length(max = 8192, message = "at most 8,192 characters"))]
    description: Option<String>,
    #[schema(max_length = 1024)]
    #[validate(length(max = 1024, message = "at most 1,024 characters"))]
    location: Option<String>,
    #[validate(required(
        message = "is required: ISO 8601, such as 2025-10-30T14:00:00, or a day, such as 2025-10-30"
    ))]
    #[schema(required, value_type = String)]
    start: Option<String>,
    end: Option<String>,
    time_zone: Option<String>,
    #[schema(schema_with = words::dst)]
    dst: Option<String>,
    recurrence: Option<Vec<String>>,
    #[schema(max_items = 200)]
    guests: Option<Vec<GuestBody>>,
    #[schema(schema_with = words::color)]
    color: Option<String>,
    #[schema(schema_with = words::visibility)]
    visibility: Option<String>,
    #[schema(schema_with = words::transparency)]
    transparency: Option<String>,
    reminders: Option<Vec<ReminderBody>>,
    meet: Option<bool>,
    conference: Option<ConferenceBody>,
    #[schema(schema_with = words::notify)]
    notify: Option<String>,
    #[schema(value_type = Option<Id>)]
    category: Option<String>,
    #[schema(min_length = 1, max_length = 256, pattern = "^[!-~]+$")]
    #[validate(custom(function = "graphic"))]
    external_id: Option<String>,
    /// What becomes of it where the calendar is taken already.
    #[schema(schema_with = words::on_conflict)]
    on_conflict: Option<String>,
    #[schema(value_type = Option<User>)]
    user: Option<String>,
    #[schema(schema_with = words::connection)]
    connection: Option<String>,
    #[schema(min_length = 1, max_length = 254)]
    calendar: Option<String>,
}

impl NewEvent {
    /// Takes out what becomes of it where the calendar is taken already: what is left in is refused, as
    /// nobody looks a thousand times for one batch.
    pub fn take_on_conflict(&mut self) -> Result<OnConflict, Problem> {
        let mut faults = Faults::default();
        let read = self.on_conflict.take().map_or(Ok(OnConflict::Allow), |name| name.parse());
        faults.keep(read).ok_or_else(|| faults.problem())
    }
}

/// What may be changed of an event. Null takes away what an event need not have.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventEdit {
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 1024)]
    summary: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 8192)]
    description: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    location: Member<String>,
    #[serde(default)]
    #[schema(value_type = String)]
    start: Member<String>,
    #[serde(default)]
    #[schema(value_type = String)]
    end: Member<String>,
    time_zone: Option<String>,
    #[schema(schema_with = words::dst)]
    dst: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    recurrence: Member<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<GuestBody>>, max_items = 200)]
    guests: Member<Vec<GuestBody>>,
    #[serde(default)]
    #[schema(schema_with = words::color)]
    color: Member<String>,
    #[serde(default)]
    #[schema(schema_with = words::visibility)]
    visibility: Member<String>,
    #[serde(default)]
    #[schema(schema_with = words::transparency)]
    transparency: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<ReminderBody>>)]
    reminders: Member<Vec<ReminderBody>>,
    #[serde(default)]
    #[schema(value_type = bool)]
    meet: Member<bool>,
    #[serde(default)]
    #[schema(value_type = Option<ConferenceBody>)]
    conference: Member<ConferenceBody>,
    #[schema(schema_with = words::notify)]
    notify: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Id>)]
    category: Member<String>,
}

fn graphic(name: &str) -> Result<(), ValidationError> {
    if (1..=256).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(ValidationError::new("external_id")
        .with_message("1 to 256 printable ASCII characters, no spaces".into()))
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
    let whose = connection.map(str::parse).transpose();
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
    let mut faults = Faults::default();
    let typed = Typed {
        start: body.start.as_deref().unwrap_or_default(),
        end: body.end.as_deref(),
        time_zone: body.time_zone.as_deref(),
        dst: body.dst.as_deref(),
    };
    let timing = faults.keep_all(Timing::read(typed));
    if body.on_conflict.is_some() {
        let rule = "is not for batches: send the event by itself";
        faults.keep::<()>(Err(Invalid::new("on_conflict", rule)));
    }
    let recurrence = timing.as_ref().and_then(|timing| {
        let lines = body.recurrence.filter(|lines| !lines.is_empty());
        faults.keep(lines.map(|lines| Recurrence::read(&lines, timing)).transpose())
    });
    let guests = faults.keep_all(read_guests(body.guests.unwrap_or_default()));
    let color = faults.keep(body.color.map(|name| name.parse()).transpose());
    let visibility = faults.keep(body.visibility.map(|name| name.parse()).transpose());
    let transparency = faults.keep(body.transparency.map(|name| name.parse()).transpose());
    let alerts = faults.keep_all(body.reminders.map(read_reminders).transpose());
    let conference = body.conference.map_or(Member::Absent, Member::Value);
    let meeting = faults.keep_all(read_meeting(body.meet, conference));
    let notify = faults.keep(body.notify.map(|name| name.parse()).transpose());
    let category = faults.keep(body.category.as_deref().map(read_category).transpose());
    let aim = faults.keep_all(read_aim(body.user, body.connection.as_deref(), body.calendar));
    let (Some(timing), Some(aim), true) = (timing, aim, faults.is_empty()) else {
        return Err(faults.problem());
    };
    let draft = Draft {
        description: body.description.unwrap_or_default(),
        location: body.location.unwrap_or_default(),
        recurrence: recurrence.flatten(),
        guests: guests.unwrap_or_default(),
        color: color.flatten(),
        visibility: visibility.flatten().unwrap_or_default(),
        transparency: transparency.flatten().unwrap_or_default(),
        alerts: alerts.flatten(),
        meeting: meeting.flatten(),
        notify: notify.flatten(),
        category: category.flatten(),
        external_id: body.external_id,
        ..Draft::new(body.summary.unwrap_or_default(), timing)
    };
    Ok((draft, aim))
}

/// Lines that are read when it is known what they are to begin with.
fn read_recurrence(lines: Vec<String>) -> Recurrence {
    Recurrence::from_parts(lines, std::collections::BTreeSet::new())
}

/// A category, as written.
pub fn read_category(id: &str) -> Result<ItemId, Invalid> {
    id.parse().map_err(|invalid| Invalid { field: "category".into(), ..invalid })
}

impl TryFrom<EventEdit> for Edit {
    type Error = Problem;

    fn try_from(body: EventEdit) -> Result<Self, Problem> {
        let mut faults = Faults::default();
        let timing = faults.keep_all(read_new_timing(
            body.start,
            body.end,
            body.time_zone.as_deref(),
            body.dst.as_deref(),
        ));
        let summary = body.summary.read(|text| text_of("summary", text, 1, 1_024));
        let summary = faults.keep(summary.and_then(|summary| summary.never_null("summary")));
        let description = body.description.read(|text| text_of("description", text, 0, 8_192));
        let description = faults.keep(description);
        let location = faults.keep(body.location.read(|text| text_of("location", text, 0, 1_024)));
        let guests = faults.keep_all(body.guests.read(read_guests));
        let color = faults.keep(body.color.read(|name| name.parse()));
        let visibility = faults.keep(body.visibility.read(|name| name.parse()));
        let transparency = faults.keep(body.transparency.read(|name| name.parse()));
        let alerts = faults.keep_all(body.reminders.read(read_reminders));
        let meet = faults.keep(body.meet.never_null("meet")).flatten();
        let meeting = faults.keep_all(read_meeting(meet, body.conference));
        let notify = faults.keep(body.notify.map(|name| name.parse()).transpose());
        let category = faults.keep(body.category.read(|id| read_category(&id)));
        if !faults.is_empty() {
            return Err(faults.problem());
        }
        Ok(Self {
            summary: summary.flatten(),
            description: description.and_then(Member::or_default),
            location: location.and_then(Member::or_default),
            timing: timing.flatten(),
            recurrence: body
                .recurrence
                .read(|lines| Ok::<_, Invalid>(read_recurrence(lines)))
                .map_or(Said::Nothing, Said::from),
            guests: guests.and_then(Member::or_default),
            color: color.map_or(Said::Nothing, Said::from),
            visibility: visibility.and_then(Member::or_default),
            transparency: transparency.and_then(Member::or_default),
            alerts: alerts.map_or(Said::Nothing, Said::from),
            meeting: meeting.flatten(),
            notify: notify.flatten(),
            category: category.map_or(Said::Nothing, Said::from),
        })
    }
}

/// A text of a fitting length, in characters.
fn text_of(
    field: &'static str,
    text: String,
    least: usize,
    most: usize,
) -> Result<String, Invalid> {
    if (least..=most).contains(&text.chars().count()) {
        return Ok(text);
    }
    Err(Invalid::new(field, format!("{least} to {most} characters")))
}

/// The new times of an event, if any were written.
fn read_new_timing(
    start: Member<String>,
    end: Member<String>,
    time_zone: Option<&str>,
    dst: Option<&str>,
) -> Result<Option<Timing>, Vec<Invalid>> {
    let start = start.never_null("start").map_err(|fault| vec![fault])?;
    let end = end.never_null("end").map_err(|fault| vec![fault])?;
    match (&start, end.as_deref()) {
        (Some(start), end) => Timing::read(Typed { start, end, time_zone, dst }).map(Some),
        (None, Some(_)) => Err(vec![Invalid::new("start", "is required with `end`")]),
        (None, None) => {
            let alone = [("time_zone", time_zone), ("dst", dst)];
            let alone = alone.into_iter().filter(|(_, written)| written.is_some());
            let rule = "means nothing without `start` and `end`: add them, or leave it out";
            let faults: Vec<_> = alone.map(|(field, _)| Invalid::new(field, rule)).collect();
            if faults.is_empty() { Ok(None) } else { Err(faults) }
        }
    }
}

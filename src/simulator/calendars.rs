//! `calendar.calendars`: secondary calendars, and what a calendar says of itself.

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Map, Value};

use super::Simulator;
use super::answer::{Answer, Refusal};
use super::calendar::{Calendar, ListEntry, Role};
use super::call::{Asked, Call, Desk, Routes};
use super::channel::Watched;
use super::event::Event;
use super::scopes::{CLEAR_CALENDARS, READ_CALENDARS, WRITE_CALENDARS};

const HEX: &[u8] = b"0123456789abcdef";

pub(super) fn routes() -> Routes {
    let item = get(read).patch(amend).put(replace).delete(delete);
    Router::new()
        .route("/calendar/v3/calendars", post(insert))
        .route("/calendar/v3/calendars/{calendar}", item)
        .route("/calendar/v3/calendars/{calendar}/clear", post(clear))
}

fn call(method: &'static str, calendar: String) -> Call {
    Call { method, calendar: Some(calendar), ..Call::default() }
}

async fn insert(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "calendar.calendars.insert", ..Call::default() };
    simulator.calendar_call(asked, call, WRITE_CALENDARS, do_insert).await
}

async fn read(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.calendars.get", calendar);
    simulator.calendar_call(asked, call, READ_CALENDARS, do_get).await
}

async fn amend(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.calendars.patch", calendar);
    simulator.calendar_call(asked, call, WRITE_CALENDARS, do_patch).await
}

async fn replace(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.calendars.update", calendar);
    simulator.calendar_call(asked, call, WRITE_CALENDARS, do_update).await
}

async fn delete(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.calendars.delete", calendar);
    simulator.calendar_call(asked, call, WRITE_CALENDARS, do_delete).await
}

async fn clear(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.calendars.clear", calendar);
    simulator.calendar_call(asked, call, CLEAR_CALENDARS, do_clear).await
}

impl Desk<'_> {
    /// The calendar asked for, if the caller may see anything of it.
    pub(super) fn calendar(&self) -> Result<&Calendar, Refusal> {
        self.calendar_as(Role::FreeBusyReader)
    }

    /// The calendar asked for, if the caller has at least this role with it. A calendar of which the
    /// caller may see nothing is not found.
    pub(super) fn calendar_as(&self, least: Role) -> Result<&Calendar, Refusal> {
        let calendar = self.call.calendar.as_ref().and_then(|id| self.state.calendars.get(id));
        let calendar = calendar.ok_or_else(Refusal::not_found)?;
        match calendar.role(self.user()) {
            Role::None => Err(Refusal::not_found()),
            role if role < least => {
                let message = format!("You need to have {} access to this calendar.", least.name());
                Err(Refusal::new(
                    StatusCode::FORBIDDEN,
                    "calendar",
                    "requiredAccessLevel",
                    &message,
                ))
            }
            _ => Ok(calendar),
        }
    }

    /// `If-Match` names this version, or none is asked for.
    pub(super) fn expect(&self, etag: &str) -> Result<(), Refusal> {
        match self.asked.header(&header::IF_MATCH) {
            None | Some("*") => Ok(()),
            Some(wanted) if wanted == etag => Ok(()),
            Some(_) => {
                let refusal = Refusal::new(
                    StatusCode::PRECONDITION_FAILED,
                    "global",
                    "conditionNotMet",
                    "Precondition Failed",
                );
                Err(refusal.at("header", "If-Match"))
            }
        }
    }

    /// The resource with its `ETag`, or 304 if the caller has it already.
    pub(super) fn told(&self, etag: &str, body: &Value) -> Answer {
        let reads = self.call.method.rsplit('.').next() == Some("get");
        if reads && self.asked.header(&header::IF_NONE_MATCH) == Some(etag) {
            return Answer::empty(StatusCode::NOT_MODIFIED).with(header::ETAG, etag);
        }
        Answer::json(StatusCode::OK, body).with(header::ETAG, etag)
    }

    /// The calendar, to be changed at the next version.
    fn changing(&mut self) -> Result<&mut Calendar, Refusal> {
        let id = self.calendar()?.id.clone();
        let version = self.state.next_version(self.now);
        self.committed = true;
        let calendar = self.state.calendars.get_mut(&id).ok_or_else(Refusal::not_found)?;
        calendar.version = version;
        Ok(calendar)
    }
}

fn do_get(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let calendar = desk.calendar()?;
    Ok(desk.told(&calendar.etag(), &calendar.shown()))
}

fn do_insert(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let body = desk.json()?;
    let id = format!("c_{}@group.calendar.google.com", desk.state.generator.letters(HEX, 64));
    let version = desk.state.next_version(desk.now);
    let mut calendar = Calendar::new(&id, desk.user(), chrono_tz::UTC, version);
    calendar.made_by = desk.token.as_ref().map(|token| token.client.clone());
    calendar.summary.clear();
    write(&mut calendar, &body)?;
    let number = desk.state.number();
    let entries = desk.state.lists.entry(desk.user().to_owned()).or_default();
    entries.insert(id.clone(), ListEntry::new(number, version, false));
    desk.state.calendars.insert(id.clone(), calendar);
    desk.state.changed(&Watched::CalendarList(desk.user().to_owned()), desk.now);
    desk.call.calendar = Some(id);
    desk.committed = true;
    do_get(desk)
}

fn do_patch(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    change(desk, false)
}

fn do_update(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    change(desk, true)
}

/// Changes what the body names; in a `whole` body, what it leaves out is emptied.
fn change(desk: &mut Desk<'_>, whole: bool) -> Result<Answer, Refusal> {
    let body = desk.json()?;
    let calendar = desk.calendar_as(Role::Owner)?;
    desk.expect(&calendar.etag())?;
    let mut changed = calendar.clone();
    if whole {
        changed.summary.clear();
        changed.description.clear();
        changed.location.clear();
    }
    write(&mut changed, &body)?;
    let calendar = desk.changing()?;
    *calendar = Calendar { version: calendar.version, ..changed };
    do_get(desk)
}

/// Writes what `body` says of a calendar.
fn write(calendar: &mut Calendar, body: &Map<String, Value>) -> Result<(), Refusal> {
    let invalid = |name: &str| Refusal::bad("invalid", &format!("Invalid value for: {name}"));
    let texts = [
        ("summary", &mut calendar.summary),
        ("description", &mut calendar.description),
        ("location", &mut calendar.location),
    ];
    for (name, text) in texts {
        match body.get(name) {
            None => {}
            Some(Value::Null) => text.clear(),
            Some(Value::String(given)) => text.clone_from(given),
            Some(_) => return Err(invalid(name)),
        }
    }
    if let Some(zone) = body.get("timeZone").filter(|zone| !zone.is_null()) {
        let zone = zone.as_str().and_then(|zone| zone.parse().ok());
        calendar.time_zone = zone.ok_or_else(|| invalid("timeZone"))?;
    }
    if calendar.summary.is_empty() {
        return Err(Refusal::bad("required", "Missing title."));
    }
    Ok(())
}

fn do_delete(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let calendar = desk.calendar_as(Role::Owner)?;
    if calendar.primary {
        let message = "Cannot delete a primary calendar.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "global", "forbidden", message));
    }
    if calendar.owner != desk.user() {
        let message = "Only the data owner can delete a calendar.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "global", "forbidden", message));
    }
    desk.expect(&calendar.etag())?;
    let id = calendar.id.clone();
    desk.state.remove_calendar(&id, desk.now);
    desk.committed = true;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// Deletes every event of a primary calendar.
fn do_clear(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let calendar = desk.calendar_as(Role::Owner)?;
    if !calendar.primary {
        return Err(Refusal::bad("invalid", "Only a primary calendar can be cleared."));
    }
    let live: Vec<Event> = calendar.events.live().cloned().collect();
    let (id, now) = (calendar.id.clone(), desk.now);
    for event in live {
        desk.state.change_event(&id, Event { cancelled: true, updated: now, ..event }, now);
    }
    desk.committed = true;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

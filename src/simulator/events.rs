//! `calendar.events`: its routes, and reading one.

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use axum::routing::{get, patch, post, put};
use chrono::TimeDelta;
use serde_json::Value;

use super::Simulator;
use super::answer::{Answer, Refusal};
use super::calendar::{Calendar, Role};
use super::call::{Asked, Call, Desk, Routes};
use super::event::{Event, Surroundings};
use super::fault::Stage;
use super::listing::invalid_parameter;
use super::scopes::{MOVE_EVENTS, READ_EVENTS, WRITE_EVENTS};
use super::{event_changes, event_list, event_transfers, instance_list, quick_add};

pub(super) fn routes() -> Routes {
    let collection = post(insert).get(list);
    let item = get(read).merge(patch(amend)).merge(put(replace)).delete(delete);
    Router::new()
        .route("/calendar/v3/calendars/{calendar}/events", collection)
        .route("/calendar/v3/calendars/{calendar}/events/import", post(import))
        .route("/calendar/v3/calendars/{calendar}/events/quickAdd", post(quick_add))
        .route("/calendar/v3/calendars/{calendar}/events/{event}", item)
        .route("/calendar/v3/calendars/{calendar}/events/{event}/instances", get(instances))
        .route("/calendar/v3/calendars/{calendar}/events/{event}/move", post(relocate))
}

fn call(method: &'static str, calendar: String, event: Option<String>) -> Call {
    Call { method, calendar: Some(calendar), event, ..Call::default() }
}

async fn insert(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let wanted = serde_json::from_slice::<Value>(&asked.body).ok();
    let event = wanted.and_then(|body| body["id"].as_str().map(str::to_owned));
    let call = call("calendar.events.insert", calendar, event);
    simulator.calendar_call(asked, call, WRITE_EVENTS, event_changes::insert).await
}

async fn list(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.list", calendar, None);
    simulator.calendar_call(asked, call, READ_EVENTS, event_list::list).await
}

async fn read(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.get", place.0, Some(place.1));
    simulator.calendar_call(asked, call, READ_EVENTS, do_get).await
}

async fn amend(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.patch", place.0, Some(place.1));
    simulator.calendar_call(asked, call, WRITE_EVENTS, event_changes::patch).await
}

async fn replace(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.update", place.0, Some(place.1));
    simulator.calendar_call(asked, call, WRITE_EVENTS, event_changes::update).await
}

async fn delete(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.delete", place.0, Some(place.1));
    simulator.calendar_call(asked, call, WRITE_EVENTS, event_changes::delete).await
}

async fn import(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.import", calendar, None);
    simulator.calendar_call(asked, call, WRITE_EVENTS, event_transfers::import).await
}

async fn quick_add(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.quickAdd", calendar, None);
    simulator.calendar_call(asked, call, WRITE_EVENTS, quick_add::quick_add).await
}

async fn relocate(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.move", place.0, Some(place.1));
    simulator.calendar_call(asked, call, MOVE_EVENTS, event_transfers::relocate).await
}

async fn instances(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.instances", place.0, Some(place.1));
    simulator.calendar_call(asked, call, READ_EVENTS, instance_list::list).await
}

impl Desk<'_> {
    /// In whose name the call is made; nobody's before the token was looked at.
    pub(super) fn user(&self) -> &str {
        self.call.user.as_deref().unwrap_or_default()
    }

    /// The event asked for, or the instance.
    pub(super) fn event(&self) -> Result<Event, Refusal> {
        let id = self.call.event.as_deref().unwrap_or_default();
        let event = self.calendar()?.event(id).ok_or_else(Refusal::not_found)?;
        Ok(event.into_owned())
    }

    /// How the caller wants events of `calendar` to be shown.
    pub(super) fn surroundings<'a>(
        &'a self,
        base: &'a str,
        calendar: &'a Calendar,
    ) -> Result<Surroundings<'a>, Refusal> {
        let parameters = &self.asked.parameters;
        let zone = match parameters.get("timeZone") {
            None => None,
            Some(name) => Some(name.parse().map_err(|_| invalid_parameter("timeZone"))?),
        };
        let most_guests = match parameters.get("maxAttendees").map(str::parse::<usize>) {
            None => None,
            Some(Ok(most)) if most > 0 => Some(most),
            Some(_) => return Err(invalid_parameter("maxAttendees")),
        };
        Ok(Surroundings { base, calendar, user: self.user(), zone, most_guests })
    }

    pub(super) fn shown(&self, event: &Event) -> Result<Answer, Refusal> {
        let base = self.asked.base(self.state);
        let body = event.shown(&self.surroundings(&base, self.calendar()?)?);
        Ok(self.told(&event.etag(), &body))
    }

    pub(super) fn parameter_is(&self, name: &str, value: &str) -> bool {
        self.asked.parameters.get(name) == Some(value)
    }

    /// Puts `event` in place of what was there, and tells how it stands now.
    pub(super) fn store(&mut self, event: Event) -> Result<Event, Refusal> {
        let (calendar, id) = (self.calendar()?.id.clone(), event.id.clone());
        self.state.change_event(&calendar, event, self.now);
        self.committed = true;
        self.calendar()?.events.get(&id).cloned().ok_or_else(Refusal::not_found)
    }
}

fn do_get(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    desk.calendar_as(Role::Reader)?;
    let mut event = desk.event()?;
    if let Some(strike) = desk.state.strike(Stage::Read, &desk.call.target(), desk.now)
        && is_fresh(&event, desk, strike.takes)
    {
        event = *event.before.ok_or_else(Refusal::not_found)?;
    }
    desk.shown(&event)
}

fn is_fresh(event: &Event, desk: &Desk<'_>, span: TimeDelta) -> bool {
    event.version > (desk.now - span).timestamp_micros()
}

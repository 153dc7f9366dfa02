//! `calendar.calendarList`: the calendars a user has on show, and how.

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::Simulator;
use super::answer::{Answer, Refusal};
use super::calendar::{ListEntry, Role};
use super::call::{Asked, Call, Desk, Routes};
use super::channel::Watched;
use super::colors;
use super::event_body;
use super::listing::{Key, Listing, Manner, invalid_parameter};
use super::scopes::{ADD_TO_CALENDAR_LIST, READ_CALENDAR_LIST, WRITE_CALENDAR_LIST};

const MANNER: Manner = Manner {
    page: 100,
    largest_page: 250,
    not_with_sync: &["minAccessRole"],
    without_sync: &["minAccessRole"],
    same_with_sync: &[],
    not_false_with_sync: &["showDeleted", "showHidden"],
};
/// What a user may write of an entry.
const WRITABLE: &[&str] = &[
    "backgroundColor",
    "colorId",
    "defaultReminders",
    "foregroundColor",
    "hidden",
    "notificationSettings",
    "selected",
    "summaryOverride",
];

pub(super) fn routes() -> Routes {
    let item = get(read).patch(amend).put(replace).delete(delete);
    Router::new()
        .route("/calendar/v3/users/me/calendarList", get(list).post(insert))
        .route("/calendar/v3/users/me/calendarList/{calendar}", item)
}

fn call(method: &'static str, calendar: String) -> Call {
    Call { method, calendar: Some(calendar), ..Call::default() }
}

async fn list(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "calendar.calendarList.list", ..Call::default() };
    simulator.calendar_call(asked, call, READ_CALENDAR_LIST, do_list).await
}

async fn insert(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let body = serde_json::from_slice::<Value>(&asked.body).unwrap_or_default();
    let call =
        call("calendar.calendarList.insert", body["id"].as_str().unwrap_or_default().to_owned());
    simulator.calendar_call(asked, call, ADD_TO_CALENDAR_LIST, do_insert).await
}

async fn read(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.calendarList.get", calendar);
    simulator.calendar_call(asked, call, READ_CALENDAR_LIST, do_get).await
}

async fn amend(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.calendarList.patch", calendar);
    simulator.calendar_call(asked, call, WRITE_CALENDAR_LIST, do_patch).await
}

async fn replace(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.calendarList.update", calendar);
    simulator.calendar_call(asked, call, WRITE_CALENDAR_LIST, do_update).await
}

async fn delete(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.calendarList.delete", calendar);
    simulator.calendar_call(asked, call, WRITE_CALENDAR_LIST, do_delete).await
}

fn do_list(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let listing = Listing::read(desk, "calendarList", 0, &MANNER)?;
    let parameters = &desk.asked.parameters;
    let least = match parameters.get("minAccessRole") {
        None => Role::FreeBusyReader,
        Some(name) => Role::read(name).ok_or_else(|| invalid_parameter("minAccessRole"))?,
    };
    let is_true = |name: &str| parameters.get(name) == Some("true");
    let (deleted, hidden) = match listing.since {
        Some(_) => (true, true),
        None => (is_true("showDeleted"), is_true("showHidden")),
    };
    let user = desk.user();
    let entries = desk.state.lists.get(user).into_iter().flatten();
    let chosen = entries.filter(|(_, entry)| {
        (deleted || !entry.removed)
            && (hidden || !entry.hidden())
            && listing.since.is_none_or(|seen| entry.version > seen)
    });
    let items: Vec<(Key, Value)> = chosen
        .filter_map(|(id, entry)| {
            let key = (listing.since.map_or(0, |_| entry.version), entry.number);
            let calendar = desk.state.calendars.get(id);
            match calendar.filter(|calendar| calendar.role(user) != Role::None) {
                Some(calendar) => (calendar.role(user) >= least)
                    .then(|| (key, calendar.shown_in_list(entry, user))),
                None => deleted.then(|| (key, entry.shown_as_gone(id))),
            }
        })
        .collect();
    let (items, more) = listing.page_of(items);
    let newest = desk.state.lists.get(user).into_iter().flatten();
    let newest = newest.map(|(_, entry)| entry.version).max().unwrap_or_default();
    let mut page = json!({
        "kind": "calendar#calendarList",
        "etag": format!("\"{}\"", newest * 2),
        "items": items,
    });
    listing.close(&mut page, more, desk.now);
    Ok(Answer::json(StatusCode::OK, &page))
}

impl Desk<'_> {
    /// The entry of the calendar asked for, if it is in the caller's list.
    fn entry(&self) -> Result<&ListEntry, Refusal> {
        let entries = self.state.lists.get(self.user());
        let entry = entries.and_then(|entries| entries.get(&self.calendar().ok()?.id));
        entry.filter(|entry| !entry.removed).ok_or_else(Refusal::not_found)
    }

    /// Puts `entry` into the caller's list, at the next version.
    fn put_entry(&mut self, mut entry: ListEntry) -> Result<(), Refusal> {
        entry.version = self.state.next_version(self.now);
        let (user, id) = (self.user().to_owned(), self.calendar()?.id.clone());
        self.state.lists.entry(user.clone()).or_default().insert(id, entry);
        self.state.changed(&Watched::CalendarList(user), self.now);
        self.committed = true;
        Ok(())
    }
}

fn do_get(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let entry = desk.entry()?;
    Ok(desk.told(&entry.etag(), &desk.calendar()?.shown_in_list(entry, desk.user())))
}

fn do_insert(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let body = desk.json()?;
    desk.calendar()?;
    let mut entry = match desk.entry() {
        Ok(entry) => entry.clone(),
        Err(_) => ListEntry::new(desk.state.number(), 0, false),
    };
    write(&mut entry, &body, rgb(desk))?;
    desk.put_entry(entry)?;
    do_get(desk)
}

fn do_patch(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    change(desk, false)
}

fn do_update(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    change(desk, true)
}

/// Changes what the body names; in a `whole` body, what it leaves out goes back to how it began.
fn change(desk: &mut Desk<'_>, whole: bool) -> Result<Answer, Refusal> {
    let body = desk.json()?;
    let stored = desk.entry()?.clone();
    desk.expect(&stored.etag())?;
    let mut entry = stored.clone();
    if whole {
        entry.fields = ListEntry::new(0, 0, false).fields;
    }
    write(&mut entry, &body, rgb(desk))?;
    if entry.fields != stored.fields {
        desk.put_entry(entry)?;
    }
    do_get(desk)
}

/// Whether colours are written as such, rather than as an index.
fn rgb(desk: &Desk<'_>) -> bool {
    desk.asked.parameters.get("colorRgbFormat") == Some("true")
}

fn write(entry: &mut ListEntry, body: &Map<String, Value>, rgb: bool) -> Result<(), Refusal> {
    for (name, value) in body {
        let colour = name.ends_with("groundColor");
        if !WRITABLE.contains(&name.as_str()) || (colour && !rgb) {
            continue;
        }
        let fits = match name.as_str() {
            "hidden" | "selected" => value.is_boolean(),
            "defaultReminders" => event_body::are_reminders(value),
            "notificationSettings" => value.is_object(),
            "backgroundColor" | "foregroundColor" => value.as_str().is_some_and(is_colour),
            "colorId" => value.as_str().and_then(colors::of_calendar).is_some(),
            _ => value.is_string(),
        };
        if value.is_null() || *value == false || *value == "" {
            entry.fields.remove(name);
        } else if fits {
            entry.fields.insert(name.clone(), value.clone());
        } else {
            return Err(Refusal::bad("invalid", &format!("Invalid value for: {name}")));
        }
    }
    // An index stands for its two colours, unless colours are written as such.
    let index = body.get("colorId").and_then(Value::as_str).and_then(colors::of_calendar);
    if let Some(background) = index.filter(|_| !rgb) {
        entry.fields.insert("backgroundColor".to_owned(), background.into());
        entry.fields.insert("foregroundColor".to_owned(), colors::FOREGROUND.into());
    }
    Ok(())
}

/// `#rrggbb`.
fn is_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn do_delete(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let entry = desk.entry()?.clone();
    let calendar = desk.calendar()?;
    if calendar.primary && calendar.owner == desk.user() {
        let message = "Cannot remove a primary calendar from its owner's list.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "global", "forbidden", message));
    }
    desk.expect(&entry.etag())?;
    desk.put_entry(ListEntry { removed: true, ..entry })?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

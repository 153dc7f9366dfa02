//! `calendar.settings`: what a user chose on Google's settings page. The API only reads it.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Simulator;
use super::answer::{Answer, Refusal};
use super::call::{Asked, Call, Desk, Routes};
use super::event_list::page_size;
use super::list_token::{PageToken, SyncToken, binding};
use super::state::State;

pub(super) const SCOPES: &[&str] =
    &["calendar", "calendar.readonly", "calendar.settings", "calendar.settings.readonly"];

/// Every setting there is, by id, as it is until the user changes it. `timezone` is not listed: it
/// begins as the zone of the account.
const UNCHANGED: &[(&str, &str)] = &[
    ("autoAddHangouts", "false"),
    ("dateFieldOrder", "MDY"),
    ("defaultEventLength", "60"),
    ("format24HourTime", "false"),
    ("hideInvitations", "false"),
    ("hideWeekends", "false"),
    ("locale", "en"),
    ("remindOnRespondedEventsOnly", "false"),
    ("showDeclinedEvents", "true"),
    ("useKeyboardShortcuts", "true"),
    ("weekStart", "0"),
];
const ZONE: &str = "timezone";
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 250;

/// A setting as the user left it.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    value: String,
    /// Of its last change; 0 if there was none.
    version: i64,
}

/// What users changed: by user and id.
pub(super) type Changed = BTreeMap<(String, String), Setting>;

impl State {
    /// Changes a setting as the user would on Google's page. Tells whether there is such a setting.
    pub(super) fn change_setting(
        &mut self,
        user: &str,
        id: &str,
        value: &str,
        now: DateTime<Utc>,
    ) -> bool {
        if !self.settings_of(user).contains_key(id) {
            return false;
        }
        let setting = Setting { value: value.to_owned(), version: self.next_version(now) };
        self.user_settings.insert((user.to_owned(), id.to_owned()), setting);
        true
    }

    /// Every setting of `user`, by id; none if there is no such user.
    fn settings_of(&self, user: &str) -> BTreeMap<&str, Setting> {
        let Some(account) = self.user(user) else { return BTreeMap::new() };
        let zone = (ZONE, account.time_zone.as_str());
        let unchanged = UNCHANGED.iter().copied().chain([zone]);
        unchanged
            .map(|(id, value)| {
                let changed = self.user_settings.get(&(user.to_owned(), id.to_owned())).cloned();
                let plain = || Setting { value: value.to_owned(), version: 0 };
                (id, changed.unwrap_or_else(plain))
            })
            .collect()
    }
}

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/calendar/v3/users/me/settings", get(list))
        .route("/calendar/v3/users/me/settings/{setting}", get(setting))
}

async fn list(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "calendar.settings.list", ..Call::default() };
    simulator.calendar_call(asked, call, SCOPES, do_list).await
}

async fn setting(
    Shared(simulator): Shared<Simulator>,
    Path(setting): Path<String>,
    asked: Asked,
) -> Response {
    let call = Call { method: "calendar.settings.get", ..Call::default() };
    simulator.calendar_call(asked, call, SCOPES, move |desk| do_get(desk, &setting)).await
}

fn do_get(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Refusal> {
    let settings = desk.state.settings_of(desk.user());
    let setting = settings.get(id).ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(StatusCode::OK, &shown(id, setting)).with(header::ETAG, etag(setting.version)))
}

fn do_list(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let parameters = &desk.asked.parameters;
    let bound = binding(desk.user(), "settings", Vec::new());
    let since = match parameters.get("syncToken") {
        None => None,
        Some(token) => Some(since(token, &bound, desk.state.sync_epoch)?),
    };
    let size = page_size(parameters, PAGE, LARGEST_PAGE)?;
    let from = match parameters.get("pageToken") {
        None => None,
        Some(token) => Some(PageToken::read(token, &bound).ok_or_else(|| {
            let message = "Invalid value for parameter 'pageToken'.";
            Refusal::bad("invalidParameter", message).at("parameter", "pageToken")
        })?),
    };
    let seen = from.map_or_else(|| desk.state.newest_version(), |page| page.seen);
    let settings = desk.state.settings_of(desk.user());
    let newest = settings.values().map(|setting| setting.version).max().unwrap_or(0);
    let told = (1..).zip(&settings).filter(|(place, (_, setting))| {
        since.is_none_or(|seen| setting.version > seen)
            && from.is_none_or(|page| *place > page.after.1)
    });
    let mut told: Vec<(u64, Value)> =
        told.map(|(place, (id, setting))| (place, shown(id, setting))).collect();
    let more = told.len() > size;
    told.truncate(size);
    let last = told.last().map(|(place, _)| *place).filter(|_| more);
    let items: Vec<Value> = told.into_iter().map(|(_, shown)| shown).collect();
    let mut page = json!({"kind": "calendar#settings", "etag": etag(newest), "items": items});
    if let Some(place) = last {
        page["nextPageToken"] = PageToken { seen, after: (0, place) }.write(&bound).into();
    } else {
        let token = SyncToken { seen, epoch: desk.state.sync_epoch };
        page["nextSyncToken"] = token.write(&bound).into();
    }
    Ok(Answer::json(StatusCode::OK, &page))
}

/// The version from which a sync token goes on.
fn since(token: &str, bound: &str, epoch: u64) -> Result<i64, Refusal> {
    let refused = match SyncToken::read(token, bound) {
        Some(token) if token.epoch == epoch => return Ok(token.seen),
        Some(_) => Refusal::new(
            StatusCode::GONE,
            "calendar",
            "fullSyncRequired",
            "Sync token is no longer valid, a full sync is required.",
        ),
        None => Refusal::bad("invalid", "Invalid sync token value."),
    };
    Err(refused.at("parameter", "syncToken"))
}

fn shown(id: &str, setting: &Setting) -> Value {
    let etag = etag(setting.version);
    json!({"kind": "calendar#setting", "etag": etag, "id": id, "value": setting.value})
}

fn etag(version: i64) -> String {
    format!("\"{}\"", version * 2)
}

//! `calendar.settings`: what a user chose on Google's settings page. The API only reads it.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Simulator;
use super::answer::{Answer, Refusal};
use super::call::{Asked, Call, Desk, Routes};
use super::channel::Watched;
use super::listing::{Listing, Manner};
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
const MANNER: Manner = Manner {
    page: 100,
    largest_page: 250,
    not_with_sync: &[],
    without_sync: &[],
    same_with_sync: &[],
    not_false_with_sync: &[],
};

/// A setting as the user left it.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
        self.changed(&Watched::Settings(user.to_owned()), now);
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
    Ok(desk.told(&etag(setting.version), &shown(id, setting)))
}

fn do_list(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let listing = Listing::read(desk, "settings", 0, &MANNER)?;
    let settings = desk.state.settings_of(desk.user());
    let newest = settings.values().map(|setting| setting.version).max().unwrap_or_default();
    let told = (1..).zip(&settings);
    let told = told
        .filter(|(_, (_, setting))| listing.since.is_none_or(|seen| setting.version > seen))
        .map(|(place, (id, setting))| ((0, place), shown(id, setting)))
        .collect();
    let (items, more) = listing.page_of(told);
    let mut page = json!({"kind": "calendar#settings", "etag": etag(newest), "items": items});
    listing.close(&mut page, more, desk.now);
    Ok(Answer::json(StatusCode::OK, &page))
}

fn shown(id: &str, setting: &Setting) -> Value {
    let etag = etag(setting.version);
    json!({"kind": "calendar#setting", "etag": etag, "id": id, "value": setting.value})
}

fn etag(version: i64) -> String {
    format!("\"{}\"", version * 2)
}

//! Scopes: their names, what they are called on the consent page, and which method takes which.

use std::collections::BTreeSet;

use super::calendar::Calendar;
use super::grants::AccessToken;

const PREFIX: &str = "https://www.googleapis.com/auth/";
/// The one scope of Google's own with another form.
const MAIL: &str = "https://mail.google.com/";

/// What stands behind `calendar.` in a scope of the Calendar API, by its discovery document.
const CALENDAR: &[&str] = &[
    "acls",
    "acls.readonly",
    "app.created",
    "calendarlist",
    "calendarlist.readonly",
    "calendars",
    "calendars.readonly",
    "events",
    "events.freebusy",
    "events.owned",
    "events.owned.readonly",
    "events.public.readonly",
    "events.readonly",
    "freebusy",
    "readonly",
    "settings",
    "settings.readonly",
];

pub(super) const READ_EVENTS: &[&str] = &[
    "calendar",
    "calendar.readonly",
    "calendar.events",
    "calendar.events.readonly",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.public.readonly",
    "calendar.app.created",
];
pub(super) const WRITE_EVENTS: &[&str] =
    &["calendar", "calendar.events", "calendar.events.owned", "calendar.app.created"];
pub(super) const MOVE_EVENTS: &[&str] = &["calendar", "calendar.events", "calendar.events.owned"];
pub(super) const READ_CALENDAR_LIST: &[&str] =
    &["calendar", "calendar.readonly", "calendar.calendarlist", "calendar.calendarlist.readonly"];
pub(super) const ADD_TO_CALENDAR_LIST: &[&str] = &["calendar", "calendar.calendarlist"];
pub(super) const WRITE_CALENDAR_LIST: &[&str] =
    &["calendar", "calendar.calendarlist", "calendar.app.created"];
pub(super) const READ_RULES: &[&str] =
    &["calendar", "calendar.acls", "calendar.acls.readonly", "calendar.readonly"];
pub(super) const WRITE_RULES: &[&str] = &["calendar", "calendar.acls"];
pub(super) const CLEAR_CALENDARS: &[&str] = &["calendar", "calendar.calendars"];
pub(super) const WRITE_CALENDARS: &[&str] =
    &["calendar", "calendar.calendars", "calendar.app.created"];
pub(super) const READ_CALENDARS: &[&str] = &[
    "calendar",
    "calendar.readonly",
    "calendar.calendars",
    "calendar.calendars.readonly",
    "calendar.app.created",
];

/// The scope's whole name.
pub(super) fn full(short: &str) -> String {
    format!("{PREFIX}{short}")
}

/// Reads a space-separated list, with the short names of OpenID resolved as Google answers them.
/// The error is the first name Google does not know.
pub(super) fn read(list: &str) -> Result<BTreeSet<String>, String> {
    list.split(' ')
        .filter(|scope| !scope.is_empty())
        .map(|scope| match scope {
            "openid" => Ok(scope.to_owned()),
            "email" | "profile" => Ok(full(&format!("userinfo.{scope}"))),
            _ if is_known(scope) => Ok(scope.to_owned()),
            _ => Err(scope.to_owned()),
        })
        .collect()
}

/// Scopes of other APIs are taken at their word; those of Calendar are the ones there are.
fn is_known(scope: &str) -> bool {
    let Some(short) = scope.strip_prefix(PREFIX) else { return scope == MAIL };
    match short.strip_prefix("calendar.") {
        Some(rest) => CALENDAR.contains(&rest),
        None => !short.is_empty(),
    }
}

/// Whether the scope only tells who the user is; those cannot be unticked.
pub(super) fn is_identity(scope: &str) -> bool {
    scope == "openid"
        || scope.strip_prefix(PREFIX).is_some_and(|short| short.starts_with("userinfo."))
}

/// Whether the scope is about calendars.
pub(super) fn is_calendar(scope: &str) -> bool {
    scope
        .strip_prefix(PREFIX)
        .is_some_and(|short| short == "calendar" || short.starts_with("calendar."))
}

/// Whether the scope reaches the user's mail: a new password ends what holds one.
pub(super) fn is_mail(scope: &str) -> bool {
    scope == MAIL || scope.strip_prefix(PREFIX).is_some_and(|short| short.starts_with("gmail."))
}

/// Whether `granted` holds one of the scopes a method takes that reaches the calendar the call is about,
/// if it is about one: of a calendar, what its owner, its maker or everybody may do.
pub(super) fn any_of(token: &AccessToken, wanted: &[&str], calendar: Option<&Calendar>) -> bool {
    let mut held = wanted.iter().filter(|short| token.scopes.contains(&full(short)));
    held.any(|short| match (*short, calendar) {
        ("calendar.app.created", Some(calendar)) => {
            calendar.made_by.as_ref() == Some(&token.client)
        }
        ("calendar.events.public.readonly", Some(calendar)) => calendar.is_public(),
        ("calendar.events.owned" | "calendar.events.owned.readonly", Some(calendar)) => {
            calendar.owner == token.user
        }
        _ => true,
    })
}

/// What the consent page says of a scope; of one it has no words for, the scope itself.
pub(super) fn explained(scope: &str) -> String {
    let words = match scope.strip_prefix(PREFIX).unwrap_or(scope) {
        "calendar" => "See, edit, share, and permanently delete all the calendars you can access",
        "calendar.readonly" => "See and download any calendar you can access",
        "calendar.events" => "View and edit events on all your calendars",
        "calendar.events.readonly" => "View events on all your calendars",
        "calendar.events.owned" => "See, create, change, and delete events on calendars you own",
        "calendar.events.owned.readonly" => "See events on calendars you own",
        "calendar.events.public.readonly" => "See events on public calendars",
        "calendar.events.freebusy" => "See when calendars you can access are busy",
        "calendar.freebusy" => "View your availability in your calendars",
        "calendar.calendarlist" => "See, add, and remove calendars you're subscribed to",
        "calendar.calendarlist.readonly" => "See the list of calendars you're subscribed to",
        "calendar.calendars" => {
            "Create calendars, and change the properties of those you can access"
        }
        "calendar.calendars.readonly" => "See the properties of calendars you can access",
        "calendar.acls" => "See and change who may use calendars you own",
        "calendar.acls.readonly" => "See who may use calendars you own",
        "calendar.app.created" => "Create calendars of its own, and manage the events on them",
        "calendar.settings" => "See and change your Calendar settings",
        "calendar.settings.readonly" => "View your Calendar settings",
        "userinfo.email" => "See your primary Google Account email address",
        "userinfo.profile" => "See your personal info, including your name",
        "openid" => "Associate you with your personal info on Google",
        _ => scope,
    };
    words.to_owned()
}

/// A set of scopes as it stands in the address a consent comes back to: identity under both names,
/// as captures show it.
pub(super) fn join_for_redirect(scopes: &BTreeSet<String>) -> String {
    let short = ["email", "profile"].into_iter();
    let short = short.filter(|name| scopes.contains(&full(&format!("userinfo.{name}"))));
    short.chain(scopes.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
}

/// A set of scopes as one text.
pub(super) fn join(scopes: &BTreeSet<String>) -> String {
    scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

//! `watch` of events, calendar lists, access rules and settings, and `calendar.channels.stop`.

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::{Map, Value};
use url::{Host, Url};

use super::Simulator;
use super::answer::{Answer, Refusal};
use super::calendar::Role;
use super::call::{Asked, Call, Desk, Routes};
use super::channel::{Channel, ChannelKey, ResourceState, Watched};
use super::fault::Stage;
use super::scopes::{READ_CALENDAR_LIST, READ_RULES};
use super::settings::Push;
use super::user_settings;

const WATCH_EVENTS: &[&str] = &[
    "calendar",
    "calendar.readonly",
    "calendar.events",
    "calendar.events.readonly",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.public.readonly",
    "calendar.events.freebusy",
    "calendar.app.created",
];
const STOP: &[&str] = &[
    "calendar",
    "calendar.readonly",
    "calendar.events",
    "calendar.events.readonly",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.public.readonly",
    "calendar.events.freebusy",
    "calendar.acls",
    "calendar.acls.readonly",
    "calendar.calendarlist",
    "calendar.calendarlist.readonly",
    "calendar.settings",
    "calendar.settings.readonly",
    "calendar.app.created",
];
const LONGEST_ID: usize = 64;
const LONGEST_TOKEN: usize = 256;
/// How long a channel lives if its maker does not say; so Google's reference and captures.
const PLAIN_DAYS: i64 = 7;
/// How long it lives at most, whatever its maker says. Google gives no number.
const MOST_DAYS: i64 = 30;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/calendar/v3/calendars/{calendar}/events/watch", post(watch_events))
        .route("/calendar/v3/calendars/{calendar}/acl/watch", post(watch_rules))
        .route("/calendar/v3/users/me/calendarList/watch", post(watch_calendar_list))
        .route("/calendar/v3/users/me/settings/watch", post(watch_settings))
        .route("/calendar/v3/channels/stop", post(stop))
}

async fn watch_events(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let path = format!("calendars/{calendar}/events");
    let call =
        Call { method: "calendar.events.watch", calendar: Some(calendar), ..Call::default() };
    let work = |desk: &mut Desk<'_>| {
        let watched = Watched::Events(desk.calendar_as(Role::FreeBusyReader)?.id.clone());
        watch(desk, watched, &path)
    };
    open(&simulator, asked, call, WATCH_EVENTS, work).await
}

async fn watch_rules(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let path = format!("calendars/{calendar}/acl");
    let call = Call { method: "calendar.acl.watch", calendar: Some(calendar), ..Call::default() };
    let work = |desk: &mut Desk<'_>| {
        let watched = Watched::Acl(desk.calendar_as(Role::Owner)?.id.clone());
        watch(desk, watched, &path)
    };
    open(&simulator, asked, call, READ_RULES, work).await
}

async fn watch_calendar_list(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "calendar.calendarList.watch", ..Call::default() };
    let work = |desk: &mut Desk<'_>| {
        let watched = Watched::CalendarList(desk.user().to_owned());
        watch(desk, watched, "users/me/calendarList")
    };
    open(&simulator, asked, call, READ_CALENDAR_LIST, work).await
}

async fn watch_settings(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "calendar.settings.watch", ..Call::default() };
    let work = |desk: &mut Desk<'_>| {
        let watched = Watched::Settings(desk.user().to_owned());
        watch(desk, watched, "users/me/settings")
    };
    open(&simulator, asked, call, user_settings::SCOPES, work).await
}

/// Answers a watch, after the first message if a fault wants it first.
async fn open(
    simulator: &Simulator,
    asked: Asked,
    call: Call,
    scopes: &'static [&'static str],
    work: impl Fn(&mut Desk<'_>) -> Result<Answer, Refusal>,
) -> Response {
    let answer = simulator.calendar_call(asked, call, scopes, work).await;
    simulator.deliver_early().await;
    answer
}

async fn stop(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "calendar.channels.stop", ..Call::default() };
    simulator.calendar_call(asked, call, STOP, do_stop).await
}

impl Desk<'_> {
    /// The client in whose name the call is made.
    fn client(&self) -> String {
        let token = self.token.as_ref();
        token.map(|token| token.client.clone()).unwrap_or_default()
    }
}

/// Opens a channel for the resource at `path`, and sends its first message.
fn watch(desk: &mut Desk<'_>, watched: Watched, path: &str) -> Result<Answer, Refusal> {
    let body = desk.json()?;
    let key = ChannelKey { client: desk.client(), id: id(&body)? };
    match text(&body, "type")? {
        Some("web_hook" | "webhook") => {}
        Some(_) => {
            let message = "Channel type not supported.";
            return Err(Refusal::bad("push.channelTypeNotSupported", message));
        }
        None => return Err(Refusal::bad("required", "Missing channel type.")),
    }
    let address = text(&body, "address")?
        .ok_or_else(|| Refusal::bad("required", "Missing channel address."))?
        .to_owned();
    check_address(&address, &desk.state.settings.push)?;
    let token = text(&body, "token")?.map(str::to_owned);
    if token.as_ref().is_some_and(|token| token.len() > LONGEST_TOKEN) {
        return Err(Refusal::bad("invalid", "Channel token is too long."));
    }
    let expires = expires(&body, desk.now)?;
    if desk.state.channels.contains_key(&key) {
        return Err(Refusal::bad("channelIdNotUnique", "Channel id not unique"));
    }
    let query = match &watched {
        Watched::Events(_) => "?maxResults=250&alt=json",
        _ => "?alt=json",
    };
    let channel = Channel {
        resource_id: watched.resource_id(desk.state.settings.seed),
        resource_uri: format!("{}/calendar/v3/{path}{query}", desk.asked.base(desk.state)),
        watched,
        user: desk.user().to_owned(),
        address,
        token,
        expires,
        stopped: false,
        sent: 0,
        last_number: 0,
    };
    let shown = channel.shown(&key.id);
    desk.state.channels.insert(key.clone(), channel);
    let early = desk.state.strike(Stage::Sync, &desk.call.target(), desk.now).is_some();
    desk.state.announce(&key, ResourceState::Sync, desk.now);
    if early {
        desk.state.outgoing.hurry(&key);
    }
    desk.committed = true;
    Ok(Answer::json(StatusCode::OK, &shown))
}

fn id(body: &Map<String, Value>) -> Result<String, Refusal> {
    let Some(id) = text(body, "id")? else {
        return Err(Refusal::bad("required", "Missing channel id."));
    };
    // The pattern is that of Cloud Storage's channels, which are the same machinery.
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+/=".contains(&byte);
    if id.len() > LONGEST_ID || !id.bytes().all(fits) {
        return Err(Refusal::bad("push.channelIdInvalid", "Invalid channel id."));
    }
    Ok(id.to_owned())
}

/// A text of the body, if it is there and not empty.
fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(Refusal::bad("invalid", &format!("Invalid value for: {name}"))),
    }
}

/// HTTPS only, as at Google, but for hosts of this machine; and only hosts whose owner is known to
/// be the client's, if the seed file names such.
fn check_address(address: &str, push: &Push) -> Result<(), Refusal> {
    let url = Url::parse(address).ok().filter(Url::has_host);
    let Some((url, host)) = url.as_ref().and_then(|url| Some((url, url.host()?))) else {
        let message = format!("WebHook callback must have a host: {address}");
        return Err(Refusal::bad("push.webhookUrlNoHostOrAddress", &message));
    };
    let here = match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    };
    let may_be_plain = here && push.allow_http;
    if url.scheme() != "https" && !(url.scheme() == "http" && may_be_plain) {
        let message = format!("WebHook callback must be HTTPS: {address}");
        return Err(Refusal::bad("push.webhookUrlNotHttps", &message));
    }
    let host = host.to_string();
    let belongs = |domain: &String| {
        host == *domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    };
    if !here && !push.verified_domains.as_ref().is_none_or(|all| all.iter().any(belongs)) {
        let message = format!("Unauthorized WebHook callback channel: {address}");
        let status = StatusCode::UNAUTHORIZED;
        return Err(Refusal::new(status, "global", "push.webhookUrlUnauthorized", &message));
    }
    Ok(())
}

/// When the channel ends: by `expiration`, by `params.ttl` or by Google's limit, whichever is first.
fn expires(body: &Map<String, Value>, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
    let number = |value: Option<&Value>| match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .or_else(|| value.as_str()?.parse().ok())
            .map(Some)
            .ok_or_else(|| Refusal::bad("invalid", "Invalid channel expiration.")),
    };
    let until = number(body.get("expiration"))?.and_then(DateTime::from_timestamp_millis);
    let lasting = number(body.get("params").and_then(|params| params.get("ttl")))?;
    let lasting = lasting.and_then(TimeDelta::try_seconds).map(|ttl| now + ttl.min(most()));
    let wished = [until, lasting].into_iter().flatten().min();
    let expires = wished.map_or(now + TimeDelta::days(PLAIN_DAYS), |end| end.min(now + most()));
    if expires <= now {
        return Err(Refusal::bad("invalid", "Channel expiration is in the past."));
    }
    Ok(expires.duration_trunc(TimeDelta::seconds(1)).unwrap_or(expires))
}

fn most() -> TimeDelta {
    TimeDelta::days(MOST_DAYS)
}

/// Only the user and the client that opened a channel can stop it.
fn do_stop(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let body = desk.json()?;
    let missing = |name: &str| Refusal::bad("required", &format!("Missing {name}."));
    let id = text(&body, "id")?.ok_or_else(|| missing("channel id"))?.to_owned();
    let resource = text(&body, "resourceId")?.ok_or_else(|| missing("resource id"))?.to_owned();
    let key = ChannelKey { client: desk.client(), id };
    let (user, now) = (desk.user().to_owned(), desk.now);
    let channel = desk.state.channels.get_mut(&key);
    let channel = channel.filter(|open| open.is_open(now) && open.resource_id == resource);
    let Some(channel) = channel else {
        let project = key.client.split('-').next().unwrap_or_default();
        let message = format!("Channel '{}' not found for project '{project}'", key.id);
        return Err(Refusal::new(StatusCode::NOT_FOUND, "global", "notFound", &message));
    };
    if channel.user != user {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "global", "forbidden", "Forbidden"));
    }
    channel.stopped = true;
    desk.committed = true;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

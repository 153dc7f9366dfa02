//! The simulated Google, through real HTTP.
#![expect(
    clippy::unwrap_used,
    reason = "a test that finds nothing where something must be has failed"
)]

mod batch;
mod calendars;
mod channels;
mod control;
mod faults;
mod free_busy;
mod guests;
mod model;
mod oauth;
mod openid;
mod pages;
mod partial;
mod quotas;
mod recurrence;
mod service_accounts;
mod snapshot;
mod user_settings;

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use calbridge::clock::{Clock, ManualClock};
use calbridge::simulator::{Answered, Fault, FaultKind, Settings, Simulator};
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const REDIRECT: &str = "http://127.0.0.1:3001/oauth2callback";
pub(crate) const EVENTS_SCOPE: &str = "https://www.googleapis.com/auth/calendar.events";
pub(crate) const LIST_SCOPE: &str =
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly";
pub(crate) const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-one-0123456789";
const INSERT: &str = "calendar.events.insert";
const PRIMARY: &str = "/calendar/v3/calendars/primary/events";
pub(crate) const EVENT_ID: &str = "0123456789abcdefv";

/// A simulator on a free port, with a clock that stands still.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    clock: Arc<ManualClock>,
    pub(crate) base: String,
    client: Client<HttpConnector, Full<Bytes>>,
    client_id: String,
    client_secret: String,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: HeaderMap,
    text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("a JSON body")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn reason(&self) -> String {
        self.json()["error"]["errors"][0]["reason"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-27T12:00:00Z".parse().unwrap()
}

fn tea() -> Value {
    json!({
        "summary": "Tea",
        "start": {"dateTime": "2026-04-01T10:00:00", "timeZone": "Europe/Lisbon"},
        "end": {"dateTime": "2026-04-01T11:00:00", "timeZone": "Europe/Lisbon"},
    })
}

fn tea_with(members: Value) -> Value {
    let mut body = tea();
    let Value::Object(members) = members else { panic!("members are an object") };
    body.as_object_mut().unwrap().extend(members);
    body
}

fn meet(request: &str) -> Value {
    json!({"createRequest": {"requestId": request, "conferenceSolutionKey": {"type": "hangoutsMeet"}}})
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::at(noon()));
        let client = settings.clients[0].clone();
        let simulator = Simulator::with_manual_clock(settings, clock.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(simulator.clone().serve(listener, stop.clone()));
        Self {
            simulator,
            clock,
            base,
            client: Client::builder(TokioExecutor::new()).build_http(),
            client_id: client.id,
            client_secret: client.secret,
            stop,
            tasks,
        }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Reply, String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body)).unwrap();
        let response = self.client.request(request).await.map_err(|error| error.to_string())?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, text })
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], String::new()).await.unwrap()
    }

    pub(crate) async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, path, &headers, form(fields)).await.unwrap()
    }

    pub(crate) async fn try_api(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<Reply, String> {
        let bearer = format!("Bearer {token}");
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send(
            method,
            path,
            &[("authorization", &bearer), ("content-type", "application/json")],
            text,
        )
        .await
    }

    pub(crate) async fn api(&self, token: &str, method: Method, path: &str, body: Value) -> Reply {
        self.try_api(token, method, path, body).await.unwrap()
    }

    pub(crate) fn consent_path(&self, extra: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut fields = vec![
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("state", "a state/with+signs"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let named = |name: &str| extra.iter().any(|(other, _)| *other == name);
        fields.retain(|(name, _)| !named(name));
        fields.extend_from_slice(extra);
        if !named("scope") {
            fields.push(("scope", "openid email https://www.googleapis.com/auth/calendar.events"));
        }
        format!("/o/oauth2/v2/auth?{}", form(&fields))
    }

    /// Where the browser is sent after `decision`.
    pub(crate) async fn decide(&self, path: &str, decision: &[(&str, &str)]) -> url::Url {
        let reply = self.post_form(path, decision).await;
        assert_eq!(reply.status, 302, "{}", reply.text);
        reply.header("location").parse().unwrap()
    }

    pub(crate) async fn code(&self, extra: &[(&str, &str)]) -> String {
        let path = self.consent_path(extra);
        let back = self.decide(&path, &[("decision", "allow"), ("user", "ana@example.com")]).await;
        parameter(&back, "code").expect("a code")
    }

    pub(crate) async fn exchange(&self, code: &str, verifier: &str) -> Reply {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
            ("redirect_uri", REDIRECT),
            ("code_verifier", verifier),
        ];
        self.post_form("/token", &fields).await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Reply {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
        ];
        self.post_form("/token", &fields).await
    }

    /// An access and a refresh token of ana's.
    pub(crate) async fn connect(&self) -> (String, String) {
        let code = self.code(&[("access_type", "offline"), ("prompt", "consent")]).await;
        let tokens = self.exchange(&code, VERIFIER).await.json();
        let text = |name: &str| tokens[name].as_str().expect(name).to_owned();
        (text("access_token"), text("refresh_token"))
    }

    /// An access token of this user's, for everything about calendars.
    pub(crate) async fn token_of(&self, user: &str) -> String {
        let scope = "openid https://www.googleapis.com/auth/calendar";
        let path = self.consent_path(&[("scope", scope)]);
        let back = self.decide(&path, &[("decision", "allow"), ("user", user)]).await;
        let code = parameter(&back, "code").expect("a code");
        let tokens = self.exchange(&code, VERIFIER).await.json();
        tokens["access_token"].as_str().expect("a token").to_owned()
    }

    /// Stops the simulator, which must end by itself.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

fn parameter(address: &url::Url, name: &str) -> Option<String> {
    address.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_code_is_exchanged_once_and_with_its_verifier_only() {
    let world = World::new().await;
    let code = world.code(&[("access_type", "offline")]).await;

    let wrong = world.exchange(&code, "another-verifier-that-is-long-enough-0123456789").await;
    assert_eq!((wrong.status, wrong.json()["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(wrong.json()["error_description"], "Invalid code verifier.");

    let right = world.exchange(&code, VERIFIER).await;
    assert_eq!(right.status, 200);
    assert_eq!(right.header("cache-control"), "no-cache, no-store, max-age=0, must-revalidate");
    let tokens = right.json();
    assert_eq!((&tokens["expires_in"], &tokens["token_type"]), (&json!(3599), &json!("Bearer")));
    assert_eq!(
        tokens["scope"],
        format!("{EVENTS_SCOPE} https://www.googleapis.com/auth/userinfo.email openid")
    );
    assert!(tokens["refresh_token"].as_str().unwrap().starts_with("1//"));

    let again = world.exchange(&code, VERIFIER).await;
    assert_eq!((again.status, again.json()["error"].as_str()), (400, Some("invalid_grant")));

    let plain =
        world.code(&[("code_challenge", VERIFIER), ("code_challenge_method", "plain")]).await;
    assert_eq!(
        world.exchange(&plain, "").await.json()["error_description"],
        "Missing code verifier."
    );
    assert_eq!(world.exchange(&plain, VERIFIER).await.status, 200);

    let late = world.code(&[]).await;
    world.clock.advance(TimeDelta::minutes(11));
    assert_eq!(world.exchange(&late, VERIFIER).await.json()["error"], "invalid_grant");
    world.end().await;
}

#[tokio::test]
async fn a_consent_comes_back_with_its_state_and_the_scopes_that_were_ticked() {
    let world = World::new().await;
    let wanted = format!("email {EVENTS_SCOPE} {LIST_SCOPE}");
    let path = world.consent_path(&[("scope", &wanted)]);
    let page = world.get(&path).await;
    assert_eq!(page.status, 200);
    for part in
        ["ana@example.com", "ben@example.com", EVENTS_SCOPE, LIST_SCOPE, "name=\"decision\""]
    {
        assert!(page.text.contains(part), "{part} is not on the page");
    }
    let decision = [
        ("decision", "allow"),
        ("user", "ben@example.com"),
        ("choose", "1"),
        ("scope", LIST_SCOPE),
    ];
    let back = world.decide(&path, &decision).await;
    assert!(back.as_str().starts_with(REDIRECT));
    assert_eq!(parameter(&back, "state").unwrap(), "a state/with+signs");
    let tokens = world.exchange(&parameter(&back, "code").unwrap(), VERIFIER).await.json();
    assert_eq!(
        tokens["scope"],
        format!("{LIST_SCOPE} https://www.googleapis.com/auth/userinfo.email openid")
    );

    let denied = world.decide(&path, &[("decision", "deny")]).await;
    assert_eq!(parameter(&denied, "error").unwrap(), "access_denied");
    assert_eq!(parameter(&denied, "state").unwrap(), "a state/with+signs");
    assert_eq!(parameter(&denied, "code"), None);
    world.end().await;
}

#[tokio::test]
async fn a_wrong_client_or_address_is_told_to_the_person_and_sent_nowhere() {
    let world = World::new().await;
    let wrong = [
        (
            world.consent_path(&[("redirect_uri", "http://127.0.0.1:3001/oauth2callback/")]),
            "redirect_uri_mismatch",
        ),
        (world.consent_path(&[("client_id", "nobody")]), "invalid_client"),
        (world.consent_path(&[("scope", "everything")]), "invalid_scope"),
    ];
    for (path, error) in wrong {
        let reply = world.get(&path).await;
        assert_eq!(reply.status, 400);
        assert!(
            reply.text.contains(error) && reply.header("content-type").starts_with("text/html")
        );
        assert_eq!(reply.header("location"), "");
        assert_eq!(world.post_form(&path, &[("decision", "allow")]).await.status, 400);
    }
    world.end().await;
}

#[tokio::test]
async fn a_refresh_token_comes_with_the_first_consent_or_a_forced_one() {
    let world = World::new().await;
    let given = async |extra: &[(&str, &str)]| {
        let code = world.code(extra).await;
        world.exchange(&code, VERIFIER).await.json()["refresh_token"].is_string()
    };
    assert!(!given(&[]).await);
    assert!(given(&[("access_type", "offline")]).await);
    assert!(!given(&[("access_type", "offline")]).await);
    assert!(given(&[("access_type", "offline"), ("prompt", "consent")]).await);
    let more = [("scope", LIST_SCOPE), ("include_granted_scopes", "true")];
    let code = world.code(&more).await;
    let scope = world.exchange(&code, VERIFIER).await.json()["scope"].as_str().unwrap().to_owned();
    assert!(scope.contains(LIST_SCOPE) && scope.contains(EVENTS_SCOPE), "{scope}");
    world.simulator.revoke_grants("ana@example.com");
    assert!(given(&[("access_type", "offline")]).await);
    world.end().await;
}

#[tokio::test]
async fn a_refresh_brings_a_new_access_token_and_keeps_the_refresh_token() {
    let world = World::new().await;
    let (access, refresh) = world.connect().await;
    world.clock.advance(TimeDelta::seconds(3599));
    let expired = world.api(&access, Method::GET, PRIMARY, Value::Null).await;
    assert_eq!((expired.status, expired.reason().as_str()), (401, "authError"));
    assert!(
        expired
            .header("www-authenticate")
            .starts_with("Bearer realm=\"https://accounts.google.com/\"")
    );

    let fresh = world.refresh(&refresh).await.json();
    assert!(fresh["refresh_token"].is_null());
    let access = fresh["access_token"].as_str().unwrap().to_owned();
    assert_eq!(world.api(&access, Method::GET, PRIMARY, Value::Null).await.status, 200);
    assert_eq!(world.simulator.token_calls("refresh_token"), 1);

    let who = world.api(&access, Method::GET, "/v1/userinfo", Value::Null).await.json();
    assert_eq!((&who["email"], &who["email_verified"]), (&json!("ana@example.com"), &json!(true)));
    assert_eq!(who["sub"].as_str().unwrap().len(), 21);

    let wrong = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &refresh),
        ("client_id", &world.client_id),
        ("client_secret", "wrong"),
    ];
    let refused = world.post_form("/token", &wrong).await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("invalid_client")));
    assert_eq!(world.refresh(&refresh).await.status, 200, "a wrong secret costs no grant");
    world.end().await;
}

#[tokio::test]
async fn a_client_may_name_itself_by_http_basic() {
    let world = World::new().await;
    let (_, refresh) = world.connect().await;
    let pair = format!("{}:{}", world.client_id, world.client_secret);
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let body = form(&[("grant_type", "refresh_token"), ("refresh_token", &refresh)]);
    let reply =
        world.send(Method::POST, "/token", &[("authorization", &basic)], body).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
    world.end().await;
}

#[tokio::test]
async fn revoking_one_token_ends_the_whole_grant() {
    let world = World::new().await;
    for by_query in [false, true] {
        let (access, refresh) = world.connect().await;
        let reply = if by_query {
            world.post_form(&format!("/revoke?token={refresh}"), &[]).await
        } else {
            world.post_form("/revoke", &[("token", &refresh)]).await
        };
        assert_eq!(reply.status, 200);
        assert_eq!(world.api(&access, Method::GET, PRIMARY, Value::Null).await.status, 401);
        let dead = world.refresh(&refresh).await;
        assert_eq!((dead.status, dead.json()["error"].as_str()), (400, Some("invalid_grant")));
        assert_eq!(dead.json()["error_description"], "Token has been expired or revoked.");
        let again = world.post_form("/revoke", &[("token", &refresh)]).await;
        assert_eq!((again.status, again.json()["error"].as_str()), (400, Some("invalid_token")));
    }
    world.end().await;
}

#[tokio::test]
async fn an_event_is_shown_as_google_shows_it() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    let body = tea_with(json!({
        "id": EVENT_ID,
        "description": "",
        "attendees": [{"email": "guest@example.net"}],
        "extendedProperties": {"private": {"stamp": "1", "x".repeat(45): "dropped"}},
    }));
    let path = format!("{PRIMARY}?sendUpdates=all");
    let reply = world.api(&access, Method::POST, &path, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let event = reply.json();
    let version = noon().timestamp_micros() * 2;
    let link = URL_SAFE_NO_PAD.encode(format!("{EVENT_ID} ana@example.com"));
    let expected = json!({
        "kind": "calendar#event",
        "etag": format!("\"{version}\""),
        "id": EVENT_ID,
        "status": "confirmed",
        "htmlLink": format!("{}/calendar/event?eid={link}", world.base),
        "created": "2026-03-27T12:00:00.000Z",
        "updated": "2026-03-27T12:00:00.000Z",
        "summary": "Tea",
        "creator": {"email": "ana@example.com", "self": true},
        "organizer": {"email": "ana@example.com", "self": true},
        "start": {"dateTime": "2026-04-01T10:00:00+01:00", "timeZone": "Europe/Lisbon"},
        "end": {"dateTime": "2026-04-01T11:00:00+01:00", "timeZone": "Europe/Lisbon"},
        "iCalUID": format!("{EVENT_ID}@google.com"),
        "sequence": 0,
        "attendees": [{"email": "guest@example.net", "responseStatus": "needsAction"}],
        "extendedProperties": {"private": {"stamp": "1"}},
        "reminders": {"useDefault": true},
        "eventType": "default",
    });
    assert_eq!(event, expected);
    let mails: Vec<_> =
        world.simulator.outbox().into_iter().map(|mail| (mail.to, mail.kind)).collect();
    assert_eq!(mails, [("guest@example.net".to_owned(), "invitation")]);
    assert_eq!(world.simulator.events("ana@example.com")[0]["summary"], "Tea");

    let path = event["htmlLink"].as_str().unwrap().strip_prefix(&world.base).unwrap().to_owned();
    for page in ["/", "/calendar/ana@example.com", &path] {
        let shown = world.get(page).await;
        assert!(shown.status == 200 && shown.text.contains("Tea"), "{page}: {}", shown.text);
    }
    world.end().await;
}

#[tokio::test]
async fn an_id_is_taken_for_ever_and_a_deleted_event_leaves_a_tombstone() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    let item = format!("{PRIMARY}/{EVENT_ID}");
    let named = || tea_with(json!({"id": EVENT_ID}));
    assert_eq!(world.api(&access, Method::GET, &item, Value::Null).await.reason(), "notFound");
    assert_eq!(world.api(&access, Method::POST, PRIMARY, named()).await.status, 200);
    let twice = world.api(&access, Method::POST, PRIMARY, named()).await;
    assert_eq!((twice.status, twice.reason().as_str()), (409, "duplicate"));

    assert_eq!(world.api(&access, Method::DELETE, &item, Value::Null).await.status, 204);
    let gone = world.api(&access, Method::DELETE, &item, Value::Null).await;
    assert_eq!((gone.status, gone.reason().as_str()), (410, "deleted"));
    let tombstone = world.api(&access, Method::GET, &item, Value::Null).await;
    assert_eq!((tombstone.status, &tombstone.json()["status"]), (200, &json!("cancelled")));
    assert_eq!(world.api(&access, Method::POST, PRIMARY, named()).await.status, 409);
    assert!(world.simulator.events("ana@example.com").is_empty());

    let revived = world.api(&access, Method::PATCH, &item, json!({"status": "confirmed"})).await;
    assert_eq!(revived.json()["status"], "confirmed");
    assert_eq!(world.simulator.events("ana@example.com").len(), 1);

    for id in ["abc", "UPPERCASE", "has-dashes", "wxyz01"] {
        let refused = world.api(&access, Method::POST, PRIMARY, tea_with(json!({"id": id}))).await;
        assert_eq!((refused.status, refused.reason().as_str()), (400, "invalid"), "{id}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_patch_merges_and_minds_the_version_it_was_made_for() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    let body = tea_with(json!({
        "id": EVENT_ID, "location": "Kitchen",
        "attendees": [{"email": "one@example.net"}, {"email": "two@example.net"}],
        "extendedProperties": {"private": {"a": "1", "b": "2"}},
    }));
    let first = world.api(&access, Method::POST, PRIMARY, body).await.json();
    let item = format!("{PRIMARY}/{EVENT_ID}");
    let change = json!({
        "location": null,
        "attendees": [{"email": "two@example.net"}],
        "extendedProperties": {"private": {"a": null, "c": "3"}},
        "end": {"dateTime": "2026-04-01T12:00:00+01:00"},
    });
    let second = world.api(&access, Method::PATCH, &item, change).await.json();
    assert_eq!(second["summary"], "Tea");
    assert_eq!(second["location"], Value::Null);
    assert_eq!(
        second["attendees"],
        json!([{"email": "two@example.net", "responseStatus": "needsAction"}])
    );
    assert_eq!(second["extendedProperties"], json!({"private": {"b": "2", "c": "3"}}));
    assert_eq!(second["sequence"], 1);
    assert_ne!(second["etag"], first["etag"], "also on a clock that stands still");

    let bearer = format!("Bearer {access}");
    let stale = [("authorization", bearer.as_str()), ("if-match", first["etag"].as_str().unwrap())];
    let body = json!({"summary": "Coffee"}).to_string();
    let refused = world.send(Method::PATCH, &item, &stale, body.clone()).await.unwrap();
    assert_eq!((refused.status, refused.reason().as_str()), (412, "conditionNotMet"));
    let fresh =
        [("authorization", bearer.as_str()), ("if-match", second["etag"].as_str().unwrap())];
    assert_eq!(
        world.send(Method::PATCH, &item, &fresh, body).await.unwrap().json()["summary"],
        "Coffee"
    );
    world.end().await;
}

#[tokio::test]
async fn a_bad_event_is_refused_in_googles_words() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    let cases = [
        (json!({"end": null}), "required", "Missing end time."),
        (
            json!({"start": {"dateTime": "2026-04-01T10:00:00"}}),
            "required",
            "Missing time zone definition for start time.",
        ),
        (
            json!({"start": {"dateTime": "2026-04-02T10:00:00Z"}}),
            "timeRangeEmpty",
            "The specified time range is empty.",
        ),
        (json!({"attendees": [{"email": "nobody"}]}), "invalid", "Invalid attendee email."),
    ];
    for (members, reason, message) in cases {
        let reply = world.api(&access, Method::POST, PRIMARY, tea_with(members)).await;
        assert_eq!((reply.status, reply.reason().as_str()), (400, reason));
        assert_eq!(reply.json()["error"]["message"], message);
    }
    let broken = world.api(&access, Method::POST, PRIMARY, json!("no event")).await;
    assert_eq!((broken.status, broken.reason().as_str()), (400, "parseError"));
    assert!(world.simulator.events("ana@example.com").is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_lost_answer_commits_and_cuts() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    world.simulator.add_fault(Fault::new(FaultKind::LostAnswer).times(1).method(INSERT));
    let body = tea_with(json!({"id": EVENT_ID}));
    world
        .try_api(&access, Method::POST, PRIMARY, body.clone())
        .await
        .map(|reply| reply.status)
        .unwrap_err();
    assert_eq!(world.simulator.events("ana@example.com").len(), 1);
    let entry = world.simulator.ledger().pop().unwrap();
    assert_eq!((entry.method, entry.answered, entry.committed), (INSERT, Answered::Cut, true));
    assert_eq!((entry.event.as_deref(), entry.faults), (Some(EVENT_ID), vec!["lost_answer"]));
    assert_eq!(world.api(&access, Method::POST, PRIMARY, body).await.status, 409);
    assert!(world.simulator.unused_faults().is_empty());
    world.end().await;
}

#[tokio::test]
async fn an_answer_cut_short_breaks_inside_its_body() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    world.simulator.add_fault(Fault::new(FaultKind::Truncated).times(1));
    let bearer = format!("Bearer {access}");
    let request = Request::get(format!("{}{PRIMARY}", world.base)).header("authorization", bearer);
    let response = world.client.request(request.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect().await.is_err());

    world.simulator.add_fault(Fault::new(FaultKind::CutBefore).times(1).after(1));
    assert_eq!(world.api(&access, Method::POST, PRIMARY, tea()).await.status, 200);
    assert!(world.try_api(&access, Method::POST, PRIMARY, tea()).await.is_err());
    assert_eq!(world.simulator.events("ana@example.com").len(), 1);
    world.end().await;
}

#[tokio::test]
async fn rate_limits_are_told_in_googles_shape() {
    let mut settings = Settings::default();
    settings.quota.per_user_per_minute = 4;
    let world = World::with(settings).await;
    let (access, _) = world.connect().await;
    world.simulator.add_fault(Fault::new(FaultKind::RateLimited).times(1).retry_after(7));
    let refused = world.api(&access, Method::GET, PRIMARY, Value::Null).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "7"));
    let body = json!({"error": {
        "errors": [{"domain": "usageLimits", "reason": "rateLimitExceeded", "message": "Rate Limit Exceeded"}],
        "code": 429,
        "message": "Rate Limit Exceeded",
    }});
    assert_eq!(refused.json(), body);

    let created = world.api(&access, Method::POST, PRIMARY, tea()).await.json();
    let item = format!("{PRIMARY}/{}", created["id"].as_str().unwrap());
    assert_eq!(
        world
            .api(&access, Method::PATCH, &item, json!({"summary": "A patch costs three"}))
            .await
            .status,
        200
    );
    let over = world.api(&access, Method::GET, PRIMARY, Value::Null).await;
    assert_eq!((over.status, over.reason().as_str()), (403, "userRateLimitExceeded"));
    world.clock.advance(TimeDelta::seconds(60));
    assert_eq!(world.api(&access, Method::GET, PRIMARY, Value::Null).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_meet_link_comes_at_once_later_or_never() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    let path = format!("{PRIMARY}?conferenceDataVersion=1");
    let create = async |request: &str| {
        world
            .api(&access, Method::POST, &path, tea_with(json!({"conferenceData": meet(request)})))
            .await
            .json()
    };
    let at_once = create("first").await;
    let link = at_once["hangoutLink"].as_str().unwrap();
    let code = link.strip_prefix("https://meet.google.com/").unwrap();
    assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [3, 4, 3]);
    let data = &at_once["conferenceData"];
    assert_eq!(
        (&data["conferenceId"], &data["entryPoints"][0]["uri"]),
        (&json!(code), &json!(link))
    );

    let item = format!("{PRIMARY}/{}?conferenceDataVersion=1", at_once["id"].as_str().unwrap());
    let same = world
        .api(&access, Method::PATCH, &item, json!({"conferenceData": meet("first")}))
        .await
        .json();
    assert_eq!(same["hangoutLink"], link);
    let other = world
        .api(&access, Method::PATCH, &item, json!({"conferenceData": meet("second")}))
        .await
        .json();
    assert_ne!(other["hangoutLink"], link);

    world.simulator.add_fault(Fault::new(FaultKind::MeetPending).times(1).secs(30));
    let pending = create("slow").await;
    assert!(pending["hangoutLink"].is_null() && pending["conferenceData"]["entryPoints"].is_null());
    assert_eq!(pending["conferenceData"]["createRequest"]["status"]["statusCode"], "pending");
    let item = format!("{PRIMARY}/{}", pending["id"].as_str().unwrap());
    world.clock.advance(TimeDelta::seconds(29));
    assert!(
        world.api(&access, Method::GET, &item, Value::Null).await.json()["hangoutLink"].is_null()
    );
    world.clock.advance(TimeDelta::seconds(1));
    let ready = world.api(&access, Method::GET, &item, Value::Null).await.json();
    assert!(ready["hangoutLink"].is_string());
    assert_ne!(ready["etag"], pending["etag"]);

    world.simulator.add_fault(Fault::new(FaultKind::MeetFailure).times(1));
    let failed = create("never").await;
    assert_eq!(failed["conferenceData"]["createRequest"]["status"]["statusCode"], "failure");
    assert!(failed["hangoutLink"].is_null());

    let ignored = world
        .api(&access, Method::POST, PRIMARY, tea_with(json!({"conferenceData": meet("v0")})))
        .await;
    assert!(ignored.json()["conferenceData"].is_null());
    world.end().await;
}

#[tokio::test]
async fn a_token_without_the_scope_is_refused_in_both_shapes() {
    let world = World::new().await;
    let code = world.code(&[("scope", EVENTS_SCOPE)]).await;
    let tokens = world.exchange(&code, VERIFIER).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    let refused = world
        .api(access, Method::GET, "/calendar/v3/users/me/calendarList/primary", Value::Null)
        .await;
    assert_eq!((refused.status, refused.reason().as_str()), (403, "insufficientPermissions"));
    let error = &refused.json()["error"];
    assert_eq!(error["status"], "PERMISSION_DENIED");
    assert_eq!(error["details"][0]["reason"], "ACCESS_TOKEN_SCOPE_INSUFFICIENT");

    let code = world.code(&[("scope", LIST_SCOPE)]).await;
    let tokens = world.exchange(&code, VERIFIER).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    let entry = world
        .api(access, Method::GET, "/calendar/v3/users/me/calendarList/primary", Value::Null)
        .await
        .json();
    assert_eq!(entry["id"], "ana@example.com");
    assert_eq!(
        entry["conferenceProperties"]["allowedConferenceSolutionTypes"],
        json!(["hangoutsMeet"])
    );
    let refused = world.api(access, Method::POST, PRIMARY, tea()).await;
    assert_eq!(refused.status, 403);
    world.end().await;
}

#[tokio::test]
async fn lists_are_paged_and_found_by_private_property() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    for number in 0..5 {
        let body = tea_with(json!({"extendedProperties": {"private": {"n": number.to_string()}}}));
        assert_eq!(world.api(&access, Method::POST, PRIMARY, body).await.status, 200);
    }
    let mut seen = Vec::new();
    let mut path = format!("{PRIMARY}?maxResults=2");
    loop {
        let page = world.api(&access, Method::GET, &path, Value::Null).await.json();
        let items = page["items"].as_array().unwrap();
        seen.extend(
            items.iter().map(|item| {
                item["extendedProperties"]["private"]["n"].as_str().unwrap().to_owned()
            }),
        );
        let Some(next) = page["nextPageToken"].as_str() else { break };
        path = format!("{PRIMARY}?maxResults=2&pageToken={next}");
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4"]);
    let path = format!("{PRIMARY}?privateExtendedProperty=n%3D3");
    let found = world.api(&access, Method::GET, &path, Value::Null).await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);

    let id = found["items"][0]["id"].as_str().unwrap();
    assert!(world.simulator.remove_event("ana@example.com", id));
    let count = async |query: &str| {
        let path = format!("{PRIMARY}?privateExtendedProperty=n%3D3{query}");
        world.api(&access, Method::GET, &path, Value::Null).await.json()["items"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((count("").await, count("&showDeleted=true").await), (0, 1));
    world.end().await;
}

#[tokio::test]
async fn the_token_endpoint_can_fail_and_a_grant_can_die() {
    let world = World::new().await;
    let (_, refresh) = world.connect().await;
    world.simulator.add_fault(Fault::new(FaultKind::TokenEndpointError).times(1));
    world.simulator.add_fault(Fault::new(FaultKind::InvalidClient).times(1));
    world.simulator.add_fault(Fault::new(FaultKind::ScopesNarrowed).times(1));
    world.simulator.add_fault(Fault::new(FaultKind::GrantRevoked).user("ana@example.com").times(1));
    let mut answers = Vec::new();
    for _ in 0..4 {
        let reply = world.refresh(&refresh).await;
        let told = reply.json();
        let said = told["error"].as_str().or(told["scope"].as_str()).unwrap().to_owned();
        answers.push((reply.status, said));
    }
    let expected = [
        (500, "internal_failure"),
        (401, "invalid_client"),
        (200, "https://www.googleapis.com/auth/userinfo.email openid"),
        (400, "invalid_grant"),
    ];
    assert_eq!(answers, expected.map(|(status, said)| (status, said.to_owned())));
    world.end().await;
}

#[tokio::test]
async fn a_slow_answer_waits_on_the_clock() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    world.simulator.add_fault(Fault::new(FaultKind::Slow).times(1).secs(20));
    let call = world.api(&access, Method::POST, PRIMARY, tea());
    let turn = async {
        while world.clock.next_waited_for().is_none() {
            tokio::task::yield_now().await;
        }
        assert!(world.simulator.events("ana@example.com").is_empty());
        world.clock.advance(TimeDelta::seconds(20));
    };
    let (reply, ()) = tokio::join!(call, turn);
    assert_eq!(reply.status, 200);
    let entry = world.simulator.ledger().pop().unwrap();
    assert_eq!((entry.time, entry.faults), (noon() + TimeDelta::seconds(20), vec!["slow"]));

    world.simulator.add_fault(Fault::new(FaultKind::Hang).times(1));
    let stop = world.stop.clone();
    let hanging = world.try_api(&access, Method::GET, PRIMARY, Value::Null);
    let turn = async {
        while !world.simulator.unused_faults().is_empty() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (reply, ()) = tokio::join!(hanging, turn);
    assert!(reply.is_err(), "a call that hangs is cut at the stop");
    world.end().await;
}

#[tokio::test]
async fn a_script_moves_the_clock_and_arms_faults() {
    let world = World::new().await;
    let (access, refresh) = world.connect().await;
    let fault = json!([{"fault": "server_error", "times": 1}, {"fault": "meet_pending", "for_secs": 9, "times": 1}]);
    let post = async |path: &str, body: Value| {
        world.send(Method::POST, path, &[], body.to_string()).await.unwrap()
    };
    assert_eq!(post("/simulator/faults", fault).await.status, 200);
    let failed = world.api(&access, Method::GET, PRIMARY, Value::Null).await;
    assert_eq!((failed.status, failed.reason().as_str()), (500, "backendError"));
    assert_eq!(world.simulator.unused_faults().len(), 1);
    assert_eq!(
        world.send(Method::DELETE, "/simulator/faults", &[], String::new()).await.unwrap().status,
        204
    );
    assert!(world.simulator.unused_faults().is_empty());
    let unknown = post("/simulator/faults", json!({"fault": "meteorite"})).await;
    assert!(unknown.status == 400 && unknown.text.contains("meteorite"));

    assert_eq!(post("/simulator/clock", json!({"advance_secs": 60})).await.status, 200);
    assert_eq!(world.clock.now(), noon() + TimeDelta::seconds(60));
    assert_eq!(post("/simulator/expire", json!({"access_tokens": true})).await.status, 204);
    assert_eq!(world.api(&access, Method::GET, PRIMARY, Value::Null).await.status, 401);
    assert_eq!(world.refresh(&refresh).await.status, 200);

    let ledger = world.get("/simulator/ledger").await;
    let methods: Vec<Value> = ledger.json()["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["method"].clone())
        .collect();
    assert_eq!(methods, ["auth", "token", "calendar.events.list", "calendar.events.list", "token"]);
    assert!(!ledger.text.contains(&access) && !ledger.text.contains(&refresh));
    assert_eq!(post("/simulator/reset", Value::Null).await.status, 204);
    assert!(world.simulator.ledger().is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_foreign_event_holds_an_id() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    world.simulator.put_foreign_event("ana@example.com", EVENT_ID, "Dentist");
    assert_eq!(
        world.api(&access, Method::POST, PRIMARY, tea_with(json!({"id": EVENT_ID}))).await.status,
        409
    );
    let found =
        world.api(&access, Method::GET, &format!("{PRIMARY}/{EVENT_ID}"), Value::Null).await.json();
    assert_eq!(
        (&found["summary"], &found["extendedProperties"]),
        (&json!("Dentist"), &Value::Null)
    );
    world.end().await;
}

#[tokio::test]
async fn a_stale_read_shows_what_was_there_before() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    assert_eq!(
        world.api(&access, Method::POST, PRIMARY, tea_with(json!({"id": EVENT_ID}))).await.status,
        200
    );
    let item = format!("{PRIMARY}/{EVENT_ID}");
    world.simulator.add_fault(Fault::new(FaultKind::StaleRead).secs(10).times(3));
    let summary = async || {
        let reply = world.api(&access, Method::GET, &item, Value::Null).await;
        (reply.status, reply.json()["summary"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(summary().await.0, 404, "as it was before the insert");
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(
        world.api(&access, Method::PATCH, &item, json!({"summary": "Coffee"})).await.status,
        200
    );
    assert_eq!(summary().await, (200, "Tea".to_owned()));
    world.clock.advance(TimeDelta::seconds(11));
    assert_eq!(summary().await, (200, "Coffee".to_owned()), "the change is old enough");
    world.end().await;
}

#[tokio::test]
async fn the_same_seed_and_calls_bring_the_same_bytes() {
    let history = async |seed: u64| {
        let world = World::with(Settings { seed, ..Settings::default() }).await;
        world.simulator.set_base_address("http://google.test");
        let (access, refresh) = world.connect().await;
        world.simulator.add_fault(Fault::new(FaultKind::ServerError).probability(0.5));
        let path = format!("{PRIMARY}?conferenceDataVersion=1");
        let mut bytes = access.clone() + &refresh;
        for turn in 0..12 {
            let body = tea_with(json!({"conferenceData": meet(&turn.to_string())}));
            bytes += &world.api(&access, Method::POST, &path, body).await.text;
        }
        let made = world.simulator.events("ana@example.com").len();
        world.end().await;
        (bytes, made)
    };
    let (first, made) = history(7).await;
    assert_eq!(history(7).await, (first.clone(), made));
    assert_ne!(history(8).await.0, first);
    assert!(
        (1..12).contains(&made),
        "half of twelve calls fail, more or less: {made} went through"
    );
}

#[test]
fn a_seed_file_is_read_and_its_faults_named() {
    let text = "
        seed = 9
        [[user]]
        email = 'cleo@example.com'
        name = 'Cleo'
        time_zone = 'Asia/Kolkata'
        [[client]]
        id = 'one'
        secret = 'two'
        redirect_uris = ['http://localhost:1/back']
        [quota]
        per_user_per_minute = 5
        [clock]
        mode = 'fixed'
        start = '2026-01-01T00:00:00Z'
    ";
    let settings = Settings::from_toml(text).unwrap();
    assert_eq!(
        (settings.users[0].email.as_str(), settings.clients[0].id.as_str()),
        ("cleo@example.com", "one")
    );
    assert_eq!(
        (settings.quota.per_user_per_minute, settings.quota.per_project_per_minute),
        (5, 10_000)
    );
    assert!(!format!("{settings:?}").contains("two"), "the secret is not shown");
    let faults = [
        ("[[user]]\nemail = 'nobody'", "user[0].email"),
        ("[[user]]\nemail = 'a@b.c'\ntime_zone = 'Mars/North'", "user[0].time_zone"),
        (
            "[[client]]\nid = 'one'\nsecret = 's'\nredirect_uris = ['nowhere']",
            "client[0].redirect_uris",
        ),
        ("[quota]\nper_user_per_minute = 'many'", "quota.per_user_per_minute"),
        ("[clock]\nmode = 'backwards'", "clock.mode"),
        ("[qota]", "qota"),
    ];
    for (text, key) in faults {
        let told = Settings::from_toml(text).unwrap_err().to_string();
        assert!(told.contains(key), "{key} is not named in: {told}");
    }
}

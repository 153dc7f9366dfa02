//! The room that knows Google against the simulated Google: two readings of one manual agree.

use std::sync::Arc;
use std::time::Duration;

use calbridge::clock::{ManualClock, SystemClock};
use calbridge::google::events::{Shown, changed_members, conference_request, new_members};
use calbridge::google::{
    AccessToken, Conference, Endpoints, Events, Failure, Google, OauthClient, Stamp, Verdict, Wires,
};
use calbridge::model::event::{Content, Guest, Meeting, Notify};
use calbridge::model::id::{EventId, GoogleId};
use calbridge::model::timing::Timing;
use calbridge::model::when::{Dst, Moment, Span};
use calbridge::simulator::{Fault, FaultKind, Settings, Simulator};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::wire::plenty;

const REDIRECT: &str = "http://127.0.0.1:3001/oauth2callback";
const ANA: &str = "ana@example.com";
const SCOPES: [&str; 4] = [
    "openid",
    "email",
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
];
const ID: GoogleId = GoogleId::from_u128(7);

struct World {
    simulator: Simulator,
    google: Google,
    client: OauthClient,
    _tasks: JoinSet<()>,
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::at("2026-03-27T12:00:00Z".parse().unwrap());
        let simulator = Simulator::with_manual_clock(Settings::default(), Arc::new(clock));
        simulator.allow_redirect(REDIRECT);
        let client = OauthClient::read(&simulator.credentials_json(REDIRECT)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let at = |path: &str| format!("{base}{path}").parse().unwrap();
        let endpoints = Endpoints {
            consent: at("/o/oauth2/v2/auth"),
            token: at("/token"),
            revoke: at("/revoke"),
            userinfo: at("/v1/userinfo"),
            api: at("/"),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(simulator.clone().serve(listener, CancellationToken::new()));
        let google = Google::new(
            endpoints,
            Wires::Network,
            Duration::from_secs(20),
            Arc::new(SystemClock),
            plenty(),
        );
        Self { simulator, google, client, _tasks: tasks }
    }

    /// Consents as ana would, and comes back with a code.
    async fn consent(&self, verifier: &SecretString) -> SecretString {
        use hyper_util::client::legacy::Client;
        let asked =
            self.google.consent_url(&self.client, REDIRECT, &SCOPES, "STATE", verifier, Some(ANA));
        let request = hyper::Request::post(asked)
            .header("content-type", "application/x-www-form-urlencoded")
            .body("decision=allow".to_owned())
            .unwrap();
        let answer = Client::builder(hyper_util::rt::TokioExecutor::new())
            .build_http::<String>()
            .request(request)
            .await
            .unwrap();
        assert_eq!(answer.status(), 302);
        let back: url::Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").expect("a code").1;
        SecretString::from(code.into_owned())
    }

    async fn connect(&self) -> (AccessToken, SecretString) {
        let verifier = SecretString::from("v".repeat(43));
        let code = self.consent(&verifier).await;
        let grant = self.google.exchange(&self.client, REDIRECT, &code, &verifier).await.unwrap();
        assert_eq!(grant.scopes.len(), SCOPES.len(), "{:?}", grant.scopes);
        (grant.access, grant.refresh_token.expect("it was asked for"))
    }
}

fn content(summary: &str, guests: &[&str]) -> Content {
    let zone = Some(("zone", "Europe/Prague"));
    let at = |instant: &str| Moment::read("start", instant, zone, Dst::Compatible).unwrap();
    let span = Span::new(at("2026-07-01T07:00:00Z"), at("2026-07-01T08:00:00Z")).unwrap();
    Content {
        description: "With biscuits".into(),
        guests: guests.iter().copied().map(Guest::new).collect(),
        meeting: Meeting::Meet,
        ..Content::new(ANA, summary, Timing::Span(span))
    }
}

fn stamp(fingerprint: u8) -> Stamp {
    let event = EventId::from_u128(5);
    Stamp { event, namespace: "https://cal.example".into(), fingerprint: [fingerprint; 16] }
}

async fn insert(events: Events<'_>, tea: &Content) -> Result<calbridge::google::Copy, Failure> {
    let members = new_members(tea, &stamp(1), &[], Some("try-1"), Shown::AsConference);
    events.insert(ID, members, Notify::None).await
}

#[tokio::test]
async fn an_account_is_connected_refreshed_and_given_back() {
    let world = World::new().await;
    let (access, refresh_token) = world.connect().await;
    assert_eq!(world.google.account(&access).await.unwrap().email.as_deref(), Some(ANA));
    assert_eq!(world.google.primary(&access).await.unwrap(), ANA);

    let (again, scopes) = world.google.refresh(&world.client, &refresh_token).await.unwrap();
    assert_ne!(again.token.expose_secret(), access.token.expose_secret());
    assert_eq!(scopes.unwrap().len(), SCOPES.len());

    let mut wrong = world.client.clone();
    wrong.secret = SecretString::from("wrong");
    let failure = world.google.refresh(&wrong, &refresh_token).await.unwrap_err();
    assert_eq!(failure.verdict, Verdict::Operator);

    world.simulator.expire_access_tokens();
    let failure = world.google.primary(&again).await.unwrap_err();
    assert_eq!(failure.verdict, Verdict::TokenRejected);

    world.google.revoke(&refresh_token).await.unwrap();
    world.google.revoke(&refresh_token).await.expect("what is gone is gone");
    let failure = world.google.refresh(&world.client, &refresh_token).await.unwrap_err();
    assert_eq!(failure.verdict, Verdict::GrantDead);
}

#[tokio::test]
async fn an_event_lives_its_life() {
    let world = World::new().await;
    let (access, _) = world.connect().await;
    let events = world.google.events(&access, ANA);
    let tea = content("Tea", &["bob@example.com"]);
    let made = insert(events, &tea).await.unwrap();
    assert_eq!(made.id, ID.to_string());
    assert_eq!(made.stamp, Some(stamp(1)));
    assert!(matches!(&made.conference, Conference::Ready(link) if link.contains("meet")));
    let twin = insert(events, &tea).await.unwrap_err();
    assert_eq!(twin.verdict, Verdict::Duplicate);
    assert_eq!(events.get(ID).await.unwrap(), made);

    let later = Content { description: String::new(), ..content("Late tea", &["eve@example.com"]) };
    let later = later.following(&tea, true);
    let change = changed_members(&later, &stamp(2), &made, None, Shown::AsConference);
    let stale = events.patch(ID, change.clone(), Some("\"1\""), Notify::None).await.unwrap_err();
    assert_eq!(stale.verdict, Verdict::PreconditionFailed);
    let changed = events.patch(ID, change, made.etag.as_deref(), Notify::None).await.unwrap();
    assert_eq!(changed.stamp, Some(stamp(2)));
    assert_eq!(changed.conference, made.conference, "the link that was handed out stays");
    let emails: Vec<&Value> = changed.attendees.iter().map(|guest| &guest["email"]).collect();
    assert_eq!(emails, ["eve@example.com"]);
    let seen = &world.simulator.events(ANA)[0];
    assert_eq!(seen["summary"], "Late tea");
    assert!(seen.get("description").is_none(), "null clears: {seen}");

    events.delete(ID, Notify::None).await.unwrap();
    assert_eq!(events.delete(ID, Notify::None).await.unwrap_err().verdict, Verdict::Gone);
    assert!(events.get(ID).await.unwrap().cancelled);
    let Value::Object(revive) = json!({ "status": "confirmed" }) else { unreachable!() };
    assert!(!events.patch(ID, revive, None, Notify::None).await.unwrap().cancelled);
    let none = events.get(GoogleId::from_u128(8)).await.unwrap_err();
    assert_eq!(none.verdict, Verdict::NotFound);
}

#[tokio::test]
async fn every_fault_has_its_verdict() {
    for (kind, verdict) in [
        (FaultKind::RateLimited, Verdict::RateProject),
        (FaultKind::UserRateLimited, Verdict::RateUser),
        (FaultKind::QuotaExceeded, Verdict::QuotaExceeded),
        (FaultKind::ServerError, Verdict::Outage),
        (FaultKind::LostAnswer, Verdict::Unknown),
        (FaultKind::CutBefore, Verdict::Unknown),
        (FaultKind::Truncated, Verdict::Unknown),
        (FaultKind::HtmlError, Verdict::Outage),
        (FaultKind::GrantRevoked, Verdict::TokenRejected),
        (FaultKind::ApiDisabled, Verdict::Operator),
        (FaultKind::CalendarForbidden, Verdict::Refused),
    ] {
        let world = World::new().await;
        let (access, _) = world.connect().await;
        world.simulator.add_fault(Fault::new(kind));
        let events = world.google.events(&access, ANA);
        let failure = insert(events, &content("Tea", &[])).await.unwrap_err();
        assert_eq!(failure.verdict, verdict, "{kind:?}: {failure:?}");
        let committed = matches!(kind, FaultKind::LostAnswer | FaultKind::Truncated);
        assert_eq!(world.simulator.events(ANA).len(), usize::from(committed), "{kind:?}");
        assert!(world.simulator.unused_faults().is_empty(), "{kind:?}");
    }
    for (kind, verdict) in [
        (FaultKind::TokenEndpointError, Verdict::Outage),
        (FaultKind::InvalidClient, Verdict::Operator),
        (FaultKind::GrantRevoked, Verdict::GrantDead),
    ] {
        let world = World::new().await;
        let (_, refresh_token) = world.connect().await;
        world.simulator.add_fault(Fault::new(kind));
        let failure = world.google.refresh(&world.client, &refresh_token).await.unwrap_err();
        assert_eq!(failure.verdict, verdict, "{kind:?}: {failure:?}");
    }
}

#[tokio::test]
async fn a_meeting_may_take_its_time_or_fail_and_be_asked_for_again() {
    for (kind, pending) in [(FaultKind::MeetPending, true), (FaultKind::MeetFailure, false)] {
        let world = World::new().await;
        let (access, _) = world.connect().await;
        world.simulator.add_fault(Fault::new(kind).times(1));
        let events = world.google.events(&access, ANA);
        let made = insert(events, &content("Tea", &[])).await.unwrap();
        if pending {
            assert_eq!(made.conference, Conference::Pending);
            continue;
        }
        assert!(matches!(made.conference, Conference::Failed(_)), "{made:?}");
        let mut again = Map::new();
        again.insert("conferenceData".into(), conference_request("try-2"));
        let asked = events.patch(ID, again, None, Notify::None).await.unwrap();
        assert!(matches!(asked.conference, Conference::Ready(_)), "{asked:?}");
    }
}

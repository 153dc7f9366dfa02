//! Push channels, and the messages that really arrive.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use calbridge::simulator::{Ended, Fault, FaultKind, Push, ResourceState, Settings};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

use super::{EVENT_ID, LIST_SCOPE, PRIMARY, Reply, World, meet, noon, tea, tea_with};

const WATCH: &str = "/calendar/v3/calendars/primary/events/watch";
const STOP: &str = "/calendar/v3/channels/stop";
const ALL: &str = "https://www.googleapis.com/auth/calendar";

/// A webhook: hands on what it is sent, and answers with the statuses it was given, then 204.
struct Webhook {
    address: String,
    messages: UnboundedReceiver<HeaderMap>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    _tasks: JoinSet<()>,
}

impl Webhook {
    async fn new() -> Self {
        let (sender, messages) = unbounded_channel();
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let given = answers.clone();
        let answer = move |headers: HeaderMap, body: Bytes| async move {
            assert!(body.is_empty(), "a message has no body");
            sender.send(headers).unwrap();
            let status = given.lock().unwrap().pop_front().unwrap_or(204);
            StatusCode::from_u16(status).unwrap()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        let routes = Router::new().route("/hook", axum::routing::post(answer));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, messages, answers, _tasks: tasks }
    }

    fn answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    async fn next(&mut self) -> Message {
        Message(self.messages.recv().await.expect("a message"))
    }
}

struct Message(HeaderMap);

impl Message {
    fn header(&self, name: &str) -> &str {
        self.0.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn state(&self) -> &str {
        self.header("x-goog-resource-state")
    }

    fn number(&self) -> u64 {
        self.header("x-goog-message-number").parse().unwrap()
    }
}

impl World {
    async fn watch(&self, token: &str, members: Value) -> Reply {
        let mut body = json!({"id": "channel-1", "type": "web_hook"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self.api(token, Method::POST, WATCH, body).await
    }

    async fn stop(&self, token: &str, id: &str, resource: &Value) -> Reply {
        self.api(token, Method::POST, STOP, json!({"id": id, "resourceId": resource})).await
    }

    async fn insert_tea(&self, token: &str) -> Reply {
        self.api(token, Method::POST, PRIMARY, tea()).await
    }
}

async fn watched_world() -> (World, String, Webhook) {
    let (world, mut hook) = (World::new().await, Webhook::new().await);
    let token = world.anas_token().await;
    let reply = world.watch(&token, json!({"address": hook.address, "token": "t=1"})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(hook.next().await.state(), "sync");
    (world, token, hook)
}

#[tokio::test]
async fn a_channel_says_sync_first_and_exists_after_every_change() {
    let (world, mut hook) = (World::new().await, Webhook::new().await);
    let token = world.anas_token().await;
    let opened = world.watch(&token, json!({"address": hook.address, "token": "t=1"})).await;
    let seven_days = noon() + TimeDelta::days(7);
    let resource = opened.json()["resourceId"].clone();
    let uri =
        format!("{}/calendar/v3/calendars/primary/events?maxResults=250&alt=json", world.base);
    let wanted = json!({
        "kind": "api#channel", "id": "channel-1", "resourceId": resource, "resourceUri": uri,
        "token": "t=1", "expiration": seven_days.timestamp_millis().to_string(),
    });
    assert_eq!(opened.json(), wanted);

    let sync = hook.next().await;
    let headers = [
        ("x-goog-channel-id", "channel-1"),
        ("x-goog-channel-token", "t=1"),
        ("x-goog-channel-expiration", "Fri, 03 Apr 2026 12:00:00 GMT"),
        ("x-goog-resource-id", resource.as_str().unwrap()),
        ("x-goog-resource-uri", &uri),
        ("x-goog-resource-state", "sync"),
        ("x-goog-message-number", "1"),
        ("content-length", "0"),
    ];
    for (name, value) in headers {
        assert_eq!(sync.header(name), value, "{name}");
    }
    let mut last = 1;
    let insert = tea_with(json!({"id": EVENT_ID}));
    let one = format!("{PRIMARY}/{EVENT_ID}");
    let changes = [
        (Method::POST, PRIMARY, insert),
        (Method::PATCH, one.as_str(), json!({"summary": "Cake"})),
        (Method::DELETE, one.as_str(), Value::Null),
    ];
    for (method, path, body) in changes {
        assert!(world.api(&token, method, path, body).await.status < 300);
        let message = hook.next().await;
        assert_eq!(message.state(), "exists");
        assert!(message.number() > last + 1, "numbers have gaps");
        last = message.number();
    }
    world.end().await;
}

#[tokio::test]
async fn a_guest_is_told_of_the_invitation() {
    let (world, mut hook) = (World::new().await, Webhook::new().await);
    let (ana, ben) = (world.anas_token().await, world.token_for("ben@example.com", ALL).await);
    assert_eq!(world.watch(&ben, json!({"address": hook.address})).await.status, 200);
    assert_eq!(hook.next().await.state(), "sync");
    let invitation = tea_with(json!({"attendees": [{"email": "ben@example.com"}]}));
    assert_eq!(world.api(&ana, Method::POST, PRIMARY, invitation).await.status, 200);
    let message = hook.next().await;
    assert_eq!((message.state(), message.header("x-goog-channel-token")), ("exists", ""));
    world.end().await;
}

#[tokio::test]
async fn a_meet_link_that_becomes_ready_is_told() {
    let (world, token, mut hook) = watched_world().await;
    world.simulator.add_fault(Fault::new(FaultKind::MeetPending).secs(30).times(1));
    let path = format!("{PRIMARY}?conferenceDataVersion=1");
    let body = tea_with(json!({"conferenceData": meet("one")}));
    assert_eq!(world.api(&token, Method::POST, &path, body).await.status, 200);
    let first = hook.next().await.number();
    until_it_waits(&world).await;
    world.clock.advance(TimeDelta::seconds(31));
    assert!(hook.next().await.number() > first);
    world.end().await;
}

#[tokio::test]
async fn a_channel_ends_when_it_expires_or_is_stopped() {
    let (world, mut hook) = (World::new().await, Webhook::new().await);
    let token = world.anas_token().await;
    let day = TimeDelta::days(1);
    let millis = |after: TimeDelta| (noon() + after).timestamp_millis().to_string();
    let wishes = [
        ("a", json!({"params": {"ttl": "86400"}}), day),
        ("b", json!({"expiration": millis(day * 2)}), day * 2),
        ("c", json!({"expiration": millis(day * 9), "params": {"ttl": "259200"}}), day * 3),
        ("d", json!({"expiration": millis(day * 99)}), day * 30),
    ];
    for (id, mut wish, lasting) in wishes {
        wish["id"] = id.into();
        wish["address"] = hook.address.clone().into();
        assert_eq!(world.watch(&token, wish).await.json()["expiration"], millis(lasting), "{id}");
        assert_eq!(hook.next().await.state(), "sync");
    }
    world.clock.advance(day);
    world.clock.advance(day);
    world.clock.advance(TimeDelta::days(1));
    let token = world.anas_token().await;
    world.insert_tea(&token).await;
    assert_eq!(hook.next().await.header("x-goog-channel-id"), "d");
    let numbers: Vec<String> =
        world.simulator.deliveries().into_iter().skip(4).map(|attempt| attempt.channel).collect();
    assert_eq!(numbers.iter().filter(|id| *id != "d").count(), 0);
    world.end().await;
}

#[tokio::test]
async fn only_who_opened_a_channel_can_stop_it() {
    let (world, token, mut hook) = watched_world().await;
    let other = json!({"id": "other", "address": hook.address});
    let resource = world.watch(&token, other).await.json()["resourceId"].clone();
    assert_eq!(hook.next().await.header("x-goog-channel-id"), "other");

    let ben = world.token_for("ben@example.com", ALL).await;
    let foreign = world.stop(&ben, "channel-1", &resource).await;
    assert_eq!((foreign.status, foreign.reason().as_str()), (403, "forbidden"));
    for (id, resource) in [("nobody", &resource), ("channel-1", &json!("another"))] {
        let unknown = world.stop(&token, id, resource).await;
        assert_eq!((unknown.status, unknown.reason().as_str()), (404, "notFound"));
    }
    assert_eq!(world.stop(&token, "channel-1", &resource).await.status, 204);
    assert_eq!(world.stop(&token, "channel-1", &resource).await.status, 404);
    world.insert_tea(&token).await;
    assert_eq!(hook.next().await.header("x-goog-channel-id"), "other");

    let again = world.watch(&token, json!({"address": hook.address})).await;
    assert_eq!((again.status, again.reason().as_str()), (400, "channelIdNotUnique"));
    world.end().await;
}

#[tokio::test]
async fn a_watch_is_refused_in_googles_words() {
    let push = Push { allow_http: true, verified_domains: Some(vec!["example.org".to_owned()]) };
    let world = World::with(Settings { push, ..Settings::default() }).await;
    let token = world.anas_token().await;
    let hook = "https://hooks.example.org/google";
    let wrong = [
        (json!({"address": "http://hooks.example.org/"}), 400, "push.webhookUrlNotHttps"),
        (json!({"address": "hooks.example.org"}), 400, "push.webhookUrlNoHostOrAddress"),
        (json!({"address": "https://elsewhere.com/"}), 401, "push.webhookUrlUnauthorized"),
        (json!({"address": "https://notexample.org/"}), 401, "push.webhookUrlUnauthorized"),
        (json!({}), 400, "required"),
        (json!({"address": hook, "id": null}), 400, "required"),
        (json!({"address": hook, "id": "with a space"}), 400, "push.channelIdInvalid"),
        (json!({"address": hook, "id": "i".repeat(65)}), 400, "push.channelIdInvalid"),
        (json!({"address": hook, "token": "t".repeat(257)}), 400, "invalid"),
        (json!({"address": hook, "type": "pigeon"}), 400, "push.channelTypeNotSupported"),
        (json!({"address": hook, "expiration": "1"}), 400, "invalid"),
    ];
    for (members, status, reason) in wrong {
        let reply = world.watch(&token, members.clone()).await;
        assert_eq!((reply.status, reply.reason().as_str()), (status, reason), "{members}");
    }
    let longest = json!({"address": hook, "id": "i".repeat(64), "token": "t".repeat(256)});
    assert_eq!(world.watch(&token, longest).await.status, 200);
    let lists_only = world.token_for("ana@example.com", LIST_SCOPE).await;
    assert_eq!(world.watch(&lists_only, json!({"address": hook})).await.status, 403);
    world.end().await;

    let push = Push { allow_http: false, verified_domains: None };
    let strict = World::with(Settings { push, ..Settings::default() }).await;
    let token = strict.anas_token().await;
    let plain = strict.watch(&token, json!({"address": "http://127.0.0.1:9/"})).await;
    assert_eq!(plain.reason(), "push.webhookUrlNotHttps");
    strict.end().await;
}

#[tokio::test]
async fn a_busy_receiver_is_asked_again_and_a_wrong_one_is_not() {
    let (world, token, mut hook) = watched_world().await;
    hook.answer(&[503, 500, 204]);
    world.insert_tea(&token).await;
    let number = hook.next().await.number();
    for pause in [5, 10] {
        until_it_waits(&world).await;
        world.clock.advance(TimeDelta::seconds(pause));
        assert_eq!(hook.next().await.number(), number);
    }
    hook.answer(&[404]);
    world.insert_tea(&token).await;
    let lost = hook.next().await.number();
    world.insert_tea(&token).await;
    assert!(hook.next().await.number() > lost);
    world.end().await;
}

/// Until the simulator waits for the clock: to try again, or for a Meet link.
async fn until_it_waits(world: &World) {
    while world.clock.next_waited_for().is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_attempt_is_written_down() {
    let world = World::new().await;
    let token = world.anas_token().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let addresses = [
        ("https", "https://hooks.example.org/".to_owned(), Ended::NotCalled),
        ("nobody", format!("http://{nobody}/"), Ended::Unreachable),
    ];
    for (id, address, ended) in addresses {
        assert_eq!(world.watch(&token, json!({"id": id, "address": address})).await.status, 200);
        let attempt = loop {
            let made = world.simulator.deliveries();
            if let Some(attempt) = made.into_iter().find(|attempt| attempt.channel == id) {
                break attempt;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!((attempt.ended, attempt.attempt, attempt.message), (ended, 1, 1));
        assert_eq!(
            (attempt.state, attempt.user.as_str()),
            (ResourceState::Sync, "ana@example.com")
        );
    }
    let ledger = world.get("/simulator/ledger").await.json();
    assert_eq!(ledger["deliveries"][0]["ended"], "not_called");
    assert_eq!(ledger["deliveries"][0]["state"], "sync");
    world.end().await;
}

#[tokio::test]
async fn messages_can_be_lost_doubled_held_and_forged() {
    let (world, token, mut hook) = watched_world().await;
    let arm = |kind| world.simulator.add_fault(Fault::new(kind).times(1));

    arm(FaultKind::PushDrop);
    world.insert_tea(&token).await;
    arm(FaultKind::PushDuplicate);
    world.insert_tea(&token).await;
    let (first, second) = (hook.next().await.number(), hook.next().await.number());
    assert_eq!(first, second);
    let lost = world.simulator.deliveries().into_iter().find(|made| made.ended == Ended::Lost);
    assert!(lost.expect("a lost message").message < first);

    arm(FaultKind::PushReorder);
    world.insert_tea(&token).await;
    world.insert_tea(&token).await;
    let (later, earlier) = (hook.next().await.number(), hook.next().await.number());
    assert!(later > earlier);

    arm(FaultKind::PushWrongToken);
    world.insert_tea(&token).await;
    assert_ne!(hook.next().await.header("x-goog-channel-token"), "t=1");

    world.simulator.add_fault(Fault::new(FaultKind::PushDelay).secs(60).times(1));
    world.insert_tea(&token).await;
    world.insert_tea(&token).await;
    let swift = hook.next().await.number();
    world.clock.advance(TimeDelta::seconds(60));
    assert!(hook.next().await.number() < swift);
    assert_eq!(world.simulator.unused_faults(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn the_first_message_can_come_before_the_answer() {
    let (world, mut hook) = (World::new().await, Webhook::new().await);
    let token = world.anas_token().await;
    world.simulator.add_fault(Fault::new(FaultKind::PushEarlySync).times(1));
    assert_eq!(world.watch(&token, json!({"address": hook.address})).await.status, 200);
    let early = hook.messages.try_recv().expect("the message is there already");
    assert_eq!(Message(early).state(), "sync");
    world.end().await;
}

#[tokio::test]
async fn lists_rules_and_settings_can_be_watched() {
    let (world, mut hook) = (World::new().await, Webhook::new().await);
    let token = world.anas_token().await;
    let places = [
        "/calendar/v3/users/me/calendarList",
        "/calendar/v3/calendars/primary/acl",
        "/calendar/v3/users/me/settings",
    ];
    for (id, place) in (1..).zip(places) {
        let body = json!({"id": format!("c{id}"), "type": "webhook", "address": hook.address});
        let reply = world.api(&token, Method::POST, &format!("{place}/watch"), body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert!(hook.next().await.header("x-goog-resource-uri").contains(place));
    }
    let insert = json!({"summary": "Team"});
    world.api(&token, Method::POST, "/calendar/v3/calendars", insert).await;
    assert_eq!(hook.next().await.header("x-goog-channel-id"), "c1");
    let rule = json!({"role": "reader", "scope": {"type": "user", "value": "ben@example.com"}});
    world.api(&token, Method::POST, "/calendar/v3/calendars/primary/acl", rule).await;
    assert_eq!(hook.next().await.header("x-goog-channel-id"), "c2");
    assert!(world.simulator.change_user_setting("ana@example.com", "weekStart", "1"));
    assert_eq!(hook.next().await.header("x-goog-channel-id"), "c3");
    world.end().await;
}

#[tokio::test]
async fn a_message_can_be_taken_instead_of_posted() {
    let (world, token, _hook) = watched_world().await;
    world.simulator.add_fault(Fault::new(FaultKind::PushDelay).secs(60).times(1));
    world.insert_tea(&token).await;
    assert_eq!(world.simulator.take_pushes(), []);
    world.clock.advance(TimeDelta::seconds(60));
    let pushes = world.simulator.take_pushes();
    assert_eq!(pushes.len(), 1);
    assert_eq!(pushes[0].headers["X-Goog-Resource-State"], "exists");
    assert_eq!(pushes[0].headers["X-Goog-Channel-Token"], "t=1");
    assert_eq!(world.simulator.deliveries().last().map(|made| made.ended), Some(Ended::Taken));
    world.end().await;
}

#[tokio::test]
async fn a_reset_closes_every_channel_and_goes_on_delivering() {
    let (world, _token, mut hook) = watched_world().await;
    world.simulator.reset();
    world.simulator.put_foreign_event("ana@example.com", EVENT_ID, "Tea");
    let token = world.anas_token().await;
    let reply = world.watch(&token, json!({"address": hook.address})).await;
    assert_eq!(reply.status, 200);
    assert_eq!(hook.next().await.state(), "sync");
    world.end().await;
}

#[test]
fn a_seed_file_says_where_messages_may_go() {
    let text = "[push]\nallow_http = false\nverified_domains = [\"example.org\"]";
    let push = Settings::from_toml(text).unwrap().push;
    assert!(!push.allow_http);
    assert_eq!(push.verified_domains, Some(vec!["example.org".to_owned()]));
    assert!(Settings::from_toml("").unwrap().push.allow_http);
}

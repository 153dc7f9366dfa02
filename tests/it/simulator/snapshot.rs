//! What the simulator remembers, taken away and put back.

use axum::http::Method;
use calbridge::simulator::{Fault, FaultKind, Settings, User};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{PRIMARY, Reply, VERIFIER, World, meet, tea, tea_with};

const SNAPSHOT: &str = "/simulator/snapshot";
const CALENDARS: &str = "/calendar/v3/calendars";
const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";

impl World {
    async fn put_back(&self, snapshot: &str) -> Reply {
        self.send(Method::PUT, SNAPSHOT, &[], snapshot.to_owned()).await.unwrap()
    }

    /// The answer's status and bytes, without the address it came from.
    async fn told(&self, token: &str, path: &str) -> (u16, String) {
        let reply = self.api(token, Method::GET, path, Value::Null).await;
        (reply.status, reply.text.replace(&self.base, ""))
    }

    async fn made(&self, token: &str, path: &str, body: Value) -> Value {
        let reply = self.api(token, Method::POST, path, body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    async fn changed(&self, token: &str, path: &str, body: Value) {
        let reply = self.api(token, Method::PATCH, path, body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    async fn deleted(&self, token: &str, path: &str) {
        assert_eq!(self.api(token, Method::DELETE, path, Value::Null).await.status, 204);
    }
}

/// A simulator on which much has happened, and how to ask about it.
struct Lived {
    world: World,
    ana: String,
    ben: String,
    refresh: String,
    code: String,
    /// What to ask: in whose name, and where.
    questions: Vec<(String, String)>,
}

fn series() -> Value {
    tea_with(json!({
        "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=6", "EXDATE;TZID=Europe/Lisbon:20260415T100000"],
        "attendees": [{"email": BEN}, {"email": "guest@example.net"}],
    }))
}

async fn lived() -> Lived {
    let world = World::new().await;
    let refresh = world.connect().await.1;
    let (ana, ben) = (world.token_of(ANA).await, world.token_of(BEN).await);
    let mailed = format!("{PRIMARY}?sendUpdates=all");
    let weekly = world.made(&ana, &mailed, series()).await;
    let weekly = format!("{PRIMARY}/{}", weekly["id"].as_str().unwrap());
    let gone = world.made(&ana, PRIMARY, tea()).await;
    let gone = format!("{PRIMARY}/{}", gone["id"].as_str().unwrap());
    let team = world.made(&ana, CALENDARS, json!({"summary": "Team"})).await;
    let team = format!("{CALENDARS}/{}", team["id"].as_str().unwrap());
    let rule = json!({"role": "writer", "scope": {"type": "user", "value": BEN}});
    world.made(&ana, &format!("{team}/acl"), rule).await;

    let mut questions = Vec::new();
    let token_lists = ["users/me/calendarList", "users/me/settings", "calendars/primary/acl"];
    let lists = token_lists.map(|list| format!("/calendar/v3/{list}"));
    for list in lists.into_iter().chain([PRIMARY.to_owned(), format!("{team}/events")]) {
        let page = world.api(&ana, Method::GET, &list, Value::Null).await.json();
        let token = page["nextSyncToken"].as_str().unwrap();
        questions.push((ana.clone(), format!("{list}?syncToken={token}")));
        questions.push((ana.clone(), list));
    }

    // All that follows is news to those sync tokens.
    let instances = world.api(&ana, Method::GET, &format!("{weekly}/instances"), Value::Null).await;
    let instance = |place: usize| {
        format!("{PRIMARY}/{}", instances.json()["items"][place]["id"].as_str().unwrap())
    };
    world.changed(&ana, &instance(1), json!({"summary": "Coffee"})).await;
    world.deleted(&ana, &instance(2)).await;
    let again = ["RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=WE;UNTIL=20260701T000000Z"];
    world.changed(&ana, &weekly, json!({"recurrence": again})).await;
    world.deleted(&ana, &gone).await;
    world.made(&ben, &format!("{team}/events"), tea()).await;
    world.simulator.add_fault(Fault::new(FaultKind::MeetPending).times(1).secs(30));
    let with_link = tea_with(json!({"conferenceData": meet("one")}));
    let pending = world.made(&ana, &format!("{PRIMARY}?conferenceDataVersion=1"), with_link).await;
    assert!(world.simulator.change_user_setting(ANA, "weekStart", "1"));
    world.simulator.rotate_keys();
    let hook = json!({"id": "one", "type": "web_hook", "address": "https://a.example/hook"});
    world.made(&ana, &format!("{PRIMARY}/watch"), hook).await;
    let first = world.api(&ana, Method::GET, &format!("{PRIMARY}?maxResults=1"), Value::Null).await;
    let page = first.json()["nextPageToken"].as_str().unwrap().to_owned();
    let code = world.code(&[("access_type", "offline")]).await;
    for path in [
        format!("{PRIMARY}?maxResults=1&pageToken={page}"),
        format!("{PRIMARY}?showDeleted=true"),
        format!("{PRIMARY}/{}", pending["id"].as_str().unwrap()),
        format!("{PRIMARY}?singleEvents=true&orderBy=startTime"),
        format!("{weekly}/instances?showDeleted=true"),
        gone,
        format!("{team}/acl"),
        weekly,
        team,
    ] {
        questions.push((ana.clone(), path));
    }
    questions.push((ben.clone(), PRIMARY.to_owned()));
    questions.push((String::new(), "/oauth2/v3/certs".to_owned()));
    Lived { world, ana, ben, refresh, code, questions }
}

#[tokio::test]
async fn a_snapshot_put_back_elsewhere_answers_the_same_bytes_and_goes_on_alike() {
    let lived = lived().await;
    let taken = lived.world.get(SNAPSHOT).await;
    assert_eq!((taken.status, taken.header("content-type")), (200, "application/json"));
    let other = World::new().await;
    assert_eq!(other.put_back(&taken.text).await.status, 204);
    assert_eq!(other.simulator.snapshot(), taken.text);
    assert_eq!(other.simulator.outbox(), lived.world.simulator.outbox());
    assert!(!other.simulator.outbox().is_empty());
    assert_eq!(other.simulator.secrets(), lived.world.simulator.secrets());

    for (token, path) in &lived.questions {
        let told = lived.world.told(token, path).await;
        assert_eq!(told.0, 200, "{path}: {}", told.1);
        assert_eq!(other.told(token, path).await, told, "{path}");
    }
    let mut histories = Vec::new();
    for world in [&lived.world, &other] {
        let mut history = vec![
            world.refresh(&lived.refresh).await.text,
            world.exchange(&lived.code, VERIFIER).await.text,
            world.exchange(&lived.code, VERIFIER).await.json()["error"].to_string(),
        ];
        let hook = json!({"id": "one", "type": "web_hook", "address": "https://a.example/hook"});
        let taken = world.api(&lived.ana, Method::POST, &format!("{PRIMARY}/watch"), hook).await;
        assert_eq!(taken.reason(), "channelIdNotUnique");
        world.clock.advance(TimeDelta::seconds(31));
        let made = world.made(&lived.ben, PRIMARY, tea()).await;
        history.push(made["id"].to_string() + &made["etag"].to_string());
        for (token, path) in &lived.questions {
            history.push(world.told(token, path).await.1);
        }
        histories.push(history);
    }
    assert_eq!(histories[0], histories[1]);
    assert!(histories[0].iter().any(|text| text.contains("hangoutLink")), "the link never came");
    lived.world.end().await;
    other.end().await;
}

#[tokio::test]
async fn what_came_after_a_snapshot_is_forgotten_but_for_ledger_and_faults() {
    let world = World::new().await;
    let token = world.token_of(ANA).await;
    let kept = world.made(&token, PRIMARY, tea()).await["id"].as_str().unwrap().to_owned();
    let snapshot = world.simulator.snapshot();
    let late = world.token_of(ANA).await;
    world.deleted(&token, &format!("{PRIMARY}/{kept}")).await;
    world.made(&token, PRIMARY, tea()).await;
    world.simulator.add_fault(Fault::new(FaultKind::Hang).method("calendar.colors.get").times(1));
    let calls = world.simulator.ledger().len();

    world.simulator.restore(&snapshot).unwrap();
    assert_eq!(world.simulator.snapshot(), snapshot);
    let left = world.simulator.events(ANA);
    assert_eq!((left.len(), &left[0]["id"]), (1, &json!(kept)));
    assert_eq!(world.told(&late, PRIMARY).await.0, 401);
    assert_eq!(world.simulator.ledger().len(), calls + 1);
    assert_eq!(world.simulator.unused_faults().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn an_account_that_a_snapshot_does_not_know_gets_its_calendar() {
    let world = World::new().await;
    let mut settings = Settings::default();
    let email = "new@example.com".to_owned();
    settings.users.push(User { email, ..settings.users[0].clone() });
    let more = World::with(settings).await;
    assert_eq!(more.put_back(&world.simulator.snapshot()).await.status, 204);
    let token = more.token_of("new@example.com").await;
    more.made(&token, PRIMARY, tea()).await;
    assert_eq!(more.told(&token, "/calendar/v3/users/me/calendarList/primary").await.0, 200);
    for world in [world, more] {
        world.end().await;
    }
}

#[tokio::test]
async fn a_wrong_snapshot_is_explained_and_changes_nothing() {
    let lived = lived().await;
    let world = World::new().await;
    let before = world.simulator.snapshot();
    let right: Value = serde_json::from_str(&lived.world.simulator.snapshot()).unwrap();
    let changes: [(&str, Value, &str); 11] = [
        ("/format", json!(2), "format"),
        ("/more", json!(1), "more"),
        ("/state", Value::Null, "state"),
        ("/state/more", json!(1), "state.more"),
        ("/state/numbers", json!("many"), "state.numbers"),
        ("/state/numbers", json!(3), "state.calendars.ana@example.com.events"),
        ("/state/generator/seed", json!(2), "state.generator.seed"),
        ("/state/calendars/ana@example.com/id", json!(BEN), "state.calendars.ana@example.com.id"),
        (
            "/state/calendars/ana@example.com/events/0/series/rules/0/interval",
            json!(0),
            "state.calendars.ana@example.com.events[0].series.rules[0].interval",
        ),
        (
            "/state/calendars/ana@example.com/time_zone",
            json!("Lisbon"),
            "state.calendars.ana@example.com.time_zone",
        ),
        ("/state/outbox/0/kind", json!("card"), "state.outbox[0].kind"),
    ];
    let mut wrong: Vec<(String, &str)> = Vec::new();
    for (pointer, value, field) in changes {
        let mut body = right.clone();
        let (place, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(place).expect(pointer)[name] = value;
        wrong.push((body.to_string(), field));
    }
    let mut twice = right.clone();
    let events = twice["state"]["calendars"][ANA]["events"].as_array_mut().unwrap();
    events.push(events[0].clone());
    wrong.push((twice.to_string(), "state.calendars.ana@example.com.events"));
    wrong.push((format!("{right}]"), "(snapshot)"));
    wrong.push((String::new(), "(snapshot)"));
    for (body, field) in wrong {
        let told = world.put_back(&body).await;
        assert_eq!((told.status, &told.json()["field"]), (400, &json!(field)), "{}", told.text);
        for member in ["error", "rule", "next"] {
            assert!(told.json()[member].is_string(), "{member} is missing: {}", told.text);
        }
        assert_eq!(world.simulator.snapshot(), before, "{field}");
    }
    // As long as other bodies may not be.
    let long = format!("{right}{}", " ".repeat(2 << 20));
    assert_eq!(world.put_back(&long).await.status, 204);
    lived.world.end().await;
    world.end().await;
}

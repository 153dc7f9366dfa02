//! Reminders: when they ring, what is written down of it, and who may do what with them.

mod changing;
mod entries;
mod firing;
mod following;
mod letting;
mod many;
mod relative;
mod repeating;

use calbridge::model::key::Scope;
use chrono::{DateTime, Utc};
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{Bridge, Choices, with};

const REMINDERS: &str = "/api/v1/reminders";

/// A mail server behind a port that nobody listens at.
const NO_ANSWER: &str = "[mail]\nhost = \"127.0.0.1\"\nport = 9\nsecurity = \"none\"\n\
                         from = \"bridge@mail.test\"\n";

/// A bridge whose key may write reminders.
async fn start() -> Bridge {
    chosen(Choices::default()).await
}

async fn chosen(choices: Choices) -> Bridge {
    let mut bridge = Bridge::with(choices).await;
    bridge.key = bridge.key_for(&[Scope::EventsWrite, Scope::TasksWrite]).await;
    bridge
}

/// The same where mail is set up, and its server cannot be reached.
async fn mailing() -> Bridge {
    chosen(Choices { settings: NO_ANSWER.to_owned(), ..Choices::default() }).await
}

/// A reminder at ten, told by the calendar alone.
fn call() -> Value {
    json!({ "title": "Call", "at": "2026-11-02T10:00:00Z", "deliver": ["google"] })
}

/// The same each day at ten in Lisbon.
fn daily() -> Value {
    let each = json!({
        "at": "2026-11-02T10:00:00", "time_zone": "Europe/Lisbon", "recurrence": ["RRULE:FREQ=DAILY"]
    });
    with(call(), &each)
}

async fn make(bridge: &Bridge, body: &Value) -> Value {
    let made = bridge.send_json(Method::POST, REMINDERS, body, &[]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()
}

/// The pointers of what is refused.
async fn refused(bridge: &Bridge, method: Method, path: &str, body: &Value) -> Vec<String> {
    let refused = bridge.send_json(method, path, body, &[]).await;
    assert_eq!(refused.status, 422, "{body}: {}", refused.text);
    let told = refused.json();
    let errors = told["errors"].as_array().expect("errors").iter();
    errors.map(|error| error["pointer"].as_str().expect("a pointer").to_owned()).collect()
}

fn path_of(reminder: &Value) -> String {
    format!("{REMINDERS}/{}", reminder["id"].as_str().expect("an id"))
}

async fn read(bridge: &Bridge, reminder: &Value) -> Value {
    let shown = bridge.get(&path_of(reminder)).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    shown.json()
}

async fn change(bridge: &Bridge, reminder: &Value, members: &Value) -> Value {
    let changed = bridge.send_json(Method::PATCH, &path_of(reminder), members, &[]).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    changed.json()
}

async fn say(bridge: &Bridge, reminder: &Value, word: &str, body: &Value) -> Value {
    let path = format!("{}/{word}", path_of(reminder));
    let said = bridge.send_json(Method::POST, &path, body, &[]).await;
    assert_eq!(said.status, 200, "{}", said.text);
    said.json()
}

/// What became of each occurrence, in the order of their moments.
async fn log(bridge: &Bridge, reminder: &Value) -> Vec<(String, String)> {
    let (mut rows, mut path) = (Vec::new(), format!("{}/deliveries?limit=20", path_of(reminder)));
    loop {
        let page = bridge.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let page = page.json();
        for row in page["data"].as_array().expect("a list") {
            let text = |name: &str| row[name].as_str().expect("a text").to_owned();
            rows.push((text("at"), text("state")));
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{}/deliveries?limit=20&cursor={next}", path_of(reminder));
    }
    rows.sort();
    rows
}

fn rows(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(at, state)| ((*at).to_owned(), (*state).to_owned())).collect()
}

fn moment(written: &str) -> DateTime<Utc> {
    written.parse().expect("a moment")
}

/// Moves the clock, and does what is due then.
async fn at(bridge: &Bridge, written: &str) {
    bridge.clock.set(moment(written));
    bridge.work().await;
}

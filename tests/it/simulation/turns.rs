//! Promise 6: what a person waits for comes before what another owner has had taken in by the dozen.

use axum::body::Body;
use axum::http::{Request, header};
use calbridge::clock::Clock;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::backend::{span, title};
use super::world::{Seen, World};

/// What one owner has taken in at once: for longer than a minute's calls where they have to be paced.
const CROWD: usize = 40;
/// What Google asked for while the weather was bad is over by then: an hour at most, and what a factor needs
/// to become whole again.
const RECOVERY: TimeDelta = TimeDelta::hours(2);
/// What the promise allows …
const A_SECOND: TimeDelta = TimeDelta::seconds(1);
/// … beside the calls that runs in hand have yet to make: of four at most, two each.
const CALLS_IN_HAND: i32 = 8;

/// Has many events of one owner taken in, and then one of another's, and looks when that one's first call
/// reaches Google.
pub async fn judge_turns(world: &World) {
    world.clock.sleep(RECOVERY).await;
    let of = |number: usize, user: &str| {
        let (start, end) = span(number, 0);
        json!({
            "summary": title(number, 0), "start": start, "end": end, "time_zone": "Europe/Lisbon",
            "user": user, "connection": "server",
        })
    };
    let crowd: Vec<Value> = (0..CROWD).map(|number| of(number, "crowd")).collect();
    let taken = post(world, "/api/v1/events/batch", &json!({ "events": crowd })).await;
    let all = taken["results"].as_array().map_or(0, Vec::len);
    let asked = world.clock.now();
    let one = post(world, "/api/v1/events", &of(CROWD, "ana")).await;
    let (true, Some(id)) = (all == CROWD, one["id"].as_str()) else {
        return world.history.violated(format!("not taken in: {taken}, {one}"));
    };
    super::come_to_rest(world).await;
    // Where a stranger's event has that id, it is written under another, when its turn comes again.
    let first_id = world.watch.first_id(id);
    let ledger = world.google.ledger();
    let mut calls = ledger.iter().filter(|call| first_id.is_some() && call.event == first_id);
    let Some(first) = calls.next() else {
        return world.history.violated(format!("{id} was never brought to Google"));
    };
    let waited = first.time - asked;
    if waited > A_SECOND + world.a_call() * CALLS_IN_HAND {
        world.history.violated(format!("behind another owner's many, one event waited {waited}"));
    }
}

async fn post(world: &World, path: &str, body: &Value) -> Value {
    let request = || {
        Request::post(path)
            .header(header::HOST, "localhost:3001")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.keys[0]))
            .header(header::CONTENT_TYPE, "application/json")
            .header("prefer", "respond-async")
            .body(Body::from(body.to_string()))
            .expect("a request")
    };
    match world.ask(request, None).await {
        Seen::Answer(_, answer) => answer,
        Seen::Nothing => Value::Null,
    }
}

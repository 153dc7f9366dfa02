//! What must be true when all is quiet: promises 1 to 5 and 9 of the design, one check for each. Promise 6 is
//! for `turns`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, header};
use calbridge::simulator::Answered;
use calbridge::store::{JobStore, Which};
use serde_json::Value;

use super::backend::{Journal, Maybe, Wish, notes, read_title, span, title};
use super::watch::STRANGER;
use super::world::{Seen, World};
use crate::bridge::ANA;

/// Checks everything. What is broken is written into the history.
pub async fn judge(world: &World, journal: &Journal) {
    let dump = world.dump().await;
    let wishes = journal.0.lock().expect("no one panics while writing").clone();
    let found = Found::read(&dump);
    for (number, wish) in wishes.iter().enumerate() {
        let judged = match &wish.id {
            None => judge_unanswered(&found, number, wish),
            Some(id) => {
                let shown = show(world, wish.backend, id).await;
                judge_answered(&found, number, wish, id, &shown)
            }
        };
        let judged = judged.and_then(|()| judge_mails(world, &found, number, wish));
        if let Err(broken) = judged {
            world.history.violated(format!("{}: {broken}", title(number, 0)));
        }
    }
    for stranger in &found.strangers {
        if stranger["summary"] != STRANGER || stranger.get("extendedProperties").is_some() {
            world.history.violated(format!("a stranger's event was touched: {stranger}"));
        }
    }
    judge_pace(world);
    judge_jobs(world).await;
}

/// Google never had to ask for patience, unless a fault made it.
fn judge_pace(world: &World) {
    for call in world.google.ledger().iter().filter(|_| world.tight) {
        let refused = matches!(call.answered, Answered::Status(403 | 429));
        if refused && call.faults.is_empty() {
            world.history.violated(format!("the quota was used up: call {}", call.number));
        }
    }
}

/// The copies in Google's calendars, deleted ones too.
struct Found {
    /// By our id: each event may be there once, whatever became of it.
    ours: BTreeMap<String, Vec<Value>>,
    strangers: Vec<Value>,
}

impl Found {
    fn read(dump: &Value) -> Self {
        let mut found = Self { ours: BTreeMap::new(), strangers: Vec::new() };
        let calendars = dump["calendars"].as_array().expect("calendars");
        let anas = calendars.iter().filter(|calendar| calendar["owner"] == ANA);
        for calendar in anas {
            let copies = ["events", "tombstones"].map(|kind| calendar[kind].as_array());
            for copy in copies.into_iter().flatten().flatten() {
                match copy["extendedProperties"]["private"]["calbridge_event"].as_str() {
                    Some(id) => found.ours.entry(id.to_owned()).or_default().push(copy.clone()),
                    None => found.strangers.push(copy.clone()),
                }
            }
        }
        found
    }

    /// The copies that bear an event's title.
    fn titled(&self, number: usize) -> Vec<&Value> {
        let is_it = |copy: &&Value| {
            let title = copy["summary"].as_str().and_then(read_title);
            title.is_some_and(|(wish, _)| wish == number)
        };
        self.ours.values().flatten().filter(is_it).collect()
    }
}

/// A request that nobody answered has made one event or none.
fn judge_unanswered(found: &Found, number: usize, wish: &Wish) -> Result<(), String> {
    let copies = found.titled(number);
    match copies.len() {
        0 => Ok(()),
        1 if wish.revisions.is_empty() => Err("was refused and is there".to_owned()),
        1 if copies[0]["status"] == "cancelled" && wish.removed => Ok(()),
        1 => judge_copy(copies[0], number, wish),
        many => Err(format!("{many} events for one request without an answer")),
    }
}

fn judge_answered(
    found: &Found,
    number: usize,
    wish: &Wish,
    id: &str,
    shown: &Value,
) -> Result<(), String> {
    let none = Vec::new();
    let copies = found.ours.get(id).unwrap_or(&none);
    if copies.len() > 1 {
        return Err(format!("{} copies bear the id {id}", copies.len()));
    }
    if let Some(other) = found.titled(number).iter().find(|copy| !copies.contains(copy)) {
        return Err(format!("has a twin: {}", other["id"]));
    }
    let live = copies.iter().find(|copy| copy["status"] != "cancelled");
    let state = shown["state"].as_str().unwrap_or("forgotten");
    match (state, live) {
        ("confirmed", Some(copy)) if wish.cancelled == Maybe::Yes => {
            Err(format!("is cancelled and still there: {}", copy["id"]))
        }
        ("confirmed", Some(copy)) => {
            judge_copy(copy, number, wish)?;
            judge_meet(shown, copy)
        }
        // A person's removal that no run has met since; there is nothing to see it by yet.
        ("confirmed" | "removed_in_google", None) if wish.removed => Ok(()),
        ("cancelled", None) if wish.cancelled != Maybe::No => Ok(()),
        (state, Some(copy)) => Err(format!("is {state}, and in the calendar: {}", copy["id"])),
        (state, None) => Err(format!("is {state}, and not in the calendar")),
    }
}

/// Shows the last revision that was acknowledged, or one whose answer was lost; and all that people
/// added.
fn judge_copy(copy: &Value, number: usize, wish: &Wish) -> Result<(), String> {
    let summary = copy["summary"].as_str().unwrap_or_default();
    let Some((_, revision)) = read_title(summary).filter(|(wish, _)| *wish == number) else {
        return Err(format!("is called {summary}"));
    };
    if !wish.revisions.contains(&revision) {
        return Err(format!("shows revision {revision}, not one of {:?}", wish.revisions));
    }
    let (start, end) = span(number, revision);
    let at = |name: &str| copy[name]["dateTime"].as_str().unwrap_or_default().to_owned();
    if !at("start").starts_with(&start) || !at("end").starts_with(&end) {
        return Err(format!("is at {} in revision {revision}", at("start")));
    }
    if copy["description"] != notes(number, revision) {
        return Err(format!("has the notes {} in revision {revision}", copy["description"]));
    }
    if wish.location.as_deref() != copy["location"].as_str() {
        return Err(format!("takes place in {}, not {:?}", copy["location"], wish.location));
    }
    let guests = copy["attendees"].as_array().cloned().unwrap_or_default();
    let answer_of = |address: &str| {
        let guest = guests.iter().find(|guest| guest["email"] == address);
        guest.map(|guest| guest["responseStatus"].as_str().unwrap_or_default())
    };
    for invited in &wish.invited {
        if answer_of(invited) != Some("accepted") {
            return Err(format!("{invited}, whom a person invited, is gone or has no answer"));
        }
    }
    match &wish.guest {
        Some((address, _)) if answer_of(address).is_none() && !wish.uninvited => {
            Err(format!("{address} is gone"))
        }
        _ => Ok(()),
    }
}

/// A link that is shown is the one in Google.
fn judge_meet(shown: &Value, copy: &Value) -> Result<(), String> {
    match shown["meet"]["state"].as_str() {
        Some("ready") if shown["meet"]["link"] == copy["hangoutLink"] => Ok(()),
        Some("failed") => Ok(()),
        state => Err(format!("has a Meet link that is {state:?}: {}", shown["meet"])),
    }
}

/// Nobody had mail who was not to have any, and nobody the same twice.
fn judge_mails(world: &World, found: &Found, number: usize, wish: &Wish) -> Result<(), String> {
    let ids: Vec<_> = found.titled(number).iter().map(|copy| copy["id"].clone()).collect();
    let mails = world.google.outbox();
    let mails = || mails.iter().filter(|mail| ids.iter().any(|id| id == mail.event.as_str()));
    if !wish.guest.as_ref().is_some_and(|(_, tell)| *tell) {
        return match mails().next() {
            Some(mail) => Err(format!("{} had mail that nobody asked for", mail.to)),
            None => Ok(()),
        };
    }
    let (address, _) = wish.guest.as_ref().expect("just looked");
    if wish.uninvited {
        // Whoever was uninvited and is invited again is told again.
        return Ok(());
    }
    let sent = |kind| mails().filter(|mail| mail.kind == kind && mail.to == *address).count();
    if sent("invitation") > 1 || sent("cancellation") > 1 || sent("update") > wish.edits {
        return Err(format!("{address} had the same mail more than once"));
    }
    Ok(())
}

/// No work is left over, and the counts agree with the jobs.
async fn judge_jobs(world: &World) {
    let store = world.store();
    let counts = store.count_jobs().await.expect("memory works");
    if counts.live > 0 {
        world.history.violated(format!("{} jobs never come to rest", counts.live));
    }
    for (which, count) in [
        (Which::Live, counts.live),
        (Which::Done, counts.done),
        (Which::Dead, counts.dead),
        (Which::Cancelled, counts.cancelled),
    ] {
        let (jobs, _) = store.jobs(which, None, None, usize::MAX).await.expect("memory works");
        if jobs.len() as u64 != count {
            world
                .history
                .violated(format!("{} jobs are {which:?}, and {count} counted", jobs.len()));
        }
    }
}

/// The event as its backend sees it.
/// What the bridge says of an event; nothing if it does not answer.
pub async fn show(world: &World, backend: usize, id: &str) -> Value {
    let request = || {
        Request::get(format!("/api/v1/events/{id}"))
            .header(header::HOST, "localhost:3001")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.keys[backend]))
            .body(Body::empty())
            .expect("a request")
    };
    match world.ask(request, None).await {
        Seen::Answer(200, shown) => shown,
        Seen::Answer(..) | Seen::Nothing => Value::Null,
    }
}

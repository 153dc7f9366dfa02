//! What happens to the bridge: faults at Google, people in Google's calendar, clocks that are set,
//! grants that end, and the person who connects the account again.

use std::sync::atomic::Ordering;

use calbridge::app::access::Caller;
use calbridge::app::connections::{self, Waiting};
use calbridge::clock::Clock;
use calbridge::model::connection::Health;
use calbridge::simulator::{Fault, FaultKind};
use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::backend::{Journal, Wish, read_title};
use super::history::Chance;
use super::world::World;
use crate::bridge::ANA;

/// What any seed may meet: no person has to mend it, and nobody's grant ends.
const FAULTS: [FaultKind; 20] = [
    FaultKind::LostAnswer,
    FaultKind::LostAnswer,
    FaultKind::TimeoutAfterCommit,
    FaultKind::TimeoutAfterCommit,
    FaultKind::CutBefore,
    FaultKind::Hang,
    FaultKind::Slow,
    FaultKind::Truncated,
    FaultKind::SlowBody,
    FaultKind::WrongContentType,
    FaultKind::HtmlError,
    FaultKind::ServerError,
    FaultKind::RateLimited,
    FaultKind::UserRateLimited,
    FaultKind::QuotaExceeded,
    FaultKind::StaleRead,
    FaultKind::MeetPending,
    FaultKind::MeetFailure,
    FaultKind::TokenEndpointError,
    FaultKind::ServerError,
];
/// What only the operator can mend; here it mends itself.
const OPERATORS: [FaultKind; 3] =
    [FaultKind::InvalidClient, FaultKind::DeletedClient, FaultKind::ApiDisabled];
/// What ends a grant.
const ENDS: [FaultKind; 4] = [
    FaultKind::GrantRevoked,
    FaultKind::InvalidRapt,
    FaultKind::AdminPolicy,
    FaultKind::ScopesNarrowed,
];

/// Arms faults, and sets the clock, until it is quiet.
pub async fn storm(world: &World) {
    let chance = Chance::of(world.seed, 2);
    let grants_die = !world.tight && chance.percent(50);
    world.watch.grants_die.store(grants_die, Ordering::Relaxed);
    while pause(world, chance.time(TimeDelta::seconds(25))).await {
        match chance.below(20) {
            0..13 => arm(world, *chance.pick(&FAULTS), &chance),
            13 => {
                let secs = 1 + chance.below(120);
                world.history.tell(format!("weather  503 for {secs} s"));
                world.google.add_fault(Fault::status(503).secs(secs));
            }
            14 => arm(world, *chance.pick(&OPERATORS), &chance),
            15 => {
                world.history.tell("weather  every access token expires");
                world.google.expire_access_tokens();
            }
            16 | 17 if grants_die => arm(world, *chance.pick(&ENDS), &chance),
            18 if !world.tight => {
                let most = if chance.percent(20) { 7200 } else { 120 };
                let by = TimeDelta::seconds(i64::from(chance.below(2 * most)) - i64::from(most));
                world.history.tell(format!("weather  the clock is set by {} s", by.num_seconds()));
                world.clock.jump(by);
            }
            _ => {}
        }
    }
}

fn arm(world: &World, kind: FaultKind, chance: &Chance) {
    let fault = Fault::new(kind).times(u64::from(1 + chance.below(3)));
    let fault = match kind {
        FaultKind::Slow | FaultKind::SlowBody => fault.secs(1 + chance.below(45)),
        FaultKind::MeetPending => fault.secs(1 + chance.below(90)),
        FaultKind::StaleRead => fault.secs(1 + chance.below(10)),
        FaultKind::QuotaExceeded => fault.times(1),
        FaultKind::RateLimited | FaultKind::UserRateLimited if chance.percent(50) => {
            fault.retry_after(1 + chance.below(60))
        }
        FaultKind::InvalidClient | FaultKind::DeletedClient => {
            // So that the client is asked for a token at all.
            world.google.expire_access_tokens();
            fault
        }
        _ => fault,
    };
    world.history.tell(format!("weather  {}", kind.name()));
    world.google.add_fault(fault);
}

/// People in Google remove events, say where they take place, invite others and uninvite our guests,
/// until it is quiet. Often it is the very event that the bridge is at.
pub async fn people(world: &World, journal: &Journal) {
    let chance = Chance::of(world.seed, 3);
    let longest = *chance.pick(&[40, 40, 5]);
    while pause(world, chance.time(TimeDelta::seconds(longest))).await {
        let events = world.google.events(ANA);
        let wish_of = |event: &Value| event["summary"].as_str().and_then(read_title);
        let ours: Vec<&Value> = events.iter().filter(|event| wish_of(event).is_some()).collect();
        if ours.is_empty() {
            continue;
        }
        let last = world.google.ledger().pop().and_then(|call| call.event).unwrap_or_default();
        let touched = ours.iter().find(|event| event["id"] == last.as_str());
        let event = match touched {
            Some(event) if chance.percent(60) => event,
            _ => *chance.pick(&ours),
        };
        let (wish, _) = wish_of(event).expect("just read");
        let mut journal = journal.0.lock().expect("no one panics while writing");
        meddle(world, &chance, event, &mut journal[wish]);
    }
}

fn meddle(world: &World, chance: &Chance, event: &Value, wish: &mut Wish) {
    let id = event["id"].as_str().expect("an id");
    let title = event["summary"].as_str().expect("a title");
    let guests = || event["attendees"].as_array().cloned().unwrap_or_default();
    match chance.below(8) {
        0 => {
            world.history.tell(format!("person   removes {title}"));
            wish.removed |= world.google.remove_event(ANA, id);
        }
        1..4 => {
            let location = format!("Room {}", chance.below(100));
            world.history.tell(format!("person   moves {title} to {location}"));
            let members = Map::from_iter([("location".to_owned(), location.clone().into())]);
            world.google.edit_event(ANA, id, members);
            wish.location = Some(location);
        }
        4 => {
            let Some((ours, _)) = &wish.guest else { return };
            world.history.tell(format!("person   uninvites {ours} from {title}"));
            let mut guests = guests();
            guests.retain(|guest| guest["email"] != ours.as_str());
            let members = Map::from_iter([("attendees".to_owned(), guests.into())]);
            world.google.edit_event(ANA, id, members);
            wish.uninvited = true;
        }
        _ => {
            let guest = format!("friend{}@elsewhere.example", wish.invited.len());
            world.history.tell(format!("person   invites {guest} to {title}"));
            let mut guests = guests();
            guests.push(json!({ "email": guest, "responseStatus": "accepted" }));
            let members = Map::from_iter([("attendees".to_owned(), guests.into())]);
            world.google.edit_event(ANA, id, members);
            wish.invited.push(guest);
        }
    }
}

/// A person looks now and then whether the account must be connected again; seldom, they take it away.
pub async fn owner(world: &World) {
    let chance = Chance::of(world.seed, 4);
    let disconnects = chance.percent(15);
    while pause(world, chance.time(TimeDelta::seconds(60))).await {
        mend(world).await;
        // The bridge may have been down until it was quiet.
        if disconnects && chance.percent(20) && !world.quiet.is_cancelled() {
            world.history.tell("person   disconnects the account");
            world.watch.grants_die.store(true, Ordering::Relaxed);
            world
                .with_life(async |life| {
                    connections::disconnect_server(
                        &life.app,
                        &Caller::administrator(),
                        Waiting::Kept,
                    )
                    .await
                })
                .await;
        }
    }
    while !world.over.is_cancelled() {
        mend(world).await;
        world.clock.sleep(TimeDelta::seconds(10)).await;
    }
}

/// Connects the account again if that is called for.
async fn mend(world: &World) {
    let mending = world.with_life(async |life| {
        let connection = connections::of_server(&life.app).await;
        if connection.is_ok_and(|found| found.is_none_or(|it| it.state != Health::Connected)) {
            let connected = world.connect(&life.app).await;
            let told = connected.map_or_else(|error| error.to_string(), |()| "done".to_owned());
            world.history.tell(format!("person   connects the account again: {told}"));
        }
    });
    mending.await;
}

/// Waits; tells whether it is not quiet yet.
async fn pause(world: &World, time: TimeDelta) -> bool {
    let waited = world.quiet.run_until_cancelled(world.clock.sleep(time)).await;
    waited.is_some()
}

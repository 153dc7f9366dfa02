//! The simulator against a model of it: three users change events for ten thousand steps, and after
//! each one every calendar that was touched must show what the model says.
//!
//! The model keeps no copies, tokens or versions: a calendar shows the events it organizes and those
//! its owner is invited to. It is asked through HTTP over a pipe, without sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{Method, Request};
use calbridge::clock::ManualClock;
use calbridge::simulator::{Quota, Settings, Simulator, User};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{REDIRECT, form, noon};

const USERS: [&str; 3] = ["ana@example.com", "ben@example.com", "cleo@example.com"];
const STEPS: usize = 10_000;
/// Every so many steps, all of it is compared.
const EVERYTHING: usize = 100;
/// Events alive at a time; beyond them, one is deleted.
const ALIVE: usize = 40;

/// An event as the model knows it.
struct Thing {
    organizer: &'static str,
    title: String,
    start: DateTime<Utc>,
    guests: BTreeMap<&'static str, &'static str>,
    /// Guests who deleted their copy.
    left: BTreeSet<&'static str>,
    /// Every so many days, so often.
    series: Option<(i64, i64)>,
    /// Instances that were edited or, without a title, cancelled.
    exceptions: BTreeMap<i64, Option<(String, DateTime<Utc>)>>,
}

/// What a calendar shows of an event: title, start, its owner's answer.
type Shown = (String, DateTime<Utc>, String);

impl Thing {
    fn is_on(&self, user: &str) -> bool {
        self.organizer == user || (self.guests.contains_key(user) && !self.left.contains(user))
    }

    fn answer(&self, user: &str) -> String {
        self.guests.get(user).copied().unwrap_or_default().to_owned()
    }

    fn original(&self, place: i64) -> DateTime<Utc> {
        self.start + TimeDelta::days(self.series.map_or(0, |(days, _)| days) * place)
    }

    fn instance_id(&self, id: &str, place: i64) -> String {
        format!("{id}_{}", self.original(place).format("%Y%m%dT%H%M%SZ"))
    }

    /// The event, or each of its instances, by id.
    fn instances(&self, id: &str, user: &str) -> Vec<(String, Shown)> {
        let Some((_, count)) = self.series else {
            return vec![(id.to_owned(), (self.title.clone(), self.start, self.answer(user)))];
        };
        let shown = (0..count).filter_map(|place| {
            let (title, start) = match self.exceptions.get(&place) {
                None => (self.title.clone(), self.original(place)),
                Some(edited) => edited.clone()?,
            };
            Some((self.instance_id(id, place), (title, start, self.answer(user))))
        });
        shown.collect()
    }

    /// The event, and the instances that were edited, by id.
    fn masters(&self, id: &str, user: &str) -> Vec<(String, Shown)> {
        let master = (id.to_owned(), (self.title.clone(), self.start, self.answer(user)));
        let edited = self.exceptions.iter().filter_map(|(place, edited)| {
            let (title, start) = edited.clone()?;
            Some((self.instance_id(id, *place), (title, start, self.answer(user))))
        });
        std::iter::once(master).chain(edited).collect()
    }
}

/// A caller that keeps a calendar by its sync tokens.
#[derive(Default)]
struct Mirror {
    token: String,
    items: BTreeMap<String, (Shown, String)>,
}

/// Throws that follow from the seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.throw(of.len())]
    }
}

struct Play {
    line: SendRequest<Full<Bytes>>,
    clock: Arc<ManualClock>,
    tokens: BTreeMap<&'static str, String>,
    dice: Dice,
    things: BTreeMap<String, Thing>,
    made: usize,
    /// By user and by whether instances are shown singly.
    mirrors: BTreeMap<(&'static str, bool), Mirror>,
}

#[tokio::test]
async fn ten_thousand_changes_by_three_users_agree_with_a_model() {
    let account =
        |email: &str| toml::from_str::<User>(&format!("email = '{email}'")).expect("an account");
    let settings = Settings {
        users: USERS.map(account).to_vec(),
        quota: Quota::unlimited(),
        ..Settings::default()
    };
    let clock = Arc::new(ManualClock::at(noon()));
    let simulator = Simulator::with_manual_clock(settings.clone(), clock.clone());
    let (here, there) = tokio::io::duplex(1 << 20);
    let mut tasks = JoinSet::new();
    tasks.spawn(simulator.serve_stream(there, CancellationToken::new()));
    let (line, connection) = handshake(TokioIo::new(here)).await.unwrap();
    tasks.spawn(async move { connection.await.unwrap() });
    let mut play = Play {
        line,
        clock,
        tokens: BTreeMap::new(),
        dice: Dice(1),
        things: BTreeMap::new(),
        made: 0,
        mirrors: BTreeMap::new(),
    };
    for step in 1..=STEPS {
        if step % EVERYTHING == 1 {
            // An access token lives for an hour, also on this clock.
            for user in USERS {
                play.connect(user, &settings).await;
            }
        }
        play.clock.advance(TimeDelta::seconds(1));
        let touched = play.change().await;
        let everything = step % EVERYTHING == 0;
        for user in USERS.into_iter().filter(|user| everything || touched.contains(user)) {
            play.check(user, step).await;
            if everything {
                play.check_each(user, step).await;
            }
        }
    }
}

impl Play {
    async fn ask(&mut self, request: Request<Full<Bytes>>) -> (u16, Value, String) {
        self.line.ready().await.unwrap();
        let response = self.line.send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let location = parts.headers.get("location").map(|value| value.to_str().unwrap());
        let location = location.unwrap_or_default().to_owned();
        (parts.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default(), location)
    }

    /// Lets `user` allow everything.
    async fn connect(&mut self, user: &'static str, settings: &Settings) {
        let client = &settings.clients[0];
        let post = |path: &str, fields: &[(&str, &str)]| {
            let request = Request::post(path).header("host", "simulator");
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            request.body(Full::from(form(fields))).unwrap()
        };
        let asked = form(&[
            ("client_id", &client.id),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", "https://www.googleapis.com/auth/calendar"),
        ]);
        let path = format!("/o/oauth2/v2/auth?{asked}");
        let decision = [("decision", "allow"), ("user", user)];
        let (_, _, back) = self.ask(post(&path, &decision)).await;
        let code = super::parameter(&back.parse().unwrap(), "code").expect("a code");
        let exchange = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("client_id", &client.id),
            ("client_secret", &client.secret),
            ("redirect_uri", REDIRECT),
        ];
        let (_, tokens, _) = self.ask(post("/token", &exchange)).await;
        self.tokens.insert(user, tokens["access_token"].as_str().unwrap().to_owned());
    }

    async fn call(&mut self, user: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = Request::builder().method(method).header("host", "simulator");
        let request = request.uri(format!("/calendar/v3/calendars/{user}/events{path}"));
        let request = request.header("authorization", format!("Bearer {}", self.tokens[user]));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, body, _) = self.ask(request.body(Full::from(body)).unwrap()).await;
        (status, body)
    }

    async fn done(&mut self, user: &str, method: Method, path: &str, body: Value) -> Value {
        let (status, told) = self.call(user, method.clone(), path, body.clone()).await;
        assert!((200..300).contains(&status), "{method} {path} {body}: {status} {told}");
        told
    }

    /// Changes something, and tells whose calendars that touches.
    async fn change(&mut self) -> BTreeSet<&'static str> {
        let ids: Vec<String> = self.things.keys().cloned().collect();
        if ids.is_empty() || (ids.len() < ALIVE && self.dice.throw(4) == 0) {
            return self.insert().await;
        }
        let id = ids[self.dice.throw(ids.len())].clone();
        let before = self.touches(&id);
        if ids.len() >= ALIVE || self.dice.throw(12) == 0 {
            let organizer = self.things[&id].organizer;
            self.done(organizer, Method::DELETE, &format!("/{id}"), Value::Null).await;
            self.things.remove(&id);
            return before;
        }
        match (self.things[&id].series.is_some(), self.dice.throw(4)) {
            (true, 1) => self.cancel_instance(&id).await,
            (true, _) => self.edit_instance(&id).await,
            (_, 0) => self.rename(&id).await,
            (false, 1) => self.answer(&id).await,
            (false, 2) => self.invite_anew(&id).await,
            (false, _) => self.postpone(&id).await,
        }
        &before | &self.touches(&id)
    }

    fn touches(&self, id: &str) -> BTreeSet<&'static str> {
        let thing = &self.things[id];
        thing.guests.keys().copied().chain([thing.organizer]).collect()
    }

    fn title(&mut self) -> String {
        self.made += 1;
        format!("title {}", self.made)
    }

    fn moment(&mut self) -> DateTime<Utc> {
        noon() + TimeDelta::minutes(i64::try_from(self.dice.throw(60 * 24 * 90)).unwrap())
    }

    fn guests(&mut self, organizer: &str) -> BTreeMap<&'static str, &'static str> {
        let others = USERS.into_iter().filter(|user| *user != organizer);
        others.filter(|_| self.dice.throw(3) == 0).map(|user| (user, "needsAction")).collect()
    }

    async fn insert(&mut self) -> BTreeSet<&'static str> {
        let organizer = self.dice.one_of(&USERS);
        let series = (self.dice.throw(3) == 0).then(|| {
            let days = i64::try_from(1 + self.dice.throw(9)).unwrap();
            (days, i64::try_from(1 + self.dice.throw(6)).unwrap())
        });
        let thing = Thing {
            organizer,
            title: self.title(),
            start: self.moment(),
            guests: self.guests(organizer),
            left: BTreeSet::new(),
            series,
            exceptions: BTreeMap::new(),
        };
        let mut body = json!({
            "summary": thing.title, "start": point(thing.start), "end": point(thing.start + hour()),
            "attendees": attendees(&thing.guests),
        });
        if let Some((days, count)) = series {
            body["recurrence"] = json!([format!("RRULE:FREQ=DAILY;INTERVAL={days};COUNT={count}")]);
        }
        let made = self.done(organizer, Method::POST, "", body).await;
        let id = made["id"].as_str().unwrap().to_owned();
        self.things.insert(id.clone(), thing);
        self.touches(&id)
    }

    async fn patch(&mut self, user: &str, id: &str, body: Value) {
        self.done(user, Method::PATCH, &format!("/{id}"), body).await;
    }

    /// A series whose instances were edited keeps its title, so that theirs are not in doubt.
    async fn rename(&mut self, id: &str) {
        if !self.things[id].exceptions.is_empty() {
            return;
        }
        let title = self.title();
        let organizer = self.things[id].organizer;
        self.patch(organizer, id, json!({"summary": title})).await;
        self.things.get_mut(id).unwrap().title = title;
    }

    async fn postpone(&mut self, id: &str) {
        let start = self.moment();
        let organizer = self.things[id].organizer;
        let body = json!({"start": point(start), "end": point(start + hour())});
        self.patch(organizer, id, body).await;
        self.things.get_mut(id).unwrap().start = start;
    }

    /// Invites these guests and no others; who is kept keeps the answer.
    async fn invite_anew(&mut self, id: &str) {
        let organizer = self.things[id].organizer;
        let mut guests = self.guests(organizer);
        for (guest, answer) in &mut guests {
            if let Some(given) = self.things[id].guests.get(guest) {
                *answer = given;
            }
        }
        self.patch(organizer, id, json!({"attendees": attendees(&guests)})).await;
        let thing = self.things.get_mut(id).unwrap();
        // Who is uninvited may come back with a later invitation.
        thing.left.retain(|guest| guests.contains_key(guest));
        thing.guests = guests;
    }

    /// A guest answers, or deletes the event from the own calendar, which declines.
    async fn answer(&mut self, id: &str) {
        let thing = &self.things[id];
        let invited: Vec<&'static str> =
            thing.guests.keys().copied().filter(|guest| thing.is_on(guest)).collect();
        if invited.is_empty() {
            return;
        }
        let guest = self.dice.one_of(&invited);
        let answer = if self.dice.throw(4) == 0 {
            self.done(guest, Method::DELETE, &format!("/{id}"), Value::Null).await;
            self.things.get_mut(id).unwrap().left.insert(guest);
            "declined"
        } else {
            let answer = self.dice.one_of(&["accepted", "declined", "tentative"]);
            let mut guests = self.things[id].guests.clone();
            guests.insert(guest, answer);
            self.patch(guest, id, json!({"attendees": attendees(&guests)})).await;
            answer
        };
        self.things.get_mut(id).unwrap().guests.insert(guest, answer);
    }

    /// One of the places of a series that was not cancelled.
    fn place(&mut self, id: &str) -> Option<i64> {
        let thing = &self.things[id];
        let count = thing.series.map_or(0, |(_, count)| count);
        let free: Vec<i64> =
            (0..count).filter(|place| thing.exceptions.get(place) != Some(&None)).collect();
        (!free.is_empty()).then(|| self.dice.one_of(&free))
    }

    async fn edit_instance(&mut self, id: &str) {
        let Some(place) = self.place(id) else { return };
        let (title, start) = (self.title(), self.moment());
        let (organizer, instance) =
            (self.things[id].organizer, self.things[id].instance_id(id, place));
        let body = json!({"summary": title, "start": point(start), "end": point(start + hour())});
        self.patch(organizer, &instance, body).await;
        self.things.get_mut(id).unwrap().exceptions.insert(place, Some((title, start)));
    }

    async fn cancel_instance(&mut self, id: &str) {
        let Some(place) = self.place(id) else { return };
        let (organizer, instance) =
            (self.things[id].organizer, self.things[id].instance_id(id, place));
        self.done(organizer, Method::DELETE, &format!("/{instance}"), Value::Null).await;
        self.things.get_mut(id).unwrap().exceptions.insert(place, None);
    }

    /// What `user`'s calendar must show.
    fn expected(&self, user: &str, single: bool) -> BTreeMap<String, Shown> {
        let on = self.things.iter().filter(|(_, thing)| thing.is_on(user));
        on.flat_map(
            |(id, thing)| {
                if single { thing.instances(id, user) } else { thing.masters(id, user) }
            },
        )
        .collect()
    }

    /// The whole list, page by page, and the sync token at its end.
    async fn listed(&mut self, user: &str, query: &str) -> (Vec<Value>, String) {
        let (mut items, mut page) = (Vec::new(), String::new());
        loop {
            let path = format!("?maxResults=30{query}{page}");
            let told = self.done(user, Method::GET, &path, Value::Null).await;
            items.extend(told["items"].as_array().unwrap().iter().cloned());
            match told["nextPageToken"].as_str() {
                Some(token) => page = format!("&pageToken={token}"),
                None => {
                    return (items, told["nextSyncToken"].as_str().unwrap_or_default().to_owned());
                }
            }
        }
    }

    /// Lists and syncs of `user`'s calendar agree with the model.
    async fn check(&mut self, user: &'static str, step: usize) {
        let expected = self.expected(user, true);
        let (items, _) = self.listed(user, "&singleEvents=true&orderBy=startTime").await;
        let starts: Vec<DateTime<Utc>> = items.iter().map(|item| shown(item).1).collect();
        assert!(starts.is_sorted(), "step {step}: {starts:?}");
        let listed: BTreeMap<String, Shown> =
            items.iter().map(|item| (text(item, "id"), shown(item))).collect();
        assert_eq!(listed.len(), items.len(), "step {step}: something is listed twice");
        assert_eq!(listed, expected, "step {step}: the list of {user}");
        for single in [true, false] {
            self.sync(user, single).await;
            let mirror = &self.mirrors[&(user, single)].items;
            let mirrored: BTreeMap<String, Shown> =
                mirror.iter().map(|(id, (shown, _))| (id.clone(), shown.clone())).collect();
            let expected = self.expected(user, single);
            assert_eq!(mirrored, expected, "step {step}: the sync of {user}, single: {single}");
        }
    }

    async fn sync(&mut self, user: &'static str, single: bool) {
        let mut query = format!("&singleEvents={single}");
        let known = self.mirrors.entry((user, single)).or_default().token.clone();
        if !known.is_empty() {
            query = format!("{query}&syncToken={known}");
        }
        let (items, token) = self.listed(user, &query).await;
        let mirror = self.mirrors.get_mut(&(user, single)).unwrap();
        mirror.token = token;
        for item in items {
            let id = text(&item, "id");
            if item["status"] == "cancelled" {
                mirror.items.remove(&id);
                mirror.items.retain(|_, (_, master)| *master != id);
            } else {
                mirror.items.insert(id, (shown(&item), text(&item, "recurringEventId")));
            }
        }
    }

    /// Every event is what the model says, each by its id; so are the instances of every series.
    async fn check_each(&mut self, user: &'static str, step: usize) {
        for single in [true, false] {
            for (id, expected) in self.expected(user, single) {
                let item = self.done(user, Method::GET, &format!("/{id}"), Value::Null).await;
                assert_eq!(shown(&item), expected, "step {step}: {id} of {user}");
            }
        }
        let ids: Vec<String> = self.things.keys().cloned().collect();
        for id in ids {
            let thing = &self.things[&id];
            if !thing.is_on(user) {
                let path = format!("/{id}");
                let (status, told) = self.call(user, Method::GET, &path, Value::Null).await;
                let gone = status == 404 || told["status"] == "cancelled";
                assert!(gone, "step {step}: {id} of {user} is {told}");
            } else if thing.series.is_some() {
                let expected: BTreeMap<String, Shown> =
                    thing.instances(&id, user).into_iter().collect();
                let path = format!("/{id}/instances");
                let told = self.done(user, Method::GET, &path, Value::Null).await;
                let items = told["items"].as_array().unwrap().iter();
                let listed: BTreeMap<String, Shown> =
                    items.map(|item| (text(item, "id"), shown(item))).collect();
                assert_eq!(listed, expected, "step {step}: the instances of {id} of {user}");
            }
        }
    }
}

fn hour() -> TimeDelta {
    TimeDelta::hours(1)
}

fn point(moment: DateTime<Utc>) -> Value {
    json!({"dateTime": moment.to_rfc3339_opts(SecondsFormat::Secs, true), "timeZone": "UTC"})
}

fn attendees(guests: &BTreeMap<&'static str, &'static str>) -> Value {
    guests.iter().map(|(email, answer)| json!({"email": email, "responseStatus": answer})).collect()
}

fn text(item: &Value, name: &str) -> String {
    item[name].as_str().unwrap_or_default().to_owned()
}

/// What the calendar's owner sees of an item.
fn shown(item: &Value) -> Shown {
    let start = item["start"]["dateTime"].as_str().expect("a start").parse().unwrap();
    let guests = item["attendees"].as_array().into_iter().flatten();
    let mut mine = guests.filter(|guest| guest["self"] == true);
    let answer = mine.next().map(|guest| text(guest, "responseStatus")).unwrap_or_default();
    (text(item, "summary"), start, answer)
}

//! The callers: backends that post events, change and cancel them, repeat themselves when no answer
//! comes, and keep a journal of what they were promised.

use std::collections::BTreeSet;
use std::sync::Mutex;

use axum::body::Body;
use axum::http::{Method, Request, header};
use calbridge::clock::Clock;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::history::Chance;
use super::world::{Seen, World};

/// Everything that was asked for, in the order of its first request.
#[derive(Default)]
pub struct Journal(pub Mutex<Vec<Wish>>);

/// An event that somebody asked for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Which of the backends.
    pub backend: usize,
    /// The bridge's id: it was accepted.
    pub id: Option<String>,
    /// The revisions that may stand in the calendar.
    pub revisions: BTreeSet<u32>,
    /// Whether it was cancelled.
    pub cancelled: Maybe,
    /// Who is invited, and whether they are to be told.
    pub guest: Option<(String, bool)>,
    /// Changes that were asked for, each at least once.
    pub edits: usize,
    /// A person removed it in Google.
    pub removed: bool,
    /// Where a person said in Google that it takes place.
    pub location: Option<String>,
    /// A person took our guest off the list in Google.
    pub uninvited: bool,
    /// Whom a person invited in Google.
    pub invited: Vec<String>,
}

/// What a caller who had no answer knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Maybe {
    #[default]
    No,
    Perhaps,
    Yes,
}

/// A title tells which event it is, and which revision.
pub fn title(wish: usize, revision: u32) -> String {
    format!("E{wish} r{revision}")
}

/// Which event and which revision a title tells of.
pub fn read_title(title: &str) -> Option<(usize, u32)> {
    let (wish, revision) = title.strip_prefix('E')?.split_once(" r")?;
    Some((wish.parse().ok()?, revision.parse().ok()?))
}

/// What stands in the notes of a revision.
pub fn notes(wish: usize, revision: u32) -> String {
    format!("Notes of {}", title(wish, revision))
}

/// When a revision begins and ends: every member tells of its revision, so that a mixture is seen.
pub fn span(wish: usize, revision: u32) -> (String, String) {
    let day = format!("2026-12-{:02}", wish % 28 + 1);
    let minute = revision % 60;
    (format!("{day}T10:{minute:02}:00"), format!("{day}T11:{minute:02}:00"))
}

/// One backend.
pub struct Backend<'a> {
    pub world: &'a World,
    pub journal: &'a Journal,
    pub number: usize,
    pub chance: Chance,
}

impl Backend<'_> {
    /// Asks for so many events, and for changes of them.
    pub async fn work(&self, events: usize) {
        for event in 0..events {
            self.world.clock.sleep(self.chance.time(TimeDelta::seconds(40))).await;
            if self.chance.percent(15) {
                self.create_batch(event).await;
                continue;
            }
            let Some((wish, id)) = self.create(event).await else { continue };
            let mut revision = 0;
            for _ in 0..self.chance.below(4) {
                self.world.clock.sleep(self.chance.time(TimeDelta::seconds(30))).await;
                revision += 1;
                self.edit(wish, &id, revision).await;
            }
            if self.chance.percent(25) {
                self.world.clock.sleep(self.chance.time(TimeDelta::seconds(30))).await;
                self.cancel(wish, &id).await;
            }
        }
    }

    /// Asks for several events at once, until each is taken.
    async fn create_batch(&self, event: usize) {
        let wishes: Vec<_> = (0..=self.chance.below(4)).map(|_| self.wish()).collect();
        let items: Vec<_> = wishes.iter().map(|wish| self.item(*wish)).collect();
        let body = json!({ "events": items });
        let key = format!("order {event}");
        let headers = [("idempotency-key", Some(&*key))];
        loop {
            let seen = self.ask(Method::POST, "/api/v1/events/batch", &body, &headers).await;
            if let Seen::Answer(200, answer) = &seen {
                let results = answer["results"].as_array().expect("results");
                for (wish, result) in wishes.iter().zip(results) {
                    if let Some(id) = result["id"].as_str() {
                        self.change_wish(*wish, |wish| wish.id = Some(id.to_owned()));
                    }
                }
                if results.iter().all(|result| result["id"].is_string()) {
                    return;
                }
            }
            self.world.clock.sleep(self.chance.time(TimeDelta::seconds(20))).await;
        }
    }

    /// Writes a new wish into the journal.
    fn wish(&self) -> usize {
        let mut journal = self.journal.0.lock().expect("no one panics while writing");
        let guest = self.chance.percent(40);
        let number = journal.len();
        let address = format!("guest{number}@elsewhere.example");
        journal.push(Wish {
            backend: self.number,
            revisions: BTreeSet::from([0]),
            guest: guest.then(|| (address, self.chance.percent(50))),
            ..Wish::default()
        });
        number
    }

    /// Asks for an event: until the answer comes if it can be known again, else once.
    async fn create(&self, event: usize) -> Option<(usize, String)> {
        let wish = self.wish();
        let key = self.chance.percent(70).then(|| format!("order {event}"));
        let body = self.body(wish);
        loop {
            let headers = [("idempotency-key", key.as_deref()), ("prefer", self.preference())];
            let seen = self.ask(Method::POST, "/api/create-calendar-event", &body, &headers).await;
            match seen {
                Seen::Answer(200 | 202, answer) => {
                    let id = answer["id"].as_str().expect("an id").to_owned();
                    self.change_wish(wish, |wish| wish.id = Some(id.clone()));
                    return Some((wish, id));
                }
                // Nobody is connected, or the store is full: nothing was taken.
                Seen::Answer(409 | 503, _) | Seen::Nothing if key.is_some() => {}
                Seen::Nothing => return None,
                Seen::Answer(409 | 503, _) => {
                    self.change_wish(wish, |wish| wish.revisions.clear());
                    return None;
                }
                Seen::Answer(status, answer) => {
                    let said = format!("E{wish} was answered {status}: {answer}");
                    self.world.history.violated(said);
                    return None;
                }
            }
            self.world.clock.sleep(self.chance.time(TimeDelta::seconds(20))).await;
        }
    }

    async fn edit(&self, wish: usize, id: &str, revision: u32) {
        let (start, end) = span(wish, revision);
        let body = json!({
            "summary": title(wish, revision), "description": notes(wish, revision),
            "start": start, "end": end, "time_zone": "Europe/Lisbon",
        });
        self.change_wish(wish, |wish| {
            wish.revisions.insert(revision);
            wish.edits += 1;
        });
        let stubborn = self.chance.percent(70);
        self.until_answered(Method::PATCH, id, &body, stubborn, wish, |wish| {
            wish.revisions = BTreeSet::from([revision]);
        })
        .await;
    }

    async fn cancel(&self, wish: usize, id: &str) {
        self.change_wish(wish, |wish| wish.cancelled = Maybe::Perhaps);
        let stubborn = self.chance.percent(70);
        self.until_answered(Method::DELETE, id, &Value::Null, stubborn, wish, |wish| {
            wish.cancelled = Maybe::Yes;
        })
        .await;
    }

    /// Asks for a change, once or until there is an answer; what a yes means is for `granted`.
    async fn until_answered(
        &self,
        method: Method,
        id: &str,
        body: &Value,
        stubborn: bool,
        wish: usize,
        granted: impl Fn(&mut Wish),
    ) {
        loop {
            let path = format!("/api/v1/events/{id}");
            let headers = [("prefer", self.preference())];
            match self.ask(method.clone(), &path, body, &headers).await {
                Seen::Answer(200 | 202, _) => return self.change_wish(wish, granted),
                Seen::Answer(503, _) => {}
                Seen::Nothing if stubborn => {}
                Seen::Nothing => return,
                Seen::Answer(status, answer) => {
                    let said = format!("{method} of E{wish} was answered {status}: {answer}");
                    return self.world.history.violated(said);
                }
            }
            self.world.clock.sleep(self.chance.time(TimeDelta::seconds(10))).await;
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        headers: &[(&str, Option<&str>)],
    ) -> Seen {
        let titles: Vec<_> = match body["events"].as_array() {
            Some(items) => items.iter().filter_map(|item| item["summary"].as_str()).collect(),
            None => body["summary"].as_str().into_iter().collect(),
        };
        let what = format!("{method} {path} {}", titles.join(", "));
        let who = self.number;
        let request = || {
            let mut request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header(header::HOST, "localhost:3001")
                .header(header::AUTHORIZATION, format!("Bearer {}", self.world.keys[who]))
                .header(header::CONTENT_TYPE, "application/json");
            for (name, value) in headers {
                if let Some(value) = value {
                    request = request.header(*name, *value);
                }
            }
            self.world.history.tell(format!("ask      backend {who}: {what}"));
            request.body(Body::from(body.to_string())).expect("a request")
        };
        let patience = self.chance.percent(15).then(|| self.chance.time(TimeDelta::seconds(5)));
        let seen = self.world.ask(request, patience).await;
        let told = match &seen {
            Seen::Answer(status, answer) => {
                let state = answer["state"].as_str().or(answer["code"].as_str());
                format!("{status} {}", state.unwrap_or_default())
            }
            Seen::Nothing => "no answer".to_owned(),
        };
        self.world.history.tell(format!("answer   backend {who}: {what}: {told}"));
        seen
    }

    fn body(&self, wish: usize) -> Value {
        let (start, end) = span(wish, 0);
        let mut body = json!({
            "summary": title(wish, 0), "description": notes(wish, 0),
            "startDateTime": start, "endDateTime": end, "timeZone": "Europe/Lisbon",
        });
        let journal = self.journal.0.lock().expect("no one panics while writing");
        if let Some((address, tell)) = &journal[wish].guest {
            body["attendeeEmail"] = address.as_str().into();
            body["notify"] = if *tell { "all" } else { "none" }.into();
        }
        body
    }

    /// A wish as an item of a batch.
    fn item(&self, wish: usize) -> Value {
        let (start, end) = span(wish, 0);
        let mut body = json!({
            "summary": title(wish, 0), "description": notes(wish, 0), "meet": true,
            "start": start, "end": end, "time_zone": "Europe/Lisbon",
        });
        let journal = self.journal.0.lock().expect("no one panics while writing");
        if let Some((address, tell)) = &journal[wish].guest {
            body["guests"] = json!([address]);
            body["notify"] = if *tell { "all" } else { "none" }.into();
        }
        body
    }

    fn preference(&self) -> Option<&'static str> {
        *self.chance.pick(&[None, Some("respond-async"), Some("wait=2"), Some("wait=40")])
    }

    fn change_wish(&self, wish: usize, change: impl FnOnce(&mut Wish)) {
        let mut journal = self.journal.0.lock().expect("no one panics while writing");
        change(&mut journal[wish]);
    }
}

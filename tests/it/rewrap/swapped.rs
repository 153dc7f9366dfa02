//! What lies in another's place never opens: not another record's, not another field's, not an older
//! one, not one of which a bit is another.

use calbridge::app::connections::{self, Answer, Consent};
use calbridge::app::{App, Error, audit::By};
use calbridge::model::audit::Action;
use calbridge::model::connection::Health;
use calbridge::model::item::Noun;
use calbridge::model::job::{Cause, Kind};
use calbridge::model::key::Scope;
use calbridge::model::owner::UserId;
use calbridge::model::sealed::Sealed;
use calbridge::store::{Bound, Envelope, Reseal, Spot};
use hyper::Method;
use serde_json::json;

use crate::bridge::{ANA, Bridge, tea, with};

const BEN: &str = "ben@example.com";

/// Puts an envelope where another lies.
pub async fn put(app: &App, place: &Envelope, now: &Sealed) {
    let lies = app.store.envelopes(None, 999).await.unwrap();
    let lies = lies.into_iter().find(|envelope| envelope.spot == place.spot).unwrap();
    let reseal = Reseal { spot: place.spot, was: lies.sealed, now: now.clone() };
    assert_eq!(app.store.reseal(vec![reseal]).await.unwrap(), 1);
}

/// A bridge with two sealed records of each kind at least, but for tokens: a revocation carries one.
struct Filled {
    bridge: Bridge,
    consents: Vec<Consent>,
}

async fn filled() -> Filled {
    let bridge = Bridge::connected().await;
    let app = &bridge.tied.app;
    for title in ["Tea", "Coffee"] {
        let body = with(tea(), &json!({ "summary": title }));
        assert_eq!(bridge.post(&body, &[]).await.status, 200);
    }
    bridge.disconnect().await;
    bridge.connect(BEN).await.unwrap();
    let key = bridge.key_for(&[Scope::TasksWrite]).await;
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    for (path, body) in [
        ("/api/v1/categories", json!({ "name": "Work" })),
        ("/api/v1/tasks", json!({ "title": "Paint" })),
    ] {
        let made = bridge.send_raw(Method::POST, path, &body.to_string(), &headers).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }
    let mut consents = Vec::new();
    for name in ["ana", "ben"] {
        consents.push(connections::begin(app, connections::Purpose::server()).await.unwrap());
        let user = UserId::try_from(name.to_owned()).unwrap();
        app.act(By::User(user), Action::LinkUsed).keep().await.unwrap();
    }
    Filled { bridge, consents }
}

impl Filled {
    fn app(&self) -> &App {
        &self.bridge.tied.app
    }

    async fn envelopes(&self) -> Vec<Envelope> {
        self.app().store.envelopes(None, 999).await.unwrap()
    }

    /// Whether whoever needs what lies there gets it.
    async fn opens(&self, place: &Envelope) -> bool {
        let (app, store) = (self.app(), &self.app().store);
        match place.spot {
            Spot::Profile(id) => app.profile(&store.connection(id).await.unwrap().unwrap()).is_ok(),
            Spot::Token(id) => {
                let linked = store.connection(id).await.unwrap().unwrap();
                let token = linked.token.as_ref().unwrap();
                app.open_token(&linked.owner, id, linked.version, token).is_ok()
            }
            Spot::Content(id) => app.content(&store.event(id).await.unwrap().unwrap()).is_ok(),
            Spot::Links(id) => app.links(&store.event(id).await.unwrap().unwrap()).is_ok(),
            Spot::Detail(seq) => {
                let entry = store.audit(seq - 1, 1).await.unwrap().remove(0);
                app.detail(&entry).is_ok()
            }
            Spot::Item(id) => {
                let item = store.item(id).await.unwrap().unwrap();
                match item.noun {
                    Noun::Category => app.category(&item).is_ok(),
                    Noun::Task => app.task(&item).is_ok(),
                    noun => panic!("no {noun:?} was made"),
                }
            }
            Spot::Payload(_) => {
                let Bound::Work(owner, Kind::RevokeGrant { connection, version }) = &place.bound
                else {
                    panic!("no other job carries anything")
                };
                let lies = self.envelopes().await;
                let lies = lies.iter().find(|envelope| envelope.spot == place.spot).unwrap();
                app.open_token(owner, *connection, *version, &lies.sealed).is_ok()
            }
            Spot::Ticket(kind, digest) => {
                let ticket = store.ticket(kind, &digest).await.unwrap().unwrap();
                let state = |consent: &&Consent| {
                    let tag = app.vault.tag("consent-state", &[state_of(consent).as_bytes()]);
                    tag == digest
                };
                let consent = self.consents.iter().find(state).unwrap();
                let state = Some(state_of(consent).to_owned());
                let answer = Answer { state, ..Answer::default() };
                let ended = connections::finish(app, answer, Some(&consent.cookie)).await;
                store.put_ticket(ticket).await.unwrap();
                match ended.outcome.unwrap_err() {
                    Error::Vault(_) => false,
                    Error::Consent { code: "no_code", .. } => true,
                    other => panic!("{other}"),
                }
            }
        }
    }
}

fn state_of(consent: &Consent) -> &str {
    let (_, after) = consent.url.split_once("state=").unwrap();
    after.split('&').next().unwrap()
}

#[tokio::test]
async fn no_record_opens_in_the_place_of_another() {
    let filled = filled().await;
    let all = filled.envelopes().await;
    let kinds = |envelope: &Envelope| std::mem::discriminant(&envelope.spot);
    let met: std::collections::HashSet<_> = all.iter().map(kinds).collect();
    assert_eq!(met.len(), 8, "of each kind one: {all:?}");
    let mut swaps = 0;
    for place in &all {
        assert!(filled.opens(place).await, "{}", place.spot);
        for other in all.iter().filter(|other| other.spot != place.spot) {
            put(filled.app(), place, &other.sealed).await;
            assert!(!filled.opens(place).await, "{} opens as {}", other.spot, place.spot);
            swaps += 1;
        }
        put(filled.app(), place, &place.sealed).await;
        assert!(filled.opens(place).await, "{}", place.spot);
    }
    assert!(swaps > 150, "{swaps}");
}

#[tokio::test]
async fn no_record_opens_with_a_bit_turned_or_its_end_cut() {
    let filled = filled().await;
    for place in filled.envelopes().await {
        let whole = place.sealed.as_bytes();
        for at in 0..whole.len() {
            let mut turned = whole.to_vec();
            turned[at] ^= 1 << (at % 8);
            put(filled.app(), &place, &Sealed::from_bytes(turned)).await;
            assert!(!filled.opens(&place).await, "{} with byte {at} turned", place.spot);
        }
        for length in [0, 1, 32, 33, 48, whole.len() - 17, whole.len() - 1] {
            put(filled.app(), &place, &Sealed::from_bytes(whole[..length].to_vec())).await;
            assert!(!filled.opens(&place).await, "{} cut after {length} bytes", place.spot);
        }
        put(filled.app(), &place, &place.sealed).await;
        assert!(filled.opens(&place).await);
    }
}

#[tokio::test]
async fn no_older_envelope_opens_in_a_newer_row() {
    let filled = Filled { bridge: Bridge::connected().await, consents: Vec::new() };
    let (bridge, app) = (&filled.bridge, filled.app());
    let made = bridge.post(&tea(), &[]).await.json();
    let older = filled.envelopes().await;
    // The event gets a newer revision, with other links; the connection another version.
    let path = format!("/api/v1/events/{}", made["id"].as_str().unwrap());
    let changed = bridge.send_json(Method::PATCH, &path, &json!({ "summary": "Milk" }), &[]).await;
    assert!(changed.status < 300, "{}", changed.text);
    bridge.run_until_idle().await;
    let linked = connections::of_server(app).await.unwrap().unwrap();
    let dead = Health::ReconnectNeeded(Cause::new("grant_dead", "Google says so"));
    connections::mark(app, &linked, dead).await.unwrap();
    let mut tried = 0;
    for place in filled.envelopes().await {
        let Some(old) = older.iter().find(|old| old.spot == place.spot) else { continue };
        if old.bound == place.bound {
            continue;
        }
        put(app, &place, &old.sealed).await;
        assert!(!filled.opens(&place).await, "{}", place.spot);
        put(app, &place, &place.sealed).await;
        assert!(filled.opens(&place).await, "{}", place.spot);
        tried += 1;
    }
    assert!(tried >= 3, "content, profile and token, and mostly links: {tried}");
}

#[tokio::test]
async fn an_event_in_the_place_of_another_is_not_shown_to_anybody() {
    let bridge = Bridge::connected().await;
    let app = &bridge.tied.app;
    let made = bridge.post(&tea(), &[]).await.json();
    bridge.post(&with(tea(), &json!({ "summary": "Coffee" })), &[]).await;
    let all = app.store.envelopes(None, 99).await.unwrap();
    let content = |envelope: &&Envelope| matches!(envelope.spot, Spot::Content(_));
    let [one, other] = all.iter().filter(content).collect::<Vec<_>>()[..] else {
        panic!("there are two events")
    };
    put(app, one, &other.sealed).await;
    put(app, other, &one.sealed).await;
    let path = format!("/api/v1/events/{}", made["id"].as_str().unwrap());
    let shown = bridge.get(&path).await;
    assert_eq!((shown.status, &shown.json()["code"]), (500, &json!("internal")));
    assert!(!shown.text.contains("Coffee") && !shown.text.contains("Tea"), "{}", shown.text);
    assert_eq!(bridge.titles(ANA), ["Tea", "Coffee"], "nor does Google hear of it");
}

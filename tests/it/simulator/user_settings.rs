//! The palettes of colours and the settings of a user.

use axum::http::Method;
use serde_json::{Value, json};

use super::{VERIFIER, World, parameter};

const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";
const SETTINGS: &str = "/calendar/v3/users/me/settings";

impl World {
    /// An access token of `user` for these scopes, as one text.
    pub(crate) async fn token_for(&self, user: &str, scopes: &str) -> String {
        let path = self.consent_path(&[("scope", scopes)]);
        let back = self.decide(&path, &[("decision", "allow"), ("user", user)]).await;
        let code = parameter(&back, "code").expect("a code");
        let tokens = self.exchange(&code, VERIFIER).await.json();
        tokens["access_token"].as_str().expect("an access token").to_owned()
    }

    /// An access token of ana's for everything about calendars.
    pub(crate) async fn anas_token(&self) -> String {
        self.token_for("ana@example.com", CALENDAR).await
    }
}

fn values(page: &Value) -> Vec<(String, String)> {
    let items = page["items"].as_array().expect("items");
    let text = |item: &Value, name: &str| item[name].as_str().expect(name).to_owned();
    items.iter().map(|item| (text(item, "id"), text(item, "value"))).collect()
}

#[tokio::test]
async fn the_palettes_are_those_of_google() {
    let world = World::new().await;
    let token = world.anas_token().await;
    let colors = world.api(&token, Method::GET, "/calendar/v3/colors", Value::Null).await.json();
    assert_eq!(colors["kind"], "calendar#colors");
    assert_eq!(colors["calendar"].as_object().map(serde_json::Map::len), Some(24));
    assert_eq!(colors["event"].as_object().map(serde_json::Map::len), Some(11));
    assert_eq!(colors["calendar"]["14"], json!({"background": "#9fe1e7", "foreground": "#1d1d1d"}));
    assert_eq!(colors["event"]["11"], json!({"background": "#dc2127", "foreground": "#1d1d1d"}));

    let events_only = world.connect().await.0;
    let refused = world.api(&events_only, Method::GET, "/calendar/v3/colors", Value::Null).await;
    assert_eq!(refused.status, 403);
    world.end().await;
}

#[tokio::test]
async fn settings_are_paged_and_synced() {
    let world = World::new().await;
    let token = world.anas_token().await;
    let list = async |query: &str| {
        world.api(&token, Method::GET, &format!("{SETTINGS}{query}"), Value::Null).await
    };

    let first = list("?maxResults=7").await.json();
    assert_eq!(first["nextSyncToken"], Value::Null);
    let more = first["nextPageToken"].as_str().expect("a second page");
    let second = list(&format!("?maxResults=7&pageToken={more}")).await.json();
    let all = [values(&first), values(&second)].concat();
    assert_eq!(all.len(), 12);
    assert!(all.contains(&("timezone".to_owned(), "Europe/Lisbon".to_owned())));
    assert!(all.contains(&("weekStart".to_owned(), "0".to_owned())));

    let sync = second["nextSyncToken"].as_str().expect("a sync token").to_owned();
    assert_eq!(values(&list(&format!("?syncToken={sync}")).await.json()), []);
    assert!(world.simulator.change_user_setting("ana@example.com", "weekStart", "1"));
    assert!(world.simulator.change_user_setting("ben@example.com", "locale", "de"));
    assert!(!world.simulator.change_user_setting("ana@example.com", "mood", "fine"));
    let changed = list(&format!("?syncToken={sync}")).await.json();
    assert_eq!(values(&changed), [("weekStart".to_owned(), "1".to_owned())]);

    let one = list("/weekStart").await;
    assert_eq!(one.json()["value"], "1");
    assert_eq!(one.header("etag"), one.json()["etag"]);
    assert_eq!(
        (list("/mood").await.status, list("/mood").await.reason().as_str()),
        (404, "notFound")
    );

    assert_eq!(list("?syncToken=nonsense").await.status, 400);
    world.simulator.expire_sync_tokens();
    let late = list(&format!("?syncToken={sync}")).await;
    assert_eq!((late.status, late.reason().as_str()), (410, "fullSyncRequired"));
    world.end().await;
}

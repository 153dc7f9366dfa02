//! Connections of users: linked by a one-use link, looked at, and let go of.

mod health;
mod letting_go;
mod links;

use calbridge::model::key::Scope;
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{ANA, Answer, Bridge, Choices};
use crate::jwt::application::{Shop, Way};
use crate::setup::browser::{ALLOW, Browser};

/// The other account at Google.
pub const BEN: &str = "ben@example.com";
/// Where the application wants its users back.
pub const BACK: &str = "https://app.example.com/calendar/connected";

/// A backend that makes links for its users, and the bridge it asks.
pub struct Backend {
    pub bridge: Bridge,
}

/// A link as `key` makes it.
pub async fn link_for(bridge: &Bridge, key: &str, body: &Value) -> Value {
    let key = format!("Bearer {key}");
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    let path = "/api/v1/connections/links";
    let answer = bridge.send_raw(Method::POST, path, &body.to_string(), &headers).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

impl Backend {
    /// One whose key may do everything with connections.
    pub async fn start() -> Self {
        Self::with(Choices::default()).await
    }

    /// The same, on a bridge as chosen.
    pub async fn with(choices: Choices) -> Self {
        let settings = format!(
            "connections.return_to = \"{BACK} http://localhost:5173/back\"\nlimits.refusals = 1000000\n{}",
            choices.settings
        );
        let mut bridge = Bridge::with(Choices { settings, ..choices }).await;
        bridge.key = bridge.key_for(&[Scope::ConnectionsAdmin, Scope::Admin]).await;
        Self { bridge }
    }

    pub async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        let path = format!("/api/v1/connections{path}");
        self.bridge.send_json(method, &path, body, &[]).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.bridge.get(&format!("/api/v1/connections{path}")).await
    }

    /// What it is told, which must be a 200.
    pub async fn told(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// The address of a link as asked for.
    pub async fn link(&self, body: &Value) -> String {
        let link = link_for(&self.bridge, &self.bridge.key, body).await;
        link["url"].as_str().expect("an address").to_owned()
    }

    /// Lets a user connect an account. Returns the connection's path under `connections`.
    pub async fn connect(&self, user: &str, account: &str) -> String {
        let link = self.link(&json!({ "user": user })).await;
        let fields = [("decision", "allow"), ("user", account)];
        let answer = Browser::new(&self.bridge).connect_by(&link, &fields).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.of(user).await
    }

    /// The path of a user's connection.
    pub async fn of(&self, user: &str) -> String {
        let list = self.told(&format!("?user={user}")).await;
        format!("/{}", list["data"][0]["id"].as_str().expect("a connection"))
    }
}

#[tokio::test]
async fn a_user_connects_by_a_link_and_the_backend_learns_what_came_of_it() {
    let backend = Backend::start().await;
    let link = backend
        .link(&json!({ "user": "user-7", "return_to": format!("{BACK}?lang=pt"), "state": "s1" }))
        .await;
    let browser = Browser::new(&backend.bridge);
    let page = browser.get(&link).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for told in ["id=\"asked-by\">test<", "id=\"user\">user-7<", "id=\"host\">app.example.com<"] {
        assert!(page.text.contains(told), "no {told} in {}", page.text);
    }
    assert!(page.text.contains("see the list of its calendars"), "{}", page.text);

    let shown = browser.connect_by(&link, ALLOW).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert!(shown.text.contains(&format!("id=\"email\">{ANA}<")), "{}", shown.text);
    let (seconds, back) = shown.header("refresh").split_once("; url=").expect("a way back");
    assert_eq!(seconds, "10");
    let back: url::Url = back.parse().expect("an address");
    assert!(back.as_str().starts_with(&format!("{BACK}?lang=pt&code=")), "{back}");
    assert!(back.as_str().ends_with("&state=s1"), "{back}");
    assert!(shown.text.contains("id=\"back\" href=\"https://app.example.com/calendar/connected"));

    let code = back.query_pairs().find(|(name, _)| name == "code").expect("a code").1;
    let told = backend.ask(Method::POST, "/codes", &json!({ "code": code })).await;
    assert_eq!(told.status, 200, "{}", told.text);
    let connection = backend.of("user-7").await;
    let expected = json!({
        "object": "connection_result", "connection": connection[1..], "user": "user-7"
    });
    assert_eq!(told.json(), expected);
    let again = backend.ask(Method::POST, "/codes", &json!({ "code": code })).await;
    assert_eq!((again.status, &again.json()["code"]), (404, &json!("not_found")));

    let shown = backend.told(&connection).await;
    assert_eq!(shown["user"], "user-7");
    assert_eq!(shown["email"], ANA);
    assert_eq!(shown["state"], "connected");
    assert_eq!(shown["means"], "consent");
    assert_eq!(shown["default_calendar"], ANA);
    assert_eq!(shown["missing_scopes"], json!([]));
    assert_eq!(shown["last_refresh"], "2026-11-02T08:00:00Z");
    assert!(shown.get("cause").is_none());
    let status = backend.bridge.get("/api/calendar-status").await.json();
    assert_eq!(status["authenticated"], false, "the server's own account is another matter");
}

#[tokio::test]
async fn connections_are_listed_page_by_page_and_by_user() {
    let backend = Backend::start().await;
    backend.bridge.connect(ANA).await.expect("the server's account");
    for user in ["one", "two", "three"] {
        backend.connect(user, BEN).await;
    }
    let whole = backend.told("").await;
    let ids = |list: &Value| -> Vec<String> {
        let data = list["data"].as_array().expect("a list").iter();
        data.map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!((ids(&whole).len(), &whole["next"]), (4, &Value::Null));
    let mut found = Vec::new();
    let mut query = "?limit=3".to_owned();
    for most in [3, 1] {
        let page = backend.told(&query).await;
        assert_eq!(ids(&page).len(), most);
        found.extend(ids(&page));
        query = format!("?limit=3&after={}", page["next"].as_str().unwrap_or_default());
    }
    assert_eq!(found, ids(&whole));
    assert!(query.ends_with("after="), "the last page names no next");
    let two = backend.told("?user=two").await;
    assert_eq!((ids(&two).len(), &two["data"][0]["user"]), (1, &json!("two")));
    assert_eq!(backend.told("?user=nobody").await["data"], json!([]));
    for wrong in ["?limit=0", "?limit=101", "?after=x", "?user=a%20b", "?owner=two"] {
        assert_eq!(backend.get(wrong).await.status, 422, "{wrong}");
    }
}

#[tokio::test]
async fn the_default_calendar_is_chosen_among_those_that_can_be_written_to() {
    let google_settings = "scopes = \"full\"".to_owned();
    let backend = Backend::with(Choices { google_settings, ..Choices::default() }).await;
    let bridge = &backend.bridge;
    let ana = backend.connect("ana", ANA).await;
    backend.connect("ben", BEN).await;
    let work = bridge
        .at_google("ana", Method::POST, "calendars", &json!({ "summary": "Work" }))
        .await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let reader = json!({ "role": "reader", "scope": { "type": "user", "value": ANA } });
    bridge.at_google("ben", Method::POST, &format!("calendars/{BEN}/acl"), &reader).await;
    bridge.at_google("ana", Method::POST, "users/me/calendarList", &json!({ "id": BEN })).await;

    let list = backend.told(&format!("{ana}/calendars")).await;
    let found: Vec<_> = list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["id"].clone(), one["writable"].clone(), one["default"].clone()))
        .collect();
    assert!(found.contains(&(json!(ANA), json!(true), json!(true))), "{found:?}");
    assert!(found.contains(&(json!(work), json!(true), json!(false))), "{found:?}");
    assert!(found.contains(&(json!(BEN), json!(false), json!(false))), "{found:?}");

    let choose = async |calendar: &str| {
        backend.ask(Method::PATCH, &ana, &json!({ "default_calendar": calendar })).await
    };
    for wrong in [BEN, "nobody@example.com", ""] {
        let refused = choose(wrong).await;
        assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("invalid")), "{wrong}");
    }
    assert_eq!(backend.told(&ana).await["default_calendar"], ANA);
    let chosen = choose(&work).await;
    assert_eq!((chosen.status, &chosen.json()["default_calendar"]), (200, &json!(work)));
    assert_eq!(choose("primary").await.json()["default_calendar"], ANA);
    assert_eq!(choose(&work).await.status, 200);

    // It stays chosen when the account is connected again.
    let link = backend.ask(Method::POST, &format!("{ana}/reconnect"), &json!({})).await.json();
    let link = link["url"].as_str().expect("an address");
    Browser::new(bridge).connect_by(link, ALLOW).await;
    assert_eq!(backend.told(&ana).await["default_calendar"], json!(work));
}

#[tokio::test]
async fn a_link_can_name_the_calendars_that_must_be_there() {
    let google_settings = "scopes = \"full\"".to_owned();
    let backend = Backend::with(Choices { google_settings, ..Choices::default() }).await;
    let bridge = &backend.bridge;
    backend.connect("ben", BEN).await;
    let team = bridge
        .at_google("ben", Method::POST, "calendars", &json!({ "summary": "Team" }))
        .await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let wish = json!({ "user": "ana", "calendars": [team, "primary"] });
    let link = backend.link(&wish).await;
    let refused = Browser::new(bridge).connect_by(&link, ALLOW).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("cannot write to the calendar"), "{}", refused.text);
    assert_eq!(backend.told("?user=ana").await["data"], json!([]));
    assert_eq!(bridge.calls("revoke"), 1, "what is not kept is given back");

    let link = backend.link(&json!({ "user": "ben", "calendars": [team, "primary"] })).await;
    let fields = [("decision", "allow"), ("user", BEN)];
    let done = Browser::new(bridge).connect_by(&link, &fields).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let ben = backend.of("ben").await;
    assert_eq!(backend.told(&ben).await["default_calendar"], json!(team));
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_a_link_is_made() {
    let backend = Backend::start().await;
    for wrong in [
        json!({}),
        json!({ "user": "" }),
        json!({ "user": "a b" }),
        json!({ "user": "x".repeat(129) }),
        json!({ "user": "u", "expected_email": "nobody" }),
        json!({ "user": "u", "expected_email": "a@b c" }),
        json!({ "user": "u", "calendars": [""] }),
        json!({ "user": "u", "calendars": vec!["c"; 21] }),
        json!({ "user": "u", "state": "s" }),
        json!({ "user": "u", "return_to": BACK, "state": "s ".repeat(3) }),
        json!({ "user": "u", "return_to": BACK, "state": "s".repeat(513) }),
        json!({ "user": "u", "redirect": BACK }),
    ] {
        let refused = backend.ask(Method::POST, "/links", &wrong).await;
        assert_eq!(refused.status, 422, "{wrong}: {}", refused.text);
    }
    let file = backend.bridge.place.path().join("google-credentials.json");
    std::fs::remove_file(file).expect("a file");
    let refused = backend.ask(Method::POST, "/links", &json!({ "user": "u" })).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("not_configured")));
}

#[tokio::test]
async fn another_users_connection_is_as_good_as_none() {
    let keys = json!({ "keys": [Way::EdDsa.public(true, "main")] });
    let settings = format!("[connections]\nreturn_to = \"{BACK}\"");
    let mut shop = Shop::with_keys(Way::EdDsa, &keys, &settings).await;
    shop.bridge.key = shop.bridge.key_for(&[Scope::Admin]).await;
    let (ana, zoe) = (shop.token("ana"), shop.token("zoe"));
    let mut backend = Backend { bridge: shop.bridge };
    backend.bridge.connect(ANA).await.expect("the server's account");
    let server = backend.told("").await["data"][0]["id"].as_str().expect("an id").to_owned();
    let theirs = backend.connect("ana", ANA).await;
    let link = backend.link(&json!({ "user": "ana", "return_to": BACK })).await;
    let shown = Browser::new(&backend.bridge).connect_by(&link, ALLOW).await;
    let code = shown.header("refresh").split_once("code=").expect("a code").1.to_owned();

    backend.bridge.key = zoe;
    for id in [theirs.clone(), format!("/{server}")] {
        for (method, rest, body) in [
            (Method::GET, "", json!({})),
            (Method::GET, "/calendars", json!({})),
            (Method::PATCH, "", json!({ "default_calendar": "primary" })),
            (Method::POST, "/reconnect", json!({})),
            (Method::POST, "/disconnect", json!({})),
            (Method::DELETE, "", json!({})),
        ] {
            let foreign = backend.ask(method.clone(), &format!("{id}{rest}"), &body).await;
            let nobodys = format!("/00000000000000000000000000{rest}");
            let missing = backend.ask(method.clone(), &nobodys, &body).await;
            assert_eq!((foreign.status, missing.status), (404, 404), "{method} {rest}");
            assert_eq!(foreign.json()["code"], missing.json()["code"]);
            assert_eq!(foreign.json()["detail"], missing.json()["detail"]);
        }
    }
    assert_eq!(backend.told("").await["data"], json!([]));
    let foreign = backend.get("?user=ana").await;
    assert_eq!((foreign.status, &foreign.json()["code"]), (403, &json!("not_for_users")));
    let refused = backend.ask(Method::POST, "/links", &json!({ "user": "ana" })).await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("not_for_users")));
    let foreign = backend.ask(Method::POST, "/codes", &json!({ "code": code })).await;
    let missing = backend.ask(Method::POST, "/codes", &json!({ "code": "x" })).await;
    assert_eq!((foreign.status, missing.status), (404, 404));
    assert_eq!(foreign.json()["detail"], missing.json()["detail"]);

    backend.bridge.key = ana;
    let own = backend.told("").await;
    assert_eq!(
        (&own["data"].as_array().expect("a list").len(), &own["data"][0]["user"]),
        (&1, &json!("ana"))
    );
    assert_eq!(backend.told(&theirs).await["email"], ANA);
    let told = backend.ask(Method::POST, "/codes", &json!({ "code": code })).await;
    assert_eq!((told.status, &told.json()["user"]), (200, &json!("ana")), "{}", told.text);
    let link = backend.ask(Method::POST, "/links", &json!({})).await;
    assert_eq!((link.status, &link.json()["user"]), (201, &json!("ana")), "{}", link.text);
}

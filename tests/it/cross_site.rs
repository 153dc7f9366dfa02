//! Pages of other sites in a real browser, in which an administrator is signed in. They try every
//! route that changes something, from another port and from another site, with everything a page can
//! send; afterwards the store and Google are as they were, to the byte.

use std::future::ready;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use axum::response::Html;
use calbridge::app::access;
use calbridge::http::policy;
use calbridge::http::policy::row::{Forgery, Row};
use calbridge::store::Record;
use hyper::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::bridge::{ANA, Bridge, Choices, tea};
use crate::browser::driver::Driver;
use crate::policy::path;

const HOME: &str = "/google-calendar-setup";
/// So often the browser is asked where it is before a navigation counts as lost.
const MOST_LOOKS: usize = 10_000;

/// Everything one page of another site can make a browser send to `url`, but for navigations.
const ATTACK: &str = "
    const [url, method, fields, body] = arguments[0];
    const form = new URLSearchParams(fields);
    const tries = [];
    const send = (init) => tries.push(fetch(url, { credentials: 'include', ...init }).catch(() => {}));
    for (const mode of ['no-cors', 'cors']) {
        for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
            const sent = type === 'text/plain' ? body : form.toString();
            send({ method: 'POST', mode, headers: { 'content-type': type }, body: sent });
        }
        send({ method: 'GET', mode });
    }
    const loud = { 'content-type': 'application/json', 'authorization': 'Bearer cb_guess' };
    send({ method, headers: loud, body: method === 'GET' ? undefined : body });
    tries.push(new Promise((done) => {
        const image = new Image();
        image.onload = image.onerror = done;
        image.src = url;
    }));
    for (const enctype of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data']) {
        tries.push(new Promise((done) => {
            const frame = document.createElement('iframe');
            frame.name = 'frame' + Math.random();
            document.body.append(frame);
            frame.onload = () => { if (frame.sent) done(); };
            const made = document.createElement('form');
            Object.assign(made, { action: url, method: 'post', enctype, target: frame.name });
            for (const [name, value] of form) {
                made.append(Object.assign(document.createElement('input'), { name, value }));
            }
            document.body.append(made);
            frame.sent = true;
            made.submit();
        }));
    }
    return Promise.all(tries).then(() => tries.length);
";

/// A form that takes the whole window along.
const NAVIGATE: &str = "
    const [url, method, fields] = arguments[0];
    const made = document.createElement('form');
    Object.assign(made, { action: url, method });
    for (const [name, value] of Object.entries(fields)) {
        made.append(Object.assign(document.createElement('input'), { name, value }));
    }
    document.body.append(made);
    made.submit();
";

/// A bridge that a browser reaches, with an administrator signed in, and a page of somebody else's.
struct Scene {
    bridge: Bridge,
    base: String,
    driver: Driver,
    /// Where the other page is: on another port, and on another site.
    elsewhere: [String; 2],
    /// What arrived at the bridge, by method and path.
    arrived: Arc<Mutex<Vec<(Method, String)>>>,
    _serving: JoinSet<()>,
}

impl Scene {
    async fn set() -> Self {
        let ours = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", ours.local_addr().expect("an address"));
        let settings = format!(
            "public_url = \"{base}\"\n[limits]\npages = 1000000\nsign_in = 1000000\nopen = 1000000\nrefusals = 1000000"
        );
        let bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
        let callback = format!("{base}/oauth2callback");
        bridge.google.allow_redirect(&callback);
        let credentials = bridge.place.path().join("google-credentials.json");
        std::fs::write(credentials, bridge.google.credentials_json(&callback)).expect("a file");
        bridge.connect(ANA).await.expect("the account can be connected");

        let arrived: Arc<Mutex<Vec<(Method, String)>>> = Arc::default();
        let log = Arc::clone(&arrived);
        let noted = bridge.router.clone().layer(map_request(move |request: Request| {
            let sent = (request.method().clone(), request.uri().path().to_owned());
            log.lock().expect("no panic").push(sent);
            ready(request)
        }));
        let theirs = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = theirs.local_addr().expect("an address").port();
        let page = Router::new().fallback(async || Html("<!doctype html><title>Elsewhere</title>"));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(ours, noted).await.expect("it serves") });
        serving.spawn(async move { axum::serve(theirs, page).await.expect("it serves") });

        let driver = Driver::start().await;
        let code = access::new_setup_code(&bridge.tied.app).await.expect("a code");
        driver.open(&format!("{base}{HOME}")).await;
        driver.write("#code", &code).await;
        driver.click("#open").await;
        driver.see("#log-out").await;
        let elsewhere = [format!("http://127.0.0.1:{port}/"), format!("http://localhost:{port}/")];
        Self { bridge, base, driver, elsewhere, arrived, _serving: serving }
    }

    /// All that could have changed: what the store keeps, and what Google was asked for and has.
    async fn all(&self) -> (Vec<Vec<u8>>, usize, Vec<Value>) {
        let (into, mut records) = mpsc::channel::<Record>(16);
        let store = Arc::clone(&self.bridge.tied.app.store);
        let reading = async {
            let mut all = Vec::new();
            while let Some(record) = records.recv().await {
                all.push(record.encode());
            }
            all.sort();
            all
        };
        let (written, all) = tokio::join!(store.export(into), reading);
        written.expect("a store that works");
        // To look at the page of calendars reads their list, which changes nothing.
        let ledger = self.bridge.google.ledger();
        let asked = ledger.iter().filter(|call| call.method != "calendar.calendarList.list");
        (all, asked.count(), self.bridge.google.events(ANA))
    }

    async fn arrive(&self, base: &str) {
        for _ in 0..MOST_LOOKS {
            if self.driver.address().await.as_str().starts_with(base) {
                return;
            }
        }
        panic!("the browser never went to {base}");
    }
}

/// What of ours a page of somebody else's aims at.
struct Aims {
    event: Value,
    job: Value,
    key: String,
    connection: String,
    code: String,
}

impl Aims {
    /// A real thing of the kind that this row is about.
    fn of(&self, row: &Row) -> &str {
        let id = match row.path {
            path if path.contains("/events/") => self.event.as_str(),
            path if path.contains("/jobs/") => self.job.as_str(),
            path if path.contains("/connections/") => Some(self.connection.as_str()),
            _ => Some(self.key.as_str()),
        };
        id.expect("an id")
    }

    /// Whatever a form of ours may hold.
    fn fields(&self) -> Value {
        json!({
            "csrf": "guess", "id": self.event, "code": self.code, "password": "guess",
            "new_password": "a long one of another's", "state": "guess", "link": "guess",
        })
    }

    /// Whatever a body may hold.
    fn body() -> String {
        json!({ "summary": "Forged", "name": "forged", "scopes": ["admin"], "user": "ana" })
            .to_string()
    }
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let scene = Scene::set().await;
    let app = &scene.bridge.tied.app;
    let made = scene.bridge.accept(&tea()).await;
    scene.bridge.run_until_idle().await;
    let connection = calbridge::app::connections::of_server(app).await.expect("a store that works");
    let aims = Aims {
        event: made["id"].clone(),
        job: made["jobId"].clone(),
        key: scene.bridge.key.split('_').nth(1).expect("an id").to_owned(),
        connection: connection.expect("it is connected").id.to_string(),
        code: access::new_setup_code(app).await.expect("a code"),
    };
    let before = scene.all().await;
    let table = policy::public();
    let aimed_at: Vec<&Row> =
        table.rows().filter(|row| row.forgery != Forgery::ChangesNothing).collect();
    assert!(aimed_at.len() > 15, "there are routes that change something");
    for elsewhere in &scene.elsewhere {
        for row in &aimed_at {
            let told = format!("{} {} from {elsewhere}", row.method, row.path);
            let url = format!("{}{}", scene.base, path(row, aims.of(row)));
            scene.arrived.lock().expect("no panic").clear();
            scene.driver.open(elsewhere).await;
            let method = row.method.as_str();
            let sent = json!([url, method, aims.fields(), Aims::body()]);
            let tries = scene.driver.run_with(ATTACK, sent.clone()).await;
            assert_eq!(tries, 11, "{told}");
            for method in ["get", "post"] {
                scene.driver.open(elsewhere).await;
                scene.driver.run_with(NAVIGATE, json!([url, method, aims.fields()])).await;
                scene.arrive(&scene.base).await;
            }
            let arrived = scene.arrived.lock().expect("no panic").clone();
            let count = |wanted: &Method| {
                arrived.iter().filter(|(method, at)| method == wanted && url.ends_with(at)).count()
            };
            assert!(count(&Method::POST) >= 8 && count(&Method::GET) >= 4, "{told}: {arrived:?}");
            assert!(scene.all().await == before, "{told} changed something");
        }
    }
    scene.driver.open(&format!("{}{HOME}", scene.base)).await;
    scene.driver.see("#log-out").await;
    scene.driver.see("#connected").await;
    scene.driver.close().await;
}

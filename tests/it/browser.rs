//! A person at a real browser: the setup page from the first code to the last click, with Google on
//! another site, and no page that a phone or a dark room spoils.

pub mod driver;

use calbridge::simulator::Settings;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, header};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::bridge::ANA;
use crate::process::{Process, Simulated};
use driver::Driver;

const HOME: &str = "/google-calendar-setup";
const EVENTS: &str = "https://www.googleapis.com/auth/calendar.events";
/// The grounds of the pages by day and by night, as in `style.css`.
const GROUNDS: [(&str, &str); 2] = [("light", "rgb(244, 246, 250)"), ("dark", "rgb(18, 21, 28)")];
/// The narrowest phone, in pixels.
const NARROW: u64 = 320;

/// A daemon at `127.0.0.1`, a Google at `localhost`, and a browser in front of the sign-in form.
struct Table {
    google: Simulated,
    process: Process,
    driver: Driver,
}

impl Table {
    async fn set() -> Self {
        let google = Simulated::with(Settings::default(), "localhost");
        let process = Process::start(&google, "").await;
        let driver = Driver::start().await;
        driver.open(&format!("{}{HOME}", process.home.base)).await;
        Self { google, process, driver }
    }

    /// Types in the code from the file that the page names.
    async fn sign_in(&self) {
        let file = self.driver.text("code.file").await;
        let code = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.driver.write("#code", code.trim()).await;
        self.driver.click("#open").await;
    }

    /// The page fits, by day and by night, and the browser objects to nothing on it.
    async fn looks_right(&self, page: &str) {
        for (scheme, ground) in GROUNDS {
            let media =
                json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            self.driver.tool("Emulation.setEmulatedMedia", media).await;
            for width in [NARROW, 1280] {
                let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
                self.driver.tool("Emulation.setDeviceMetricsOverride", size).await;
                let taken = self.driver.run("return document.documentElement.scrollWidth").await;
                let fits = taken.as_u64().is_some_and(|taken| taken <= width);
                assert!(fits, "{page} takes {taken} of {width} pixels");
                let script = "return getComputedStyle(document.body).backgroundColor";
                assert_eq!(self.driver.run(script).await, ground, "{page}, {scheme}");
            }
        }
        self.driver.tool("Emulation.clearDeviceMetricsOverride", json!({})).await;
        let objections = self.driver.objections().await;
        assert!(objections.is_empty(), "{page}: {objections:#?}");
    }
}

#[tokio::test]
async fn a_person_connects_tries_it_and_disconnects() {
    let table = Table::set().await;
    let driver = &table.driver;
    table.looks_right("the sign-in page").await;

    driver.write("#code", "wrong").await;
    driver.click("#open").await;
    driver.see("#refused").await;
    table.looks_right("the refused code").await;
    table.sign_in().await;

    driver.see("#not-connected").await;
    table.looks_right("the page before the connection").await;
    driver.click("#connect").await;

    driver.see("#consent").await;
    let consent = driver.address().await;
    assert_eq!(consent.host_str(), Some("localhost"));
    assert!(table.google.base.ends_with(&format!(":{}", consent.port().expect("a port"))));
    table.looks_right("the consent page").await;
    driver.click("#allow").await;

    assert_eq!(driver.text("#email").await, ANA);
    let home = driver.address().await;
    assert_eq!((home.host_str(), home.path()), (Some("127.0.0.1"), HOME));
    assert!(!driver.has("#missing").await);
    table.looks_right("the page once connected").await;
    driver.click("button#test-event").await;

    let event = driver.text("#event-link").await;
    let meet = driver.text("#meet-link").await;
    assert!(meet.starts_with("https://meet.google.com/"), "{meet}");
    table.looks_right("the test event's page").await;
    assert_eq!(titles(&table), ["calbridge test event"]);

    driver.open(&event).await;
    assert_eq!(driver.text("h1").await, "calbridge test event");
    assert!(driver.text("main").await.contains(&meet));
    table.looks_right("the event at Google").await;
    driver.open(&table.google.base).await;
    driver.see(".events .meet").await;
    table.looks_right("Google's calendars").await;
    driver.open(&format!("{}/calendar/{ANA}", table.google.base)).await;
    driver.see(".events .meet").await;
    table.looks_right("a calendar at Google").await;

    driver.open(home.as_str()).await;
    driver.click("button#test-event").await;
    driver.see("#event-link").await;
    driver.click("#remove").await;
    driver.see("#test-event:not(:has(#remove))").await;
    assert_eq!(driver.text("h1").await, "The test event is removed");
    table.looks_right("the removed test event's page").await;
    assert_eq!(titles(&table).len(), 1);

    driver.open(home.as_str()).await;
    driver.click("#disconnect").await;
    driver.see("#confirm").await;
    table.looks_right("the page that asks once more").await;
    driver.click("#confirm button#disconnect").await;
    driver.see("#not-connected").await;
    assert!(driver.text("[role=status]").await.contains("disconnected"));

    driver.click("#log-out").await;
    driver.see("#code").await;
    table.driver.close().await;
}

fn titles(table: &Table) -> Vec<String> {
    let events = table.google.google.events(ANA);
    events.iter().map(|event| event["summary"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_consent_that_is_denied_or_cut_short_is_explained() {
    let table = Table::set().await;
    let driver = &table.driver;
    table.sign_in().await;
    driver.click("#connect").await;
    driver.click("#deny").await;
    let told = driver.text("#fault").await;
    assert!(told.contains("The account was not connected"), "{told}");
    table.looks_right("the page after a no").await;

    driver.click("#back").await;
    driver.click("#connect").await;
    driver.click(&format!("input[value='{EVENTS}']")).await;
    driver.click("#allow").await;
    let told = driver.text("#fault").await;
    assert!(told.contains(EVENTS) && told.contains("leave every box ticked"), "{told}");
    assert!(!told.contains("freebusy"), "{told}");
    table.looks_right("the page when a right is missing").await;

    driver.click("#back").await;
    driver.see("#not-connected").await;
    driver.click("#connect").await;
    driver.click("#allow").await;
    assert_eq!(driver.text("#email").await, ANA);
    assert!(!driver.has("#missing").await);
    table.driver.close().await;
}

#[tokio::test]
async fn without_credentials_the_page_names_every_step_and_a_dead_grant_its_cause() {
    let table = Table::set().await;
    let driver = &table.driver;
    let credentials = table.process.home.place.path().join("google-credentials.json");
    let kept = std::fs::read(&credentials).expect("a file");
    std::fs::remove_file(&credentials).expect("a file");
    table.sign_in().await;
    let callback = format!("{}/oauth2callback", table.process.home.base);
    assert_eq!(driver.text("#redirect-uri").await, callback);
    assert!(driver.text("#problem").await.starts_with("OAuth client not initialized"));
    table.looks_right("the page without credentials").await;

    std::fs::write(&credentials, kept).expect("a file");
    driver.click("#reload").await;
    driver.click("#connect").await;
    driver.click("#allow").await;
    driver.see("#connected").await;
    table.google.google.revoke_grants(ANA);
    table.google.google.expire_access_tokens();
    driver.click("button#test-event").await;
    driver.see("#look-again").await;
    table.looks_right("the page of a test event that waits").await;
    driver.open(&format!("{}{HOME}", table.process.home.base)).await;
    let cause = driver.text("#reconnect-needed #cause").await;
    assert!(cause.contains("Google has ended the grant"), "{cause}");
    table.looks_right("the page of a dead grant").await;

    driver.click("#reconnect").await;
    driver.click("#allow").await;
    driver.see("#connected").await;
    table.driver.close().await;
}

#[tokio::test]
async fn the_browser_would_tell_what_a_page_forbids() {
    let table = Table::set().await;
    let driver = &table.driver;
    driver.see("#code").await;
    driver.run("document.body.append(Object.assign(document.createElement('style'), { textContent: 'body { margin: 9px }' }))").await;
    let objections = driver.objections().await;
    assert!(
        objections.iter().any(|told| told.contains("Content Security Policy")),
        "{objections:?}"
    );
    assert_eq!(driver.run("return getComputedStyle(document.body).margin").await, "0px");
    table.driver.close().await;
}

#[tokio::test]
async fn the_page_of_the_api_is_read_by_anybody_and_fits_a_phone() {
    let table = Table::set().await;
    let driver = &table.driver;
    driver.open(&format!("{}/api/docs", table.process.home.base)).await;
    table.looks_right("the page of the API").await;
    driver.click("#create_event summary").await;
    assert!(driver.text("#create_event").await.contains("Idempotency-Key"));
    driver.run("document.querySelectorAll('details').forEach(all => { all.open = true })").await;
    table.looks_right("the page of the API, all of it open").await;
    let foreign = "return [...document.querySelectorAll('[src], link[href]')]
        .map(each => new URL(each.src || each.href, location)).filter(url =>
            url.protocol !== 'data:' && url.origin !== location.origin).length
        + document.scripts.length";
    assert_eq!(driver.run(foreign).await, 0);
    table.driver.close().await;
}

#[tokio::test]
async fn a_user_follows_a_link_and_comes_back_to_the_application() {
    let google = Simulated::with(Settings::default(), "localhost");
    // The simulated Google stands in for the application: any page will do to come back to.
    let back = format!("{}/calendar/{ANA}", google.base);
    let process = Process::start(&google, &format!("connections.return_to = \"{back}\"")).await;
    let table = Table { google, process, driver: Driver::start().await };
    let (driver, base) = (&table.driver, &table.process.home.base);
    let scope = ["api-keys", "create", "--name", "app", "--scope", "connections:admin"];
    let key = table.process.home.told(&scope).await;
    let wish = json!({ "user": "user-7", "return_to": back, "expected_email": ANA });
    let link = link_for(base, &key, &wish).await;
    driver.open(&link).await;
    assert_eq!(driver.text("#user").await, "user-7");
    assert_eq!(driver.text("#expected").await, ANA);
    table.looks_right("the page of a link").await;
    driver.click("#go").await;
    driver.click("#deny").await;
    driver.see("#fault #back").await;
    table.looks_right("the page of a link that came to nothing").await;
    driver.open(&link).await;
    assert!(driver.text("#fault").await.contains("does not work any more"));

    let link = link_for(base, &key, &wish).await;
    driver.open(&link).await;
    driver.click("#go").await;
    driver.click("#allow").await;
    assert_eq!(driver.text("#email").await, ANA);
    assert!(driver.address().await.as_str().starts_with(base.as_str()));
    table.looks_right("the page of a link that was followed").await;
    driver.click("#back").await;
    driver.see(".events, main").await;
    let there = driver.address().await;
    assert!(there.as_str().starts_with(&back), "{there}");
    assert!(
        there.query_pairs().any(|(name, value)| name == "code" && value.len() == 43),
        "{there}"
    );
    table.driver.close().await;
}

/// The address of a link, as a backend asks for it.
async fn link_for(base: &str, key: &str, wish: &Value) -> String {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(format!("{base}/api/v1/connections/links"))
        .header(header::AUTHORIZATION, format!("Bearer {}", key.trim()))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(wish.to_string())))
        .expect("a request");
    let answer = client.request(request).await.expect("an answer");
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    let link: Value = serde_json::from_slice(&body).expect("JSON");
    link["url"].as_str().unwrap_or_else(|| panic!("{link}")).to_owned()
}

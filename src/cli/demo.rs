//! `calbridge demo`: the whole way on this machine alone, through the real endpoints: a simulated
//! Google, a consent, an event with its Meet link.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Failed;
use crate::app::access::{self, Caller, KeyWish};
use crate::clock::SystemClock;
use crate::config::{Config, Loaded};
use crate::daemon;
use crate::model::key::Scope;
use crate::simulator::{Settings, Simulator};
use crate::{shutdown, telemetry};

#[derive(Args)]
pub struct DemoArguments {
    /// Exit after the event has its Meet link, instead of serving on
    #[arg(long)]
    once: bool,
}

/// Who plays the administrator.
const ACCOUNT: &str = "ana@example.com";
/// The body of the fifth seed's own curl line.
const BODY: &str = r#"{
    "summary": "Production Test Event",
    "description": "Testing calendar integration",
    "startDateTime": "2025-10-30T14:00:00",
    "endDateTime": "2025-10-30T15:00:00",
    "attendeeEmail": "test@example.com",
    "timeZone": "Asia/Kolkata"
  }"#;
/// The month of that event.
const MONTH: &str = "2025-10";
/// No page of the demo is larger.
const MOST_BYTES: usize = 1 << 20;

pub async fn run(arguments: &DemoArguments) -> Result<(), Failed> {
    let wrong = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| Failed::new(1, format!("{what}: {error}"))
    };
    let place = tempfile::tempdir().map_err(wrong("cannot make a temporary directory"))?;
    let google = TcpListener::bind("127.0.0.1:0").await.map_err(wrong("cannot listen"))?;
    let door = TcpListener::bind("127.0.0.1:0").await.map_err(wrong("cannot listen"))?;
    let google_base = format!("http://{}", google.local_addr().map_err(wrong("cannot listen"))?);
    let base = format!("http://{}", door.local_addr().map_err(wrong("cannot listen"))?);

    let simulator = Simulator::new(Settings::default(), Arc::new(SystemClock));
    simulator.set_base_address(&google_base);
    let callback = format!("{base}/oauth2callback");
    simulator.allow_redirect(&callback);
    let credentials = place.path().join("google-credentials.json");
    std::fs::write(&credentials, simulator.credentials_json(&callback))
        .map_err(wrong("cannot write"))?;

    let config = settings(place.path(), &base, &google_base)?;
    let _logs = telemetry::start(&config.log).map_err(wrong("cannot log"))?;
    let daemon = daemon::open(&config)
        .await
        .map_err(|error| Failed::new(error.exit_code(), error.to_string()))?;
    let doors =
        daemon.doors(door).map_err(|error| Failed::new(error.exit_code(), error.to_string()))?;
    let app = daemon.bridge.app.clone();
    // Before the daemon runs: without a key it would make a setup code, which would void ours.
    let scopes = vec![Scope::EventsWrite, Scope::Admin];
    let key = access::create_key(&app, &Caller::console(), KeyWish::new("demo", scopes))
        .await
        .map_err(|error| Failed::new(1, error.to_string()))?;
    let stop = CancellationToken::new();
    let showing = async {
        let shown = show(&app, &base, &google_base, key.secret.expose_secret()).await;
        if shown.is_ok() && !arguments.once {
            println!("\nServing until Ctrl-C.");
            shutdown::requested().await;
        }
        drop(app);
        stop.cancel();
        shown
    };
    let serving = simulator.serve(google, stop.clone());
    let running = daemon.run(doors, stop.clone());
    let (shown, (), ran) = tokio::join!(showing, serving, running);
    ran.map_err(|error| Failed::new(error.exit_code(), error.to_string()))?;
    shown
}

/// The shortest settings for a bridge to the simulated Google, in a directory of its own.
fn settings(place: &Path, base: &str, google: &str) -> Result<Config, Failed> {
    let place = place.display();
    let text = format!(
        "public_url = \"{base}\"\n\
         data_dir = \"{place}/data\"\n\
         [log]\n\
         level = \"error\"\n\
         [google]\n\
         credentials_file = \"{place}/google-credentials.json\"\n\
         consent_url = \"{google}/o/oauth2/v2/auth\"\n\
         token_url = \"{google}/token\"\n\
         revoke_url = \"{google}/revoke\"\n\
         userinfo_url = \"{google}/v1/userinfo\"\n\
         api_url = \"{google}/\"\n"
    );
    let loaded: Loaded =
        Config::from_toml(&text).map_err(|faults| Failed::new(78, faults.to_string()))?;
    Ok(loaded.config)
}

async fn show(app: &crate::app::App, base: &str, google: &str, key: &str) -> Result<(), Failed> {
    let told = |error: crate::app::Error| Failed::new(1, error.to_string());
    let mut browser = Browser::new();
    println!(
        "A simulated Google runs at {google}/ and calbridge at {base}/, both on this machine only."
    );

    let code = access::new_setup_code(app).await.map_err(told)?;
    browser.post(&format!("{base}/google-calendar-setup/session"), &[("code", &code)]).await?;
    let page = browser.get(&format!("{base}/google-calendar-setup")).await?;
    let csrf = field(&page.text, "csrf")?;
    let sent =
        browser.post(&format!("{base}/google-calendar-setup/connect"), &[("csrf", &csrf)]).await?;
    let consented =
        browser.post(&sent.location()?, &[("decision", "allow"), ("user", ACCOUNT)]).await?;
    let back = browser.get(&consented.location()?).await?;
    if back.status.is_client_error() || back.status.is_server_error() {
        return Err(Failed::new(
            1,
            format!("the account could not be connected: status {}", back.status),
        ));
    }
    println!(
        "Connected {ACCOUNT} through the OAuth consent; its refresh token is sealed in the store."
    );

    let made = browser.create(&format!("{base}/api/create-calendar-event"), key).await?;
    let answer: Value = serde_json::from_str(&made.text)
        .map_err(|_| Failed::new(1, format!("the answer is not JSON: {}", made.text)))?;
    let member = |name: &str| {
        let missing = || {
            Failed::new(1, format!("status {}, and no {name} in the answer: {answer}", made.status))
        };
        answer[name].as_str().map(str::to_owned).ok_or_else(missing)
    };
    if made.status != StatusCode::OK {
        return Err(Failed::new(1, format!("status {} instead of 200: {answer}", made.status)));
    }
    println!("\nThe event is in the calendar:");
    println!("  event id       {}", member("eventId")?);
    println!("  event link     {}", member("eventLink")?);
    println!("  Meet link      {}", member("meetLink")?);
    println!("\nTo look at, and to go on with:");
    println!("  calendar page  {google}/calendar/{ACCOUNT}?month={MONTH}");
    println!("  setup page     {base}/google-calendar-setup");
    println!("  setup code     {}", access::new_setup_code(app).await.map_err(told)?);
    println!("  API key        {key}");
    println!("\n  curl -X POST {base}/api/create-calendar-event \\");
    println!("    -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\");
    println!("    -d '{BODY}'");
    Ok(())
}

/// The value of a page's hidden field.
fn field(page: &str, name: &str) -> Result<String, Failed> {
    let missing = || Failed::new(1, format!("the page holds no field {name}"));
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).ok_or_else(missing)?;
    rest.split_once('"').map(|(value, _)| value.to_owned()).ok_or_else(missing)
}

/// As much of a browser as the demo needs: it keeps cookies, and follows nothing by itself.
struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    /// By host and port, then name.
    cookies: HashMap<(String, String), String>,
}

struct Page {
    status: StatusCode,
    location: Option<String>,
    text: String,
}

impl Page {
    fn location(&self) -> Result<String, Failed> {
        self.location.clone().ok_or_else(|| {
            let detail = self.text.chars().take(300).collect::<String>();
            Failed::new(1, format!("status {} where a redirect was due: {detail}", self.status))
        })
    }
}

impl Browser {
    fn new() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), cookies: HashMap::new() }
    }

    async fn get(&mut self, url: &str) -> Result<Page, Failed> {
        self.send(Request::get(url), url, String::new()).await
    }

    async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Result<Page, Failed> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::builder()
            .method(Method::POST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, url, body).await
    }

    async fn create(&mut self, url: &str, key: &str) -> Result<Page, Failed> {
        let request = Request::builder()
            .method(Method::POST)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request, url, BODY.to_owned()).await
    }

    async fn send(
        &mut self,
        request: hyper::http::request::Builder,
        url: &str,
        body: String,
    ) -> Result<Page, Failed> {
        let broken = |error: &dyn std::fmt::Display| Failed::new(1, format!("{url}: {error}"));
        let host = Url::parse(url).map_err(|error| broken(&error))?.authority().to_owned();
        let held = self.cookies.iter().filter(|((owner, _), _)| *owner == host);
        let cookies: Vec<String> =
            held.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = request
            .uri(url)
            .header(header::COOKIE, cookies.join("; "))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| broken(&error))?;
        let response = self.client.request(request).await.map_err(|error| broken(&error))?;
        for cookie in response
            .headers()
            .get_all(header::SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
        {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert((host.clone(), name.to_owned()), value.to_owned());
            }
        }
        let status = response.status();
        let location = response
            .headers()
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let body = Limited::new(response.into_body(), MOST_BYTES)
            .collect()
            .await
            .map_err(|error| broken(&error))?;
        Ok(Page { status, location, text: String::from_utf8_lossy(&body.to_bytes()).into_owned() })
    }
}

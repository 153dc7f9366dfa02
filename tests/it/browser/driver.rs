//! A real Chromium, led by `chromedriver`: one each test, with a profile of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
/// What the packages are called, for whoever lacks them.
const PACKAGES: &str = "it needs Debian's packages `chromium` and `chromium-driver`, which \
                        `make test` installs as root";

/// A browser with one window. Killed when it is dropped; `close` ends it in peace.
pub struct Driver {
    client: Client,
    child: Child,
    /// Held open, or `chromedriver` would fail at its next line.
    _told: BufReader<ChildStdout>,
    _profile: TempDir,
}

impl Driver {
    /// Starts one.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a directory");
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver cannot be run ({error}); {PACKAGES}"));
        let mut told = BufReader::new(child.stdout.take().expect("a pipe"));
        let port = port_in(&mut told);
        let mut arguments = FLAGS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(wanted) = wanted else { unreachable!("it is written as an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await;
        let client = client.unwrap_or_else(|error| {
            let _ = child.kill();
            let _ = child.wait();
            panic!("Chromium cannot be started ({error}); {PACKAGES}")
        });
        Self { client, child, _told: told, _profile: profile }
    }

    /// Closes window, browser and driver.
    pub async fn close(self) {
        self.client.clone().close().await.expect("the browser closes");
    }

    /// Opens an address, as if it was typed in.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The element of this CSS selector, once the page has it.
    pub async fn see(&self, selector: &str) -> Element {
        match self.client.wait().for_element(Locator::Css(selector)).await {
            Ok(element) => element,
            Err(error) => panic!("no {selector} ({error}) at {}", self.page().await),
        }
    }

    /// Clicks an element, once the page has it.
    pub async fn click(&self, selector: &str) {
        let clicked = self.see(selector).await.click().await;
        clicked.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Types into a field.
    pub async fn write(&self, selector: &str, text: &str) {
        let typed = self.see(selector).await.send_keys(text).await;
        typed.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// What a person reads in an element, once the page has it.
    pub async fn text(&self, selector: &str) -> String {
        self.see(selector).await.text().await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// Whether the page, which is there, has such an element.
    pub async fn has(&self, selector: &str) -> bool {
        !self.client.find_all(Locator::Css(selector)).await.expect("a page").is_empty()
    }

    /// Where the browser is.
    pub async fn address(&self) -> Url {
        self.client.current_url().await.expect("a page")
    }

    /// Runs a script on the page, as the driver may whatever the page forbids.
    pub async fn run(&self, script: &str) -> Value {
        let ran = self.client.execute(script, Vec::new()).await;
        ran.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Runs a script that takes this as its argument; what it promises is waited for.
    pub async fn run_with(&self, script: &str, argument: Value) -> Value {
        let ran = self.client.execute(script, vec![argument]).await;
        ran.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Sends a command of the browser's developer tools.
    pub async fn tool(&self, command: &str, parameters: Value) -> Value {
        self.ask("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// What the browser objected to since it was asked last: scripts, styles or forms that a page
    /// forbids itself, or that failed.
    pub async fn objections(&self) -> Vec<String> {
        let log = self.ask("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().expect("a list").iter();
        // A page answered with an error status is one of ours, and no fault.
        let faults = entries.filter(|entry| entry["source"] != "network");
        faults.map(|entry| entry["message"].to_string()).collect()
    }

    async fn ask(&self, path: &'static str, body: Value) -> Value {
        let answer = self.client.issue_cmd(Extension { path, body }).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// For failures: where it is, and what it shows.
    async fn page(&self) -> String {
        let address = self.client.current_url().await.map(String::from).unwrap_or_default();
        format!("{address}: {}", self.client.source().await.unwrap_or_default())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Chromium has asked to be killed when its driver dies.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port that `chromedriver` says it took.
fn port_in(told: &mut impl BufRead) -> u16 {
    let mut all = String::new();
    for line in told.lines().map_while(Result::ok) {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().expect("a port");
        }
        all.push_str(&line);
    }
    panic!("chromedriver did not start: {all}");
}

/// What Chromium's driver knows beyond the standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

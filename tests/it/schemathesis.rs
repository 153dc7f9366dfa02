//! The running daemon judged by schemathesis, with a simulated Google behind it: what the document
//! promises is what is answered, whatever is sent, one request alone or many that follow from each
//! other; to an operator's API key, and to a user's token.

use std::path::Path;
use std::process::Command;

use calbridge::clock::{Clock, SystemClock};
use calbridge::http::openapi;
use hyper::Method;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::bridge::ANA;
use crate::jwt::application::{AUDIENCE, ISSUER, SECRET, secret_file, signed};
use crate::openapi::operations;
use crate::packages::{python_with, told};
use crate::process::{Browser, Home, Process, Simulated};

const BEN: &str = "ben@example.com";
/// Nobody is held up for coming often.
const SETTINGS: &str = "classic.requests = 1000000\nqueue.max_jobs_per_owner = 1000000\n\
    [limits]\nopen = 1000000\npages = 1000000\nreads = 1000000\nwrites = 1000000\n\
    batches = 1000000\nmanage = 1000000\nrefusals = 1000000\n";
/// A token is good for longer than the longest run, in seconds.
const LIFE: i64 = 86_400;

/// So many cases there are at least, and so many examples each operation needs for them.
struct Extent {
    least: u64,
    examples: &'static str,
}

const KEYS: Extent = Extent { least: 1_500, examples: "8" };
const USERS: Extent = Extent { least: 500, examples: "3" };
/// The same, in the long run.
const KEYS_LONG: Extent = Extent { least: 30_000, examples: "600" };
const USERS_LONG: Extent = Extent { least: 3_000, examples: "100" };

#[tokio::test]
async fn schemathesis_finds_nothing_amiss_with_an_operators_key() {
    let google = Simulated::start();
    let (process, key) = started(&google).await;
    let connection = connection_of(&process, &key).await;
    let id = key.split('_').nth(1).expect("a key has two halves");
    let extent = if is_long() { KEYS_LONG } else { KEYS };
    judge(&process, &[], &key, &format!("{connection} {id}"), &extent);
}

#[tokio::test]
async fn schemathesis_finds_nothing_amiss_with_a_users_token() {
    let google = Simulated::start();
    let (process, key) = started(&google).await;
    let base = &process.home.base;
    let browser = Browser::default();
    let links = format!("{base}/api/v1/connections/links");
    let made = browser.post_json(&links, &key, &json!({ "user": "ben" })).await.json();
    browser.follow(made["url"].as_str().expect("a link"), BEN).await;
    let token = token_of("ben");
    let connection = connection_of(&process, &token).await;
    let extent = if is_long() { USERS_LONG } else { USERS };
    judge(&process, &of_users(), &token, &connection, &extent);
}

/// A daemon that is connected to the account of the server's, and a key for all it does.
async fn started(google: &Simulated) -> (Process, String) {
    let home = Home::new(google, "");
    let secret = secret_file(home.place.path(), SECRET);
    let jwt = format!(
        "[auth.jwt]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\nalgorithm = \"HS256\"\n\
         secret_file = \"{secret}\"\nlongest_life_secs = {LIFE}\n"
    );
    let settings = std::fs::read_to_string(home.settings_file()).expect("a file");
    std::fs::write(home.settings_file(), format!("{settings}{SETTINGS}{jwt}")).expect("a file");
    let process = Process::start_in(home).await;
    process.connect(ANA).await;
    let make = ["api-keys", "create", "--name", "judge", "--scope", "admin"];
    let key = process.home.told(&make).await;
    (process, key)
}

/// The id of the first connection that this caller sees.
async fn connection_of(process: &Process, bearer: &str) -> String {
    let url = format!("{}/api/v1/connections", process.home.base);
    let shown = Browser::default().ask(Method::GET, &url, bearer).await.json();
    shown["data"][0]["id"].as_str().expect("the account that is connected").to_owned()
}

/// A token of this user's.
fn token_of(user: &str) -> String {
    let now = SystemClock.now().timestamp();
    let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": user, "iat": now, "nbf": now,
        "exp": now + LIFE });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    signed(&header.to_string(), &claims.to_string(), Algorithm::HS256, &key)
}

/// The operations that users may call.
fn of_users() -> Vec<String> {
    let is_theirs = |operation: &Value| {
        let mut ways = operation["security"].as_array().into_iter().flatten();
        ways.any(|way| way.get("user_token").is_some())
    };
    let name = |operation: &Value| operation["operationId"].as_str().expect("a name").to_owned();
    let operations = operations(&openapi::document()).into_iter().map(|(_, operation)| operation);
    operations.filter(is_theirs).map(|operation| name(&operation)).collect()
}

/// Lets it judge what this caller is answered, at some operations or at all. Ids that the run stands on
/// are kept.
fn judge(process: &Process, only: &[String], bearer: &str, kept: &str, extent: &Extent) {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    let python = python_with("schemathesis", &suite.join("requirements.txt"));
    let judged = Command::new(python)
        .args(["-m", "schemathesis.cli", "--no-color", "--config-file"])
        .arg(suite.join("schemathesis.toml"))
        .args(["run", &format!("{}/api/openapi.json", process.home.base), "--checks", "all"])
        .args(["--max-examples", extent.examples, "--request-timeout", "60"])
        .args(only.iter().flat_map(|name| ["--include-operation-id", name]))
        .current_dir(&suite)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("API_KEY", bearer)
        .env("KEPT", kept)
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .expect("schemathesis can be run");
    let said = told(&judged);
    assert!(judged.status.success(), "{said}");
    for phase in ["Coverage", "Fuzzing", "Stateful"] {
        assert!(said.contains(&format!("✅ {phase}")), "{phase} was not run: {said}");
    }
    let mut counts = said.lines().filter_map(|line| line.split_once(" generated"));
    let cases: Option<u64> = counts.find_map(|(count, _)| count.trim().parse().ok());
    let cases = cases.expect("it counts its cases");
    assert!(cases >= extent.least, "{cases} cases are too few: {said}");
    println!("{cases} cases");
}

/// Whether more is tried: the variable `TEST_LONG` is set.
#[expect(clippy::disallowed_methods, reason = "asks about the test, not about a setting")]
fn is_long() -> bool {
    std::env::var("TEST_LONG").is_ok()
}

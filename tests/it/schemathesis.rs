//! The running daemon judged by schemathesis, with a simulated Google behind it: what the document
//! promises is what is answered, whatever is sent, one request alone or many that follow from each
//! other.

use std::path::Path;
use std::process::Command;

use hyper::Method;

use crate::bridge::ANA;
use crate::packages::{python_with, told};
use crate::process::{Process, Simulated};

/// Nobody is held up for coming often.
const SETTINGS: &str = "classic.requests = 1000000\nqueue.max_jobs_per_owner = 1000000\n\
    [limits]\nopen = 1000000\npages = 1000000\nreads = 1000000\nwrites = 1000000\n\
    batches = 1000000\nmanage = 1000000\nrefusals = 1000000\n";
/// So many cases there are at least, and so many examples each operation needs for them.
const USUAL: (u64, &str) = (1_500, "8");
/// The same, in the long run.
const LONG: (u64, &str) = (30_000, "1000");

#[tokio::test]
async fn schemathesis_finds_nothing_amiss() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    let python = python_with("schemathesis", &suite.join("requirements.txt"));
    let google = Simulated::start();
    let process = Process::start(&google, SETTINGS).await;
    let browser = process.connect(ANA).await;
    let base = &process.home.base;
    let make = ["api-keys", "create", "--name", "judge", "--scope", "admin"];
    let key = process.home.told(&make).await;
    let shown = browser.ask(Method::GET, &format!("{base}/api/v1/connections"), &key).await;
    let connections = shown.json();
    let connection = connections["data"][0]["id"].as_str().expect("the account that is connected");
    let id = key.split('_').nth(1).expect("a key has two halves");

    let (least, examples) = extent();
    let judged = Command::new(python)
        .args(["-m", "schemathesis.cli", "--no-color", "--config-file"])
        .arg(suite.join("schemathesis.toml"))
        .args(["run", &format!("{base}/api/openapi.json"), "--checks", "all"])
        .args(["--max-examples", examples, "--request-timeout", "60"])
        .current_dir(&suite)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("API_KEY", &key)
        .env("KEPT", format!("{connection} {id}"))
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
    assert!(cases >= least, "{cases} cases are too few: {said}");
}

/// How much is tried: more if the variable `TEST_LONG` is set.
#[expect(clippy::disallowed_methods, reason = "asks about the test, not about a setting")]
fn extent() -> (u64, &'static str) {
    if std::env::var("TEST_LONG").is_ok() { LONG } else { USUAL }
}

//! Clients generated from the document of the API, by the generators that their languages use, in
//! programs such as a backend's.

use std::path::{Path, PathBuf};
use std::process::Command;

use calbridge::http::openapi;

use crate::packages::{node_with, python_with, run, told};
use crate::process::{Process, Simulated};

#[tokio::test]
async fn a_python_client_creates_reads_and_cancels_an_event() {
    let suite = suite("python");
    let python = python_with("clients-python", &suite.join("requirements.txt"));
    let place = tempfile::tempdir().expect("a directory");
    let (document, package) = (place.path().join("openapi.json"), place.path().join("bridge"));
    std::fs::write(&document, openapi::written()).expect("a file");
    let mut generator = Command::new(python.with_file_name("openapi-python-client"));
    generator.args(["generate", "--meta", "none", "--config"]).arg(suite.join("generator.yml"));
    run(generator.arg("--path").arg(&document).arg("--output-path").arg(&package), "python3-venv");
    let mut backend = Command::new(python);
    backend.arg(suite.join("backend.py")).arg(place.path());
    let google = Simulated::start();
    works(&google, &mut backend).await;
}

#[tokio::test]
async fn a_typescript_client_creates_reads_and_cancels_an_event() {
    let place = node_with("clients-typescript", &suite("typescript"));
    std::fs::write(place.join("openapi.json"), openapi::written()).expect("a file");
    let tool = |name: &str| {
        let mut tool = Command::new(place.join("node_modules/.bin").join(name));
        tool.current_dir(&place);
        tool
    };
    run(tool("openapi-typescript").args(["openapi.json", "--output", "bridge.d.ts"]), "npm");
    run(&mut tool("tsc"), "npm");
    let mut backend = Command::new("node");
    backend.arg("built/backend.js").current_dir(&place);
    let google = Simulated::start();
    works(&google, &mut backend).await;
}

fn suite(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(language)
}

/// Runs a backend against a bridge that is connected to `google`. It learns the bridge's address and a
/// key, must come to a good end, and have made one event at Google and taken it out.
async fn works(google: &Simulated, backend: &mut Command) {
    let process = Process::start(google, "").await;
    process.connect("ana@example.com").await;
    let key = process.new_key().await;
    backend.env("BRIDGE", &process.home.base).env("KEY", key);
    backend.env("NO_PROXY", "127.0.0.1").env("PYTHONDONTWRITEBYTECODE", "1");
    let done = backend.output().expect("it can be run");
    assert!(done.status.success(), "{}", told(&done));
    let done = google.google.ledger().into_iter().filter(|call| call.committed);
    let done: Vec<String> = done.map(|call| call.method.to_owned()).collect();
    for method in ["calendar.events.insert", "calendar.events.delete"] {
        let calls = done.iter().filter(|call| *call == method).count();
        assert_eq!(calls, 1, "{method} in {done:?}");
    }
}

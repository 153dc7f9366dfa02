//! The simulator judged by Google's official clients for Python and Node, in processes of their own.
//!
//! The suites start the simulators they need, from the real program. Packages come from the clients'
//! registries at the first use, into the build directory, and again when the list of them changes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn googles_python_client_finds_nothing_amiss() {
    let suite = suite();
    let python = python_with("conformance", &suite.join("requirements.txt"));
    let mut judge = Command::new(python);
    judge.args(["-m", "unittest", "discover", "-s"]).arg(&suite);
    judge.env("PYTHONDONTWRITEBYTECODE", "1");
    let told = judged(&mut judge);
    assert!(told.contains("\nOK"), "{told}");
}

#[test]
fn googles_node_client_finds_nothing_amiss() {
    let place = node_with(&suite().join("node"));
    let mut judge = Command::new("node");
    judge.args(["--test", "oauth.test.mjs", "events.test.mjs", "faults.test.mjs"]);
    let told = judged(judge.current_dir(place));
    assert!(told.contains("fail 0") && !told.contains("pass 0"), "{told}");
}

fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// What a suite says, which must succeed. It learns how a simulator is started.
fn judged(judge: &mut Command) -> String {
    let program = env!("CARGO_BIN_EXE_calbridge");
    let start = format!("{program} simulator --listen {{address}} --seed {{seed}}");
    judge.env("SIMULATOR_COMMAND", start);
    for name in ["NO_PROXY", "no_proxy"] {
        judge.env(name, "127.0.0.1,localhost");
    }
    let judged = judge.output().expect("the suite can be run");
    let told = told(&judged);
    assert!(judged.status.success(), "{told}");
    told
}

/// A Python of this name that has these packages.
pub fn python_with(name: &str, requirements: &Path) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let python = place.join("bin/python");
    let kept = place.join("requirements.txt");
    let wanted = std::fs::read(requirements).expect("a list of packages");
    if std::fs::read(&kept).is_ok_and(|kept| kept == wanted) {
        return python;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place), "python3-venv");
    run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(requirements),
        "python3-venv",
    );
    std::fs::write(kept, wanted).expect("a file");
    python
}

/// A directory with Node's suite and the packages it wants beside it.
fn node_with(suite: &Path) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance-node");
    std::fs::create_dir_all(&place).expect("a directory");
    for entry in std::fs::read_dir(suite).expect("Node's suite") {
        let from = entry.expect("an entry").path();
        if from.is_file() {
            let name = from.file_name().expect("a name");
            std::fs::copy(&from, place.join(name)).expect("a file");
        }
    }
    let kept = place.join("node_modules/installed.json");
    let wanted = std::fs::read(suite.join("package-lock.json")).expect("a list of packages");
    if !std::fs::read(&kept).is_ok_and(|kept| kept == wanted) {
        let options = ["--ignore-scripts", "--no-audit", "--no-fund"];
        run(Command::new("npm").arg("ci").args(options).current_dir(&place), "npm");
        std::fs::write(kept, wanted).expect("a file");
    }
    place
}

fn run(command: &mut Command, package: &str) {
    let done = command.output().unwrap_or_else(|error| {
        panic!("{command:?} cannot be run ({error}); it needs Debian's package `{package}`")
    });
    assert!(done.status.success(), "{command:?}: {}", told(&done));
}

/// Everything that a program said.
pub fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

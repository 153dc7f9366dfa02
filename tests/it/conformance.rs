//! The simulator judged by Google's official clients for Python and Node, in processes of their own.
//!
//! The suites start the simulators they need, from the real program.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages::{node_with, python_with, told};

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
    let place = node_with("conformance-node", &suite().join("node"));
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

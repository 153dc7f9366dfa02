//! The simulator judged by Google's official Python client, in its own process.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::Simulated;

#[tokio::test]
async fn googles_python_client_finds_nothing_amiss() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let python = python_with(&suite.join("requirements.txt"));
    let google = Simulated::start();
    let judged = Command::new(python)
        .args(["-m", "unittest", "discover", "-s"])
        .arg(&suite)
        .env("SIMULATOR", &google.base)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python can be run");
    let told = told(&judged);
    assert!(judged.status.success() && told.contains("\nOK"), "{told}");
}

/// A Python that has these packages: made beside the build at the first use, and again when the list
/// of packages changes.
fn python_with(requirements: &Path) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    let python = place.join("bin/python");
    let kept = place.join("requirements.txt");
    let wanted = std::fs::read(requirements).expect("a list of packages");
    if std::fs::read(&kept).is_ok_and(|kept| kept == wanted) {
        return python;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place));
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements));
    std::fs::write(kept, wanted).expect("a file");
    python
}

fn run(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| {
        panic!("{command:?} cannot be run ({error}); it needs Debian's package `python3-venv`")
    });
    assert!(done.status.success(), "{command:?}: {}", told(&done));
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

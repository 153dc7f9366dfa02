//! Packages of other languages, from their registries at the first use, into the build directory, and
//! again when the list of them changes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tests that need the same packages wait for whoever came first to fetch them.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    // One that failed left nothing that counts as fetched.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A Python of this name that has these packages.
pub fn python_with(name: &str, requirements: &Path) -> PathBuf {
    let _turn = turn();
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

/// A directory of this name with Node's suite and the packages it wants beside it.
pub fn node_with(name: &str, suite: &Path) -> PathBuf {
    let _turn = turn();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
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

/// Runs what comes from a package of Debian's, to its good end.
pub fn run(command: &mut Command, package: &str) {
    let done = command.output().unwrap_or_else(|error| {
        panic!("{command:?} cannot be run ({error}); it needs Debian's package `{package}`")
    });
    assert!(done.status.success(), "{command:?}: {}", told(&done));
}

/// All that a process wrote.
pub fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

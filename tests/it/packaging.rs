//! The files calbridge is shipped with: that they load, and keep what they promise.

use std::path::PathBuf;
use std::process::{Command, Output};

use calbridge::config::Config;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        let program = command.get_program().display();
        panic!("`{program}` cannot be run ({error}); `make test` installs it on Debian")
    })
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// The lines of a file that are not comments, without their indentation.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn the_systemd_unit_leaves_little_open() {
    let output = run(Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=15", "--no-pager"])
        .arg(root().join("systemd/calbridge.service")));
    assert!(output.status.success(), "exposed more than 1.5:\n{}", told(&output));
}

#[test]
fn systemd_understands_every_line_of_the_unit() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let unit = folder.path().join("calbridge.service");
    let program = env!("CARGO_BIN_EXE_calbridge");
    let shipped = text("systemd/calbridge.service");
    assert!(shipped.contains("/usr/local/bin/calbridge serve"));
    let here = shipped.replace("/usr/local/bin/calbridge", program);
    std::fs::write(&unit, here).expect("a file can be written");
    let output = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    // Other units of the machine may have their own faults: only ours counts.
    let faults: Vec<String> = told(&output)
        .lines()
        .filter(|line| line.contains("calbridge.service"))
        .map(str::to_owned)
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_key_never_lies_in_the_store() {
    for file in ["systemd/calbridge.service", "docker-compose.yml", "Dockerfile"] {
        let shipped = text(file);
        let value = |name: &str| {
            let line = lines(&shipped).into_iter().find(|line| line.contains(name));
            let (_, after) = line.and_then(|line| line.split_once(name)).expect(name);
            let value = after.trim_start_matches([':', '=', ' ']).split_whitespace().next();
            PathBuf::from(value.expect(name))
        };
        let (store, key) = (value("CALBRIDGE_DATA_DIR"), value("CALBRIDGE_VAULT__KEY_FILE"));
        assert!(store.is_absolute() && key.is_absolute(), "{file}: {store:?} {key:?}");
        assert!(!key.starts_with(&store), "{file}: {key:?} lies in {store:?}");
    }
}

#[test]
fn compose_shows_the_port_to_this_machine_alone() {
    let shipped = text("docker-compose.yml");
    let lines = lines(&shipped);
    let ports = lines.iter().skip_while(|line| **line != "ports:").skip(1);
    let ports: Vec<_> = ports.take_while(|line| line.starts_with("- ")).collect();
    assert_eq!(ports, [&"- \"127.0.0.1:3001:3001\""]);
    for wanted in ["read_only: true", "- ALL", "- no-new-privileges:true", "user: \"65532:65532\""]
    {
        assert!(lines.contains(&wanted), "`{wanted}` is missing");
    }
    assert!(!lines.iter().any(|line| line.starts_with("version:")));
}

#[test]
fn the_image_runs_as_nobody_in_particular_and_knows_its_health() {
    let shipped = text("Dockerfile");
    let runtime = shipped.rsplit("\nFROM ").next().expect("a last stage");
    let user = runtime.lines().find_map(|line| line.strip_prefix("USER ")).expect("a user");
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    assert!(runtime.contains("CMD [\"/usr/local/bin/calbridge\", \"healthcheck\"]"));
    for line in shipped.lines().filter(|line| line.contains("cargo build")) {
        assert!(line.contains("--profile dist --locked"), "{line}");
    }
}

#[test]
fn pm2_gets_a_program_and_time_to_stop() {
    let told = match Command::new("node")
        .current_dir(root())
        .args(["-p", "JSON.stringify(require('./ecosystem.config.js'))"])
        .output()
    {
        Ok(output) if output.status.success() => output.stdout,
        Ok(output) => panic!("{}", told(&output)),
        // Node is pm2's own need, not ours: without it there is nothing to ask.
        Err(_) => return,
    };
    let config: serde_json::Value = serde_json::from_slice(&told).expect("JSON");
    let app = &config["apps"][0];
    assert_eq!(app["interpreter"], "none");
    assert_eq!((&app["instances"], &app["exec_mode"]), (&1.into(), &"fork".into()));
    assert!(app["kill_timeout"].as_u64().is_some_and(|ms| ms >= 30_000));
}

#[test]
fn whoever_stops_it_waits_longer_than_a_stop_takes() {
    let drain = Config::from_toml("").expect("the defaults").config.stop.drain;
    let secs = |file: &str, before: &str, after: &str| {
        let shipped = text(file);
        let (_, rest) = shipped.split_once(before).unwrap_or_else(|| panic!("{file}: {before}"));
        let number = rest.split(after).next().unwrap_or_default().trim();
        number.parse::<u64>().unwrap_or_else(|_| panic!("{file}: {number}"))
    };
    let waits = [
        secs("systemd/calbridge.service", "TimeoutStopSec=", "\n"),
        secs("docker-compose.yml", "stop_grace_period:", "s\n"),
        secs("ecosystem.config.js", "kill_timeout:", ",") / 1000,
    ];
    for wait in waits {
        assert!(wait > drain.as_secs(), "{wait} s, but a stop takes {} s", drain.as_secs());
    }
}

#[test]
fn nobody_starts_it_again_in_vain() {
    // 73: the data cannot be used. 78: the settings are wrong.
    assert!(text("systemd/calbridge.service").contains("RestartPreventExitStatus=73 78\n"));
    assert!(text("ecosystem.config.js").contains("stop_exit_codes: [73, 78],"));
}

#[test]
fn nginx_is_given_the_three_locations_and_no_more() {
    let shipped = text("packaging/nginx.conf");
    let locations: Vec<&str> =
        lines(&shipped).into_iter().filter_map(|line| line.strip_prefix("location ")).collect();
    assert_eq!(locations, ["/api/ {", "/oauth2callback {", "/google-calendar-setup {"]);
}

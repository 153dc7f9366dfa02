//! `calbridge demo`, as whoever cloned the project runs it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What it prints before each thing, in its order.
const THINGS: [&str; 7] =
    ["event id", "event link", "Meet link", "calendar page", "setup page", "setup code", "API key"];

fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calbridge"));
    command.arg("demo").env_clear().stdin(Stdio::null());
    command
}

/// What was printed behind one of the things.
fn thing<'a>(told: &'a str, name: &str) -> &'a str {
    let mut lines = told.lines().filter_map(|line| line.trim().strip_prefix(name));
    lines.next().unwrap_or_else(|| panic!("no {name} in {told}")).trim()
}

/// The curl line, from its first word to its last.
fn curl_line(told: &str) -> String {
    let (_, line) = told.split_once("\n  curl ").unwrap_or_else(|| panic!("no curl in {told}"));
    let end = line.find("}'\n").unwrap_or_else(|| panic!("no end of the body in {told}"));
    format!("curl {}", &line[..end + 2])
}

#[test]
fn once_makes_one_event_with_its_meet_link_and_ends_well() {
    let Output { status, stdout, stderr } = demo().arg("--once").output().expect("it runs");
    let told = String::from_utf8(stdout).expect("UTF-8");
    assert!(status.success(), "{status}: {told}{}", String::from_utf8_lossy(&stderr));
    let things = THINGS.map(|name| thing(&told, name));
    let [event, link, meet, calendar, setup, code, key] = things;
    assert_eq!(event.len(), 26, "{event}");
    assert!(
        link.starts_with("http://127.0.0.1:") && link.contains("/calendar/event?eid="),
        "{link}"
    );
    assert!(meet.starts_with("https://meet.google.com/"), "{meet}");
    assert!(calendar.ends_with("/calendar/ana@example.com?month=2025-10"), "{calendar}");
    assert!(setup.ends_with("/google-calendar-setup"), "{setup}");
    assert_eq!(code.len(), 26, "{code}");
    assert!(key.starts_with("cb_"), "{key}");
    assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    let curl = curl_line(&told);
    assert!(curl.contains("/api/create-calendar-event") && curl.contains(key), "{curl}");
}

/// A demo that serves; killed when it is dropped.
struct Served {
    child: Child,
    told: String,
}

impl Served {
    /// Starts one, and returns once it has said everything.
    fn start() -> Self {
        let child = demo().stdout(Stdio::piped()).spawn().expect("it runs");
        let mut served = Self { child, told: String::new() };
        let mut lines = BufReader::new(served.child.stdout.take().expect("a pipe")).lines();
        for line in lines.by_ref().map_while(Result::ok) {
            served.told.push_str(&line);
            served.told.push('\n');
            if line.starts_with("Serving until") {
                return served;
            }
        }
        panic!("it ended: {}", served.told);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn its_curl_line_works_while_it_serves_until_ctrl_c() {
    let mut served = Served::start();
    let line = curl_line(&served.told);
    let checked = format!("{line} --silent --show-error --write-out '\\n%{{http_code}}'");
    let output = Command::new("/bin/sh").args(["-c", &checked]).output().expect("a shell");
    let answered = String::from_utf8(output.stdout).expect("UTF-8");
    let (body, status) = answered.rsplit_once('\n').expect("a status");
    assert_eq!(status, "200", "{body}{}", String::from_utf8_lossy(&output.stderr));
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["success"], true, "{body}");
    let meet = body["meetLink"].as_str().expect("a Meet link");
    assert!(meet.starts_with("https://meet.google.com/"), "{meet}");
    // A second event, not the first one again.
    assert_ne!(body["eventId"].as_str(), Some(thing(&served.told, "event id")));
    let calendar = Command::new("curl")
        .args(["--silent", "--fail", thing(&served.told, "calendar page")])
        .output()
        .expect("curl runs; `make test` installs it on Debian");
    assert!(String::from_utf8_lossy(&calendar.stdout).contains(meet), "{calendar:?}");

    kill_process(Pid::from_child(&served.child), Signal::INT).expect("it runs");
    let status = served.child.wait().expect("an end");
    assert!(status.success(), "{status}");
}

//! A real nginx with the server block that calbridge is shipped with.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use tempfile::TempDir;

use crate::process::free_port;

/// A running nginx; killed when it is dropped.
pub struct Nginx {
    /// Where it is reached, such as `http://127.0.0.1:21235`.
    pub base: String,
    child: Child,
    /// Held open, or nginx would fail at its next line.
    _told: BufReader<ChildStderr>,
    _place: TempDir,
}

impl Nginx {
    /// Starts one before the daemon at `upstream`, and returns when it listens.
    pub fn start(upstream: &str) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let settings = place.path().join("nginx.conf");
        std::fs::write(&settings, configuration(place.path(), port, upstream)).expect("a file");
        let mut child = Command::new("nginx")
            .arg("-p")
            .arg(place.path())
            .arg("-c")
            .arg(&settings)
            .args(["-e", "stderr"])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("nginx cannot be run ({error}); `make test` installs it on Debian")
            });
        let mut told = BufReader::new(child.stderr.take().expect("a pipe"));
        wait_until_it_listens(&mut told);
        Self { base: format!("http://127.0.0.1:{port}"), child, _told: told, _place: place }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The shipped server block, with a plain port in the place of TLS and the daemon's port in the place
/// of 3001, and around it what a machine's own nginx.conf would say.
fn configuration(place: &Path, port: u16, upstream: &str) -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/nginx.conf");
    let shipped = std::fs::read_to_string(shipped).expect("it is shipped");
    let (_, upstream_port) = upstream.rsplit_once(':').expect("a port");
    let plain: Vec<&str> =
        shipped.lines().filter(|line| !line.trim_start().starts_with("ssl_")).collect();
    let server = plain
        .join("\n")
        .replace("listen 443 ssl http2;", &format!("listen 127.0.0.1:{port};"))
        .replace("localhost:3001", &format!("localhost:{upstream_port}"));
    let place = place.display();
    let kept = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {place}/{kind};\n"))
        .concat();
    // One process in the foreground: what is killed at the end is all there is.
    format!(
        "daemon off;\nmaster_process off;\npid {place}/nginx.pid;\nerror_log stderr notice;\n\
         events {{}}\nhttp {{\naccess_log off;\n{kept}{server}\n}}\n"
    )
}

/// nginx names its event method once its sockets listen; from then on nobody is refused.
fn wait_until_it_listens(told: &mut impl BufRead) {
    let mut all = String::new();
    for line in told.lines().map_while(Result::ok) {
        if line.contains("event method") {
            return;
        }
        all.push_str(&line);
        all.push('\n');
    }
    panic!("nginx ended: {all}");
}

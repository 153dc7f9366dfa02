//! A real mail server in a process of its own, which does as it is told and outlives whoever sends to
//! it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::packages::python_with;

/// A server that takes longer to do as it is told hangs. A mail whose connection is lost on a busy machine
/// is tried again after half a minute of silence and up to 64 s of backoff, more than once if need be.
const PATIENCE: Duration = Duration::from_mins(10);

/// The server.
pub struct Postbox {
    /// Where it listens on this machine.
    pub port: u16,
    place: TempDir,
    child: Child,
    orders: ChildStdin,
    said: watch::Receiver<Said>,
}

/// What it said so far.
#[derive(Clone, Debug, Default)]
struct Said {
    ready: Option<u16>,
    /// Commands that it carried out.
    done: usize,
    /// Mails that it took.
    took: usize,
}

impl Postbox {
    /// One that takes whatever comes.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// One with these options of its command line.
    pub async fn with(options: &[&str]) -> Self {
        let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp");
        let python = python_with("smtp", &suite.join("requirements.txt"));
        let place = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(python)
            .args(["-W", "ignore"])
            .arg(suite.join("server.py"))
            .arg(place.path().join("journal"))
            .arg("--authority")
            .arg(place.path().join("authority.pem"))
            .args(options)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server can be run");
        let orders = child.stdin.take().expect("a pipe");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let (writer, said) = watch::channel(Said::default());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                writer.send_modify(|said| said.hear(&line));
            }
        });
        let mut postbox = Self { port: 0, place, child, orders, said };
        postbox.wait_until("listens", |said| said.ready.is_some()).await;
        postbox.port = postbox.said.borrow().ready.expect("it listens");
        postbox
    }

    /// Settings that name it, as lines of TOML.
    pub fn settings(&self) -> String {
        format!(
            "mail.host = \"127.0.0.1\"\nmail.port = {}\nmail.security = \"none\"\n\
             mail.from = \"Calendar Bridge <bridge@mail.test>\"\nmail.per_minute = 1000000\n",
            self.port
        )
    }

    /// The certificate of whoever answers for it.
    pub fn authority(&self) -> PathBuf {
        self.place.path().join("authority.pem")
    }

    /// Has it carry out a command.
    pub async fn tell(&mut self, command: &str) {
        let done = self.said.borrow().done;
        writeln!(self.orders, "{command}").expect("it listens");
        self.wait_until(command, |said| said.done > done).await;
    }

    /// Waits until it took so many mails.
    pub async fn took(&mut self, mails: usize) {
        self.wait_until("takes as many mails", |said| said.took >= mails).await;
    }

    /// Every mail that it took.
    pub fn mails(&self) -> Vec<Value> {
        let journal = std::fs::read_to_string(self.place.path().join("journal")).expect("a file");
        journal.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The only mail that it took.
    pub fn mail(&self) -> Value {
        let [mail] = self.mails().try_into().expect("one mail");
        mail
    }

    async fn wait_until(&mut self, what: &str, is_so: impl Fn(&Said) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, self.said.wait_for(|said| is_so(said))).await;
        let so = waited.is_ok_and(|said| said.is_ok());
        assert!(so, "{what}: the mail server does not; it said {:?}", self.said.borrow());
    }
}

impl Said {
    fn hear(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("ready", port)) => self.ready = port.parse().ok(),
            Some(("took", mails)) => self.took = mails.parse().expect("a number"),
            _ => self.done += 1,
        }
    }
}

impl Drop for Postbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

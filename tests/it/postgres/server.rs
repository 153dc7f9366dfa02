//! A PostgreSQL of the tests' own: its data in a directory that goes with it, reached by a socket
//! there. Each test has a database of its own, copied from one with all tables.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use calbridge::model::id::{InstanceId, NodeId};
use calbridge::store::contract::examples::NOON;
use calbridge::store::postgres::{Options, PostgresStore};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::OnceCell;

/// The database that others are copied from.
const TEMPLATE: &str = "template_of_tests";

/// A server that ends with the process, however that ends.
pub struct Server {
    place: PathBuf,
    guard: Mutex<Guard>,
    databases: AtomicU32,
}

/// What watches over the server: the end of its input is the server's end.
struct Guard {
    child: Child,
    answers: BufReader<ChildStdout>,
}

/// The one that tests share.
pub async fn shared() -> &'static Server {
    static SHARED: OnceCell<Server> = OnceCell::const_new();
    SHARED.get_or_init(Server::start).await
}

impl Server {
    /// One of a test's own, which it may stop.
    pub async fn start() -> Self {
        let place = tempfile::tempdir().expect("a directory").keep();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/postgres/server.sh");
        let mut child = Command::new("/bin/sh")
            .arg(script)
            .arg(&place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut guard = Guard { child, answers };
        guard.hear_ready();
        let server = Self { place, guard: Mutex::new(guard), databases: AtomicU32::new(0) };
        server.make(TEMPLATE, "template1").await;
        drop(server.open(&server.url(TEMPLATE), 1).await);
        server
    }

    /// The address of a new database, with tables and nothing in them.
    pub async fn database(&self) -> String {
        self.copy_of(TEMPLATE).await
    }

    /// The address of a new database without tables.
    pub async fn empty(&self) -> String {
        self.copy_of("template1").await
    }

    async fn copy_of(&self, template: &str) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.make(&name, template).await;
        self.url(&name)
    }

    /// A store in the database at `url`, as the process of this number has it.
    pub async fn open(&self, url: &str, node: u128) -> PostgresStore {
        let (fresh, node) = (InstanceId::from_u128(1), NodeId::from_u128(node));
        let opened = PostgresStore::open(url, &options(), fresh, node, NOON).await;
        opened.expect("a database that works")
    }

    /// Stops it, as a power cut would, until it is started again.
    pub fn stop(&self) {
        self.say("stop");
    }

    /// Starts it again.
    pub fn start_again(&self) {
        self.say("start");
    }

    fn say(&self, word: &str) {
        let mut guard = self.guard.lock().expect("no one panics while talking to it");
        let words = guard.child.stdin.as_mut().expect("a pipe");
        writeln!(words, "{word}").expect("it lives");
        guard.hear_ready();
    }

    fn url(&self, database: &str) -> String {
        let place = self.place.display();
        format!("postgres://calbridge@localhost/{database}?host={place}")
    }

    async fn make(&self, database: &str, template: &str) {
        let mut connection =
            PgConnection::connect(&self.url("postgres")).await.expect("it answers");
        let statement = format!("CREATE DATABASE {database} TEMPLATE {template}");
        connection.execute(AssertSqlSafe(statement)).await.expect("a database");
        connection.close().await.expect("a goodbye");
    }
}

impl Guard {
    fn hear_ready(&mut self) {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("a pipe");
        assert_eq!(line.trim_end(), "ready", "PostgreSQL did not do as it was told");
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It is dead one way or the other.
        let _ = self.child.wait();
    }
}

/// Clocks that tests hold are never the database's.
pub fn options() -> Options {
    Options { connections: 5, listens: true, skew: None }
}

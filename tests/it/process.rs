//! The real process: `calbridge serve` on a data directory of its own, and a simulated Google that
//! outlives it. Nothing sleeps: the process says in its log when it listens.

mod browser;

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use calbridge::clock::SystemClock;
use calbridge::simulator::{Settings, Simulator};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use browser::Browser;

/// A process that takes longer to start, or to end once it is told to, hangs.
const PATIENCE: Duration = Duration::from_secs(40);
/// Where everybody's ephemeral ports begin. Below it no connection can take a port while the process
/// that owns it is dead.
const EPHEMERAL: u16 = 32_768;

/// A simulated Google on a thread of its own: it lives until it is dropped, whoever else dies.
pub struct Simulated {
    /// Its controls.
    pub google: Simulator,
    /// Its address, such as `http://127.0.0.1:41234`.
    pub base: String,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Simulated {
    /// One with the usual users and quotas.
    pub fn start() -> Self {
        Self::with(Settings::default(), "127.0.0.1")
    }

    /// One as chosen, known under the name `host` of this machine.
    pub fn with(settings: Settings, host: &str) -> Self {
        let google = Simulator::new(settings, Arc::new(SystemClock));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket that need not block");
        let base = format!("http://{host}:{}", listener.local_addr().expect("an address").port());
        google.set_base_address(&base);
        let stop = CancellationToken::new();
        let (serving, stopped) = (google.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                serving.serve(listener, stopped).await;
            });
        });
        Self { google, base, stop, thread: Some(thread) }
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the simulator panicked");
        }
    }
}

/// Where a process lives: settings, credentials, data.
pub struct Home {
    /// The directory with everything in it.
    pub place: TempDir,
    /// Where the process is reached, such as `http://127.0.0.1:21234`.
    pub base: String,
    /// More variables of its environment; it has no others.
    pub environment: Vec<(String, String)>,
    /// The longest file that the daemon may write, in blocks of 512 bytes.
    pub file_blocks: Option<u64>,
}

impl Home {
    /// A new one, with `more` settings as lines such as `classic.requests = 7`.
    pub fn new(google: &Simulated, more: &str) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let base = format!("http://127.0.0.1:{}", free_port());
        let callback = format!("{base}/oauth2callback");
        google.google.allow_redirect(&callback);
        let home = Self { place, base, environment: Vec::new(), file_blocks: None };
        let credentials = home.place.path().join("google-credentials.json");
        std::fs::write(&credentials, google.google.credentials_json(&callback)).expect("a file");
        let text = format!(
            "listen = \"{listen}\"\npublic_url = \"{base}\"\ndata_dir = \"{data}\"\n\
             vault.key_file = \"{key}\"\n\
             google.credentials_file = \"{credentials}\"\n\
             google.consent_url = \"{google}/o/oauth2/v2/auth\"\ngoogle.token_url = \"{google}/token\"\n\
             google.revoke_url = \"{google}/revoke\"\ngoogle.userinfo_url = \"{google}/v1/userinfo\"\n\
             google.api_url = \"{google}/\"\n{more}\n",
            listen = home.base.trim_start_matches("http://"),
            base = home.base,
            data = home.data_dir().display(),
            key = home.key_file().display(),
            credentials = credentials.display(),
            google = google.base,
        );
        std::fs::write(home.settings_file(), text).expect("a file");
        home
    }

    /// What `--config` names.
    pub fn settings_file(&self) -> PathBuf {
        self.place.path().join("calbridge.toml")
    }

    /// Where the store is.
    pub fn data_dir(&self) -> PathBuf {
        self.place.path().join("data")
    }

    /// Where the master key is.
    pub fn key_file(&self) -> PathBuf {
        self.place.path().join("data.key")
    }

    /// Runs a verb to its end.
    pub async fn cli(&self, arguments: &[&str]) -> Output {
        let child = self.command(arguments).spawn().expect("the program starts");
        let id = Pid::from_child(&child);
        let done = tokio::task::spawn_blocking(move || child.wait_with_output());
        let Ok(output) = tokio::time::timeout(PATIENCE, done).await else {
            // So that the waiting thread ends, and with it the test.
            let _ = kill_process(id, Signal::KILL);
            panic!("{arguments:?} does not end");
        };
        output.expect("no panic").expect("an exit status")
    }

    /// What a verb prints, which must succeed.
    pub async fn told(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
    }

    /// A verb, for whoever looks at it while it runs.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_calbridge");
        let mut command = match self.file_blocks {
            Some(blocks) => {
                let mut shell = Command::new("/bin/sh");
                let script = format!("ulimit -f {blocks} && exec \"$0\" \"$@\"");
                shell.args(["-c", &script, program]);
                shell
            }
            None => Command::new(program),
        };
        command.args(arguments).arg("--config").arg(self.settings_file());
        command.current_dir(self.place.path()).env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// A port that nobody listens on, from a range that nobody is given by chance.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    // Runs beside each other begin apart from each other.
    let begin = u16::try_from(std::process::id() * 31 % 10_000).expect("less than 10,000");
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (begin + step) % (EPHEMERAL - FIRST);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A running `calbridge serve`; killed when it is dropped.
pub struct Process {
    /// Where it lives.
    pub home: Home,
    child: Option<Child>,
    log: watch::Receiver<Vec<String>>,
}

impl Process {
    /// Starts one in a new home, and returns when it listens.
    pub async fn start(google: &Simulated, more: &str) -> Self {
        Self::start_in(Home::new(google, more)).await
    }

    /// Starts one, and returns when it listens.
    pub async fn start_in(home: Home) -> Self {
        let (_, log) = watch::channel(Vec::new());
        let mut process = Self { home, child: None, log };
        process.restart().await;
        process
    }

    /// Starts it again after its end, and returns when it listens. The log begins anew.
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "it still runs");
        let mut child = self.home.command(&["serve"]).spawn().expect("the program starts");
        let (writer, log) = watch::channel(Vec::new());
        keep_lines(child.stdout.take().expect("a pipe"), writer.clone());
        keep_lines(child.stderr.take().expect("a pipe"), writer);
        self.child = Some(child);
        self.log = log;
        self.line_with(" listens; ").await;
    }

    /// The first line of its log that holds `text`, once it is written.
    pub async fn line_with(&mut self, text: &str) -> String {
        let holds = |lines: &Vec<String>| lines.iter().any(|line| line.contains(text));
        let found = tokio::time::timeout(PATIENCE, self.log.wait_for(holds)).await;
        let found = found.ok().and_then(Result::ok).map(|lines| lines.clone());
        let lines = found.unwrap_or_else(|| panic!("no \"{text}\" in its log: {:#?}", self.log()));
        lines.into_iter().find(|line| line.contains(text)).expect("it was found")
    }

    /// What it wrote to standard output and standard error since it was started.
    pub fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Asks it to stop, as systemd does, and returns without waiting.
    pub fn terminate(&self) {
        let id = Pid::from_child(self.child.as_ref().expect("it runs"));
        kill_process(id, Signal::TERM).expect("it runs");
    }

    /// Asks it to stop, and waits for its end.
    pub async fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.ended().await
    }

    /// Kills it as a power cut would, without a word.
    pub async fn kill(&mut self) {
        self.child.as_mut().expect("it runs").kill().expect("it runs");
        self.ended().await;
    }

    /// Waits for its end, and for the last line of its log.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let id = Pid::from_child(&child);
        let waited = tokio::task::spawn_blocking(move || child.wait());
        let Ok(status) = tokio::time::timeout(PATIENCE, waited).await else {
            // So that the waiting thread ends, and with it the test.
            let _ = kill_process(id, Signal::KILL);
            panic!("it does not end: {:#?}", self.log());
        };
        // The writers are gone once both pipes are read to their end.
        while self.log.changed().await.is_ok() {}
        status.expect("no panic").expect("an exit status")
    }

    /// A fresh API key that may write events.
    pub async fn new_key(&self) -> String {
        self.home.told(&["api-keys", "create", "--name", "test"]).await
    }

    /// Connects the server's account as a person would: setup code, session, consent, callback.
    pub async fn connect(&self, account: &str) -> Browser {
        let browser = Browser::default();
        let base = &self.home.base;
        let code = self.home.told(&["setup-code"]).await;
        browser.sign_in(base, &code).await;
        let back = browser.connect(base, account).await;
        let location = back.header("location");
        assert!(location.ends_with("notice=connected"), "{location}: {}", back.text);
        browser
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("the process wrote: {:#?}", self.log());
        }
    }
}

fn keep_lines(from: impl Read + Send + 'static, to: watch::Sender<Vec<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            to.send_modify(|lines| lines.push(line));
        }
    });
}

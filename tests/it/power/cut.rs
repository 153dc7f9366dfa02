//! One life of a process on a disk: from the power's coming to its going.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, OnceLock};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::disk::Disk;
use super::mounted::Mounted;
use super::recorded::{Recorded, record};
use super::work::HANDS;

/// Where the store lies on the disk: below a directory that is not there at first either.
pub const DATA_DIR: &str = "lib/calbridge";

/// What a process is to do.
#[derive(Clone, Copy, Debug)]
pub struct Orders {
    /// How large the sealed content of an event is.
    pub bytes: usize,
    /// How many steps each hand takes before the store is closed and opened again.
    pub rounds: u64,
    /// After so many steps of a hand the store is made anew; never if 0.
    pub renewal: u64,
    /// How many each hand has taken in earlier lives.
    pub done: [u64; HANDS],
}

/// How a process works on the disk.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// It is mounted, which takes FUSE and root: the process meets its failing, too.
    Mounted,
    /// What the process does elsewhere is recorded and done to it.
    Recorded,
}

impl Way {
    /// The best there is here.
    pub fn best() -> Self {
        static MOUNTS: OnceLock<bool> = OnceLock::new();
        let mounts = MOUNTS.get_or_init(|| {
            let place = TempDir::new().unwrap();
            let mounted = Mounted::new(&Arc::new(Disk::empty()), place.path());
            if let Err(error) = &mounted {
                println!("no disk can be mounted ({error}): what is written is recorded instead");
            }
            mounted.is_ok()
        });
        if *mounts { Self::Mounted } else { Self::Recorded }
    }

    /// Lets a process work until the power goes. Returns how many steps of each hand it said were
    /// done, and what is left of the disk.
    pub fn cut(self, disk: Disk, orders: Orders, seed: u64) -> ([u64; HANDS], Disk) {
        let disk = Arc::new(disk);
        let place = TempDir::new().unwrap();
        let root = place.path().canonicalize().unwrap();
        let acknowledged = match self {
            Self::Mounted => on_mounted(&disk, &root, orders),
            Self::Recorded => on_recorded(&disk, &root, orders),
        };
        let acknowledged = acknowledged.unwrap_or_else(|failure| {
            panic!("seed {seed}: the process ended before the power did; it said: {failure}")
        });
        (acknowledged, disk.after_the_cut(seed))
    }
}

fn on_mounted(disk: &Arc<Disk>, root: &Path, orders: Orders) -> Result<[u64; HANDS], String> {
    let _mounted = Mounted::new(disk, root).unwrap();
    let mut child = worker().stderr(Stdio::null()).spawn().unwrap();
    orders.give(child.stdin.take().unwrap(), root);
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let acknowledged = std::thread::scope(|scope| {
        scope.spawn(|| {
            disk.wait_for_the_cut();
            kill(&child);
        });
        let acknowledged = acknowledged(said, || disk.is_off());
        if acknowledged.is_err() {
            disk.cut();
        }
        acknowledged
    });
    child.wait().unwrap();
    acknowledged
}

fn on_recorded(disk: &Disk, root: &Path, orders: Orders) -> Result<[u64; HANDS], String> {
    disk.unpack(root);
    let mut command = worker();
    record(&mut command, root);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    orders.give(child.stdin.take().unwrap(), root);
    let records = BufReader::new(child.stderr.take().unwrap());
    let said = Recorded::new(disk, root).follow(records);
    kill(&child);
    child.wait().unwrap();
    acknowledged(said.lines().map(str::to_owned), || disk.is_off())
}

fn worker() -> Command {
    let arguments = ["--ignored", "--nocapture", "--exact", "power::works_until_the_power_is_cut"];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Ends a process that nobody has asked yet how it ended, so that the number is still its own.
fn kill(child: &Child) {
    kill_process(Pid::from_child(child), Signal::KILL).unwrap();
}

/// Counts the steps that a process says are done, of each hand; or what it says of its failure, if
/// the power is still there.
fn acknowledged(
    said: impl Iterator<Item = String>,
    is_off: impl Fn() -> bool,
) -> Result<[u64; HANDS], String> {
    let mut acknowledged = [0; HANDS];
    let mut failure = "nothing".to_owned();
    for line in said {
        if let Some(hand) = line.strip_prefix("did ") {
            acknowledged[hand.parse::<usize>().unwrap()] += 1;
        } else if line.starts_with("failed ") && !is_off() {
            failure = line;
            break;
        }
    }
    if is_off() { Ok(acknowledged) } else { Err(failure) }
}

impl Orders {
    fn give(self, mut to: ChildStdin, root: &Path) {
        let Self { bytes, rounds, renewal, done } = self;
        let done = done.map(|done| done.to_string()).join(" ");
        writeln!(to, "{}\n{bytes} {rounds} {renewal} {done}", root.join(DATA_DIR).display())
            .unwrap();
    }
}

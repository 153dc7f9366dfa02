//! A disk that forgets at a power cut what was never synced: as a model, so that chance and not the
//! machine decides what survives.
//!
//! What is written is seen at once and lies in the disk's cache until its file is synced; names made,
//! changed and removed until their directory is. At the cut any part of the cache may have
//! reached the disk already, in any order, and the last of it torn.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard};

use calbridge::random::{CountingRandom, Random};

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;
/// What a system hands to the disk in one piece, which may still tear.
const BLOCK: u64 = 4096;
/// The directory that holds all others.
pub const ROOT: u64 = 1;

/// Why the disk did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no power.
    Off,
    /// There is no such thing, or something else.
    Missing,
    /// There is one already, or something inside it.
    InTheWay,
}

/// What a file or directory looks like from outside.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Its number.
    pub number: u64,
    /// Its length; none of a directory.
    pub bytes: Option<u64>,
}

/// The disk.
pub struct Disk {
    state: Mutex<State>,
    power: Condvar,
}

struct State {
    /// Everything there is, by number; none at 0.
    things: Vec<Thing>,
    /// How many changes and syncs there will be before the power is cut.
    left: u64,
    /// The name of a file whose `fdatasync` is answered and does nothing.
    deaf_to: Option<OsString>,
    files_deaf: Vec<u64>,
}

#[derive(Clone)]
enum Thing {
    File(File),
    Directory(Directory),
}

#[derive(Clone, Default)]
struct File {
    now: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Bytes { at: u64, bytes: Vec<u8> },
    Length(u64),
}

type Names = BTreeMap<OsString, u64>;

#[derive(Clone, Default)]
struct Directory {
    now: Names,
    synced: Names,
    /// Names set together, or removed: a rename is one change of two names.
    unsynced: Vec<Vec<(OsString, Option<u64>)>>,
}

impl Disk {
    /// An empty one.
    pub fn empty() -> Self {
        let root = Thing::Directory(Directory::default());
        Self::of(vec![Thing::File(File::default()), root])
    }

    fn of(things: Vec<Thing>) -> Self {
        let (deaf_to, files_deaf) = (None, Vec::new());
        let state = State { things, left: u64::MAX, deaf_to, files_deaf };
        Self { state: Mutex::new(state), power: Condvar::new() }
    }

    /// From now on, `fdatasync` of files named `name` is answered and does nothing; `fsync` works.
    pub fn be_deaf_to(&self, name: &str) {
        self.state().deaf_to = Some(name.into());
    }

    /// The power goes with the change or sync of this number, counted from now.
    pub fn cut_after(&self, changes: u64) {
        self.state().left = changes;
    }

    /// Cuts the power at once.
    pub fn cut(&self) {
        self.state().left = 0;
        self.power.notify_all();
    }

    /// Whether there is none any more.
    pub fn is_off(&self) -> bool {
        self.state().left == 0
    }

    /// Returns once there is none any more.
    pub fn wait_for_the_cut(&self) {
        let state = self.power.wait_while(self.state(), |state| state.left > 0);
        drop(state.expect("nobody panicked"));
    }

    /// What is known under a name.
    pub fn find(&self, directory: u64, name: &OsStr) -> Result<Look, Refusal> {
        let state = self.lit()?;
        let number = state.directory(directory)?.now.get(name).ok_or(Refusal::Missing)?;
        state.look(*number)
    }

    /// What is known of a number.
    pub fn look(&self, number: u64) -> Result<Look, Refusal> {
        self.lit()?.look(number)
    }

    /// The names in a directory, in order.
    pub fn names(&self, directory: u64) -> Result<Vec<(OsString, Look)>, Refusal> {
        let state = self.lit()?;
        let names = state.directory(directory)?.now.iter();
        names.map(|(name, number)| Ok((name.clone(), state.look(*number)?))).collect()
    }

    /// Up to `most` bytes of a file.
    pub fn read(&self, number: u64, at: u64, most: usize) -> Result<Vec<u8>, Refusal> {
        let mut state = self.lit()?;
        let now = &state.file(number)?.now;
        let from = size(at).min(now.len());
        Ok(now[from..now.len().min(from + most)].to_vec())
    }

    /// Makes a file or a directory.
    pub fn make(&self, directory: u64, name: &OsStr, is_file: bool) -> Result<Look, Refusal> {
        let thing = if is_file {
            Thing::File(File::default())
        } else {
            Thing::Directory(Directory::default())
        };
        let mut state = self.spend()?;
        if state.directory(directory)?.now.contains_key(name) {
            return Err(Refusal::InTheWay);
        }
        let number = state.things.len() as u64;
        state.things.push(thing);
        if is_file && state.deaf_to.as_deref() == Some(name) {
            state.files_deaf.push(number);
        }
        state.directory_mut(directory)?.rename(vec![(name.to_owned(), Some(number))]);
        state.look(number)
    }

    /// Removes a name. What it named lives on for those who have it open.
    pub fn remove(&self, directory: u64, name: &OsStr) -> Result<(), Refusal> {
        let mut state = self.spend()?;
        let number = *state.directory(directory)?.now.get(name).ok_or(Refusal::Missing)?;
        if state.directory(number).is_ok_and(|inside| !inside.now.is_empty()) {
            return Err(Refusal::InTheWay);
        }
        state.directory_mut(directory)?.rename(vec![(name.to_owned(), None)]);
        Ok(())
    }

    /// Gives a thing another name in its directory, in place of what had it.
    pub fn rename(&self, directory: u64, from: &OsStr, to: &OsStr) -> Result<(), Refusal> {
        let mut state = self.spend()?;
        let inside = state.directory_mut(directory)?;
        let number = *inside.now.get(from).ok_or(Refusal::Missing)?;
        inside.rename(vec![(from.to_owned(), None), (to.to_owned(), Some(number))]);
        Ok(())
    }

    /// Writes into a file.
    pub fn write(&self, number: u64, at: u64, bytes: &[u8]) -> Result<(), Refusal> {
        self.change(number, Change::Bytes { at, bytes: bytes.to_vec() })
    }

    /// Makes a file shorter or longer.
    pub fn set_length(&self, number: u64, bytes: u64) -> Result<(), Refusal> {
        self.change(number, Change::Length(bytes))
    }

    fn change(&self, number: u64, change: Change) -> Result<(), Refusal> {
        let mut state = self.spend()?;
        let file = state.file(number)?;
        change.apply(&mut file.now);
        file.unsynced.push(change);
        Ok(())
    }

    /// Brings a file, its length too, or a directory's names out of the cache onto the disk.
    pub fn sync(&self, number: u64, data_only: bool) -> Result<(), Refusal> {
        let mut state = self.spend()?;
        // Who is not told that the power went must not believe that it came before.
        if state.left == 0 {
            return Err(Refusal::Off);
        }
        if data_only && state.files_deaf.contains(&number) {
            return Ok(());
        }
        match state.thing(number)? {
            Thing::File(file) => {
                for change in std::mem::take(&mut file.unsynced) {
                    change.apply(&mut file.synced);
                }
            }
            Thing::Directory(directory) => {
                directory.unsynced.clear();
                directory.synced = directory.now.clone();
            }
        }
        Ok(())
    }

    /// The disk as the next start finds it: all that was synced, and of the rest what `seed` says.
    pub fn after_the_cut(&self, seed: u64) -> Self {
        let chance = Chance::new(seed);
        let things = self.state().things.iter().map(|thing| chance.survivor(thing)).collect();
        Self::of(things)
    }

    /// Copies everything that has a name into an empty directory of the machine's own.
    pub fn unpack(&self, into: &Path) {
        self.unpack_directory(ROOT, into);
    }

    fn unpack_directory(&self, number: u64, into: &Path) {
        for (name, look) in self.names(number).expect("a directory") {
            let path = into.join(name);
            if let Some(bytes) = look.bytes {
                let bytes = self.read(look.number, 0, size(bytes)).expect("a file");
                fs::write(path, bytes).expect("room for a file");
            } else {
                fs::create_dir(&path).expect("room for a directory");
                self.unpack_directory(look.number, &path);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panicked")
    }

    /// The state, as long as there is power.
    fn lit(&self) -> Result<MutexGuard<'_, State>, Refusal> {
        let state = self.state();
        if state.left == 0 { Err(Refusal::Off) } else { Ok(state) }
    }

    /// The state, for one more change or sync.
    fn spend(&self) -> Result<MutexGuard<'_, State>, Refusal> {
        let mut state = self.lit()?;
        state.left -= 1;
        if state.left == 0 {
            self.power.notify_all();
        }
        Ok(state)
    }
}

impl State {
    fn thing(&mut self, number: u64) -> Result<&mut Thing, Refusal> {
        self.things.get_mut(size(number)).ok_or(Refusal::Missing)
    }

    fn file(&mut self, number: u64) -> Result<&mut File, Refusal> {
        match self.thing(number)? {
            Thing::File(file) => Ok(file),
            Thing::Directory(_) => Err(Refusal::Missing),
        }
    }

    fn directory(&self, number: u64) -> Result<&Directory, Refusal> {
        match self.things.get(size(number)) {
            Some(Thing::Directory(directory)) => Ok(directory),
            _ => Err(Refusal::Missing),
        }
    }

    fn directory_mut(&mut self, number: u64) -> Result<&mut Directory, Refusal> {
        match self.thing(number)? {
            Thing::Directory(directory) => Ok(directory),
            Thing::File(_) => Err(Refusal::Missing),
        }
    }

    fn look(&self, number: u64) -> Result<Look, Refusal> {
        let thing = self.things.get(size(number)).ok_or(Refusal::Missing)?;
        let bytes = match thing {
            Thing::File(file) => Some(file.now.len() as u64),
            Thing::Directory(_) => None,
        };
        Ok(Look { number, bytes })
    }
}

impl Directory {
    fn rename(&mut self, names: Vec<(OsString, Option<u64>)>) {
        set_names(&mut self.now, &names);
        self.unsynced.push(names);
    }
}

fn set_names(names: &mut Names, changes: &[(OsString, Option<u64>)]) {
    for (name, number) in changes {
        match number {
            Some(number) => names.insert(name.clone(), *number),
            None => names.remove(name),
        };
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Length(bytes) => to.resize(size(*bytes), 0),
            Self::Bytes { at, bytes } => {
                let (from, end) = (size(*at), size(*at) + bytes.len());
                to.resize(end.max(to.len()), 0);
                to[from..end].copy_from_slice(bytes);
            }
        }
    }

    /// The parts that reach the disk one by one.
    fn blocks(&self) -> Vec<Self> {
        let Self::Bytes { at, bytes } = self else { return vec![self.clone()] };
        let mut blocks = Vec::new();
        let (mut at, mut rest) = (*at, &bytes[..]);
        while !rest.is_empty() {
            let (block, after) = rest.split_at(rest.len().min(size(BLOCK - at % BLOCK)));
            blocks.push(Self::Bytes { at, bytes: block.to_vec() });
            at += block.len() as u64;
            rest = after;
        }
        blocks
    }

    /// The beginning of a block, up to some sector's end.
    fn torn(self, sectors: u64) -> Self {
        let Self::Bytes { at, mut bytes } = self else { return self };
        bytes.truncate(size((sectors * SECTOR).saturating_sub(at % SECTOR)));
        Self::Bytes { at, bytes }
    }
}

/// Which of what was in the cache was on the disk already.
struct Chance {
    random: CountingRandom,
    /// How much of it, in percent.
    kept: u64,
}

impl Chance {
    fn new(seed: u64) -> Self {
        let mut chance = Self { random: CountingRandom::new(seed), kept: 0 };
        // Nothing, half, nearly all, or as it comes: each is the worst for some kind of mistake.
        chance.kept = [0, 50, 95, chance.below(101)][size(chance.below(4))];
        chance
    }

    fn below(&self, bound: u64) -> u64 {
        (&self.random as &dyn Random).below(bound)
    }

    fn keeps(&self) -> bool {
        self.below(100) < self.kept
    }

    fn survivor(&self, thing: &Thing) -> Thing {
        match thing {
            Thing::File(file) => {
                let bytes = self.content(file);
                Thing::File(File { now: bytes.clone(), synced: bytes, unsynced: Vec::new() })
            }
            Thing::Directory(directory) => {
                let mut names = directory.synced.clone();
                for change in &directory.unsynced {
                    if self.keeps() {
                        set_names(&mut names, change);
                    }
                }
                let (now, synced) = (names.clone(), names);
                Thing::Directory(Directory { now, synced, unsynced: Vec::new() })
            }
        }
    }

    fn content(&self, file: &File) -> Vec<u8> {
        let mut bytes = file.synced.clone();
        for block in file.unsynced.iter().flat_map(Change::blocks) {
            if self.keeps() {
                block.apply(&mut bytes);
            } else if self.kept > 0 && self.below(8) == 0 {
                block.torn(self.below(BLOCK / SECTOR)).apply(&mut bytes);
            }
        }
        // A length may be there before what fills it.
        if file.now.len() > bytes.len() && self.keeps() {
            bytes.resize(file.now.len(), 0);
        }
        bytes
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a small disk")
}

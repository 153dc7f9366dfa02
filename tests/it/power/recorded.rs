//! The disk where none can be mounted: the process works on a directory of the machine's own, and
//! `recorder.c`, loaded into it, tells what it does, which is done to the disk in the same order.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::disk::{Disk, Look, ROOT, Refusal};

/// Follows a process on its directory.
pub struct Recorded<'a> {
    disk: &'a Disk,
    root: PathBuf,
    /// The disk's numbers of files, by the machine's.
    numbers: BTreeMap<u64, u64>,
}

struct Record {
    kind: u8,
    numbers: [u64; 2],
    bytes: Vec<u8>,
}

/// Has a process tell what it does below `root` on its standard error.
pub fn record(command: &mut Command, root: &Path) {
    static LIBRARY: OnceLock<TempDir> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let place = TempDir::new().expect("a directory");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/power/recorder.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(place.path().join("recorder.so"));
        let built = compiler.args([source, "-ldl"]).output().expect("a C compiler");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        place
    });
    command.env("LD_PRELOAD", library.path().join("recorder.so")).env("RECORDED", root);
}

impl<'a> Recorded<'a> {
    /// Begins with a disk that was just unpacked to `root`.
    pub fn new(disk: &'a Disk, root: &Path) -> Self {
        Self { disk, root: root.to_owned(), numbers: BTreeMap::new() }
    }

    /// Does to the disk what the records say, until they end or the power does. Returns what the
    /// process said by then.
    pub fn follow(&mut self, mut records: impl Read) -> String {
        let mut said = Vec::new();
        while let Ok(record) = Record::read(&mut records) {
            if record.kind == b's' {
                said.extend_from_slice(&record.bytes);
                // Afterwards it waits to be killed.
                if String::from_utf8_lossy(&record.bytes).contains("\nfailed ") {
                    break;
                }
            } else if let Err(refusal) = self.apply(&record) {
                assert_eq!(refusal, Refusal::Off, "a record of the kind {}", record.kind);
                break;
            }
        }
        String::from_utf8(said).expect("UTF-8")
    }

    fn apply(&mut self, record: &Record) -> Result<(), Refusal> {
        let [inode, other] = record.numbers;
        let text = String::from_utf8_lossy(&record.bytes);
        match record.kind {
            b'o' => self.open(inode, other == 1, Path::new(&*text)),
            b'w' => self.disk.write(self.number(inode)?, other, &record.bytes),
            b'l' => self.disk.set_length(self.number(inode)?, other),
            b'f' => self.disk.sync(self.number(inode)?, other == 1),
            b'd' => {
                self.at(&text, |directory, name| self.disk.make(directory, name, false)).map(drop)
            }
            b'u' => self.at(&text, |directory, name| self.disk.remove(directory, name)),
            b'r' => {
                let (from, to) = text.split_once('\n').expect("two names");
                let to = Path::new(to).file_name().expect("a name");
                self.at(from, |directory, name| self.disk.rename(directory, name, to))
            }
            kind => panic!("a record of the kind {kind}"),
        }
    }

    fn open(&mut self, inode: u64, empties: bool, path: &Path) -> Result<(), Refusal> {
        if path == self.root {
            self.numbers.insert(inode, ROOT);
            return Ok(());
        }
        let directory = self.find(path.parent().expect("it lies below the root"))?;
        let name = path.file_name().expect("a name");
        let number = match self.disk.find(directory, name) {
            Err(Refusal::Missing) => self.disk.make(directory, name, true)?.number,
            Ok(Look { number, bytes: Some(1..) }) if empties => {
                self.disk.set_length(number, 0)?;
                number
            }
            found => found?.number,
        };
        self.numbers.insert(inode, number);
        Ok(())
    }

    fn number(&self, inode: u64) -> Result<u64, Refusal> {
        self.numbers.get(&inode).copied().ok_or(Refusal::Missing)
    }

    /// Does something to a name in its directory.
    fn at<T>(
        &self,
        path: &str,
        what: impl FnOnce(u64, &OsStr) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let path = Path::new(path);
        let directory = self.find(path.parent().expect("it lies below the root"))?;
        what(directory, path.file_name().expect("a name"))
    }

    fn find(&self, directory: &Path) -> Result<u64, Refusal> {
        let names = directory.strip_prefix(&self.root).map_err(|_| Refusal::Missing)?;
        let mut number = ROOT;
        for name in names {
            number = self.disk.find(number, name)?.number;
        }
        Ok(number)
    }
}

impl Record {
    fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut kind = [0; 1];
        from.read_exact(&mut kind)?;
        let mut numbers = [0; 3];
        for number in &mut numbers {
            let mut bytes = [0; 8];
            from.read_exact(&mut bytes)?;
            *number = u64::from_ne_bytes(bytes);
        }
        let [one, other, length] = numbers;
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        from.read_exact(&mut bytes)?;
        Ok(Self { kind: kind[0], numbers: [one, other], bytes })
    }
}

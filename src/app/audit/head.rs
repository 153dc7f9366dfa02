//! The head file: where the chain ended, kept outside the store and signed by the vault. A store that
//! is put back whole to an earlier day agrees with itself; only this file knows better.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use data_encoding::BASE32HEX_NOPAD;

use crate::app::{App, Error};
use crate::model::audit::{Entry, Head};
use crate::model::id::InstanceId;
use crate::model::key::Digest;
use crate::vault::same_digest;

const FORMAT: &str = "calbridge-audit-head 1";
/// So many entries are read at once.
const PAGE: usize = 500;

/// What the head file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The chain ended so.
    End(Mark),
    /// There is no such file.
    Missing,
    /// Somebody else wrote it, or changed it.
    Forged,
    /// It is that of another store.
    Foreign(InstanceId),
}

/// An entry that the chain had as its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its number; 0 before the first.
    pub seq: u64,
    /// Its digest.
    pub digest: Digest,
}

/// What became of an attempt to move the head file on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It says where the chain ends.
    Yes,
    /// It does not fit the chain, and was left alone: [`verify`](super::verify) says why.
    Refused,
}

/// What the head file says. None if there is to be none.
pub fn read(app: &App) -> Result<Option<Known>, Error> {
    let Some(file) = &app.settings.audit_head else { return Ok(None) };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Known::Missing)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        Err(error) => return Err(unusable(file, &error)),
    };
    Ok(Some(parse(app, &text)))
}

/// Writes where the chain ends now, if it is the chain that the file knows with more behind it. Only
/// a chain without entries gets a file that was not there.
pub async fn follow(app: &App) -> Result<Moved, Error> {
    let Some(known) = read(app)? else { return Ok(Moved::Yes) };
    let end = app.store.audit_head().await?;
    match known {
        Known::Missing if end.seq == 0 => write(app, &end)?,
        Known::End(mark) if mark.seq == end.seq && mark.digest == end.digest => {}
        Known::End(mark) if leads_to(app, mark, &end).await? => write(app, &end)?,
        _ => return Ok(Moved::Refused),
    }
    Ok(Moved::Yes)
}

/// Writes where the chain ends, whatever the file said.
pub async fn rewrite(app: &App) -> Result<(), Error> {
    let end = app.store.audit_head().await?;
    write(app, &end)
}

/// Whether the chain has the entry `mark`, and goes on from it without a break to `end`.
async fn leads_to(app: &App, mark: Mark, end: &Head) -> Result<bool, Error> {
    if mark.seq >= end.seq {
        return Ok(false);
    }
    if mark.seq > 0 {
        let last = app.store.audit(mark.seq - 1, 1).await?;
        if !last.first().is_some_and(|entry| entry.seq == mark.seq && entry.digest == mark.digest) {
            return Ok(false);
        }
    }
    let mut at = mark;
    while at.seq < end.seq {
        let page = app.store.audit(at.seq, PAGE).await?;
        if page.is_empty() {
            return Ok(false);
        }
        for entry in page.iter().filter(|entry| entry.seq <= end.seq) {
            if !follows(entry, at) {
                return Ok(false);
            }
            at = Mark { seq: entry.seq, digest: entry.digest };
        }
        if page.last().is_some_and(|entry| entry.seq > end.seq) {
            break;
        }
    }
    Ok(at.digest == end.digest)
}

fn follows(entry: &Entry, before: Mark) -> bool {
    entry.seq == before.seq + 1
        && entry.previous == before.digest
        && entry.digest == entry.computed()
}

fn write(app: &App, end: &Head) -> Result<(), Error> {
    let Some(file) = &app.settings.audit_head else { return Ok(()) };
    let instance = app.store.instance();
    let mark = Mark { seq: end.seq, digest: end.digest };
    let (digest, seal) = (spelled(&mark.digest), spelled(&seal(app, instance, mark)));
    let line = format!("{FORMAT} {instance} {} {digest} {seal}\n", mark.seq);
    replace(file, &line).map_err(|error| unusable(file, &error))
}

/// Puts `text` in place of what the file held: a reader sees the one or the other.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let mut fresh = tempfile::NamedTempFile::new_in(directory)?;
    fresh.write_all(text.as_bytes())?;
    fresh.as_file().sync_all()?;
    fresh.persist(file)?;
    File::open(directory)?.sync_all()
}

fn parse(app: &App, text: &str) -> Known {
    let read = || {
        let mut words =
            text.strip_suffix('\n')?.strip_prefix(FORMAT)?.strip_prefix(' ')?.split(' ');
        let instance: InstanceId = words.next()?.parse().ok()?;
        let seq = words.next()?.parse().ok()?;
        let digest = unspelled(words.next()?)?;
        let seal = unspelled(words.next()?)?;
        words.next().is_none().then_some((instance, Mark { seq, digest }, seal))
    };
    match read() {
        Some((instance, ..)) if instance != app.store.instance() => Known::Foreign(instance),
        Some((instance, mark, shown)) if same_digest(&shown, &seal(app, instance, mark)) => {
            Known::End(mark)
        }
        _ => Known::Forged,
    }
}

fn seal(app: &App, instance: InstanceId, mark: Mark) -> Digest {
    let instance = instance.as_u128().to_be_bytes();
    app.vault.tag("audit-head", &[&instance, &mark.seq.to_be_bytes(), &mark.digest])
}

fn spelled(digest: &Digest) -> String {
    BASE32HEX_NOPAD.encode(digest)
}

fn unspelled(word: &str) -> Option<Digest> {
    BASE32HEX_NOPAD.decode(word.as_bytes()).ok()?.try_into().ok()
}

fn unusable(file: &Path, error: &io::Error) -> Error {
    Error::AuditHead { file: file.display().to_string(), reason: error.to_string() }
}

//! Finds what was changed behind the bridge's back: walks the chain, holds each row that it speaks of
//! against what it says, and its end against the head file.

use std::collections::BTreeMap;

use super::head::{self, Known, Mark};
use crate::app::{App, Error};
use crate::model::audit::{Entry, Head, Subject};
use crate::model::key::Digest;
use crate::vault::same_digest;

/// So many records are read at once.
const PAGE: usize = 500;
/// Rows that changed while they were looked at are looked at again, so often at most.
const MOST_TRIES: usize = 5;

/// Something that is not as it was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// The first entry that it concerns.
    pub seq: Option<u64>,
    /// The row that it concerns.
    pub subject: Option<Subject>,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// What a look through the chain came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries there are.
    pub entries: u64,
    /// What is wrong; nothing, most likely.
    pub findings: Vec<Finding>,
}

const CHAIN: &str = "somebody wrote to the store without calbridge, or the disk is failing. Stop calbridge, keep a copy of \
     the data, and go back to the last backup whose `calbridge audit verify` finds nothing";
const ROW: &str = "somebody wrote to the store without calbridge. Look at what this key or connection did since, revoke or \
     disconnect it, and run `calbridge incident revoke-all` if you cannot tell who it was; `calbridge audit accept` \
     takes the row as it is";
const BACK: &str = "if you put a backup back on purpose, say so with `calbridge audit accept`; keys revoked since that backup \
     work again, so revoke them once more. If you did not, somebody else did: keep a copy of the data and go back to \
     the newest backup";
const FILE: &str = "if you moved or restored the bridge on purpose, say so with `calbridge audit accept`. If you did not, \
     somebody wants to hide that the store was changed: compare it with the newest backup";

/// Looks for everything that was changed behind the bridge's back.
pub async fn verify(app: &App) -> Result<Verdict, Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        let before = app.store.audit_head().await?;
        let verdict = look(app).await?;
        let after = app.store.audit_head().await?;
        if verdict.findings.is_empty() || before == after || tries == MOST_TRIES {
            return Ok(verdict);
        }
    }
}

async fn look(app: &App) -> Result<Verdict, Error> {
    let known = head::read(app)?;
    let mut walk =
        Walk { app, mark: None, at: Head::START, rows: BTreeMap::new(), found: Vec::new() };
    if let Some(Known::End(mark)) = known {
        walk.mark = Some(mark);
    }
    loop {
        let page = app.store.audit(walk.at.seq, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for entry in &page {
            walk.pass(entry)?;
        }
    }
    let end = app.store.audit_head().await?;
    if walk.at != end {
        walk.end_differs(&end);
    }
    walk.rows().await?;
    walk.outside(known);
    Ok(Verdict { entries: walk.at.seq, findings: walk.found })
}

/// A walk along the chain.
struct Walk<'a> {
    app: &'a App,
    /// What the head file remembers.
    mark: Option<Mark>,
    /// Where the walk is.
    at: Head,
    /// What each row said last, and which entry says so.
    rows: BTreeMap<Subject, (u64, Digest)>,
    found: Vec<Finding>,
}

impl Walk<'_> {
    fn pass(&mut self, entry: &Entry) -> Result<(), Error> {
        let (seq, expected) = (entry.seq, self.at.seq + 1);
        if seq > expected {
            let text = if seq - expected == 1 {
                format!("entry {expected} is missing")
            } else {
                format!("entries {expected} to {} are missing", seq - 1)
            };
            self.find("entry_missing", Some(expected), text, CHAIN);
        } else if entry.previous != self.at.digest {
            let text = format!(
                "entry {seq} does not follow the one before it: one of them was changed, or put there"
            );
            self.find("entry_out_of_place", Some(seq), text, CHAIN);
        }
        if entry.digest != entry.computed() || !self.is_genuine(entry)? {
            let text = format!("entry {seq} does not say what was written");
            self.find("entry_changed", Some(seq), text, CHAIN);
        }
        if let Some(mark) = self.mark.filter(|mark| mark.seq == seq && mark.digest != entry.digest)
        {
            let text = format!(
                "entry {} is another than the head file remembers: the store was put back to an earlier \
                 state, or rewritten, and went on from there",
                mark.seq
            );
            self.find("rolled_back", Some(seq), text, BACK);
        }
        if let Some(subject) = entry.act.subject {
            match entry.act.row {
                Some(row) => self.rows.insert(subject, (seq, row)),
                None => self.rows.remove(&subject),
            };
        }
        self.at = self.at.with(entry);
        Ok(())
    }

    /// Whether only somebody with the vault's key can have written it.
    fn is_genuine(&self, entry: &Entry) -> Result<bool, Error> {
        let detail = match self.app.detail(entry) {
            Ok(detail) => detail,
            Err(Error::Vault(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(same_digest(&self.app.act_tag(&entry.act, &detail), &entry.act.tag))
    }

    fn end_differs(&mut self, end: &Head) {
        if self.at.seq < end.seq {
            let text =
                format!("the store remembers {} entries, and the last is {}", end.seq, self.at.seq);
            self.find("entry_missing", Some(self.at.seq + 1), text, CHAIN);
        } else {
            let text = "what the store remembers of the chain's end is not what the entries say";
            self.find("end_changed", Some(self.at.seq), text.to_owned(), CHAIN);
        }
    }

    async fn rows(&mut self) -> Result<(), Error> {
        for key in self.app.store.keys().await? {
            self.hold(Subject::Key(key.id), key.digest());
        }
        let mut after = None;
        loop {
            let page = self.app.store.all_connections(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for connection in &page {
                self.hold(Subject::Connection(connection.id), connection.digest());
            }
        }
        for (subject, (seq, _)) in std::mem::take(&mut self.rows) {
            let text =
                format!("{} was taken out of the store; entry {seq} speaks of it", told(subject));
            self.find_row("row_missing", Some(seq), subject, text);
        }
        Ok(())
    }

    fn hold(&mut self, subject: Subject, digest: Digest) {
        match self.rows.remove(&subject) {
            Some((_, row)) if row == digest => {}
            Some((seq, _)) => {
                let text = format!(
                    "{} is not as entry {seq} left it: it was changed, or put back to an earlier state",
                    told(subject)
                );
                self.find_row("row_changed", Some(seq), subject, text);
            }
            None => {
                let text =
                    format!("{} was put into the store: no entry speaks of it", told(subject));
                self.find_row("row_unknown", None, subject, text);
            }
        }
    }

    fn outside(&mut self, known: Option<Known>) {
        let end = self.at.seq;
        match known {
            Some(Known::End(mark)) if mark.seq > end => {
                let text = format!(
                    "the store ends at entry {end}, and the head file remembers entry {}: the store was put \
                     back to an earlier state, or its last entries were taken away",
                    mark.seq
                );
                self.find("rolled_back", Some(end), text, BACK);
            }
            Some(Known::End(_)) | None => {}
            Some(Known::Missing) => {
                self.find("head_missing", None, "the head file is missing".to_owned(), FILE);
            }
            Some(Known::Forged) => {
                let text =
                    "the head file was not written by this bridge, or was changed".to_owned();
                self.find("head_forged", None, text, FILE);
            }
            Some(Known::Foreign(instance)) => {
                let text = format!("the head file is that of another store, {instance}");
                self.find("head_foreign", None, text, FILE);
            }
        }
    }

    fn find(&mut self, code: &'static str, seq: Option<u64>, text: String, advice: &'static str) {
        self.found.push(Finding { code, seq, subject: None, text, advice });
    }

    fn find_row(&mut self, code: &'static str, seq: Option<u64>, subject: Subject, text: String) {
        self.found.push(Finding { code, seq, subject: Some(subject), text, advice: ROW });
    }
}

fn told(subject: Subject) -> String {
    match subject {
        Subject::Key(id) => format!("the API key {id}"),
        Subject::Connection(id) => format!("the connection {id}"),
    }
}

//! The files that the operator may exchange at any time: the OAuth client that people consent to, and
//! the key of the service account. They are read whenever they are needed, and no copy of what they
//! hold stays in memory; what is here beyond that is what their exchange means for everything that waited for it.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use super::audit::By;
use super::{App, Error, connections};
use crate::google::{OauthClient, ServiceAccount};
use crate::model::audit::Action;
use crate::model::connection::{ClientTag, Connection, Health, Means};
use crate::model::id::digest_of;
use crate::model::job::Cause;
use crate::model::key::Digest;

/// No such file is larger.
const MOST_BYTES: u64 = 64 * 1024;
const TOO_LARGE: &str = "it is far too large for a file of that kind";
/// How many connections are read at once.
const PAGE: usize = 500;
/// A file that was written less long ago may be written again without another stamp: file systems
/// count time in steps.
const STEP: TimeDelta = TimeDelta::seconds(2);

/// What was last seen of the files, and who is told when they change.
pub struct Credentials {
    seen: Mutex<Option<Seen>>,
    /// Which client it is while its file has this stamp; of the file itself no copy stays in memory.
    today: Mutex<Option<(Stamp, ClientTag)>>,
    mended: watch::Sender<u64>,
}

/// What is another once a file was written, exchanged, or may be read by others.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

/// The files as they were.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    client: Option<ClientTag>,
    files: Digest,
}

/// What an exchange of the OAuth client came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// It is the client that was there before, or the first that was seen; its secret may be new.
    Same,
    /// It is another client.
    Other,
}

/// The OAuth client as it is now.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its public name at Google.
    pub id: String,
    /// How it compares with the one before.
    pub exchange: Exchange,
    /// How many connections were granted to another client, and wait for it or for a new consent.
    pub strangers: u64,
}

impl Default for Credentials {
    fn default() -> Self {
        Self { seen: Mutex::new(None), today: Mutex::new(None), mended: watch::Sender::new(0) }
    }
}

impl Credentials {
    /// Hears when what stood before all of Google may be mended.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.mended.subscribe()
    }

    /// Keeps what was seen. Returns what had been seen before.
    fn see(&self, now: Seen) -> Option<Seen> {
        let mut seen = self.seen.lock().expect("no one panics while looking");
        let before = *seen;
        let client = now.client.or(before.and_then(|before| before.client));
        *seen = Some(Seen { client, ..now });
        before
    }
}

impl Stamp {
    /// The stamp of a file that is there.
    fn of(file: &Path) -> Option<Self> {
        let found = std::fs::metadata(file).ok()?;
        Some(Self {
            place: (found.dev(), found.ino()),
            size: found.size(),
            written: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }

    /// Whether whoever writes the file from `now` on gives it another stamp.
    fn is_settled(&self, now: DateTime<Utc>) -> bool {
        self.changed.0.max(self.written.0) < (now - STEP).timestamp()
    }
}

impl App {
    /// The OAuth client, as its file says now. The file is small and local, and read at once: no
    /// other thread is asked, so that a simulated history has one order of things.
    pub fn oauth_client(&self) -> Result<OauthClient, Error> {
        let file = &self.settings.credentials_file;
        let refused = |reason| Error::NotConfigured { file: file.display().to_string(), reason };
        let text = read_small(file).map_err(refused)?;
        OauthClient::read(&text).map_err(|error| refused(error.to_string()))
    }

    /// The service account, as the file of its key says now.
    pub fn service_account(&self) -> Result<ServiceAccount, Error> {
        let Some(file) = &self.settings.service_account_file else {
            return Err(Error::NoServiceAccount {
                file: "google.service_account_file".into(),
                reason: "it is not set".into(),
            });
        };
        let refused = |reason| Error::NoServiceAccount { file: file.display().to_string(), reason };
        let text = read_small(file).map_err(refused)?;
        ServiceAccount::read(&text).map_err(|error| refused(error.to_string()))
    }
}

/// Reads the files anew for `by`, and tries at once whatever waited for them.
pub async fn reload(app: &App, by: impl Into<By>) -> Result<Standing, Error> {
    *app.credentials.today.lock().expect("no one panics while looking") = None;
    let client = app.oauth_client();
    let tag = client.as_ref().ok().map(|client| connections::client_tag(app, client));
    let now = Seen { client: tag, files: digest(app) };
    let before = app.credentials.see(now);
    app.credentials.mended.send_modify(|times| *times += 1);
    let client = client?;
    if before.is_some_and(|before| before.files != now.files) {
        app.act(by, Action::ClientRotated).with("client_id", &client.id).keep().await?;
    }
    let other = before.and_then(|before| before.client).is_some_and(|before| Some(before) != tag);
    let exchange = if other { Exchange::Other } else { Exchange::Same };
    let strangers = strangers(app).await?;
    if strangers > 0 {
        tracing::warn!(
            client = client.id,
            strangers,
            "the OAuth client is another than the one that connections were granted to: they wait, and are kept. \
             Their holders connect again, or the file of the old client is put back"
        );
    } else {
        tracing::info!(client = client.id, "the OAuth client was read anew");
    }
    Ok(Standing { id: client.id, exchange, strangers })
}

/// The OAuth client as it is now, and whom it leaves out.
pub async fn standing(app: &App) -> Result<Standing, Error> {
    let client = app.oauth_client()?;
    Ok(Standing { id: client.id, exchange: Exchange::Same, strangers: strangers(app).await? })
}

/// Looks whether the files changed since they were last seen, and if so reads them anew: an operator
/// who put another file in place need not say so. A file that cannot be used changes nothing.
pub async fn look(app: &App) -> Result<(), Error> {
    let files = digest(app);
    let seen = *app.credentials.seen.lock().expect("no one panics while looking");
    if seen.is_none_or(|seen| seen.files != files) && app.oauth_client().is_ok() {
        reload(app, By::Bridge).await?;
    }
    Ok(())
}

/// Puts another OAuth client, or the same with a new secret, in place of the one in use. `json` is
/// the file as Google's console hands it out; one that could not be used is not taken.
pub async fn replace(app: &App, by: impl Into<By>, json: &str) -> Result<Standing, Error> {
    let refused = |reason| Error::BadCredentials { reason };
    if json.len() as u64 > MOST_BYTES {
        return Err(refused(TOO_LARGE.into()));
    }
    let client = OauthClient::read(json).map_err(|error| refused(error.to_string()))?;
    connections::check_redirect(app, &client)?;
    // What was seen before is what the new one is compared with.
    look(app).await?;
    let file = &app.settings.credentials_file;
    put_private(file, json.as_bytes()).map_err(|error| {
        let reason = format!("the file cannot be written: {error}");
        Error::NotConfigured { file: file.display().to_string(), reason }
    })?;
    reload(app, by).await
}

/// How many connections were granted to another OAuth client than today's. None where today's cannot
/// be read: nothing is known of them then.
pub async fn strangers(app: &App) -> Result<u64, Error> {
    let Some(today) = today(app) else { return Ok(0) };
    let mut strangers = 0;
    let mut after = None;
    loop {
        let page = app.store.all_connections(after, PAGE).await?;
        let strange = page.iter().filter(|connection| {
            connection.state != Health::Disconnected && is_strange(connection, today)
        });
        strangers += strange.count() as u64;
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.id),
            _ => return Ok(strangers),
        }
    }
}

/// Why a connection waits that was granted to another OAuth client than today's. It is neither used
/// nor given up: the old client may come back.
pub fn obstacle(app: &App, connection: &Connection) -> Option<Cause> {
    let Means::Consent { .. } = connection.means else { return None };
    let today = today(app)?;
    is_strange(connection, today).then(|| {
        let text = "calbridge was given another OAuth client than the one this account was connected \
                    with; connect the account again, or put the old client's file back";
        Cause::new("client_changed", text)
    })
}

/// Which OAuth client is today's; none if its file cannot be used. Asked for every event that comes in or
/// goes out, so the file is read only if its stamp is another than when it was read last.
fn today(app: &App) -> Option<ClientTag> {
    // Looked at first: what is written while the file is read gives it another.
    let stamp = Stamp::of(&app.settings.credentials_file)?;
    let mut known = app.credentials.today.lock().expect("no one panics while looking");
    if let Some((as_of, tag)) = *known
        && as_of == stamp
    {
        return Some(tag);
    }
    let tag = connections::client_tag(app, &app.oauth_client().ok()?);
    *known = stamp.is_settled(app.clock.now()).then_some((stamp, tag));
    Some(tag)
}

fn is_strange(connection: &Connection, today: ClientTag) -> bool {
    matches!(connection.means, Means::Consent { client } if client != today)
}

fn digest(app: &App) -> Digest {
    let read = |file: &Path| read_small(file).unwrap_or_default();
    let client = read(&app.settings.credentials_file);
    let account = app.settings.service_account_file.as_deref().map(read).unwrap_or_default();
    digest_of(&[client.as_bytes(), account.as_bytes()])
}

fn read_small(file: &Path) -> Result<String, String> {
    let size = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > MOST_BYTES {
        return Err(TOO_LARGE.into());
    }
    std::fs::read_to_string(file).map_err(|error| error.to_string())
}

/// Writes a file that only its owner may read, whole or not at all, in place of what was there.
fn put_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = Path::new(&fresh);
    match std::fs::remove_file(fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write_new(fresh, bytes).and_then(|()| std::fs::rename(fresh, file));
    if written.is_err() {
        // Best effort: it holds a secret that nobody reads.
        let _ = std::fs::remove_file(fresh);
    }
    written?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut written = File::options().write(true).create_new(true).mode(0o600).open(file)?;
    written.write_all(bytes)?;
    written.sync_all()
}

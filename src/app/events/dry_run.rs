//! What would come of a write, without it: everything is checked, and nothing changes.

use super::change::wanted;
use super::conflict::look_out;
use super::create::known;
use super::{Edit, Said, Wish, get};
use crate::app::access::Caller;
use crate::app::availability::{Found, OnConflict};
use crate::app::placement::Places;
use crate::app::{App, Error, categories};
use crate::model::event::{Content, Copied, Event, Guest, Notify, Presence};
use crate::model::history::By;
use crate::model::id::{ConnectionId, EventId};
use crate::store::{MAX_SEALED, StoreError};

/// What would come of a write.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// Whether anything would change.
    pub changes: bool,
    /// Through which connection.
    pub connection: ConnectionId,
    /// What the event would say.
    pub content: Content,
    /// Whom Google would write to, of those we know.
    pub would_mail: Vec<String>,
    /// What is in its way.
    pub found: Found,
}

/// What would come of taking `wish` in.
pub async fn try_create(
    app: &App,
    caller: &Caller,
    wish: Wish,
    on_conflict: OnConflict,
) -> Result<DryRun, Error> {
    app.must_not_be_frozen()?;
    let wish = categories::filled(app, caller, wish).await?;
    let found = look_out(app, caller, &wish, on_conflict).await?;
    let known = known(app, caller, &wish).await?;
    let place = Places::new(app, caller).resolve(&wish.aim).await?;
    let renews = wish.draft.external_id.is_some();
    let content = wish.draft.content(app, place.calendar);
    if let Some(event) = known {
        // By its caller's own name it is sent anew, by a key it is only shown again.
        let before = app.content(&event)?;
        let content = if renews { content } else { before.clone() };
        let removed = event.known.copy == Copied::RemovedInGoogle;
        let gone = event.wanted.presence == Presence::Absent;
        let changes = renews && !removed && (gone || !content.wants_the_same(&before));
        return change(app, caller.by(), &event, &before, content, changes);
    }
    let id = EventId::random(&*app.random);
    let sealed = wanted(app, caller.by(), (&place.owner, id), 1, Presence::Present, &content)?;
    fits(sealed.content.as_bytes().len())?;
    let would_mail = mailed(app, &content, Vec::new());
    Ok(DryRun { changes: true, connection: place.connection.id, content, would_mail, found })
}

/// What would come of changing an event.
pub async fn try_edit(
    app: &App,
    caller: &Caller,
    id: EventId,
    edit: Edit,
) -> Result<DryRun, Error> {
    app.must_not_be_frozen()?;
    let event = get(app, caller, id).await?;
    if event.wanted.presence == Presence::Absent {
        return Err(Error::NotFound("event"));
    }
    let before = app.content(&event)?;
    let mut content = before.clone();
    if let Said::To(category) = edit.category {
        categories::named(app, caller, &event.owner, category).await?;
    }
    edit.apply(&mut content);
    let changes = !content.wants_the_same(&before);
    change(app, caller.by(), &event, &before, content, changes)
}

/// What would come of an event's saying `content` instead of `before`.
fn change(
    app: &App,
    by: By,
    event: &Event,
    before: &Content,
    content: Content,
    changes: bool,
) -> Result<DryRun, Error> {
    let content = content.following(before, event.is_written());
    let whose = (&event.owner, event.id);
    let sealed = wanted(app, by, whose, event.wanted.revision, Presence::Present, &content)?;
    fits(sealed.content.as_bytes().len())?;
    let gone = before.guests.iter().filter(|guest| content.leaving.guests.contains(&guest.key()));
    let gone = gone.map(|guest| guest.email.clone()).collect();
    let would_mail = if changes { mailed(app, &content, gone) } else { Vec::new() };
    Ok(told(event, changes, would_mail, content))
}

/// What would come of cancelling an event.
pub async fn try_cancel(app: &App, caller: &Caller, id: EventId) -> Result<DryRun, Error> {
    app.must_not_be_frozen()?;
    let event = get(app, caller, id).await?;
    let content = app.content(&event)?;
    let changes = event.wanted.presence == Presence::Present;
    let would_mail = if changes { mailed(app, &content, Vec::new()) } else { Vec::new() };
    Ok(told(&event, changes, would_mail, content))
}

fn told(event: &Event, changes: bool, would_mail: Vec<String>, content: Content) -> DryRun {
    let connection = event.placement.connection;
    DryRun { changes, connection, content, would_mail, found: Found::Nothing }
}

fn fits(bytes: usize) -> Result<(), Error> {
    if bytes > MAX_SEALED { Err(StoreError::TooLarge { bytes }.into()) } else { Ok(()) }
}

/// Those whom Google would write to about `content`, and about their being let `go`. Nobody wants mail
/// about an event that is over.
fn mailed(app: &App, content: &Content, go: Vec<String>) -> Vec<String> {
    if content.over() <= app.clock.now() {
        return Vec::new();
    }
    let all = content.guests.iter().map(|Guest { email, .. }| email.clone()).chain(go);
    match content.notify {
        Notify::None => Vec::new(),
        Notify::External => all.filter(|email| !is_googles(email)).collect(),
        Notify::All => all.collect(),
    }
}

/// Whether an address is surely one of a Google calendar. Of others only Google knows.
fn is_googles(email: &str) -> bool {
    let email = email.to_lowercase();
    email.ends_with("@gmail.com") || email.ends_with("@googlemail.com")
}

//! What would come of a write, without it: everything is checked, and nothing changes.

use super::change::wanted;
use super::conflict::look_out;
use super::create::known;
use super::series::{Change, Plan, Reach, plan_cancel, plan_edit};
use super::upsert::renew;
use super::{Edit, Wish, get};
use crate::app::access::Caller;
use crate::app::availability::{Found, OnConflict};
use crate::app::placement::Places;
use crate::app::{App, Error, categories};
use crate::model::event::{Content, Copied, Event, Guest, Notify, Presence};
use crate::model::history::By;
use crate::model::id::{ConnectionId, EventId};
use crate::model::job::Class;
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
    /// Whether Google would write to guests, too, whom people may have added there: nobody asks it.
    pub others: bool,
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
        let present = event.wanted.presence == Presence::Present;
        if renews && !removed && present && before.recurrence.is_some() {
            let by = (caller.by(), Class::Interactive);
            return together(app, &event, &renew(app, by, event.clone(), content).await?);
        }
        let gone = event.wanted.presence == Presence::Absent;
        let changes = renews && !removed && (gone || !content.wants_the_same(&before));
        return change(app, caller.by(), &event, &before, content, changes);
    }
    let id = EventId::random(&*app.random);
    let sealed = wanted(app, caller.by(), (&place.owner, id), 1, Presence::Present, &content)?;
    fits(sealed.content.as_bytes().len())?;
    let would_mail = mailed(app, &content, Vec::new());
    let connection = place.connection.id;
    Ok(DryRun { changes: true, connection, content, would_mail, others: false, found })
}

/// What would come of changing an event, as far as the change reaches.
pub async fn try_edit(
    app: &App,
    caller: &Caller,
    id: EventId,
    reach: Reach<'_>,
    edit: Edit,
) -> Result<DryRun, Error> {
    app.must_not_be_frozen()?;
    let id = match plan_edit(app, caller, id, None, reach, &edit).await? {
        Plan::Alone(id) => id,
        Plan::Together(change) => return together(app, &get(app, caller, id).await?, &change),
    };
    let event = get(app, caller, id).await?;
    if event.wanted.presence == Presence::Absent {
        return Err(Error::NotFound("event"));
    }
    let before = app.content(&event)?;
    let mut content = before.clone();
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
    let mails = changes && mails(app, &content);
    Ok(told(event, (changes, mails), would_mail, content))
}

/// What would come of a change of a series to which `event` belongs.
fn together(app: &App, event: &Event, change: &Change) -> Result<DryRun, Error> {
    let changed = change.step.changes.iter().map(|(_, wanted, _)| &wanted.content);
    let accepted = change.step.accepts.iter().map(|(event, _)| &event.wanted.content);
    changed.chain(accepted).try_for_each(|content| fits(content.as_bytes().len()))?;
    let (mut would_mail, mut writes) = (Vec::new(), false);
    for says in change.says.iter().filter(|says| says.is_seen) {
        writes |= mails(app, &says.content);
        would_mail.extend(mailed(app, &says.content, says.gone.clone()));
    }
    would_mail.sort_unstable();
    would_mail.dedup();
    let shown = change.says.iter().find(|says| says.event == change.shown);
    let content = shown.map_or_else(|| app.content(event), |says| Ok(says.content.clone()))?;
    Ok(told(event, (!change.is_empty(), writes), would_mail, content))
}

/// What would come of cancelling an event, as far as that reaches.
pub async fn try_cancel(
    app: &App,
    caller: &Caller,
    id: EventId,
    reach: Reach<'_>,
) -> Result<DryRun, Error> {
    app.must_not_be_frozen()?;
    let id = match plan_cancel(app, caller, id, None, reach).await? {
        Plan::Alone(id) => id,
        Plan::Together(change) => return together(app, &get(app, caller, id).await?, &change),
    };
    let event = get(app, caller, id).await?;
    let content = app.content(&event)?;
    let changes = event.wanted.presence == Presence::Present;
    let would_mail = if changes { mailed(app, &content, Vec::new()) } else { Vec::new() };
    let mails = changes && mails(app, &content);
    Ok(told(&event, (changes, mails), would_mail, content))
}

/// What is told of an event that is there: whether it would change, and whether Google would write of that.
fn told(
    event: &Event,
    (changes, mails): (bool, bool),
    would_mail: Vec<String>,
    content: Content,
) -> DryRun {
    let connection = event.placement.connection;
    let others = mails && event.known.copy == Copied::Present;
    DryRun { changes, connection, content, would_mail, others, found: Found::Nothing }
}

fn fits(bytes: usize) -> Result<(), Error> {
    if bytes > MAX_SEALED { Err(StoreError::TooLarge { bytes }.into()) } else { Ok(()) }
}

/// Whether Google would write to guests about `content`. Nobody wants mail about an event that is over.
fn mails(app: &App, content: &Content) -> bool {
    content.notify != Notify::None && content.over() > app.clock.now()
}

/// Those whom Google would write to about `content`, and about their being let `go`.
fn mailed(app: &App, content: &Content, go: Vec<String>) -> Vec<String> {
    if !mails(app, content) {
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

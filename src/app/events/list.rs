//! Lists of events, page by page, and what happened to one of them.
//!
//! A store finds events by what stands in the clear: whose they are, their times, what they were made
//! for. What only the vault can tell, and where an event stands, is looked at here, event by event. So
//! a page reads no more than so many, and may be short, or empty, before the end.

use chrono::{DateTime, Utc};

use super::upsert::named_by;
use super::{State, View, get, view};
use crate::app::access::Caller;
use crate::app::{App, Error};
use crate::model::event::Content;
use crate::model::id::EventId;
use crate::model::invalid::Invalid;
pub use crate::store::{EventFilter, History, Place, SourceKind};

/// So many events are asked of the store at once.
const HANDFUL: usize = 100;
/// A page asks it no more often.
const MOST_HANDFULS: usize = 50;
/// A page without a search reads no more events.
const MOST_READ: usize = 1_000;
/// A search reads no more events.
const MOST_SEARCHED: usize = 5_000;

/// Which events are to be listed.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// By what the store can tell of them.
    pub filter: EventFilter,
    /// Those that stand so, or so; wherever they stand if none is named.
    pub states: Vec<State>,
    /// The one of this name in the caller's words.
    pub external_id: Option<String>,
    /// Those that say this, in whatever case: in the title, the notes, the place or the addresses of
    /// the guests.
    pub text: Option<String>,
}

/// A part of a list of events.
#[derive(Debug)]
pub struct Page {
    /// The events.
    pub views: Vec<View>,
    /// After which to go on; none at the end.
    pub next: Option<Place>,
}

/// The next up to `most` events of a list, in the order in which they were taken in. Whatever comes or
/// goes meanwhile, an event that stays is on one page of a walk, and on no other.
pub async fn list(
    app: &App,
    caller: &Caller,
    listing: &Listing,
    after: Option<Place>,
    most: usize,
) -> Result<Page, Error> {
    let text = searched(listing)?;
    if let Some(external_id) = &listing.external_id {
        return named(app, caller, listing, external_id).await;
    }
    let mut page = Page { views: Vec::new(), next: after };
    let mut read = 0;
    for _ in 0..MOST_HANDFULS {
        let (events, next) = app.store.events(&listing.filter, page.next, HANDFUL).await?;
        for event in events {
            if page.views.len() == most {
                return Ok(page);
            }
            page.next = Some(Place { created: event.created, id: event.id });
            read += 1;
            let view = view(app, event).await?;
            if lets(listing, text.as_deref(), &view) {
                page.views.push(view);
            }
        }
        page.next = next;
        if next.is_none() || page.views.len() == most {
            return Ok(page);
        }
        if text.is_some() && read >= MOST_SEARCHED {
            let rule = "is looked for in 5,000 events at most, and there are more between `from` and \
                        `to`: bring them closer together";
            return Err(Invalid::new("q", rule).into());
        }
        if text.is_none() && read >= MOST_READ {
            return Ok(page);
        }
    }
    Ok(page)
}

/// What happened to the caller's event, the oldest first.
pub async fn history(app: &App, caller: &Caller, id: EventId) -> Result<History, Error> {
    let event = get(app, caller, id).await?;
    app.store.history(event.id).await?.ok_or(Error::NotFound("event"))
}

/// What is searched for, in lower case. A search opens every envelope it passes, so it says whose, and
/// from when to when.
fn searched(listing: &Listing) -> Result<Option<String>, Error> {
    let EventFilter { owner, from, to, .. } = &listing.filter;
    let Some(text) = &listing.text else { return Ok(None) };
    if owner.is_none() || from.is_none() || to.is_none() {
        let rule = "needs `from` and `to`, and the events of one owner: it is looked for in what is sealed";
        return Err(Invalid::new("q", rule).into());
    }
    Ok(Some(text.to_lowercase()))
}

/// The list of at most one event that has this name.
async fn named(
    app: &App,
    caller: &Caller,
    listing: &Listing,
    external_id: &str,
) -> Result<Page, Error> {
    let owner = listing.filter.owner.as_ref().ok_or_else(|| {
        Invalid::new("external_id", "names an event of one owner: leave `everyone` out")
    })?;
    let id = named_by(app, caller, owner, external_id);
    let mut views = Vec::new();
    if let Some(event) = app.store.event(id).await?
        && caller.sees(&event.owner)
        && listing.filter.lets(&event)
    {
        let view = view(app, event).await?;
        views.extend(Some(view).filter(|view| lets(listing, listing.text.as_deref(), view)));
    }
    Ok(Page { views, next: None })
}

fn lets(listing: &Listing, text: Option<&str>, view: &View) -> bool {
    let EventFilter { from, to, .. } = listing.filter;
    (listing.states.is_empty() || listing.states.contains(&view.state()))
        && is_within(&view.content, from, to)
        && text.is_none_or(|text| says(&view.content, text))
}

/// Whether an event that is there once takes place then. The store knows no better of one in the past
/// than when it was asked for; of a series it knows all there is.
fn is_within(content: &Content, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> bool {
    let (starts, over) = (content.timing.starts(), content.timing.over());
    content.recurrence.is_some()
        || (to.is_none_or(|to| starts < to)
            && from.is_none_or(|from| over > from || starts >= from))
}

fn says(content: &Content, text: &str) -> bool {
    let guests = content.guests.iter().map(|guest| &guest.email);
    [&content.summary, &content.description, &content.location]
        .into_iter()
        .chain(guests)
        .any(|said| said.to_lowercase().contains(text))
}

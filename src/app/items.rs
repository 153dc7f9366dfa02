//! What categories and tasks have in common: their names, who sees them, and how they are kept.

use super::access::Caller;
use super::events::{self, Identity};
use super::{App, Error};
use crate::model::id::ItemId;
use crate::model::item::{Item, Noun};
use crate::model::owner::Owner;
pub use crate::store::{Asked, Mark};
use crate::store::{Kept, Request, Step};

/// An edit that keeps being overtaken by others is given up after so many tries.
pub(super) const MOST_EDITS: usize = 8;

/// Where an item stands that was deleted, in one word: a repeated request finds it so.
pub const DELETED: &str = "deleted";

/// A page of a list, and after which item to go on; none if there are no more.
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins.
    pub next: Option<Mark>,
}

/// A new item's name: what a repeated request names too, if it can be known again, else chance.
pub(super) fn name(
    app: &App,
    caller: &Caller,
    noun: Noun,
    owner: &Owner,
    identity: Option<&Identity>,
) -> ItemId {
    let Some(Identity { route, key, body }) = identity else {
        return ItemId::random(&*app.random);
    };
    ItemId::derived(&[
        b"calbridge/item/v1",
        app.settings.namespace.as_bytes(),
        caller.source.as_bytes(),
        noun.as_str().as_bytes(),
        b"idempotency-key",
        &owner.to_bytes(),
        route.as_bytes(),
        key.as_bytes(),
        body,
    ])
}

/// A new item of the owner's, which says nothing yet.
pub(super) fn begin(app: &App, id: ItemId, noun: Noun, owner: Owner) -> Item {
    Item {
        id,
        noun,
        owner,
        shared: None,
        created: app.clock.now(),
        version: 1,
        state: 0,
        at: None,
        event: None,
        category: None,
        of: None,
        gone: None,
        sealed: None,
    }
}

/// The item, if it is the caller's or was given to them, and was not deleted. Another's is as good as
/// none.
pub(super) async fn get(app: &App, caller: &Caller, noun: Noun, id: ItemId) -> Result<Item, Error> {
    let theirs = |item: &Item| {
        let owners = [Some(&item.owner), item.shared.as_ref()];
        owners.into_iter().flatten().any(|owner| caller.sees(owner))
    };
    let item = app.store.item(id).await?;
    item.filter(|item| item.noun == noun && item.gone.is_none() && theirs(item))
        .ok_or(Error::NotFound(noun.as_str()))
}

/// Refuses to change another version than the one that the caller has seen.
pub(super) fn must_be(item: &Item, seen: Option<u32>) -> Result<(), Error> {
    match seen {
        Some(seen) if seen != item.version => Err(Error::Unseen(item.noun.as_str())),
        _ => Ok(()),
    }
}

/// What makes a request known when it is repeated that does something to an item. It is its caller's own:
/// who shares an item shares no keys.
pub(super) fn request(app: &App, caller: &Caller, identity: &Identity) -> Request {
    events::request(app, caller, &caller.owner, identity, app.clock.now())
}

/// Whether a request that does something to an item was seen before.
pub(super) async fn is_repeated(
    app: &App,
    caller: &Caller,
    identity: Option<&Identity>,
) -> Result<bool, Error> {
    let Some(identity) = identity else { return Ok(false) };
    match app.store.known(&request(app, caller, identity), app.clock.now()).await? {
        Some(Kept::OtherBody) => Err(Error::KeyReused),
        known => Ok(known.is_some()),
    }
}

/// Takes one step.
pub(super) async fn keep(app: &App, step: Step) -> Result<Kept, Error> {
    let mut kept = app.store.keep(vec![step], app.settings.backlog, app.clock.now()).await?;
    Ok(kept.pop().expect("there is an answer to each step"))
}

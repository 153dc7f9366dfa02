//! Categories: what several events and tasks have in common, and take where they say nothing.

use std::collections::HashMap;

use super::access::{Caller, Who};
use super::events::{Draft, Identity, Said, Wish};
use super::items::{self, MOST_EDITS, Page};
use super::placement::Aim;
use super::{App, Error};
use crate::model::category::{Category, Completion};
use crate::model::event::{Alert, Color, Meeting, Notify, Visibility};
use crate::model::id::ItemId;
use crate::model::invalid::Invalid;
use crate::model::item::{Item, Noun};
use crate::model::owner::Owner;
use crate::store::{Asked, Kept, Mark, Step};

/// What a caller wants to be different.
#[derive(Clone, Debug, Default)]
pub struct CategoryEdit {
    /// The new name.
    pub name: Option<String>,
    /// The colour of its events.
    pub color: Said<Color>,
    /// The calendar that its events go to.
    pub calendar: Said<String>,
    /// Who may read its events.
    pub visibility: Said<Visibility>,
    /// When people are reminded of its events.
    pub alerts: Said<Vec<Alert>>,
    /// Who gets mail about its events.
    pub notify: Said<Notify>,
    /// Whether its events have a Meet link.
    pub meet: Said<bool>,
    /// What its tasks' events become when a task is done.
    pub completion: Said<Completion>,
}

/// A category as its owner may see it.
pub struct CategoryView {
    /// What is recorded.
    pub item: Item,
    /// What it says.
    pub category: Category,
}

/// Makes a category for the owner; says whether an earlier request had made it.
pub async fn create(
    app: &App,
    caller: &Caller,
    owner: Owner,
    category: Category,
    identity: Option<Identity>,
) -> Result<(CategoryView, bool), Error> {
    app.must_not_be_frozen()?;
    caller.may_act_for(&owner)?;
    let id = items::name(app, caller, Noun::Category, &owner, identity.as_ref());
    let mut item = items::begin(app, id, Noun::Category, owner);
    item.sealed = Some(app.seal_category(&item, &category)?);
    let request = identity.map(|identity| {
        (super::events::request(app, caller, &item.owner, &identity, item.created), id)
    });
    let step = Step { request, items: vec![item.clone()], ..Step::default() };
    match items::keep(app, step).await? {
        Kept::Yes(_) => Ok((CategoryView { item, category }, false)),
        Kept::Known(item) => {
            let category = app.category(&item)?;
            Ok((CategoryView { item: *item, category }, true))
        }
        Kept::OtherBody => Err(Error::KeyReused),
        Kept::Overtaken => Err(Error::Overtaken),
        Kept::NoRoom(crowd) => Err(Error::Backlog(crowd)),
    }
}

/// The caller's category.
pub async fn get(app: &App, caller: &Caller, id: ItemId) -> Result<CategoryView, Error> {
    let item = items::get(app, caller, Noun::Category, id).await?;
    let category = app.category(&item)?;
    Ok(CategoryView { item, category })
}

/// Up to `most` categories of the owner, those made first first, behind `after`.
pub async fn list(
    app: &App,
    caller: &Caller,
    owner: Owner,
    after: Option<Mark>,
    most: usize,
) -> Result<Page<CategoryView>, Error> {
    caller.may_act_for(&owner)?;
    let asked = Asked::all(Noun::Category, owner);
    let (found, next) = app.store.items(&asked, after, most).await?;
    let view = |item: Item| Ok(CategoryView { category: app.category(&item)?, item });
    Ok(Page { items: found.into_iter().map(view).collect::<Result<_, Error>>()?, next })
}

/// Changes a category, if it is the version that the caller has `seen`. Events and tasks take what they
/// leave out from it when they are made or changed next; none is moved.
pub async fn edit(
    app: &App,
    caller: &Caller,
    id: ItemId,
    seen: Option<u32>,
    edit: &CategoryEdit,
) -> Result<CategoryView, Error> {
    app.must_not_be_frozen()?;
    for _ in 0..MOST_EDITS {
        let CategoryView { item, category: before } = get(app, caller, id).await?;
        items::must_be(&item, seen)?;
        let category = edit.clone().apply(before.clone());
        if category == before {
            return Ok(CategoryView { item, category });
        }
        let mut item = Item { version: item.version + 1, ..item };
        item.sealed = Some(app.seal_category(&item, &category)?);
        let step = Step { items: vec![item.clone()], ..Step::default() };
        if let Kept::Yes(_) = items::keep(app, step).await? {
            return Ok(CategoryView { item, category });
        }
    }
    Err(Error::Overtaken)
}

/// Deletes a category. What was made in it keeps what it took.
pub async fn delete(
    app: &App,
    caller: &Caller,
    id: ItemId,
    seen: Option<u32>,
) -> Result<(), Error> {
    app.must_not_be_frozen()?;
    for _ in 0..MOST_EDITS {
        let CategoryView { item, category } = get(app, caller, id).await?;
        items::must_be(&item, seen)?;
        let gone = Some(app.clock.now());
        let mut item = Item { version: item.version + 1, gone, ..item };
        item.sealed = Some(app.seal_category(&item, &category)?);
        let step = Step { items: vec![item], ..Step::default() };
        if let Kept::Yes(_) = items::keep(app, step).await? {
            return Ok(());
        }
    }
    Err(Error::Overtaken)
}

/// The category that a thing of the owner's names: the owner's own, or the application's if a backend
/// names it. There is no other.
pub async fn named(
    app: &App,
    caller: &Caller,
    owner: &Owner,
    id: ItemId,
) -> Result<Category, Error> {
    let may = |item: &Item| {
        let lent = item.owner == Owner::Application && !matches!(caller.who, Who::User(_));
        item.noun == Noun::Category && item.gone.is_none() && (item.owner == *owner || lent)
    };
    let rule =
        "is no category of the owner's: make one by POST /api/v1/categories, or leave it out";
    match app.store.item(id).await?.filter(may) {
        Some(item) => app.category(&item),
        None => Err(Invalid::new("category", rule).into()),
    }
}

/// A wish with what it leaves out and its category has.
pub async fn filled(app: &App, caller: &Caller, mut wish: Wish) -> Result<Wish, Error> {
    let owner = wish.aim.owner(caller);
    Named::new(app, caller).fill(&owner, &mut wish.draft, &mut wish.aim).await?;
    Ok(wish)
}

/// Categories that the items of one request name, each read once.
pub struct Named<'a> {
    app: &'a App,
    caller: &'a Caller,
    known: HashMap<(Owner, ItemId), Category>,
}

impl<'a> Named<'a> {
    /// None was named yet.
    pub fn new(app: &'a App, caller: &'a Caller) -> Self {
        Self { app, caller, known: HashMap::new() }
    }

    /// Gives a draft what it leaves out and its category has.
    pub async fn fill(
        &mut self,
        owner: &Owner,
        draft: &mut Draft,
        aim: &mut Aim,
    ) -> Result<(), Error> {
        if let Some(category) = self.find(owner, draft.category).await? {
            category.fill(draft, aim);
        }
        Ok(())
    }

    /// The category that a thing of the owner's names, if it names one.
    pub async fn find(
        &mut self,
        owner: &Owner,
        id: Option<ItemId>,
    ) -> Result<Option<&Category>, Error> {
        let Some(id) = id else { return Ok(None) };
        let place = (owner.clone(), id);
        if !self.known.contains_key(&place) {
            let category = named(self.app, self.caller, owner, id).await?;
            self.known.insert(place.clone(), category);
        }
        Ok(self.known.get(&place))
    }
}

impl Category {
    /// Gives a draft what it leaves out.
    pub(super) fn fill(&self, draft: &mut Draft, aim: &mut Aim) {
        draft.color = draft.color.or(self.color);
        if draft.visibility == Visibility::Default {
            draft.visibility = self.visibility.unwrap_or_default();
        }
        draft.alerts = draft.alerts.take().or_else(|| self.alerts.clone());
        draft.notify = draft.notify.or(self.notify);
        let usual = self.meet.map(|meet| if meet { Meeting::Meet } else { Meeting::None });
        draft.meeting = draft.meeting.take().or(usual);
        aim.calendar = aim.calendar.take().or_else(|| self.calendar.clone());
    }
}

impl CategoryEdit {
    /// The category after the edit.
    fn apply(self, category: Category) -> Category {
        Category {
            name: self.name.unwrap_or(category.name),
            color: self.color.after(category.color),
            calendar: self.calendar.after(category.calendar),
            visibility: self.visibility.after(category.visibility),
            alerts: self.alerts.after(category.alerts),
            notify: self.notify.after(category.notify),
            meet: self.meet.after(category.meet),
            completion: self.completion.after(category.completion),
        }
    }
}

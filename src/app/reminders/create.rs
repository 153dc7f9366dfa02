//! Making reminders.

use std::collections::BTreeSet;

use super::{ReminderView, calendar, finish, moments};
use crate::app::access::{Caller, Who};
use crate::app::desk::Desk;
use crate::app::events::Identity;
use crate::app::{App, Error, categories, connections, events, items, mail};
use crate::model::id::ItemId;
use crate::model::invalid::Invalid;
use crate::model::item::{Item, Noun, Thing};
use crate::model::job::Class;
use crate::model::owner::Owner;
use crate::model::reminder::{Reminder, Way, When};
use crate::store::{Kept, MAX_SEALED, Step, StoreError};

/// No thing has more reminders: they all move when it does.
pub(super) const MOST_OF_ONE: usize = 50;

/// A reminder to be made.
#[derive(Clone, Debug)]
pub struct ReminderDraft {
    /// Whose it is.
    pub owner: Owner,
    /// What it belongs to.
    pub of: Option<Thing>,
    /// The category it is in.
    pub category: Option<ItemId>,
    /// How it is told; left to the settings if it is not said.
    pub ways: Option<BTreeSet<Way>>,
    /// What it says.
    pub reminder: Reminder,
}

/// A reminder to be made, and what its request is known by.
#[derive(Clone, Debug)]
pub struct ReminderWish {
    /// What its caller wants.
    pub draft: ReminderDraft,
    /// What makes it known when it is repeated.
    pub identity: Option<Identity>,
}

/// A reminder that was made, and whether an earlier request had made it.
pub struct Created {
    /// The reminder.
    pub view: ReminderView,
    /// Whether an earlier request had made it.
    pub repeated: bool,
}

/// Makes a reminder.
pub async fn create(app: &App, caller: &Caller, wish: ReminderWish) -> Result<Created, Error> {
    let created = make(app, caller, vec![wish], Class::Interactive).await?;
    created.into_iter().next().expect("each wish has its answer")
}

/// Makes many, all in one step, each as [`create`] does: what is wrong with one is told of that one.
pub async fn create_all(
    app: &App,
    caller: &Caller,
    wishes: Vec<ReminderWish>,
) -> Result<Vec<Result<Created, Error>>, Error> {
    make(app, caller, wishes, Class::Bulk).await
}

async fn make(
    app: &App,
    caller: &Caller,
    wishes: Vec<ReminderWish>,
    class: Class,
) -> Result<Vec<Result<Created, Error>>, Error> {
    app.must_not_be_frozen()?;
    let bridge = Caller::console();
    let mut desk = Desk::new(app, &bridge, caller.by(), class);
    let mut answers = Vec::new();
    let mut steps = Vec::new();
    for wish in wishes {
        match prepare(&mut desk, caller, wish).await {
            Ok(Prepared::New(view, step)) => {
                answers.push(Ok(view));
                steps.push(*step);
            }
            Ok(Prepared::Known(view)) => answers.push(Err(Ok(Created { view, repeated: true }))),
            Err(Error::Store(error)) if !matches!(error, StoreError::TooLarge { .. }) => {
                return Err(error.into());
            }
            Err(refusal) => answers.push(Err(Err(refusal))),
        }
    }
    let kept = app.store.keep(steps, app.settings.backlog, app.clock.now()).await?;
    let mut kept = kept.into_iter();
    let mut created = Vec::new();
    for answer in answers {
        created.push(match answer {
            Ok(view) => settle(app, view, kept.next().expect("there is an answer to each step")),
            Err(known) => known,
        });
    }
    Ok(created)
}

/// What became of a wish.
fn settle(app: &App, view: ReminderView, kept: Kept) -> Result<Created, Error> {
    match kept {
        Kept::Yes(_) => Ok(Created { view, repeated: false }),
        Kept::Known(item) => {
            let view = ReminderView { reminder: app.reminder(&item)?, item: *item };
            Ok(Created { view, repeated: true })
        }
        Kept::OtherBody => Err(Error::KeyReused),
        Kept::Overtaken => Err(Error::Overtaken),
        Kept::NoRoom(crowd) => Err(Error::Backlog(crowd)),
    }
}

/// What is to be done for a wish.
enum Prepared {
    /// This step makes it true.
    New(ReminderView, Box<Step>),
    /// An earlier request made it.
    Known(ReminderView),
}

/// Looks at a wish. What makes it known when it is repeated is looked at first: whatever changed since,
/// what was made is shown.
async fn prepare(
    desk: &mut Desk<'_>,
    caller: &Caller,
    wish: ReminderWish,
) -> Result<Prepared, Error> {
    let app = desk.app;
    let ReminderWish { draft, identity } = wish;
    let ReminderDraft { owner, of, category, ways, mut reminder } = draft;
    caller.may_act_for(&owner)?;
    let id = items::name(app, caller, Noun::Reminder, &owner, identity.as_ref());
    if identity.is_some()
        && let Some(item) = app.store.item(id).await?
    {
        return Ok(Prepared::Known(ReminderView { reminder: app.reminder(&item)?, item }));
    }
    let mut item = items::begin(app, id, Noun::Reminder, owner);
    if let Some(category) = category {
        categories::named(app, caller, &item.owner, category).await?;
    }
    item.category = category;
    if let Some(of) = of {
        must_be_theirs(app, caller, &item.owner, of).await?;
        item.of = Some(of);
    }
    reminder.ways = ways.unwrap_or_else(|| BTreeSet::from([usual_way(app, &reminder)]));
    must_be_told(app, &item, &reminder).await?;
    reminder.to = addressees(app, caller, &item.owner, &reminder).await?;
    reminder.begin(item.created);
    let request = identity.map(|identity| {
        (events::request(app, caller, &item.owner, &identity, item.created), item.id)
    });
    let mut step = Step { request, ..Step::default() };
    let ahead = moments::ahead(app, &step, &item, &reminder, item.created).await?;
    calendar::arrange(desk, &mut item, &mut reminder, ahead.first(), &mut step).await?;
    finish(app, &mut item, &reminder, ahead.first(), &mut step)?;
    let contents = step.accepts.iter().map(|(event, _)| &event.wanted.content);
    let sealed = item.sealed.iter().chain(contents);
    let bytes = sealed.map(|sealed| sealed.as_bytes().len()).max().unwrap_or(0);
    if bytes > MAX_SEALED {
        return Err(StoreError::TooLarge { bytes }.into());
    }
    Ok(Prepared::New(ReminderView { item, reminder }, Box::new(step)))
}

/// How a reminder is told if nobody says.
fn usual_way(app: &App, reminder: &Reminder) -> Way {
    if app.mail.is_some() || reminder.digest { Way::Mail } else { Way::Google }
}

/// Refuses an entry in the calendar before something that recurs: it would be told of once.
pub(super) async fn must_be_told(app: &App, item: &Item, reminder: &Reminder) -> Result<(), Error> {
    let relative = item.of.filter(|_| reminder.ways.contains(&Way::Google));
    let recurs = match relative {
        None => false,
        Some(Thing::Item(id)) => match app.store.item(id).await? {
            Some(item) if item.noun == Noun::Task => app.task(&item)?.routine.is_some(),
            _ => false,
        },
        Some(Thing::Event(id)) => match app.store.event(id).await? {
            Some(event) => app.content(&event)?.recurrence.is_some(),
            None => false,
        },
    };
    if !recurs {
        return Ok(());
    }
    let rule = "cannot be `google` before something that recurs: use `mail`, or the `reminders` of the \
                event itself";
    Err(Invalid::new("deliver", rule).into())
}

/// Refuses what is not the owner's to be reminded of. Another's is as good as none.
async fn must_be_theirs(app: &App, caller: &Caller, owner: &Owner, of: Thing) -> Result<(), Error> {
    let missing = |field| -> Error {
        Invalid::new(field, "is none of the owner's: check its id, and whose it is").into()
    };
    match of {
        Thing::Item(id) => {
            let task = items::get(app, caller, Noun::Task, id).await;
            let task = task.map_err(|error| not_found(error, missing("task")))?;
            if task.owner != *owner && task.shared.as_ref() != Some(owner) {
                return Err(missing("task"));
            }
        }
        Thing::Event(id) => {
            let event = events::get(app, caller, id).await;
            let event = event.map_err(|error| not_found(error, missing("event")))?;
            if event.owner != *owner {
                return Err(missing("event"));
            }
        }
    }
    let (there, _) = app.store.attached(of, None, MOST_OF_ONE).await?;
    if there.len() < MOST_OF_ONE {
        return Ok(());
    }
    let field = if matches!(of, Thing::Item(_)) { "task" } else { "event" };
    Err(Invalid::new(field, "has 50 reminders already, which is the most: delete one").into())
}

/// `missing` where there is no such thing; any other trouble as it is.
fn not_found(error: Error, missing: Error) -> Error {
    if matches!(error, Error::NotFound(_)) { missing } else { error }
}

/// Who gets the reminder's mail: whoever is named, else the owner's connected account. Users have mail
/// sent to accounts that they connected, and to nobody else. Refused where no mail server is set up: such
/// a mail would wait for days, and then not go; and so is a digest that is not of a day, or not mailed.
pub(super) async fn addressees(
    app: &App,
    caller: &Caller,
    owner: &Owner,
    reminder: &Reminder,
) -> Result<Vec<String>, Error> {
    if reminder.digest && matches!(reminder.when, When::Before { .. }) {
        let rule = "is for reminders with `at`: a digest is of a day, not of a task or an event";
        return Err(Invalid::new("digest", rule).into());
    }
    if reminder.digest && !reminder.ways.contains(&Way::Mail) {
        return Err(Invalid::new("deliver", "must have `mail`, by which a digest goes").into());
    }
    let connected = connections::of(app, owner).await?;
    let own = connected.map(|connection| app.profile(&connection)).transpose()?;
    let own = own.map(|profile| profile.email);
    let mails = reminder.ways.contains(&Way::Mail);
    if reminder.to.is_empty() && !mails {
        return Ok(Vec::new());
    }
    if reminder.to.is_empty() && own.is_none() {
        let rule = "is required: the owner has connected no account whose address could be taken";
        return Err(Invalid::new("to", rule).into());
    }
    let strange =
        |address: &String| !own.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(address));
    if matches!(caller.who, Who::User(_)) && reminder.to.iter().any(strange) {
        let rule = "may name no address but that of the account which the user connected; an API key \
                    may name any";
        return Err(Invalid::new("to", rule).into());
    }
    if mails {
        mail::mailer(app)?;
    }
    Ok(if reminder.to.is_empty() { own.into_iter().collect() } else { reminder.to.clone() })
}

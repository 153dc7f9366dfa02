//! Changing series: all of one, one instance, or one instance and all that follow it.
//!
//! An instance that differs is an event of its own, whose name follows from its series and its
//! original start. Everything that one change makes true is kept in one step.

mod change;
mod parts;

use super::change::{MOST_TRIES, edit as edit_alone};
use super::{Edit, Said, View, get, view};
use crate::app::access::Caller;
use crate::app::{App, Error, categories};
use crate::model::event::{Content, Event, Instance, Presence};
use crate::model::id::EventId;
use crate::model::invalid::Invalid;
use crate::model::job::Class;
use crate::model::timing::Original;
use change::following;
pub(in crate::app) use change::{Change, exception_id};
pub(in crate::app) use parts::{Lines, Series};

/// How much of a series a change is about, and which instance names it, as written.
#[derive(Clone, Copy, Debug)]
pub enum Reach<'a> {
    /// All of it; what does not recur is all of itself.
    All,
    /// One instance.
    This(&'a str),
    /// One instance and all that follow it.
    Following(&'a str),
}

/// What a request comes to.
pub(super) enum Plan {
    /// An event that is changed by itself, as any that does not recur.
    Alone(EventId),
    /// Events of a series, all in one step.
    Together(Box<Change>),
}

/// Changes what the caller wants of an event, as far as the change reaches; if the caller says which
/// revision it has `seen`, that one alone.
pub async fn edit(
    app: &App,
    caller: &Caller,
    id: EventId,
    seen: Option<u32>,
    reach: Reach<'_>,
    edit: &Edit,
) -> Result<Event, Error> {
    app.must_not_be_frozen()?;
    for _ in 0..MOST_TRIES {
        match plan_edit(app, caller, id, seen, reach, edit).await? {
            Plan::Alone(event) => {
                let seen = seen.filter(|_| event == id);
                return edit_alone(app, caller, event, seen, edit).await;
            }
            Plan::Together(change) => {
                if let Some(event) = change.keep(app).await? {
                    return Ok(event);
                }
            }
        }
    }
    Err(Error::Overtaken)
}

/// What an edit comes to, as far as it reaches.
pub(super) async fn plan_edit(
    app: &App,
    caller: &Caller,
    id: EventId,
    seen: Option<u32>,
    reach: Reach<'_>,
    edit: &Edit,
) -> Result<Plan, Error> {
    let event = get(app, caller, id).await?;
    check(&event, seen)?;
    if event.wanted.presence == Presence::Absent {
        return Err(Error::NotFound("event"));
    }
    if let Said::To(category) = edit.category {
        categories::named(app, caller, &event.owner, category).await?;
    }
    let change = match (read(app, caller, event)?, reach) {
        (Err(event), Reach::All) => {
            if event.instance.is_some() && edit.recurrence != Said::Nothing {
                let rule = "an instance of a series does not recur: leave it out";
                return Err(Invalid::new("recurrence", rule).into());
            }
            if !matches!(edit.recurrence, Said::To(_)) {
                return Ok(Plan::Alone(id));
            }
            Change::begin_to_recur(app, caller.by(), &event, edit)?
        }
        (Err(_), Reach::This(_) | Reach::Following(_)) => return Err(does_not_recur()),
        (Ok(series), Reach::All) => series.edit_all(app, edit).await?,
        (Ok(series), Reach::This(start)) => {
            let original = Original::read(start, &series.content.timing)?;
            match series.exception(app, original).await? {
                Some(event) => return Ok(Plan::Alone(event.id)),
                None => series.except(app, original, Presence::Present, edit).await?,
            }
        }
        (Ok(series), Reach::Following(start)) => {
            let original = Original::read(start, &series.content.timing)?;
            match series.split(original)? {
                Some(split) if split.before.is_some() => {
                    series.edit_following(app, original, split, edit).await?
                }
                Some(_) => series.edit_all(app, edit).await?,
                // A repeated request: the series ends here already, and the next goes on.
                None => return Ok(Plan::Alone(following(series.event.id, original))),
            }
        }
    };
    Ok(Plan::Together(Box::new(change)))
}

/// Takes the caller's event out of the calendar, as far as that reaches. Once more changes nothing.
pub async fn cancel(
    app: &App,
    caller: &Caller,
    id: EventId,
    seen: Option<u32>,
    reach: Reach<'_>,
) -> Result<Event, Error> {
    app.must_not_be_frozen()?;
    for _ in 0..MOST_TRIES {
        match plan_cancel(app, caller, id, seen, reach).await? {
            Plan::Alone(event) => {
                let seen = seen.filter(|_| event == id);
                return super::cancel(app, caller, event, seen).await;
            }
            Plan::Together(change) => {
                if let Some(event) = change.keep(app).await? {
                    return Ok(event);
                }
            }
        }
    }
    Err(Error::Overtaken)
}

/// What a cancellation comes to, as far as it reaches.
pub(super) async fn plan_cancel(
    app: &App,
    caller: &Caller,
    id: EventId,
    seen: Option<u32>,
    reach: Reach<'_>,
) -> Result<Plan, Error> {
    let event = get(app, caller, id).await?;
    check(&event, seen)?;
    if event.wanted.presence == Presence::Absent {
        return Ok(Plan::Alone(id));
    }
    let change = match (read(app, caller, event)?, reach) {
        (Err(_), Reach::All) => return Ok(Plan::Alone(id)),
        (Err(_), Reach::This(_) | Reach::Following(_)) => return Err(does_not_recur()),
        (Ok(series), Reach::All) => series.cancel_all(app).await?,
        (Ok(series), Reach::This(start)) => {
            let original = Original::read(start, &series.content.timing)?;
            match series.exception(app, original).await? {
                Some(event) => return Ok(Plan::Alone(event.id)),
                None => series.except(app, original, Presence::Absent, &Edit::default()).await?,
            }
        }
        (Ok(series), Reach::Following(start)) => {
            let original = Original::read(start, &series.content.timing)?;
            match series.split(original)?.ok_or(Error::NotFound("instance"))?.before {
                Some(before) => series.end_before(app, original, before, None).await?,
                None => series.cancel_all(app).await?,
            }
        }
    };
    Ok(Plan::Together(Box::new(change)))
}

/// The instance that `start` names; one that is as its series has it is shown as that, then.
pub async fn instance(app: &App, caller: &Caller, id: EventId, start: &str) -> Result<View, Error> {
    let series = read(app, caller, get(app, caller, id).await?)?.map_err(|_| does_not_recur())?;
    let original = Original::read(start, &series.content.timing)?;
    if let Some(event) = series.exception(app, original).await? {
        return view(app, event).await;
    }
    let found = series.recurrence.occurrence(&series.content.timing, original)?;
    let timing = found.ok_or(Error::NotFound("instance"))?.timing;
    let instance = Some(Instance { series: series.event.id, original });
    let mut shown = view(app, series.event).await?;
    shown.event.instance = instance;
    shown.content = Content { timing, recurrence: None, ..shown.content };
    Ok(shown)
}

/// The event as a series that the caller changes; or as it is, if it does not recur.
fn read(app: &App, caller: &Caller, event: Event) -> Result<Result<Series, Event>, Error> {
    Series::of(app, (caller.by(), Class::Interactive), event)
}

fn check(event: &Event, seen: Option<u32>) -> Result<(), Error> {
    if seen.is_some_and(|seen| seen != event.wanted.revision) {
        return Err(Error::Unseen("event"));
    }
    Ok(())
}

fn does_not_recur() -> Error {
    Invalid::new("instance", "the event does not recur: leave `instance` and `range` out").into()
}

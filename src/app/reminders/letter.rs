//! What a reminder says by mail.

use chrono::{DateTime, Utc};

use super::digest;
use crate::app::{App, Error};
use crate::model::delivery::Letter;
use crate::model::item::{Item, Thing};
use crate::model::reminder::{Reminder, When};
use crate::model::timing::Timing;
use crate::model::when::Moment;

/// The mail about the occurrence of that moment.
pub(super) async fn letter(
    app: &App,
    item: &Item,
    reminder: &Reminder,
    moment: DateTime<Utc>,
) -> Result<Letter, Error> {
    let about = match (item.of, &reminder.when) {
        (Some(of), When::Before { .. }) => about(app, of).await?,
        _ if reminder.digest => Some(digest::text(app, item, reminder, moment).await?),
        (_, When::At { first: Timing::Span(span), .. }) => {
            Some(shown(&span.start().zone().map_or(utc(moment), |zone| Moment::at(moment, zone))))
        }
        _ => None,
    };
    let parts = [Some(reminder.text.clone()), about].into_iter().flatten();
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    // A subject is one line, whatever the title has.
    let subject = reminder.title.replace(char::is_control, " ");
    let text = if parts.is_empty() { subject.clone() } else { parts.join("\n\n") };
    let text = format!("{}\n", text.trim_end());
    Ok(Letter { to: reminder.to.clone(), subject, text })
}

/// What it is about, in a line of its own.
async fn about(app: &App, of: Thing) -> Result<Option<String>, Error> {
    let (title, timing) = match of {
        Thing::Item(id) => {
            let Some(item) = app.store.item(id).await? else { return Ok(None) };
            let task = app.task(&item)?;
            (task.title, task.dates.map(|dates| dates.timing()))
        }
        Thing::Event(id) => {
            let Some(event) = app.store.event(id).await? else { return Ok(None) };
            let content = app.content(&event)?;
            let single = content.recurrence.is_none();
            (content.summary, single.then_some(content.timing))
        }
    };
    Ok(Some(match timing {
        Some(Timing::Span(span)) => format!("{title}: {}", shown(span.start())),
        Some(Timing::Days(days)) => format!("{title}: {}", days.first()),
        None => title,
    }))
}

/// A moment as its readers would say it.
fn shown(moment: &Moment) -> String {
    let wall = moment.wall().format("%Y-%m-%d %H:%M");
    match (moment.zone(), moment.offset()) {
        (Some(zone), _) => format!("{wall} ({})", zone.name()),
        (None, Some(offset)) => format!("{wall} {offset}"),
        (None, None) => format!("{} UTC", moment.instant().format("%Y-%m-%d %H:%M")),
    }
}

fn utc(moment: DateTime<Utc>) -> Moment {
    Moment::at(moment, chrono_tz::UTC)
}

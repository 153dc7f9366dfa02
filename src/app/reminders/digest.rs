//! What a digest says: the events and open tasks of its owner's next day, and what is overdue.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::app::{App, Error, tasks};
use crate::model::event::{Copied, Event, Presence, Source};
use crate::model::item::{Item, Noun};
use crate::model::reminder::{Reminder, When};
use crate::model::timing::Timing;
use crate::store::{Asked, EventFilter};

/// It looks so far ahead.
const LENGTH: TimeDelta = TimeDelta::days(1);
/// Whole days are over by all clocks on Earth so long after they are by the first.
const ALL_CLOCKS: TimeDelta = TimeDelta::days(2);
/// So many things are asked of the store at once, and so often at most.
const PAGE: usize = 100;
const MOST_PAGES: usize = 20;
/// No series has more occurrences in a digest.
const MOST_OF_ONE: usize = 50;
/// A title is shown up to here, in characters, and a digest up to there, in bytes: it must fit a record.
const LONGEST_TITLE: usize = 100;
const FULL: usize = 16_000;

/// The time that a digest is about.
struct Day {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    zone: Tz,
}

/// Something in a digest: when it is, and its line.
type Entry = (DateTime<Utc>, String);

/// What the owner's day holds that begins at that moment.
pub(super) async fn text(
    app: &App,
    item: &Item,
    reminder: &Reminder,
    moment: DateTime<Utc>,
) -> Result<String, Error> {
    let zone = match &reminder.when {
        When::At { first: Timing::Span(span), .. } => span.start().zone(),
        _ => None,
    };
    let day = Day { from: moment, until: moment + LENGTH, zone: zone.unwrap_or(Tz::UTC) };
    let events = events(app, item, &day).await?;
    let (due, overdue) = open_tasks(app, item, &day).await?;
    let mut text = format!("{}\n", day.title());
    for (title, entries) in [("Events", events), ("Tasks", due), ("Overdue", overdue)] {
        add(&mut text, title, entries);
    }
    if text.lines().count() == 1 {
        text.push_str("\nNothing is planned.\n");
    }
    Ok(text)
}

/// A part of the text, unless there is nothing in it.
fn add(text: &mut String, title: &str, mut entries: Vec<Entry>) {
    if entries.is_empty() {
        return;
    }
    entries.sort();
    text.push_str(&format!("\n{title}\n"));
    let all = entries.len();
    for (shown, (_, line)) in entries.into_iter().enumerate() {
        if text.len() > FULL {
            text.push_str(&format!("  and {} more\n", all - shown));
            return;
        }
        text.push_str(&format!("  {line}\n"));
    }
}

/// The owner's events of the day. What stands for a task or a reminder is none.
async fn events(app: &App, item: &Item, day: &Day) -> Result<Vec<Entry>, Error> {
    let filter = EventFilter {
        owner: Some(item.owner.clone()),
        from: Some(day.from - ALL_CLOCKS),
        to: Some(day.until + ALL_CLOCKS),
        ..EventFilter::default()
    };
    let (mut entries, mut after) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let (found, next) = app.store.events(&filter, after, PAGE).await?;
        for event in found.iter().filter(|event| is_there(event)) {
            let content = app.content(event)?;
            let occurrences = match &content.recurrence {
                None => vec![content.timing],
                Some(rule) => {
                    let from = day.from - ALL_CLOCKS;
                    let found = rule.expand(&content.timing, Some(from), MOST_OF_ONE)?;
                    let usual = found.into_iter();
                    let usual = usual.filter(|one| !rule.exceptions().contains(&one.original));
                    usual.map(|occurrence| occurrence.timing).collect()
                }
            };
            let title = title(&content.summary);
            entries.extend(occurrences.iter().filter(|timing| day.holds(timing)).map(|timing| {
                (timing.begins_in(Some(day.zone)), format!("{}  {title}", day.span(timing)))
            }));
        }
        after = next;
        if next.is_none() {
            break;
        }
    }
    Ok(entries)
}

fn is_there(event: &Event) -> bool {
    event.source == Source::Api
        && event.wanted.presence == Presence::Present
        && event.known.copy != Copied::RemovedInGoogle
}

/// The open tasks that the owner is to do this day, and those that should be done by now.
async fn open_tasks(app: &App, item: &Item, day: &Day) -> Result<(Vec<Entry>, Vec<Entry>), Error> {
    let asked = Asked {
        state: Some(tasks::State::Open.number()),
        to: Some(day.until + ALL_CLOCKS),
        ..Asked::all(Noun::Task, item.owner.clone())
    };
    let (mut due, mut overdue, mut after) = (Vec::new(), Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let (found, next) = app.store.items(&asked, after, PAGE).await?;
        for item in &found {
            let task = app.task(item)?;
            let Some(timing) = task.at_hand()?.map(|dates| dates.timing()) else { continue };
            let line = format!("{}  {}", day.end(&timing), title(&task.title));
            let entry = (timing.begins_in(Some(day.zone)), line);
            if day.follows(&timing) {
                overdue.push(entry);
            } else if day.holds(&timing) {
                due.push(entry);
            }
        }
        after = next;
        if next.is_none() {
            break;
        }
    }
    Ok((due, overdue))
}

impl Day {
    /// `Monday, 2 November 2026 (Europe/Lisbon)`.
    fn title(&self) -> String {
        let begins = self.from.with_timezone(&self.zone);
        format!("{} ({})", begins.format("%A, %-d %B %Y"), self.zone.name())
    }

    fn date(&self, moment: DateTime<Utc>) -> NaiveDate {
        moment.with_timezone(&self.zone).date_naive()
    }

    /// Whether something of it is on this day.
    fn holds(&self, timing: &Timing) -> bool {
        !self.follows(timing)
            && match timing {
                Timing::Span(span) => span.start().instant() < self.until,
                Timing::Days(days) => days.first() <= self.date(self.from),
            }
    }

    /// Whether it is over when the day begins.
    fn follows(&self, timing: &Timing) -> bool {
        match timing {
            Timing::Span(span) => span.end().instant() <= self.from,
            Timing::Days(days) => days.after() <= self.date(self.from),
        }
    }

    fn clock(&self, moment: DateTime<Utc>) -> String {
        let form =
            if self.date(moment) == self.date(self.from) { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        moment.with_timezone(&self.zone).format(form).to_string()
    }

    /// From when to when.
    fn span(&self, timing: &Timing) -> String {
        match timing {
            Timing::Days(_) => "all day".to_owned(),
            Timing::Span(span) => {
                let (start, end) = (span.start().instant(), span.end().instant());
                format!("{} to {}", self.clock(start), self.clock(end))
            }
        }
    }

    /// By when.
    fn end(&self, timing: &Timing) -> String {
        match timing {
            Timing::Days(_) if self.holds(timing) => "today".to_owned(),
            Timing::Days(days) => days.after().pred_opt().unwrap_or(days.first()).to_string(),
            Timing::Span(span) => self.clock(span.end().instant()),
        }
    }
}

/// A title in a line of its own.
fn title(written: &str) -> String {
    let line = written.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    line.take(LONGEST_TITLE).collect()
}

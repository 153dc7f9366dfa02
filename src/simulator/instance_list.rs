//! `calendar.events.instances`.

use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::answer::{Answer, Refusal};
use super::calendar::{Calendar, Role};
use super::call::Desk;
use super::event::Event;
use super::event_list::range;
use super::instances::Range;
use super::listing::{Listing, Manner, invalid_parameter};

const MANNER: Manner = Manner {
    page: 250,
    largest_page: 2500,
    not_with_sync: &[],
    without_sync: &[],
    same_with_sync: &[],
    not_false_with_sync: &[],
};

/// The instances of a series by their original start, exceptions in their places. Of what is not a
/// series there are none.
pub(super) fn list(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let calendar = desk.calendar_as(Role::Reader)?;
    let id = desk.call.event.as_deref().unwrap_or_default();
    let name = format!("instances {} {id}", calendar.id);
    let listing = Listing::read(desk, &name, 0, &MANNER)?;
    let parameters = &desk.asked.parameters;
    let range = range(parameters)?;
    let original = parameters.get("originalStart").map(original).transpose()?;
    let deleted = desk.parameter_is("showDeleted", "true");
    let master = calendar.events.get(id).ok_or_else(Refusal::not_found)?;
    let mut items = instances(calendar, master, range, desk.now);
    items.retain(|(moment, kept)| {
        let cancelled = kept.unwrap_or(master).cancelled;
        original.is_none_or(|original| original == *moment) && (deleted || !cancelled)
    });
    let items = items.into_iter().map(|item| ((item.0.timestamp(), 0), item));
    let (found, more) = listing.page_of(items.collect());
    let base = desk.asked.base(desk.state);
    let around = desk.surroundings(&base, calendar)?;
    let shown = |(moment, kept): &(DateTime<Utc>, Option<&Event>)| match kept {
        Some(event) => event.shown(&around),
        None => calendar.instance(master, *moment).shown(&around),
    };
    let items = found.iter().map(shown).collect();
    let mut page = desk.page_of_events(calendar, items);
    if more.is_some() {
        listing.close(&mut page, more, desk.now);
    }
    Ok(Answer::json(StatusCode::OK, &page))
}

/// `originalStart`: a moment with its offset, or a day.
fn original(text: &str) -> Result<DateTime<Utc>, Refusal> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    let day = day.map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let moment = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
    moment.or(day).map_err(|_| invalid_parameter("originalStart"))
}

/// When the series has those instances begin that meet `range`, and the exceptions among them.
fn instances<'a>(
    calendar: &'a Calendar,
    master: &'a Event,
    range: Range,
    now: DateTime<Utc>,
) -> Vec<(DateTime<Utc>, Option<&'a Event>)> {
    let Some(series) = master.series.as_deref() else { return Vec::new() };
    let kept = calendar.exceptions(&master.id).filter_map(|event| {
        let original = event.exception.as_ref()?.original;
        range.meets((event.starts, event.ends)).then_some((original, Some(event)))
    });
    let made = master.occurrences(series, range, now).filter_map(|moment| {
        let here = range.meets(calendar.span(master, moment));
        (here && !calendar.has_exception(master, moment)).then_some((moment, None))
    });
    made.chain(kept).collect()
}

//! Instances of recurring events: what a series says of each, unless an exception stands in its place.
//!
//! An exception is an event of its own, whose id says which instance it is. All other instances are
//! made from their series whenever they are asked for.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::calendar::Calendar;
use super::event::Event;
use super::event_body::midnight;
use super::recurrence::Recurrence;
use super::state::State;

/// How many occurrences of a series are told of that lie ahead, unless the list says how far it goes.
const AHEAD: usize = 730;

/// Which instance of which series an event is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Exception {
    /// The id of the series.
    pub(super) master: String,
    /// When the series has it begin; of a whole day, midnight in UTC.
    pub(super) original: DateTime<Utc>,
    /// The same as a `start`.
    pub(super) original_start: Value,
    /// Its series has no such instance any more, or is deleted itself.
    pub(super) dropped: bool,
}

/// What an event repeated as until a change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Earlier {
    /// The version of that change.
    pub(super) version: i64,
    /// Nothing, if it happened once.
    pub(super) series: Option<Arc<Recurrence>>,
}

/// A time range of a list: what ends after one moment and begins before another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) least: Option<DateTime<Utc>>,
    pub(super) most: Option<DateTime<Utc>>,
}

impl Range {
    pub(super) fn meets(self, (starts, ends): (DateTime<Utc>, DateTime<Utc>)) -> bool {
        self.least.is_none_or(|least| ends > least) && self.most.is_none_or(|most| starts < most)
    }
}

impl Event {
    pub(super) fn is_all_day(&self) -> bool {
        self.fields.get("start").is_some_and(|start| start["date"].is_string())
    }

    /// The id of its instance that begins at `moment`.
    pub(super) fn instance_id(&self, moment: DateTime<Utc>) -> String {
        let form = if self.is_all_day() { "%Y%m%d" } else { "%Y%m%dT%H%M%SZ" };
        format!("{}_{}", self.id, moment.format(form))
    }

    /// The moments at which its instances begin that may meet `range`. Those of an endless series
    /// stop `AHEAD` of the range or of `now`.
    pub(super) fn occurrences<'a>(
        &self,
        series: &'a Recurrence,
        range: Range,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> + use<'a> {
        // A day begins at other moments elsewhere.
        let slack = TimeDelta::days(i64::from(self.is_all_day()));
        let length = self.ends - self.starts + slack;
        let from = range.least.map_or(DateTime::<Utc>::MIN_UTC, |least| least - length);
        let until = range.most.map_or(DateTime::<Utc>::MAX_UTC, |most| most + slack);
        let present = range.least.map_or(now, |least| least.max(now));
        let mut ahead = 0;
        series.between(from, until).take_while(move |moment| {
            ahead += usize::from(range.most.is_none() && *moment > present);
            ahead <= AHEAD
        })
    }
}

impl Calendar {
    /// The event of this id, stored or an instance of a series.
    pub(super) fn event(&self, id: &str) -> Option<Cow<'_, Event>> {
        let stored = self.events.get(id);
        let is_dropped = |event: &&Event| event.exception.as_ref().is_some_and(|one| one.dropped);
        if let Some(stored) = stored.filter(|event| !is_dropped(event)) {
            return Some(Cow::Borrowed(stored));
        }
        self.made_instance(id).map(Cow::Owned).or(stored.map(Cow::Borrowed))
    }

    fn made_instance(&self, id: &str) -> Option<Event> {
        let (master, begins) = id.rsplit_once('_')?;
        let master = self.events.get(master)?;
        let series = master.series.as_deref()?;
        let moment = if master.is_all_day() {
            NaiveDate::parse_from_str(begins, "%Y%m%d").ok()?.and_time(NaiveTime::MIN)
        } else {
            NaiveDateTime::parse_from_str(begins, "%Y%m%dT%H%M%SZ").ok()?
        };
        let moment = moment.and_utc();
        (master.instance_id(moment) == id && series.has(moment))
            .then(|| self.instance(master, moment))
    }

    /// When the instance of `master` that begins at `moment` begins and ends here.
    pub(super) fn span(
        &self,
        master: &Event,
        moment: DateTime<Utc>,
    ) -> (DateTime<Utc>, DateTime<Utc>) {
        if !master.is_all_day() {
            return (moment, moment + (master.ends - master.starts));
        }
        let day = moment.date_naive();
        (midnight(day, self.time_zone), midnight(day + master.days(), self.time_zone))
    }

    /// The instance of `master` that begins at `moment`, as the series says.
    pub(super) fn instance(&self, master: &Event, moment: DateTime<Utc>) -> Event {
        let (starts, ends) = self.span(master, moment);
        let mut fields = master.fields.clone();
        fields.remove("recurrence");
        let point = |name: &str, time: DateTime<Utc>, day: NaiveDate| {
            if master.is_all_day() {
                return json!({"date": day.to_string()});
            }
            let shown = time.with_timezone(&self.time_zone);
            let zone = master.fields.get(name).map(|point| &point["timeZone"]);
            let shown = shown.to_rfc3339_opts(SecondsFormat::Secs, true);
            json!({"dateTime": shown, "timeZone": zone})
        };
        let day = moment.date_naive();
        let start = point("start", starts, day);
        fields.insert("end".to_owned(), point("end", ends, day + master.days()));
        fields.insert("start".to_owned(), start.clone());
        let exception = Exception {
            master: master.id.clone(),
            original: moment,
            original_start: start,
            dropped: false,
        };
        Event {
            id: master.instance_id(moment),
            number: 0,
            starts,
            ends,
            fields,
            series: None,
            earlier: Vec::new(),
            exception: Some(exception),
            before: None,
            ..master.clone()
        }
    }

    /// Whether an exception stands in the place of the instance that begins at `moment`.
    pub(super) fn has_exception(&self, master: &Event, moment: DateTime<Utc>) -> bool {
        let stored = self.events.get(&master.instance_id(moment));
        stored.and_then(|event| event.exception.as_ref()).is_some_and(|one| !one.dropped)
    }

    /// The exceptions of a series that stand.
    pub(super) fn exceptions(&self, master: &str) -> impl Iterator<Item = &Event> {
        self.events
            .of_series(master)
            .filter(|event| event.exception.as_ref().is_some_and(|one| !one.dropped))
    }
}

impl Event {
    /// How many days a whole-day event takes.
    fn days(&self) -> TimeDelta {
        let day = |name: &str| {
            let point = self.fields.get(name)?["date"].as_str()?;
            NaiveDate::parse_from_str(point, "%Y-%m-%d").ok()
        };
        day("start").zip(day("end")).map_or(TimeDelta::zero(), |(start, end)| end - start)
    }
}

impl State {
    /// After a change of the series `master`: its exceptions end with it, and each that the series has
    /// no instance for ends, too.
    pub(super) fn drop_exceptions(&mut self, calendar: &str, master: &str, now: DateTime<Utc>) {
        let Some(found) = self.calendars.get(calendar) else { return };
        let Some(event) = found.events.get(master) else { return };
        let series = event.series.as_deref().filter(|_| !event.cancelled);
        let mut dropped = Vec::new();
        for exception in found.exceptions(master) {
            let Some(place) = exception.exception.clone() else { continue };
            if series.is_some_and(|series| {
                series.has(place.original) && event.instance_id(place.original) == exception.id
            }) {
                continue;
            }
            let place = Some(Exception { dropped: true, ..place });
            let (cancelled, updated) = (true, now);
            dropped.push(Event { exception: place, cancelled, updated, ..exception.clone() });
        }
        for event in dropped {
            if event.organizer == calendar {
                self.change_event(calendar, event, now);
            } else {
                self.put_event(calendar, event, now);
            }
        }
    }
}

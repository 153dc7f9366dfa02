//! How a content is written. Form 1 was written until events could say more than their title, notes,
//! times and guests.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::app::Error;
use crate::model::event::{Alert, Content, Guest, Leaving, Meeting, Part};
use crate::model::id::{EventId, ItemId};
use crate::model::invalid::Invalid;
use crate::model::recurrence::Recurrence;
use crate::model::timing::{Days, Original, Timing};
use crate::model::when::{Moment, Span};

/// A content as it was written first.
#[derive(Deserialize)]
pub(super) struct FirstForm {
    calendar: String,
    summary: String,
    description: String,
    start: MomentForm,
    end: MomentForm,
    guests: Vec<String>,
    meet: bool,
    notify: String,
}

/// A content as it is written.
#[derive(Serialize, Deserialize)]
pub(super) struct SecondForm {
    calendar: String,
    summary: String,
    description: String,
    location: String,
    timing: TimingForm,
    recurrence: Option<RecurrenceForm>,
    guests: Vec<(String, bool)>,
    color: Option<String>,
    visibility: String,
    transparency: String,
    alerts: Option<Vec<(String, u32)>>,
    meeting: MeetingForm,
    notify: String,
    category: Option<u128>,
    external_id: Option<String>,
    follows: Option<u128>,
    leaving_guests: Vec<String>,
    leaving_parts: Vec<PartForm>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum TimingForm {
    Span(MomentForm, MomentForm),
    Days(NaiveDate, NaiveDate),
}

#[derive(Serialize, Deserialize)]
pub(super) struct RecurrenceForm {
    lines: Vec<String>,
    exceptions: Vec<OriginalForm>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum OriginalForm {
    Moment(DateTime<Utc>),
    Day(NaiveDate),
}

#[derive(Serialize, Deserialize)]
pub(super) struct MomentForm {
    instant: DateTime<Utc>,
    wall: chrono::NaiveDateTime,
    zone: Option<String>,
}

#[derive(Serialize, Deserialize)]
enum MeetingForm {
    None,
    Meet,
    Own { uri: String, label: String },
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum PartForm {
    Description,
    Location,
    Recurrence,
    Color,
    Visibility,
    Transparency,
    Alerts,
    Meeting,
}

impl From<&Content> for SecondForm {
    fn from(content: &Content) -> Self {
        let texts = |alert: &Alert| (alert.by().as_str().to_owned(), alert.minutes());
        Self {
            calendar: content.calendar.clone(),
            summary: content.summary.clone(),
            description: content.description.clone(),
            location: content.location.clone(),
            timing: (&content.timing).into(),
            recurrence: content.recurrence.as_ref().map(RecurrenceForm::from),
            guests: content
                .guests
                .iter()
                .map(|guest| (guest.email.clone(), guest.optional))
                .collect(),
            color: content.color.map(|color| color.as_str().to_owned()),
            visibility: content.visibility.as_str().to_owned(),
            transparency: content.transparency.as_str().to_owned(),
            alerts: content.alerts.as_ref().map(|alerts| alerts.iter().map(texts).collect()),
            meeting: (&content.meeting).into(),
            notify: content.notify.as_str().to_owned(),
            category: content.category.map(ItemId::as_u128),
            external_id: content.external_id.clone(),
            follows: content.follows.map(EventId::as_u128),
            leaving_guests: content.leaving.guests.iter().cloned().collect(),
            leaving_parts: content.leaving.parts.iter().map(|part| (*part).into()).collect(),
        }
    }
}

impl TryFrom<SecondForm> for Content {
    type Error = Error;

    fn try_from(form: SecondForm) -> Result<Self, Error> {
        let alert = |(by, minutes): (String, u32)| Alert::new(by.parse()?, minutes);
        let alerts = |alerts: Vec<_>| alerts.into_iter().map(alert).collect::<Result<_, Invalid>>();
        Ok(Self {
            calendar: form.calendar,
            summary: form.summary,
            description: form.description,
            location: form.location,
            timing: form.timing.try_into()?,
            recurrence: form.recurrence.map(Recurrence::from),
            guests: form
                .guests
                .into_iter()
                .map(|(email, optional)| Guest { email, optional })
                .collect(),
            color: form.color.map(|name| name.parse()).transpose()?,
            visibility: form.visibility.parse()?,
            transparency: form.transparency.parse()?,
            alerts: form.alerts.map(alerts).transpose()?,
            meeting: form.meeting.into(),
            notify: form.notify.parse()?,
            category: form.category.map(ItemId::from_u128),
            external_id: form.external_id,
            follows: form.follows.map(EventId::from_u128),
            leaving: Leaving {
                guests: form.leaving_guests.into_iter().collect(),
                parts: form.leaving_parts.into_iter().map(Part::from).collect(),
            },
        })
    }
}

impl TryFrom<FirstForm> for Content {
    type Error = Error;

    fn try_from(form: FirstForm) -> Result<Self, Error> {
        let timing = TimingForm::Span(form.start, form.end).try_into()?;
        Ok(Self {
            description: form.description,
            guests: form.guests.into_iter().map(Guest::new).collect(),
            meeting: if form.meet { Meeting::Meet } else { Meeting::None },
            notify: form.notify.parse()?,
            ..Self::new(form.calendar, form.summary, timing)
        })
    }
}

impl From<&Timing> for TimingForm {
    fn from(timing: &Timing) -> Self {
        let moment = |moment: &Moment| MomentForm {
            instant: moment.instant(),
            wall: moment.wall(),
            zone: moment.zone().map(|zone| zone.name().to_owned()),
        };
        match timing {
            Timing::Span(span) => Self::Span(moment(span.start()), moment(span.end())),
            Timing::Days(days) => Self::Days(days.first(), days.after()),
        }
    }
}

impl TryFrom<TimingForm> for Timing {
    type Error = Error;

    fn try_from(form: TimingForm) -> Result<Self, Error> {
        let moment =
            |form: MomentForm| Moment::from_parts(form.instant, form.wall, form.zone.as_deref());
        Ok(match form {
            TimingForm::Span(start, end) => Self::Span(Span::new(moment(start)?, moment(end)?)?),
            TimingForm::Days(first, after) => Self::Days(Days::new(first, after)?),
        })
    }
}

impl From<&Recurrence> for RecurrenceForm {
    fn from(recurrence: &Recurrence) -> Self {
        Self {
            lines: recurrence.lines().to_vec(),
            exceptions: recurrence.exceptions().iter().map(OriginalForm::from).collect(),
        }
    }
}

impl From<RecurrenceForm> for Recurrence {
    fn from(form: RecurrenceForm) -> Self {
        Self::from_parts(form.lines, form.exceptions.into_iter().map(Original::from).collect())
    }
}

impl From<&Original> for OriginalForm {
    fn from(original: &Original) -> Self {
        match original {
            Original::Moment(moment) => Self::Moment(*moment),
            Original::Day(day) => Self::Day(*day),
        }
    }
}

impl From<OriginalForm> for Original {
    fn from(form: OriginalForm) -> Self {
        match form {
            OriginalForm::Moment(moment) => Self::Moment(moment),
            OriginalForm::Day(day) => Self::Day(day),
        }
    }
}

impl From<&Meeting> for MeetingForm {
    fn from(meeting: &Meeting) -> Self {
        match meeting {
            Meeting::None => Self::None,
            Meeting::Meet => Self::Meet,
            Meeting::Own { uri, label } => Self::Own { uri: uri.clone(), label: label.clone() },
        }
    }
}

impl From<MeetingForm> for Meeting {
    fn from(form: MeetingForm) -> Self {
        match form {
            MeetingForm::None => Self::None,
            MeetingForm::Meet => Self::Meet,
            MeetingForm::Own { uri, label } => Self::Own { uri, label },
        }
    }
}

impl From<Part> for PartForm {
    fn from(part: Part) -> Self {
        match part {
            Part::Description => Self::Description,
            Part::Location => Self::Location,
            Part::Recurrence => Self::Recurrence,
            Part::Color => Self::Color,
            Part::Visibility => Self::Visibility,
            Part::Transparency => Self::Transparency,
            Part::Alerts => Self::Alerts,
            Part::Meeting => Self::Meeting,
        }
    }
}

impl From<PartForm> for Part {
    fn from(form: PartForm) -> Self {
        match form {
            PartForm::Description => Self::Description,
            PartForm::Location => Self::Location,
            PartForm::Recurrence => Self::Recurrence,
            PartForm::Color => Self::Color,
            PartForm::Visibility => Self::Visibility,
            PartForm::Transparency => Self::Transparency,
            PartForm::Alerts => Self::Alerts,
            PartForm::Meeting => Self::Meeting,
        }
    }
}

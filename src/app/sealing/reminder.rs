//! Reminders and their deliveries as they are written into envelopes.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::content::TimingForm;
use super::{FORM, damaged, read, write};
use crate::app::{App, Error};
use crate::model::delivery::{Delivery, Ended, Letter};
use crate::model::item::Item;
use crate::model::job::Cause;
use crate::model::recurrence::Recurrence;
use crate::model::reminder::{Reminder, When};
use crate::model::sealed::Sealed;

#[derive(Serialize, Deserialize)]
struct ReminderForm {
    title: String,
    text: String,
    when: WhenForm,
    ways: Vec<String>,
    to: Vec<String>,
    digest: bool,
    meet: Option<bool>,
    calendar: Option<String>,
    snoozed: Option<DateTime<Utc>>,
    ringing: Option<DateTime<Utc>>,
    dealt: Option<DateTime<Utc>>,
    dismissed: bool,
    events: u32,
}

#[derive(Serialize, Deserialize)]
enum WhenForm {
    At(TimingForm, Option<Vec<String>>),
    Before(u32, Option<String>),
}

#[derive(Serialize, Deserialize)]
struct DeliveryForm {
    letter: Option<LetterForm>,
    ended: Option<EndedForm>,
}

#[derive(Serialize, Deserialize)]
struct LetterForm {
    to: Vec<String>,
    subject: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
struct EndedForm {
    at: DateTime<Utc>,
    cause: Option<(String, String)>,
}

impl App {
    /// Seals what a reminder says, for the item's version.
    pub(in crate::app) fn seal_reminder(
        &self,
        item: &Item,
        reminder: &Reminder,
    ) -> Result<Sealed, Error> {
        let form = ReminderForm {
            title: reminder.title.clone(),
            text: reminder.text.clone(),
            when: (&reminder.when).into(),
            ways: reminder.ways.iter().map(|way| way.as_str().to_owned()).collect(),
            to: reminder.to.clone(),
            digest: reminder.digest,
            meet: reminder.meet,
            calendar: reminder.calendar.clone(),
            snoozed: reminder.snoozed,
            ringing: reminder.ringing,
            dealt: reminder.dealt,
            dismissed: reminder.dismissed,
            events: reminder.events,
        };
        self.seal_item(item, &write(FORM, &form))
    }

    /// What a reminder says.
    pub fn reminder(&self, item: &Item) -> Result<Reminder, Error> {
        let form: ReminderForm = read(FORM, &self.open_item(item)?)?;
        let ways = form.ways.iter().map(|way| way.parse());
        Ok(Reminder {
            title: form.title,
            text: form.text,
            when: form.when.try_into()?,
            ways: ways.collect::<Result<_, _>>()?,
            to: form.to,
            digest: form.digest,
            meet: form.meet,
            calendar: form.calendar,
            snoozed: form.snoozed,
            ringing: form.ringing,
            dealt: form.dealt,
            dismissed: form.dismissed,
            events: form.events,
        })
    }

    /// Seals what there is to a delivery, for the item's version.
    pub(in crate::app) fn seal_delivery(
        &self,
        item: &Item,
        delivery: &Delivery,
    ) -> Result<Sealed, Error> {
        let letter = delivery.letter.clone();
        let ended = delivery.ended.as_ref();
        let form = DeliveryForm {
            letter: letter.map(|Letter { to, subject, text }| LetterForm { to, subject, text }),
            ended: ended.map(|Ended { at, cause }| EndedForm {
                at: *at,
                cause: cause.as_ref().map(|cause| (cause.code.to_string(), cause.text.to_string())),
            }),
        };
        self.seal_item(item, &write(FORM, &form))
    }

    /// What there is to a delivery.
    pub fn delivery(&self, item: &Item) -> Result<Delivery, Error> {
        let form: DeliveryForm = read(FORM, &self.open_item(item)?)?;
        Ok(Delivery {
            letter: form.letter.map(|LetterForm { to, subject, text }| Letter {
                to,
                subject,
                text,
            }),
            ended: form.ended.map(|EndedForm { at, cause }| Ended {
                at,
                cause: cause.map(|(code, text)| Cause::new(code, text)),
            }),
        })
    }
}

impl From<&When> for WhenForm {
    fn from(when: &When) -> Self {
        match when {
            When::At { first, recurrence } => {
                Self::At(first.into(), recurrence.as_ref().map(|rule| rule.lines().to_vec()))
            }
            When::Before { minutes, zone } => {
                Self::Before(*minutes, zone.map(|zone| zone.name().to_owned()))
            }
        }
    }
}

impl TryFrom<WhenForm> for When {
    type Error = Error;

    fn try_from(form: WhenForm) -> Result<Self, Error> {
        Ok(match form {
            WhenForm::At(first, lines) => Self::At {
                first: first.try_into()?,
                recurrence: lines.map(|lines| Recurrence::from_parts(lines, BTreeSet::new())),
            },
            WhenForm::Before(minutes, zone) => {
                let zone = zone.map(|name| name.parse::<Tz>()).transpose();
                Self::Before { minutes, zone: zone.map_err(|_| damaged("there is no such zone"))? }
            }
        })
    }
}

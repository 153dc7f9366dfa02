//! Reminders and their deliveries as callers see them.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, Object};

use super::super::categories::user_of;
use super::super::etag::ETag;
use super::super::events::{CauseBody, PointBody, points, utc};
use super::super::openapi::words::{told, word};
use crate::app::items::DELETED;
use crate::app::reminders::{DeliveryView, ReminderView, State};
use crate::model::delivery::DeliveryState;
use crate::model::item::Thing;
use crate::model::reminder::{Way, When};

/// A reminder, as shown.
#[derive(Serialize, ToSchema)]
pub struct ShownReminder {
    object: &'static str,
    id: String,
    /// What it is known by as it stands: what to send as `If-Match`.
    #[schema(value_type = String)]
    pub etag: ETag,
    version: u32,
    #[schema(schema_with = states)]
    state: &'static str,
    created: String,
    title: String,
    text: String,
    /// The moment of its own; of a series, the first.
    at: Option<PointBody>,
    recurrence: Vec<String>,
    /// How long before what it belongs to.
    minutes_before: Option<u32>,
    /// Where whole days begin at midnight, of what is told before them.
    time_zone: Option<String>,
    task: Option<String>,
    event: Option<String>,
    /// When it comes due next.
    next: Option<String>,
    /// Until when its last occurrence was put off.
    snoozed_until: Option<String>,
    /// The occurrence that came due, and was neither put off nor dismissed.
    ringing: Option<String>,
    #[schema(schema_with = ways)]
    deliver: Vec<&'static str>,
    to: Vec<String>,
    /// Whether its mail tells what the owner's next day holds.
    digest: bool,
    category: Option<String>,
    calendar: Option<String>,
    meet: Option<bool>,
    /// Whose it is, if a user's.
    user: Option<String>,
    /// The event that stands for it, which tells how far Google has it.
    event_id: Option<String>,
    /// `connection` while its entry in the calendar waits for an account.
    waits_for: Option<&'static str>,
}

/// What became of telling one occurrence.
#[derive(Serialize, ToSchema)]
pub struct DeliveryBody {
    object: &'static str,
    id: String,
    /// The occurrence's moment.
    at: String,
    #[schema(schema_with = delivery_states)]
    state: &'static str,
    created: String,
    /// Who the mail goes to.
    to: Vec<String>,
    subject: Option<String>,
    /// Since when it is over.
    ended: Option<String>,
    /// Why it came to nothing.
    cause: Option<CauseBody>,
}

/// Where reminders stand, as [`ReminderView::word`] tells it.
fn states() -> Object {
    let states = State::ALL.map(State::as_str).into_iter().chain([DELETED]);
    told("`deleted` where a repeated request finds what was deleted since.", word(states))
}

fn ways() -> Array {
    ArrayBuilder::new().items(word(Way::ALL.map(Way::as_str))).build()
}

fn delivery_states() -> Object {
    let states = DeliveryState::ALL.map(DeliveryState::as_str);
    told("`told` where there was nothing to mail.", word(states))
}

/// A page of reminders, as shown.
#[derive(Serialize, ToSchema)]
pub struct ShownReminders {
    pub object: &'static str,
    pub data: Vec<ShownReminder>,
    /// What to send as `cursor` for the next page, which may be empty; null at the end.
    pub next: Option<String>,
}

/// A page of deliveries, as shown.
#[derive(Serialize, ToSchema)]
pub struct DeliveriesBody {
    pub object: &'static str,
    pub data: Vec<DeliveryBody>,
    /// What to send as `cursor` for the next page, which may be empty; null at the end.
    pub next: Option<String>,
}

impl From<&ReminderView> for ShownReminder {
    fn from(view: &ReminderView) -> Self {
        let ReminderView { item, reminder } = view;
        let (at, recurrence, minutes, zone) = match &reminder.when {
            When::At { first, recurrence } => {
                let lines = recurrence.as_ref().map(|rule| rule.lines().to_vec());
                (Some(points(first).0), lines.unwrap_or_default(), None, None)
            }
            When::Before { minutes, zone } => (None, Vec::new(), Some(*minutes), *zone),
        };
        let (task, event) = match item.of {
            None => (None, None),
            Some(Thing::Item(task)) => (Some(task.to_string()), None),
            Some(Thing::Event(event)) => (None, Some(event.to_string())),
        };
        let body = Self {
            object: "reminder",
            id: item.id.to_string(),
            etag: ETag::default(),
            version: item.version,
            state: view.word(),
            created: utc(item.created),
            title: reminder.title.clone(),
            text: reminder.text.clone(),
            at,
            recurrence,
            minutes_before: minutes,
            time_zone: zone.map(|zone| zone.name().to_owned()),
            task,
            event,
            next: item.at.map(utc),
            snoozed_until: reminder.snoozed.map(utc),
            ringing: reminder.ringing.map(utc),
            deliver: reminder.ways.iter().copied().map(Way::as_str).collect(),
            to: reminder.to.clone(),
            digest: reminder.digest,
            category: item.category.map(|category| category.to_string()),
            calendar: reminder.calendar.clone(),
            meet: reminder.meet,
            user: user_of(&item.owner),
            event_id: item.event.map(|event| event.to_string()),
            waits_for: view.waits().then_some("connection"),
        };
        Self { etag: ETag::of(item.version, 0, &body), ..body }
    }
}

impl From<&DeliveryView> for DeliveryBody {
    fn from(view: &DeliveryView) -> Self {
        let DeliveryView { item, delivery } = view;
        let letter = delivery.letter.as_ref();
        let ended = delivery.ended.as_ref();
        Self {
            object: "delivery",
            id: item.id.to_string(),
            at: utc(item.at.unwrap_or(item.created)),
            state: DeliveryState::of(item.state).unwrap_or(DeliveryState::Pending).as_str(),
            created: utc(item.created),
            to: letter.map(|letter| letter.to.clone()).unwrap_or_default(),
            subject: letter.map(|letter| letter.subject.clone()),
            ended: ended.map(|ended| utc(ended.at)),
            cause: ended.and_then(|ended| ended.cause.as_ref()).map(CauseBody::from),
        }
    }
}

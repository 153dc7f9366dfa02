//! An event to try the whole way with, and its removal.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, TimeDelta, Utc};

use super::super::Door;
use super::super::events::{read_span, utc};
use super::fault::Fault;
use super::guard::{Signed, Visitor};
use super::home::moment;
use super::{HOME, page};
use crate::app::Error;
use crate::app::access::Caller;
use crate::app::events::{self, Draft, View, Wish};
use crate::app::placement::Aim;
use crate::model::event::{Copied, Meet, Meeting, Presence};
use crate::model::id::EventId;
use crate::model::timing::Timing;

const PATH: &str = "/google-calendar-setup/test-event";
/// Far enough ahead to be seen coming …
const AHEAD: TimeDelta = TimeDelta::minutes(10);
/// … and short.
const LENGTH: TimeDelta = TimeDelta::minutes(30);

#[derive(Template)]
#[template(path = "test_event.html")]
struct Page {
    csrf: String,
    id: String,
    title: &'static str,
    starts: String,
    link: Option<String>,
    meet: Option<String>,
    /// Why it is not as wanted, or not yet.
    reasons: Vec<String>,
    /// Whether looking again may show more.
    pending: bool,
    removable: bool,
}

/// `POST /google-calendar-setup/test-event`: takes the event in; the page it leads to waits for it.
pub async fn create(State(door): State<Door>) -> Result<Redirect, Fault> {
    let draft = draft(door.app.clock.now())?;
    let wish = Wish { draft, aim: Aim::default(), identity: None };
    let created = events::create(&door.app, &Caller::administrator(), wish).await?;
    Ok(to(created.view.event.id))
}

/// `POST /google-calendar-setup/test-event/remove`: cancels it again.
pub async fn remove(State(door): State<Door>, form: Signed) -> Result<Redirect, Fault> {
    let id = form.id.as_deref().and_then(|id| id.parse().ok()).ok_or(Error::NotFound("event"))?;
    let event = events::cancel(&door.app, &Caller::administrator(), id, None).await?;
    Ok(to(event.id))
}

/// `GET /google-calendar-setup/test-event?id=…`: what became of it, after a while's wait.
pub async fn show(
    State(door): State<Door>,
    Visitor(session): Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Fault> {
    let Some(session) = session else { return Ok(Redirect::to(HOME).into_response()) };
    let id = query.as_deref().and_then(|query| query.strip_prefix("id=")?.parse().ok());
    let id: EventId = id.ok_or(Error::NotFound("event"))?;
    let app = &door.app;
    let event = events::get(app, &Caller::administrator(), id).await?;
    let event = events::wait(app, event, app.clock.now() + app.settings.wait).await?;
    let view = events::view(app, event).await?;
    Ok(page(&Page::of(&view, session.csrf(app))))
}

fn to(id: EventId) -> Redirect {
    Redirect::to(&format!("{PATH}?id={id}"))
}

fn draft(now: DateTime<Utc>) -> Result<Draft, Error> {
    let (start, end) = (utc(now + AHEAD), utc(now + AHEAD + LENGTH));
    let span = read_span(("start", &start), ("end", &end), Some(("time_zone", "UTC")), None);
    let span = span.map_err(|mut invalid| Error::from(invalid.remove(0)))?;
    Ok(Draft {
        description:
            "Made on the setup page of calbridge to try the connection. It can be removed.".into(),
        meeting: Some(Meeting::Meet),
        ..Draft::new("calbridge test event", Timing::Span(span))
    })
}

impl Page {
    fn of(view: &View, csrf: String) -> Self {
        let event = &view.event;
        let wanted = event.wanted.presence == Presence::Present;
        let state = view.state().as_str();
        let title = match (state, wanted) {
            ("confirmed", _) => "The test event is in the calendar",
            ("cancelled", _) => "The test event is removed",
            ("removed_in_google", _) => "The test event was removed in Google Calendar",
            ("failed", true) => "The test event could not be made",
            ("failed", false) => "The test event could not be removed",
            (_, true) => "The test event is on its way",
            (_, false) => "The test event is being removed",
        };
        let refused = match &event.known.copy {
            Copied::Refused(cause) => Some(cause),
            _ => None,
        };
        let no_meeting = match &event.known.meet {
            Meet::Failed(cause) => Some(format!("There is no Meet link: {}", cause.text)),
            Meet::Pending { .. } if state == "confirmed" => {
                Some("Google is still making the Meet link.".into())
            }
            Meet::Pending { .. } | Meet::Ready | Meet::Unwanted => None,
        };
        let causes = view.obstacle.iter().chain(refused).map(|cause| cause.text.to_string());
        let in_calendar = state == "confirmed";
        Self {
            csrf,
            id: event.id.to_string(),
            title,
            starts: moment(view.content.timing.starts()),
            link: view.links.event.clone().filter(|_| in_calendar),
            meet: view.links.meet.clone().filter(|_| in_calendar),
            reasons: causes.chain(no_meeting.filter(|_| wanted)).collect(),
            pending: !event.is_settled() && !matches!(state, "failed" | "stopped"),
            removable: wanted && matches!(state, "confirmed" | "pending"),
        }
    }
}

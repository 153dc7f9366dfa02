//! Mailing what a reminder has to tell.
//!
//! A letter goes out at least once, if the server takes it within three days or at the first try behind
//! them. What was lost between the server's word and ours goes again, under the same Message-ID, by which
//! whoever keeps the mail can tell that it is the same.

use chrono::TimeDelta;

use super::mailer;
use crate::app::items::{self, MOST_EDITS};
use crate::app::{App, Error, reminders};
use crate::mail::{Accepted, Letter, MailError, Verdict};
use crate::model::delivery::DeliveryState;
use crate::model::id::ItemId;
use crate::model::item::{Item, Noun};
use crate::model::job::{Cause, Until};
use crate::store::{Kept, Step};

/// A mail that could not be handed over for so long is no news any more. It is tried all the same, since
/// nobody may have tried meanwhile, and given up if that try is put off.
const LATEST: TimeDelta = TimeDelta::days(3);

/// While writes are frozen, there is another look after this time.
const LOOK: TimeDelta = TimeDelta::seconds(5);

/// What came of a delivery.
pub enum Outcome {
    /// Nothing is left to do.
    Over,
    /// The server never takes it, or it waited too long: its row says so.
    Failed(Cause),
    /// The server puts this one off.
    Later(Cause),
    /// No mail goes out at present.
    Shut(Until, Cause),
}

/// Hands a delivery's letter to the server, if that is still to be done. One that failed is tried once
/// more when somebody asks for it.
pub async fn deliver(app: &App, id: ItemId) -> Result<Outcome, Error> {
    let Some(item) = app.store.item(id).await?.filter(|item| item.noun == Noun::Delivery) else {
        return Ok(Outcome::Over);
    };
    if !is_open(&item) {
        return Ok(Outcome::Over);
    }
    let Some(letter) = app.delivery(&item)?.letter else { return Ok(Outcome::Over) };
    let late = item.created + LATEST <= app.clock.now();
    let Ok(mailer) = mailer(app) else {
        let cause = Cause::new("mail_not_configured", Error::NoMail.to_string());
        if late {
            return give_up(app, id, &cause).await;
        }
        return Ok(Outcome::Shut(Until::Backoff, cause));
    };
    if app.frozen.now().is_some() {
        let look = Until::Moment(app.clock.now() + LOOK);
        return Ok(Outcome::Shut(look, Cause::new("frozen", "an operator froze the writes")));
    }
    if let Err(free) = mailer.take_place() {
        let text = "as many mails went out as may in a minute (mail.per_minute)";
        return Ok(Outcome::Shut(Until::Moment(free), Cause::new("mail_paced", text)));
    }
    let letter = Letter {
        name: id.to_string(),
        to: letter.to,
        subject: letter.subject,
        text: letter.text,
        at: item.created,
    };
    match mailer.send(&letter).await {
        Ok(accepted) => sent(app, id, &accepted).await,
        Err(MailError { verdict, cause }) => match verdict {
            Verdict::Refused => fail(app, id, cause).await,
            _ if late => give_up(app, id, &cause).await,
            Verdict::Later => Ok(Outcome::Later(cause)),
            Verdict::Outage | Verdict::Operator => Ok(Outcome::Shut(Until::Backoff, cause)),
        },
    }
}

async fn sent(app: &App, id: ItemId, accepted: &Accepted) -> Result<Outcome, Error> {
    let cause = (accepted.refused > 0).then(|| {
        let text = format!("the mail server refused {} of its addresses", accepted.refused);
        Cause::new("mail_refused_in_part", text)
    });
    note(app, id, DeliveryState::Sent, cause).await?;
    Ok(Outcome::Over)
}

async fn give_up(app: &App, id: ItemId, cause: &Cause) -> Result<Outcome, Error> {
    let text = format!("the mail waited for three days, and is no news any more: {}", cause.text);
    fail(app, id, Cause::new("mail_too_late", text)).await
}

async fn fail(app: &App, id: ItemId, cause: Cause) -> Result<Outcome, Error> {
    note(app, id, DeliveryState::Failed, Some(cause.clone())).await?;
    Ok(Outcome::Failed(cause))
}

/// Writes down how a delivery ended, unless somebody dismissed it meanwhile.
async fn note(
    app: &App,
    id: ItemId,
    state: DeliveryState,
    cause: Option<Cause>,
) -> Result<(), Error> {
    for _ in 0..MOST_EDITS {
        let Some(item) = app.store.item(id).await?.filter(is_open) else { return Ok(()) };
        let over = reminders::end(app, item, state, cause.clone())?;
        let step = Step { items: vec![over], ..Step::default() };
        if matches!(items::keep(app, step).await?, Kept::Yes(_)) {
            return Ok(());
        }
    }
    Err(Error::Overtaken)
}

fn is_open(item: &Item) -> bool {
    matches!(DeliveryState::of(item.state), Some(DeliveryState::Pending | DeliveryState::Failed))
}

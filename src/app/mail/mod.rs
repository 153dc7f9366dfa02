//! Mail: whether it is set up, and a letter to try it out.

mod deliver;

use super::{App, Error};
use crate::mail::{Accepted, Letter, MailError, Mailer};
pub use crate::mail::{Paced, Report};
use crate::model::id::ItemId;
pub use deliver::{Outcome, deliver};

/// What came of a letter that was sent to try it out.
pub struct Tried {
    /// What the letter is known by.
    pub message_id: String,
    /// What the server said to it.
    pub outcome: Result<Accepted, MailError>,
}

/// What hands letters to the server, if there is one.
pub fn mailer(app: &App) -> Result<&Mailer, Error> {
    app.mail.as_deref().ok_or(Error::NoMail)
}

/// Sends a letter to this address, at once, and tells what the server said.
pub async fn try_out(app: &App, to: String) -> Result<Tried, Error> {
    let mailer = mailer(app)?;
    let letter = Letter {
        name: ItemId::random(&*app.random).to_string(),
        to: vec![to],
        subject: "calbridge can send mail".to_owned(),
        text: "This is what calbridge was asked to send to see whether it can.\n\n\
               Reminders will come from this address."
            .to_owned(),
        at: app.clock.now(),
    };
    let outcome = mailer.send(&letter).await;
    if let Err(error) = &outcome {
        tracing::warn!(cause = %error.cause.code, "the mail that was to be tried did not go out: {error}");
    }
    Ok(Tried { message_id: mailer.message_id(&letter.name), outcome })
}

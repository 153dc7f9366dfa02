//! A letter as it goes over the wire (RFC 5322): plain text, of one name and one date however often
//! it is sent.

use std::time::SystemTime;

use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};

use super::{Letter, MailError, Mailer, Verdict};

/// A machine wrote it: no answering machine shall answer (RFC 3834 §5).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// The bytes of a letter.
pub(super) fn write(
    mailer: &Mailer,
    letter: &Letter,
    recipients: &[Address],
) -> Result<Vec<u8>, MailError> {
    let mut message = Message::builder()
        .from(mailer.from.clone())
        .subject(one_line(&letter.subject))
        .date(SystemTime::from(letter.at))
        .message_id(Some(mailer.message_id(&letter.name)))
        .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN);
    for address in recipients {
        message = message.to(Mailbox::new(None, address.clone()));
    }
    if let Some(reply_to) = &mailer.reply_to {
        message = message.reply_to(reply_to.clone());
    }
    let message = message.body(letter.text.clone()).map_err(|error| {
        MailError::new(
            Verdict::Refused,
            "mail_unwritable",
            format!("the mail cannot be written: {error}"),
        )
    })?;
    Ok(message.formatted())
}

/// The text without line ends and other signs that are no letters: a subject is one line, and no
/// header of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

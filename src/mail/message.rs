//! A letter as it goes over the wire (RFC 5322): plain text, of one name and one date however often
//! it is sent.

use std::time::SystemTime;

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};

use super::{Letter, MailError, Mailer, Verdict};

/// A machine wrote it: no answering machine shall answer (RFC 3834 §5).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

const TO: HeaderName = HeaderName::new_from_ascii_str("To");

/// Several who get one letter do not see who else does: a group of nobody (RFC 5322 §3.4), whom the
/// envelope names.
const NOBODY_NAMED: &str = "undisclosed-recipients:;";

/// The bytes of a letter.
pub(super) fn write(
    mailer: &Mailer,
    letter: &Letter,
    recipients: &[Address],
) -> Result<Vec<u8>, MailError> {
    let unwritable = |error: lettre::error::Error| {
        let text = format!("the mail cannot be written: {error}");
        MailError::new(Verdict::Refused, "mail_unwritable", text)
    };
    let mut message = Message::builder()
        .from(mailer.from.clone())
        .subject(one_line(&letter.subject))
        .date(SystemTime::from(letter.at))
        .message_id(Some(mailer.message_id(&letter.name)))
        .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN);
    message = match recipients {
        [alone] => message.to(Mailbox::new(None, alone.clone())),
        several => {
            let sender = Some(mailer.from.email.clone());
            let envelope = Envelope::new(sender, several.to_vec()).map_err(unwritable)?;
            message.raw_header(HeaderValue::new(TO, NOBODY_NAMED.to_owned())).envelope(envelope)
        }
    };
    if let Some(reply_to) = &mailer.reply_to {
        message = message.reply_to(reply_to.clone());
    }
    Ok(message.body(letter.text.clone()).map_err(unwritable)?.formatted())
}

/// The text without line ends and other signs that are no letters: a subject is one line, and no
/// header of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

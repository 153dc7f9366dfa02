//! Mail as the settings have it.

use chrono::TimeDelta;

use crate::config::{MailConfig, MailSecurity, MailboxConfig};
use crate::mail::{Relay, Security};

/// The server that takes mail.
pub fn relay(config: &MailConfig) -> Relay {
    let mailbox = |mailbox: &MailboxConfig| (mailbox.name.clone(), mailbox.address.clone());
    Relay {
        host: config.host.clone(),
        port: config.port,
        security: match config.security {
            MailSecurity::Tls => Security::Tls,
            MailSecurity::StartTls => Security::StartTls,
            MailSecurity::None => Security::None,
        },
        login: config.login.clone(),
        from: mailbox(&config.from),
        reply_to: config.reply_to.as_ref().map(mailbox),
        per_minute: config.per_minute,
        deadline: TimeDelta::from_std(config.timeout).unwrap_or(TimeDelta::MAX),
    }
}

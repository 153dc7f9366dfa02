//! Whose a thing is, which decides who may see it.

use super::invalid::Invalid;

/// Whose a thing is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The application that calbridge serves.
    Application,
    /// One of its users.
    User(UserId),
}

/// A user, in the calling application's own words: 1 to 128 printable ASCII characters, no spaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

impl UserId {
    /// The application's own word for the user.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = Invalid;

    fn try_from(raw: String) -> Result<Self, Invalid> {
        if !(1..=128).contains(&raw.len()) || !raw.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Invalid::new("user_id", "1 to 128 printable ASCII characters, no spaces"));
        }
        Ok(Self(raw))
    }
}

impl Owner {
    /// The owner as bytes, different for each: what keys and derived ids are made of.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Application => Vec::new(),
            Self::User(user) => user.0.as_bytes().to_vec(),
        }
    }
}

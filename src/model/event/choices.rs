//! What can be chosen for an entry, each by its name on the wire.

use std::str::FromStr;

use super::super::invalid::Invalid;

/// Who gets mail from Google about a change: its `sendUpdates`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// Nobody.
    None,
    /// Guests whose calendar is not Google's.
    External,
    /// Every guest.
    All,
}

/// Who may read an entry in a calendar that is shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// Whoever may read the calendar's entries.
    #[default]
    Default,
    /// Everybody who sees the calendar.
    Public,
    /// Only who is invited.
    Private,
}

/// Whether an entry takes its owner's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transparency {
    /// It does.
    #[default]
    Opaque,
    /// It does not: its owner stays free.
    Transparent,
}

/// How somebody is reminded of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertBy {
    /// By a window on the screen.
    Popup,
    /// By mail.
    Email,
}

/// Google's eleven colours of events, by the names that its calendar shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Google's number 1.
    Lavender,
    /// Google's number 2.
    Sage,
    /// Google's number 3.
    Grape,
    /// Google's number 4.
    Flamingo,
    /// Google's number 5.
    Banana,
    /// Google's number 6.
    Tangerine,
    /// Google's number 7.
    Peacock,
    /// Google's number 8.
    Graphite,
    /// Google's number 9.
    Blueberry,
    /// Google's number 10.
    Basil,
    /// Google's number 11.
    Tomato,
}

impl Notify {
    /// Every choice there is.
    pub const ALL: [Self; 3] = [Self::None, Self::External, Self::All];

    /// The choice's name on the wire and in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::External => "external",
            Self::All => "all",
        }
    }
}

impl FromStr for Notify {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let rule = "`none`, `external` or `all`";
        chosen(&Self::ALL, Self::as_str, name).ok_or_else(|| Invalid::new("notify", rule))
    }
}

impl Visibility {
    /// Every choice there is.
    pub const ALL: [Self; 3] = [Self::Default, Self::Public, Self::Private];

    /// The choice's name on the wire, here and at Google.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

impl FromStr for Visibility {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let rule = "`default`, `public` or `private`";
        chosen(&Self::ALL, Self::as_str, name).ok_or_else(|| Invalid::new("visibility", rule))
    }
}

impl Transparency {
    /// Every choice there is.
    pub const ALL: [Self; 2] = [Self::Opaque, Self::Transparent];

    /// The choice's name on the wire, here and at Google.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opaque => "opaque",
            Self::Transparent => "transparent",
        }
    }
}

impl FromStr for Transparency {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let rule = "`opaque` or `transparent`";
        chosen(&Self::ALL, Self::as_str, name).ok_or_else(|| Invalid::new("transparency", rule))
    }
}

impl AlertBy {
    /// Every choice there is.
    pub const ALL: [Self; 2] = [Self::Popup, Self::Email];

    /// The choice's name on the wire, here and at Google.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Popup => "popup",
            Self::Email => "email",
        }
    }
}

impl FromStr for AlertBy {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let rule = "`popup` or `email`";
        chosen(&Self::ALL, Self::as_str, name).ok_or_else(|| Invalid::new("method", rule))
    }
}

impl Color {
    /// Every colour there is, in the order of Google's numbers, which begin at 1.
    pub const ALL: [Self; 11] = [
        Self::Lavender,
        Self::Sage,
        Self::Grape,
        Self::Flamingo,
        Self::Banana,
        Self::Tangerine,
        Self::Peacock,
        Self::Graphite,
        Self::Blueberry,
        Self::Basil,
        Self::Tomato,
    ];

    /// The colour's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lavender => "lavender",
            Self::Sage => "sage",
            Self::Grape => "grape",
            Self::Flamingo => "flamingo",
            Self::Banana => "banana",
            Self::Tangerine => "tangerine",
            Self::Peacock => "peacock",
            Self::Graphite => "graphite",
            Self::Blueberry => "blueberry",
            Self::Basil => "basil",
            Self::Tomato => "tomato",
        }
    }
}

impl FromStr for Color {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        chosen(&Self::ALL, Self::as_str, name).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            Invalid::new("color", format!("one of Google's colours: {names}"))
        })
    }
}

fn chosen<T: Copy>(all: &[T], named: fn(T) -> &'static str, name: &str) -> Option<T> {
    all.iter().copied().find(|choice| named(*choice) == name)
}

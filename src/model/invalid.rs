//! Why a value was refused, in words for the person who sent it.

use std::borrow::Cow;
use std::fmt;

/// A value that breaks a rule: which one, what the rule is, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The member or key that holds the value, as its writer knows it.
    pub field: Cow<'static, str>,
    /// What a valid value looks like, or what to change: reads after the field's name.
    pub rule: Cow<'static, str>,
}

impl Invalid {
    /// `field` breaks `rule`.
    pub fn new(field: impl Into<Cow<'static, str>>, rule: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), rule: rule.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.field, self.rule)
    }
}

impl std::error::Error for Invalid {}
